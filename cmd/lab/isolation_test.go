package main

import (
	"bufio"
	"context"
	"fmt"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"lab/bench/results"
)

// reached are the answers of a run's probes, by row and probe: 0 neither, 1 sees, 2
// changes. What not even root on the host can isn't there.
func reached(t *testing.T, dir string) map[string]map[string]int {
	t.Helper()
	run, err := results.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]map[string]int{}
	for _, l := range run.Lines {
		if l.Err != "" {
			t.Fatalf("%s: %s", l.Label(), l.Err)
		}
		if name, ok := strings.CutPrefix(l.Metric, "reach-"); ok && l.Value != nil {
			if out[l.Label()] == nil {
				out[l.Label()] = map[string]int{}
			}
			out[l.Label()][name] = int(*l.Value)
		}
	}
	return out
}

// What the lab's probes say of a container, and of one without each of its ingredients, is
// what nsenter, /proc and the host's own programs find out about such a container from
// outside: not by the lab's list of what stops a probe, and not by its probe.
func TestIsolationFromOutside(t *testing.T) {
	needs(t)
	for _, name := range []string{"nsenter", "setpriv", "ipcmk", "ipcrm"} {
		if _, err := exec.LookPath(name); err != nil {
			t.Skip("no ", name, "; fix: apt-get install util-linux")
		}
	}
	nothingLeft(t)
	lab, dir := command(t), filepath.Join(t.TempDir(), "r")
	if out, err := exec.Command(lab, "run", "isolation", "--env", "container", "-r", "1", "-w", "0", "--out", dir).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	said := reached(t, dir)
	if len(said) < 10 {
		t.Fatalf("%d rows: %v", len(said), slices.Sorted(maps.Keys(said)))
	}
	// In a goroutine, and on a thread, of its own.
	t.Run("outside", func(t *testing.T) { fromOutside(t, lab, said) })
}

// fromOutside looks at a container of each row, and at each cell.
func fromOutside(t *testing.T, lab string, said map[string]map[string]int) {
	// All that the host has is on a network of this thread's, which the commands have that
	// it starts.
	runtime.LockOSThread() // for good
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Fatal(err)
	}
	host := hostMarks(t)
	cells, answers := 0, map[int]int{}
	for _, row := range slices.Sorted(maps.Keys(said)) {
		args := []string{"exec", "container"}
		if _, set, ok := strings.Cut(row, " "); ok {
			args = append(args, "--variant", set)
		}
		inside := hold(t, exec.Command(lab, append(args, "--", "/bin/busybox", "sleep", "100")...), "sleep\x00100\x00")
		outside := host.look(t, inside.pid)
		for _, probe := range slices.Sorted(maps.Keys(said[row])) {
			a, ok := outside[probe]
			if !ok {
				t.Errorf("%s: nobody looks from outside", probe)
			} else if a != said[row][probe] {
				t.Errorf("%s, %s: the program inside says %d, from outside it is %d", row, probe, said[row][probe], a)
			}
			answers[a]++
			cells++
		}
		if n := len(said[row]); n < 40 {
			t.Errorf("%s: %d probes", row, n)
		}
		inside.end()
	}
	t.Logf("%d cells; answers: %v", cells, answers)
}

// A held command lives until end.
type held struct {
	pid int // of the program inside
	end func()
}

// hold starts a command, and finds the process below it that has these arguments at the
// end of its own.
func hold(t *testing.T, cmd *exec.Cmd, args string) held {
	t.Helper()
	var said strings.Builder
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	end := func() {
		cmd.Process.Kill() // the program inside, as a first process, hears no other
		cmd.Wait()
	}
	for until := time.Now().Add(10 * time.Second); time.Now().Before(until); time.Sleep(10 * time.Millisecond) {
		if pid := heir(cmd.Process.Pid, args); pid != 0 {
			return held{pid, end}
		}
	}
	end()
	t.Fatalf("%q starts nothing that is %q\n%s", cmd.Args, args, said.String())
	return held{}
}

