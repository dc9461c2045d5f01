package vm

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"lab/bench"
	"lab/bench/benchtest"
	"lab/vm/accel"
	"lab/vm/daemon"
)

// QEMU has no privileges, and sees of the machine what its domain needs.
func TestConfined(t *testing.T) {
	e := open(t)
	devices := nodesOf(t, "/dev")
	s := spec(t, e, "/bin/sleep", "1000")
	s.Settings = settled(t, e, map[string]string{"root": "ext4", "disk": "virtio", "disk-size": "64M", "net": "bridge"})
	if err := e.Check(within(t, time.Minute), s); err != nil {
		t.Skipf("SKIPPED: %v", err)
	}
	a, b := start(t, e, s), start(t, e, spec(t, e, "/bin/sleep", "1000"))
	for _, i := range []*instance{a, b} {
		unprivileged(t, i)
		sees(t, i)
	}
	if a.cfg.User == b.cfg.User {
		t.Errorf("two domains run as the same user, %d", a.cfg.User)
	}
	a.Close()
	b.Close()
	if after := nodesOf(t, "/dev"); !maps.Equal(devices, after) {
		t.Errorf("devices were\n%v\nand are\n%v", devices, after)
	}
}

// So is one under KVM, for which it opens the device.
func TestConfinedKVM(t *testing.T) {
	if err := accel.KVMOpens(); err != nil {
		t.Skipf("SKIPPED: %v", err)
	}
	devices := nodesOf(t, "/dev")
	e := open(t)
	file := filepath.Join(e.bed(), "loops.elf")
	writeFile(t, file, accel.Tiny(1<<31))
	i := e.newInstance(bench.Spec{Settings: map[string]string{"accel": "kvm"}}, e.plain())
	i.cfg.CPU, i.cfg.Cmdline = "qemu64", "word"
	if err := i.prepareBare(within(t, time.Minute), file); err != nil {
		t.Fatal(err)
	}
	if err := i.Start(within(t, time.Minute)); err != nil {
		t.Fatal(err)
	}
	defer i.Close()
	unprivileged(t, i)
	sees(t, i)
	if open := openFiles(t, i.pid); !slices.Contains(open, "/dev/kvm") {
		t.Errorf("QEMU has no /dev/kvm open, but %q", open)
	}
	if after := nodesOf(t, "/dev"); !maps.Equal(devices, after) {
		t.Errorf("devices were\n%v\nand are\n%v", devices, after)
	}
}

// And one that was restored, or is shown a folder.
func TestConfinedMore(t *testing.T) {
	e := open(t)
	for name, change := range map[string]func(*bench.Spec){
		"restored": func(s *bench.Spec) { s.Settings = settled(t, e, map[string]string{"start": "restored"}) },
		"share":    func(s *bench.Spec) { s.Mounts = []bench.Mount{{Source: t.TempDir(), Target: "/mnt"}} },
	} {
		t.Run(name, func(t *testing.T) {
			s := spec(t, e, "/bin/sleep", "1000")
			s.Init = true
			change(&s)
			if err := e.Check(within(t, time.Minute), s); err != nil {
				t.Skipf("SKIPPED: %v", err)
			}
			i := start(t, e, s)
			unprivileged(t, i)
			sees(t, i)
			for _, m := range s.Mounts {
				serves(t, m.Source)
			}
			i.Close()
		})
	}
}

// unprivileged says so of a domain's QEMU, as the kernel has it.
func unprivileged(t *testing.T, i *instance) {
	t.Helper()
	status := statusOf(t, i.pid)
	four := func(id int) string { return strings.TrimSpace(strings.Repeat(fmt.Sprintf("%d ", id), 4)) }
	for k, want := range map[string]string{
		"Uid": four(i.cfg.User), "Gid": four(daemon.QEMUGroup()), "Groups": fmt.Sprint(daemon.QEMUGroup()), "NoNewPrivs": "1", "Seccomp": "2",
		"CapInh": noCaps, "CapPrm": noCaps, "CapEff": noCaps, "CapBnd": noCaps, "CapAmb": noCaps,
	} {
		if status[k] != want {
			t.Errorf("%s is %s, want %s", k, status[k], want)
		}
	}
	if i.cfg.User < daemon.SpareID && daemon.QEMUGroup() == daemon.SpareID {
		t.Errorf("QEMU runs as user %d, who may be somebody", i.cfg.User)
	}
}

