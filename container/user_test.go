package container

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"lab/bench"
	"lab/bench/benchtest"
	"lab/bench/clock"
	"lab/bench/image"
	"lab/bench/launch"
)

// begin starts a shell inside and waits until it has said that it is there: by
// the name of its output, which is to be open to it.
func begin(t *testing.T, env *Env, set map[string]string, cmd string) bench.Instance {
	t.Helper()
	settings, err := bench.Resolve(env, set)
	if err != nil {
		t.Fatal(err)
	}
	spec := bench.Spec{Image: benchtest.Image(t), Settings: settings}
	if err := env.Check(t.Context(), spec); err != nil {
		t.Skip("SKIP: ", err)
	}
	token := bench.Token()
	spec.Command.Argv = []string{"/bin/busybox", "sh", "-c", "printf %s " + token + " >/dev/stdout; " + cmd}
	i, err := env.Prepare(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := i.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := i.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := clock.AwaitToken(i.Ready(), []byte(token), 20*time.Second); err != nil {
		t.Fatal(err)
	}
	return i
}

func opened(t *testing.T) *Env {
	t.Helper()
	env := New()
	if err := env.Open(t.Context(), benchtest.Testbed(t)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { env.Close() })
	return env
}

// inode identifies a namespace.
func inode(t *testing.T, fd int) uint64 {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		t.Fatal(err)
	}
	return st.Ino
}

// Who is root inside is somebody without a right outside, in everything that the
// kernel asks for: user, groups, and the owner of the namespaces.
func TestUserNamespace(t *testing.T) {
	env := opened(t)
	i := begin(t, env, map[string]string{"user": "yes"}, "sleep 1000")
	c := i.(*container)
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", c.PID()))
	if err != nil {
		t.Fatal(err)
	}
	b := strconv.Itoa(c.base)
	for _, want := range []string{
		"Uid:\t" + strings.Join([]string{b, b, b, b}, "\t") + "\n",
		"Gid:\t" + strings.Join([]string{b, b, b, b}, "\t") + "\n",
		"Groups:\t \n", "CapBnd:\t00000000800405fb\n", "NoNewPrivs:\t1\n", "Seccomp:\t2\n",
	} {
		if !strings.Contains(string(status), want) {
			t.Errorf("no %q in\n%s", want, status)
		}
	}
	open := func(pid int, ns string) int {
		fd, err := unix.Open(fmt.Sprintf("/proc/%d/ns/%s", pid, ns), unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { unix.Close(fd) })
		return fd
	}
	user := inode(t, open(c.PID(), "user"))
	host := inode(t, open(os.Getpid(), "user"))
	if user == host {
		t.Fatal("it is in the host's user namespace")
	}
	for _, ns := range []string{"mnt", "net", "ipc", "uts", "cgroup", "pid"} {
		owner, err := unix.IoctlRetInt(open(c.PID(), ns), unix.NS_GET_USERNS)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(owner)
		want := user
		if ns == "pid" { // it is born with a child that is root still
			want = host
		}
		if got := inode(t, owner); got != want {
			t.Errorf("the %s namespace belongs to user:[%d], want %d (the container's is %d)", ns, got, want, user)
		}
	}
	// A further command is in the same one, as the same user.
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	p, err := c.Exec(t.Context(), bench.Command{Stdout: w,
		Argv: []string{"/bin/busybox", "sh", "-c", "readlink /proc/self/ns/user; id -u; grep CapEff /proc/self/status; cat /proc/self/uid_map; sleep 1000"}})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if err := p.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.Close()
	if _, err := clock.AwaitToken(r, fmt.Appendf(nil, "user:[%d]\n0\nCapEff:\t00000000800405fb\n         0 %10d      65536\n", user, c.base), 10*time.Second); err != nil {
		t.Error("exec: ", err)
	}
}