// heir is the process below pid whose arguments are these and the program's name, or 0.
func heir(pid int, args string) int {
	all, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, name := range all {
		b, _ := os.ReadFile(name)
		for _, f := range strings.Fields(string(b)) {
			child, _ := strconv.Atoi(f)
			line, _ := os.ReadFile("/proc/" + f + "/cmdline")
			if _, rest, _ := strings.Cut(string(line), "\x00"); rest == args {
				return child
			}
			if pid := heir(child, args); pid != 0 {
				return pid
			}
		}
	}
	return 0
}

// marks are one of everything that the host has, for somebody inside to find.
type marks struct {
	t                  *testing.T
	file, mount, queue string
	device             string
	port, neighbour    int
	shm, sem           string // their keys, as the kernel lists them
	abstract           string
}

func hostMarks(t *testing.T) *marks {
	t.Helper()
	word := fmt.Sprintf("outside%d", os.Getpid())
	m := &marks{t: t, file: filepath.Join(t.TempDir(), word), mount: filepath.Join(t.TempDir(), word+"-mount"), queue: word, abstract: word}
	must := func(err error) {
		if err != nil {
			t.Helper()
			t.Fatal(err)
		}
	}
	must(os.WriteFile(m.file, nil, 0o600))
	must(os.Mkdir(m.mount, 0o700))
	must(unix.Mount("tmpfs", m.mount, "tmpfs", 0, "size=4k"))
	t.Cleanup(func() { unix.Unmount(m.mount, unix.MNT_DETACH) })
	// A bridge, and a loopback device that is up, on this thread's network.
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	must(err)
	defer unix.Close(s)
	m.device = word[:min(len(word), unix.IFNAMSIZ-1)]
	name, err := unix.BytePtrFromString(m.device)
	must(err)
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(s), unix.SIOCBRADDBR, uintptr(unsafe.Pointer(name))); errno != 0 {
		t.Fatal(errno)
	}
	lo, err := unix.NewIfreq("lo")
	must(err)
	lo.SetUint16(unix.IFF_UP)
	must(unix.IoctlIfreq(s, unix.SIOCSIFFLAGS, lo))
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	must(err)
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			c.Close()
		}
	}()
	m.port = l.Addr().(*net.TCPAddr).Port
	u, err := net.Listen("unix", "@"+m.abstract)
	must(err)
	t.Cleanup(func() { u.Close() })
	for _, x := range []struct {
		flag, file string
		key        *string
	}{{"-M4096", "shm", &m.shm}, {"-S1", "sem", &m.sem}} {
		out, err := exec.Command("ipcmk", x.flag).Output()
		must(err)
		f := strings.Fields(string(out))
		id := f[len(f)-1]
		t.Cleanup(func() { exec.Command("ipcrm", map[string]string{"shm": "-m", "sem": "-s"}[x.file], id).Run() })
		list, err := os.ReadFile("/proc/sysvipc/" + x.file)
		must(err)
		for l := range strings.Lines(string(list)) {
			if f := strings.Fields(l); len(f) > 1 && f[1] == id {
				*x.key = f[0]
			}
		}
		if *x.key == "" || *x.key == "0" {
			t.Fatalf("%s %s isn't listed:\n%s", x.file, id, list)
		}
	}
	q := exec.Command("unshare", "-m", "sh", "-c", `mount -t mqueue none /mnt && : >"/mnt/$1"`, "sh", m.queue)
	if out, err := q.CombinedOutput(); err != nil {
		t.Fatalf("a message queue: %v\n%s", err, out)
	}
	t.Cleanup(func() {
		exec.Command("unshare", "-m", "sh", "-c", `mount -t mqueue none /mnt && rm "/mnt/$1"`, "sh", m.queue).Run()
	})
	other := exec.Command("sleep", "1000")
	must(other.Start())
	t.Cleanup(func() { other.Process.Kill(); other.Wait() })
	m.neighbour = other.Process.Pid
	return m
}