const noCaps = "0000000000000000"

// statusOf is a process's /proc/PID/status.
func statusOf(t *testing.T, pid int) map[string]string {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	status := make(map[string]string)
	for line := range strings.Lines(string(b)) {
		k, v, _ := strings.Cut(line, ":")
		status[k] = strings.Join(strings.Fields(v), " ")
	}
	return status
}

// serves says what the process is that serves a folder: root, as it makes files
// for any user, with a filter, in a root that is the folder, and without the
// capabilities that lead out of there.
func serves(t *testing.T, folder string) {
	t.Helper()
	writeFile(t, filepath.Join(folder, "mark"), nil)
	comms, _ := filepath.Glob("/proc/[0-9]*/comm")
	found := 0
	for _, name := range comms {
		b, _ := os.ReadFile(name)
		dir := filepath.Dir(name)
		pid, _ := strconv.Atoi(filepath.Base(dir))
		if _, err := os.Lstat(dir + "/root/mark"); strings.TrimSpace(string(b)) != "virtiofsd" || err != nil {
			continue
		}
		status := statusOf(t, pid)
		if status["CapEff"] == noCaps {
			continue // the one that waits for the other's end
		}
		found++
		caps, err := strconv.ParseUint(status["CapEff"], 16, 64)
		const out = 1<<unix.CAP_SYS_ADMIN | 1<<unix.CAP_SYS_PTRACE | 1<<unix.CAP_SYS_MODULE | 1<<unix.CAP_NET_ADMIN | 1<<unix.CAP_SYS_CHROOT | 1<<unix.CAP_SYS_RAWIO
		if err != nil || caps&out != 0 || status["Seccomp"] != "2" || status["NoNewPrivs"] != "1" {
			t.Errorf("virtiofsd has capabilities %s, filter %s, no_new_privs %s", status["CapEff"], status["Seccomp"], status["NoNewPrivs"])
		}
		if all := names(t, dir+"/root"); len(all) != 1 {
			t.Errorf("virtiofsd's root has %q", all)
		}
	}
	if found == 0 {
		t.Error("no virtiofsd serves the folder")
	}
}

// sees says that QEMU's root has the system's programs and the domain's files,
// and nothing of the machine's.
func sees(t *testing.T, i *instance) {
	t.Helper()
	root := fmt.Sprintf("/proc/%d/root", i.pid)
	want := []string{"bin", "dev", "etc", "lib", "lib32", "lib64", "libx32", "proc", "run", "sbin", "sys", "tmp", "usr", "var"}
	for _, name := range names(t, root) {
		if !slices.Contains(want, name) {
			t.Errorf("QEMU's root has a folder %s", name)
		}
	}
	for _, name := range []string{"/root", "/home", "/etc/shadow", "/etc/hostname", "/var/lib/dpkg", i.env.tb.Cache, "/run/lab", "/sys/fs/cgroup/cgroup.procs"} {
		if _, err := os.Lstat(root + name); err == nil {
			t.Errorf("QEMU sees %s", name)
		}
	}
	shown := names(t, root+daemon.InsideFiles)
	if want := len(i.env.own.Shown) + 1; len(shown) > want {
		t.Errorf("QEMU sees %d files, more than %d: %q", len(shown), want, shown)
	}
	for _, folder := range []string{"/usr", "/bin", "/lib"} {
		var st syscall.Statfs_t
		if err := syscall.Statfs(root+folder+"/.", &st); err == nil && st.Flags&syscall.MS_RDONLY == 0 {
			t.Errorf("QEMU's %s isn't read-only", folder)
		}
	}
	if st, err := os.Lstat(root + daemon.InsideShares); err == nil && st.Mode().Perm()&0o077 != 0 {
		t.Errorf("QEMU can look into %s", daemon.InsideShares)
	}
	// What others own is none of its.
	filepath.WalkDir(root+"/run", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || d.Type()&fs.ModeSymlink != 0 {
			return nil
		}
		st, err := d.Info()
		if err != nil {
			return nil // of an instance that is going
		}
		own := int(st.Sys().(*syscall.Stat_t).Uid) == i.cfg.User
		if mine := strings.Contains(path, i.cfg.Name+"."); own && !mine || !own && st.Mode().Perm()&0o002 != 0 {
			t.Errorf("QEMU of user %d may write to %s (%v)", i.cfg.User, strings.TrimPrefix(path, root), st.Mode())
		}
		return nil
	})
}