// What a program sees there, and may do.
func TestUsersInside(t *testing.T) {
	h := newHostile(t)
	if err := checkUsers(bench.Spec{Image: image.Ref{Dir: h.dir}}); err != nil {
		t.Skip("SKIP: ", err)
	}
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("root's own"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Dir(secret), 0o755); err != nil {
		t.Fatal(err)
	}
	volume := []bench.Mount{{Source: filepath.Dir(secret), Target: "/vol"}}
	all := map[string]string{"user": "yes", "caps": "all", "seccomp": "none"}
	for _, x := range []struct {
		name, script, want string
		settings           map[string]string
	}{
		{"the image's owners", "stat -c '%u %g' / /etc /etc/passwd /bin/busybox /tmp /dev /dev/null /dev/pts /dev/shm | sort -u", "0 0\n", nil},
		{"its own files", "echo x >/etc/hosts && touch /new && chown 1000:1000 /new && stat -c '%u %g' /new", "1000 1000\n", nil},
		{"a low port", "httpd -f -p 80 & until netstat -ltn | grep -q ':80 '; do :; done; echo bound; kill $!", "bound\n", nil},
		{"a file of root's outside", "cat /vol/secret 2>&1; rm -f /vol/secret 2>/dev/null; stat -c %u /vol/secret", "cat: can't open '/vol/secret': Permission denied\n65534\n", nil},
		{"what hides can't be taken away", "umount /proc/keys 2>/dev/null || echo locked; mount -o remount,rw /proc/sys 2>/dev/null || echo read-only", "locked\nread-only\n", all},
		{"a mount of its own", "mount -t tmpfs x /tmp && echo mounted", "mounted\n", all},
		{"the host's clock and settings", "date -s 2001-01-01 2>&1 | grep -c 'not permitted'; cat /proc/sys/kernel/hostname; umount /proc/sys 2>/dev/null || echo locked", "1\nlab\nlocked\n", all},
	} {
		set := x.settings
		if set == nil {
			set = map[string]string{"user": "yes"}
		}
		out, exit, err := h.runOnce(bench.Spec{Settings: set, Mounts: volume}, x.script)
		if err != nil || out != x.want {
			t.Errorf("%s: %q, %v, %v; want %q", x.name, out, exit, err, x.want)
		}
	}
	if b, err := os.ReadFile(secret); err != nil || string(b) != "root's own" {
		t.Errorf("%q, %v", b, err)
	}
	// Its layer, and its folder for data, on a disk.
	h.env.tb.Work = t.TempDir()
	for _, data := range []string{"layer", "bind"} {
		out, exit, err := h.runOnce(bench.Spec{Work: true, Settings: map[string]string{"user": "yes", "data": data}},
			"mkdir -p "+dataDir+" && touch /x "+dataDir+"/x && stat -c '%u %g' / /x "+dataDir+" "+dataDir+"/x | sort -u")
		if err != nil || out != "0 0\n" {
			t.Errorf("data=%s: %q, %v, %v", data, out, exit, err)
		}
	}
	if left, err := os.ReadDir(h.env.tb.Work); err != nil || len(left) > 0 {
		t.Errorf("left in the work folder: %v, %v", left, err)
	}
	s := bench.Spec{Settings: map[string]string{"user": "yes"}, Command: bench.Command{User: bench.User{UID: ids}}}
	if err := h.env.Check(t.Context(), s); err == nil || !strings.Contains(err.Error(), "0 to 65535") {
		t.Errorf("user %d: %v", ids, err)
	}
}

// A holder is in namespaces of its own, and dies with the thread that made it.
func TestHolder(t *testing.T) {
	benchtest.Testbed(t)
	var pid, pidfd int
	err := launch.Do(func() error {
		h, err := launch.Hold(unix.CLONE_NEWUSER | unix.CLONE_NEWUTS)
		if err != nil {
			return err
		}
		pid = h.PID
		pidfd, err = unix.PidfdOpen(pid, 0)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(pidfd)
	for { // poll(2) tells its end
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}, 10_000)
		if err == unix.EINTR {
			continue
		}
		if n != 1 || err != nil {
			unix.Kill(pid, unix.SIGKILL)
			t.Errorf("it lives on after its thread: %d, %v", n, err)
		}
		break
	}
	unix.Wait4(pid, nil, 0, nil)
}

// The container's clocks begin with it; a further command has the same ones.
func TestTimeNamespace(t *testing.T) {
	env := opened(t)
	const age = "cut -d. -f1 /proc/uptime"
	i := begin(t, env, map[string]string{"time": "yes"}, "sleep 1000")
	ns, err := i.(*container).Inspect()
	if err != nil {
		t.Fatal(err)
	}
	own, err := os.Readlink("/proc/self/ns/time")
	if err != nil || ns["time"] == own {
		t.Errorf("it is in the lab's time namespace %s (%v)", own, err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	p, err := i.(*container).Exec(t.Context(), bench.Command{Stdout: w, Argv: []string{"/bin/busybox", "sh", "-c",
		"[ $(" + age + ") -lt 60 ] && echo young; cat /proc/self/timens_offsets; sleep 1000"}})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if err := p.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.Close()
	// Line by line, as several may come at once. The kernel's columns are its own
	// affair; the numbers are ours.
	lines := bufio.NewReader(r)
	if line, err := lines.ReadString('\n'); line != "young\n" {
		t.Errorf("it isn't young: %q, %v", line, err)
	}
	first, _ := lines.ReadString('\n')
	second, err := lines.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Fields(first + second)
	want := strings.Fields(i.(*container).offsets)
	if len(got) != 6 || got[1] != want[1] || got[2] != want[2] || got[4] != want[4] || got[5] != want[5] {
		t.Errorf("offsets %q, want those of the first program, %q", got, want)
	}
}