// look is how far a program comes that is in the same place as process pid.
func (m *marks) look(t *testing.T, pid int) map[string]int {
	t.Helper()
	target, proc := strconv.Itoa(pid), fmt.Sprintf("/proc/%d", pid)
	status := map[string]string{}
	f, err := os.Open(proc + "/status")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		k, v, _ := strings.Cut(s.Text(), ":")
		status[k] = strings.TrimSpace(v)
	}
	caps, err := strconv.ParseUint(status["CapEff"], 16, 64)
	if err != nil {
		t.Fatal(err)
	}
	filter := status["Seccomp"] == "2"
	ours, err1 := os.Readlink("/proc/self/ns/user")
	its, err2 := os.Readlink(proc + "/ns/user")
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	mapped := ours != its // its capabilities count in its own user namespace alone
	can := func(c int) bool { return caps&(1<<c) != 0 && !mapped }
	// power is what a filter of system calls usually refuses, too.
	power := func(c int) bool { return can(c) && !filter }

	// in has a shell of the host's, with the host's files, in some of its namespaces.
	in := func(flags, script string) bool {
		args := append(append([]string{"-t", target}, strings.Fields(flags)...), "/bin/sh", "-c", script)
		return soon("nsenter", args...)
	}
	// whole is a shell of the image's in all of them, in its root folder.
	whole := func(script string) bool {
		return soon("nsenter", "-t", target, "-a", "-r", "/bin/busybox", "sh", "-c", script)
	}
	// same says whether a command there prints what it prints here.
	same := func(args ...string) bool {
		here, err := exec.Command("busybox", args...).Output()
		there, err2 := exec.Command("nsenter", append([]string{"-t", target, "-a", "-r", "/bin/busybox"}, args...)...).Output()
		return err == nil && err2 == nil && string(here) == string(there)
	}
	level := func(sees, changes bool) int {
		switch {
		case sees && changes:
			return 2
		case sees:
			return 1
		}
		return 0
	}
	all := func(reaches bool) int { return level(reaches, true) }
	seen := func(reaches bool) int { return level(reaches, false) }

	out := map[string]int{}
	out["file"] = all(exists(proc + "/root" + m.file))
	// Nothing is above its root folder: that of its mount namespace is the same.
	out["escape"] = all(soon("nsenter", "-t", target, "-m", "/bin/busybox", "test", "-e", m.file))
	out["escape-proc"] = all(power(unix.CAP_SYS_ADMIN) && in("-p", fmt.Sprintf("kill -0 %d", m.neighbour)))
	out["escape-handle"] = all(power(unix.CAP_DAC_READ_SEARCH) && mountOf(proc, "") == mountOf("/proc/self", ""))
	out["disk"] = seen(can(unix.CAP_MKNOD) && deviceOpens(t, proc+"/root/tmp"))
	out["mount-list"] = seen(contains(proc+"/mountinfo", m.mount))
	out["mount-made"] = all(power(unix.CAP_SYS_ADMIN) && m.mounts(target))

	name := in("-p", fmt.Sprintf("kill -0 %d", m.neighbour))
	listed := whole(fmt.Sprintf("grep -q 1000 /proc/%d/cmdline", m.neighbour))
	// Whoever looks into a process has its capabilities: the neighbour has root's.
	peer := name && can(unix.CAP_SYS_PTRACE)
	out["process-list"] = seen(listed)
	out["signal"] = level(name, !mapped)
	out["priority-other"] = level(name, can(unix.CAP_SYS_NICE))
	for _, p := range []string{"memory", "trace"} {
		out[p] = all(peer)
	}
	out["descriptor"], out["enter"] = all(peer && !filter), all(peer && power(unix.CAP_SYS_ADMIN))
	out["open-files"], out["root-link"] = all(peer && listed), all(peer && listed)
	out["seen"] = seen(exists(proc))
	out["root-is-root"] = seen(strings.HasPrefix(status["Uid"], "0\t"))

	out["host-name"] = level(in("-u", fmt.Sprintf(`test "$(cat /proc/sys/kernel/hostname)" = %q`, hostname(t))), power(unix.CAP_SYS_ADMIN))
	out["kernel"] = seen(same("uname", "-rv"))
	out["boot-id"] = seen(same("cat", "/proc/sys/kernel/random/boot_id"))
	out["up-time"] = seen(in("-T", fmt.Sprintf(`read up rest </proc/uptime; up=${up%%%%.*}; test $up -ge %d && test $up -lt %d`, upTime(t), upTime(t)+60)))
	out["clock"] = level(true, can(unix.CAP_SYS_TIME))
	out["command-line"] = seen(same("cat", "/proc/cmdline"))
	out["memory-total"] = seen(same("grep", "MemTotal", "/proc/meminfo"))
	out["disks"] = seen(whole("ls /sys/block | grep -q ."))
	// As whoever is in its cgroup namespace reads it.
	out["cgroup-path"] = seen(in("-C", fmt.Sprintf(`grep -qv ':/$' %s/cgroup`, proc)))

	device := in("-n", fmt.Sprintf("grep -q '^ *%s:' /proc/net/dev", m.device))
	out["net-device"] = level(device, can(unix.CAP_NET_ADMIN))
	out["net-port"] = all(in("-n", fmt.Sprintf("busybox nc -w 1 127.0.0.1 %d </dev/null", m.port)))
	out["net-abstract"] = all(in("-n", fmt.Sprintf("grep -q '@%s$' /proc/net/unix", m.abstract)))
	out["net-packets"] = seen(device && can(unix.CAP_NET_RAW))
	out["net-table"] = seen(whole(fmt.Sprintf("grep -q '0100007F:%04X 00000000:0000 0A' /proc/net/tcp", m.port)))

	out["ipc-memory"] = all(in("-i", fmt.Sprintf("grep -q '^ *%s ' /proc/sysvipc/shm", m.shm)) && !mapped)
	out["ipc-semaphore"] = all(in("-i", fmt.Sprintf("grep -q '^ *%s ' /proc/sysvipc/sem", m.sem)) && !mapped)
	out["ipc-queue"] = all(in("-i", fmt.Sprintf(`unshare -m sh -c 'mount -t mqueue none /mnt && test -e /mnt/%s'`, m.queue)) && !mapped)
	out["ipc-list"] = seen(whole(fmt.Sprintf("grep -q '^ *%s ' /proc/sysvipc/sem", m.sem)))
	out["keyring"] = seen(!filter && !mapped) // of user 0, whoever that is

	out["log"] = seen(power(unix.CAP_SYSLOG))
	out["log-device"] = seen(exists(proc + "/root/dev/kmsg"))
	for probe, name := range map[string]string{"sysctl": "/proc/sys/kernel/panic", "sysfs": "/sys/kernel/mm/transparent_hugepage/enabled"} {
		out[probe] = level(whole("cat "+name), whole(": >>"+name) && !mapped)
	}
	out["sysrq"] = all(whole(": >>/proc/sysrq-trigger") && !mapped && whole("test ! -c /proc/sysrq-trigger"))
	out["release-agent"] = all(power(unix.CAP_SYS_ADMIN) && in("-C", "grep -qv ':/$' /proc/self/cgroup"))
	out["physical-memory"] = seen(can(unix.CAP_SYS_RAWIO) && whole("test -f /proc/kcore"))
	out["interrupts"] = seen(whole("grep -q CPU0 /proc/interrupts"))
	out["firmware"] = seen(whole("ls /sys/firmware | grep -q ."))
	for probe, c := range map[string]int{"module": unix.CAP_SYS_MODULE, "swap": unix.CAP_SYS_ADMIN, "file-watch": unix.CAP_SYS_ADMIN, "io-ports": unix.CAP_SYS_RAWIO} {
		out[probe] = all(power(c))
	}
	for probe, c := range map[string]int{"bpf": unix.CAP_SYS_ADMIN, "trace-all": unix.CAP_PERFMON} {
		out[probe] = seen(power(c))
	}
	for probe, c := range map[string]int{"priority": unix.CAP_SYS_NICE, "oom": unix.CAP_SYS_RESOURCE, "locked-memory": unix.CAP_IPC_LOCK} {
		out[probe] = all(can(c))
	}
	return out
}