func names(t *testing.T, dir string) (out []string) {
	t.Helper()
	ds, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range ds {
		out = append(out, d.Name())
	}
	return out
}

// openFiles are what a process has open.
func openFiles(t *testing.T, pid int) (out []string) {
	t.Helper()
	dir := fmt.Sprintf("/proc/%d/fd", pid)
	for _, fd := range names(t, dir) {
		to, _ := os.Readlink(filepath.Join(dir, fd))
		out = append(out, to)
	}
	return out
}

// nodesOf are owner and mode of each device below a folder.
func nodesOf(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := make(map[string]string)
	if err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.Type()&fs.ModeDevice == 0 || strings.HasPrefix(path, "/dev/pts/") {
			return nil // terminals come and go
		}
		st, err := d.Info()
		if err != nil {
			return err
		}
		x := st.Sys().(*syscall.Stat_t)
		out[path] = fmt.Sprintf("%d:%d %v", x.Uid, x.Gid, st.Mode())
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return out
}

func settled(t *testing.T, e *Env, asked map[string]string) map[string]string {
	t.Helper()
	set, err := bench.Resolve(e, asked)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// systemd mounts a file system of huge pages at /dev/hugepages; others mount
// more, elsewhere. libvirt would look for each, and make folders in it, if it saw
// them: its root has none.
func TestHugePages(t *testing.T) {
	starts := func(name string) (ok bool) {
		t.Run(name, func(t *testing.T) { abroad(t); ok = true })
		return ok
	}
	if !starts("without") {
		t.Skip("SKIP: no guest can be run here at all")
	}
	run := filepath.Join(benchtest.Testbed(t).Dir, "huge")
	for name, dir := range map[string]string{"below run": run, "elsewhere": t.TempDir()} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := unix.Mount("none", dir, "hugetlbfs", 0, ""); err != nil {
			t.Skip("SKIP: this kernel has no huge pages: ", err)
		}
		t.Cleanup(func() {
			if err := unix.Unmount(dir, 0); err != nil {
				t.Error(err)
			}
			os.Remove(dir)
		})
		if !starts(name) {
			t.Error("no daemon with huge pages ", name)
		}
		if left, err := os.ReadDir(dir); len(left) > 0 || err != nil {
			t.Errorf("left in %s: %v, %v", dir, left, err)
		}
	}
}

// A daemon that doesn't start tells by its last error what it lacks.
func TestDaemonRefuses(t *testing.T) {
	own := open(t)
	for _, c := range []struct{ name, file, text, want string }{
		{"driver", "/etc/libvirt/qemu.conf", `hugetlbfs_mount = "/nonexistent"`, "'/nonexistent'"},
		{"configuration", "/etc/libvirt/libvirtd.conf", "listen_tls = many", "expecting a value"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, err := own.own.Mounts()
			if err != nil {
				t.Fatal(err)
			}
			m.Bed = filepath.Join(own.tb.Dir, "refuses")
			defer os.RemoveAll(m.Bed)
			m.Files = map[string]string{c.file: c.text, "/etc/libvirt/virtqemud.conf": c.text}
			log, err := own.tb.Log("refuses.log")
			if err != nil {
				t.Fatal(err)
			}
			defer log.Close()
			log.WriteString("2026-01-01 00:00:00.000+0000: 1: error : f:1 : of an earlier daemon\n")
			ctx := within(t, time.Minute)
			began := time.Now()
			d, err := daemon.Start(ctx, m, log)
			if err == nil {
				defer d.Stop()
				_, err = d.Connect(ctx)
			}
			says(t, began, 10*time.Second, err, c.want)
			if err != nil && strings.Contains(err.Error(), "earlier daemon") {
				t.Error("another daemon's error:", err)
			}
		})
	}
}