// soon says whether a command succeeds, in a few seconds.
func soon(name string, args ...string) bool {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return exec.CommandContext(ctx, name, args...).Run() == nil
}

func exists(name string) bool { _, err := os.Lstat(name); return err == nil }

func contains(name, word string) bool {
	b, err := os.ReadFile(name)
	return err == nil && strings.Contains(string(b), word)
}

func hostname(t *testing.T) string {
	name, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	return name
}

// upTime is for how many seconds the machine has been running.
func upTime(t *testing.T) int {
	b, err := os.ReadFile("/proc/uptime")
	if err != nil {
		t.Fatal(err)
	}
	whole, _, _ := strings.Cut(string(b), ".")
	n, err := strconv.Atoi(whole)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// mountOf is which file system is a process's root folder.
func mountOf(proc, name string) string {
	var st unix.Stat_t
	if unix.Stat(proc+"/root/"+name, &st) != nil {
		return ""
	}
	return fmt.Sprint(st.Dev)
}

// deviceOpens says whether a node of the host's first disk can be opened in a folder that
// is reached through a process's mounts.
func deviceOpens(t *testing.T, dir string) bool {
	b, err := os.ReadFile("/proc/partitions")
	if err != nil {
		t.Fatal(err)
	}
	for l := range strings.Lines(string(b)) {
		f := strings.Fields(l)
		if len(f) < 4 || f[0] == "major" {
			continue
		}
		major, _ := strconv.Atoi(f[0])
		minor, _ := strconv.Atoi(f[1])
		name := filepath.Join(dir, "outside-disk")
		if err := unix.Mknod(name, unix.S_IFBLK|0o600, int(unix.Mkdev(uint32(major), uint32(minor)))); err != nil {
			t.Fatal(err)
		}
		defer os.Remove(name)
		fd, err := unix.Open(name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err == nil {
			unix.Close(fd)
		}
		return err == nil
	}
	return false
}

// mounts makes a mount in a process's mount namespace, and says whether the host has it.
func (m *marks) mounts(target string) bool {
	name := m.queue + "-made"
	cmd := exec.Command("nsenter", "-t", target, "-m", "/bin/busybox", "mount", "-t", "tmpfs", name, "/tmp")
	if cmd.Run() != nil {
		return false
	}
	defer exec.Command("nsenter", "-t", target, "-m", "/bin/busybox", "umount", "/tmp").Run()
	return contains("/proc/self/mountinfo", " "+name+" ")
}

// What a program in Docker's own container reaches is what Docker says that its defaults
// leave: fourteen capabilities, the default filter of system calls, the masked and the
// read-only paths (docs.docker.com, “Runtime privilege and Linux capabilities”, “Seccomp
// security profiles”), and a device cgroup. Its own cgroup namespace, which is Docker's
// default under version 2 alone, the lab asks for under both.
func TestIsolationOfDocker(t *testing.T) {
	needs(t)
	if _, err := exec.LookPath("dockerd"); err != nil {
		t.Skip("no dockerd; fix: apt-get install docker.io")
	}
	nothingLeft(t)
	lab, dir := command(t), filepath.Join(t.TempDir(), "r")
	if out, err := exec.Command(lab, "run", "isolation", "--env", "docker", "-r", "1", "-w", "0", "--out", dir).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	said := reached(t, dir)["docker"]
	if len(said) < 40 {
		t.Fatalf("%d probes: %v", len(said), said)
	}
	const sees = 1
	should := map[string]int{}
	for _, probe := range strings.Fields("seen root-is-root kernel boot-id up-time clock command-line memory-total disks interrupts sysctl sysfs") {
		should[probe] = sees
	}
	for _, probe := range slices.Sorted(maps.Keys(said)) {
		if probe == "interrupts" && said[probe] == 0 {
			continue // masked since Docker 28.2
		}
		if said[probe] != should[probe] {
			t.Errorf("%s: %d, and Docker's defaults leave %d", probe, said[probe], should[probe])
		}
	}
}

// From a guest no probe reaches anything of the host's. That nothing was changed the
// neighbour on the host says, whose marks a trial looks at: one that differs fails.
func TestIsolationOfGuest(t *testing.T) {
	needs(t)
	nothingLeft(t)
	lab, dir := command(t), filepath.Join(t.TempDir(), "r")
	out, err := exec.Command(lab, "run", "isolation", "--env", "vm", "-r", "1", "-w", "0", "--out", dir).CombinedOutput()
	if err != nil && strings.Contains(string(out), "can't run") {
		t.Skip("no guests here: ", string(out))
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	said := reached(t, dir)["vm"]
	if len(said) < 40 {
		t.Fatalf("%d probes: %v", len(said), said)
	}
	for probe, a := range said {
		if a != 0 {
			t.Errorf("%s: a guest reaches the host's: %d", probe, a)
		}
	}
}
