package container

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"lab/bench"
	"lab/bench/benchtest"
	"lab/bench/launch"
)

// TestJail has root in a jail try what each of its rules forbids. A container without
// the rule's defence would let it.
func TestJail(t *testing.T) {
	h := newHostile(t)
	if err := checkUsers(bench.Spec{}); err != nil {
		t.Skip("SKIPPED: ", err)
	}
	tb := h.env.tb
	h.env = NewJail()
	if err := h.env.Open(t.Context(), tb); err != nil {
		t.Fatal(err)
	}
	outside := exec.Command("sleep", "1000")
	if err := outside.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		outside.Process.Kill()
		outside.Wait()
	}()
	none := bench.Spec{Settings: map[string]string{"net": "none"}} // the bridge wants a network namespace of the lab's own
	for _, x := range []struct{ rule, script, want string }{
		{"its own root", "ls /lab-host 2>&1 | grep -c No", "1\n"},
		{"its own users", "id -u; read inside outside many </proc/self/uid_map; [ $outside -gt 0 ] && echo another", "0\nanother\n"},
		{"no mounts", "mount -t tmpfs none /tmp 2>&1 | grep -c -e denied -e permitted", "1\n"},
		{"no device nodes", "mknod /tmp/mem c 1 1 2>&1 | grep -c permitted", "1\n"},
		{"no routes", "route add -net 10.0.0.0 netmask 255.0.0.0 dev lo 2>&1 | grep -c permitted", "1\n"},
		{"no other address", "ifconfig lo 10.1.2.3 2>&1 | grep -c permitted", "1\n"},
		{"no netlink", "ip route 2>&1 | grep -c permitted", "1\n"},
		{"no raw sockets", "ping -c 1 127.0.0.1 2>&1 | grep -c -i permi", "1\n"},
		{"TCP and local", "nc -l -p 9999 -e cat & n=0; until echo hi | nc 127.0.0.1 9999 2>/dev/null; do [ $((n+=1)) -lt 100 ] && sleep 0.1 || exit; done", "hi\n"},
		{"no signals", fmt.Sprintf("kill -9 %d 2>&1 | grep -c No; kill -0 1 && echo own", outside.Process.Pid), "1\nown\n"},
		{"no sight of others", "ls /proc | grep -c '^[1-9]' | { read n; [ $n -lt 10 ] && echo few; }", "few\n"},
	} {
		if out, _, err := h.runOnce(none, x.script); err != nil || out != x.want {
			t.Errorf("%s: %q, %v, want %q", x.rule, out, err, x.want)
		}
	}
	if err := outside.Process.Signal(unix.Signal(0)); err != nil {
		t.Errorf("a process outside: %v", err)
	}
	limited := none
	limited.Limits.Memory = 32 << 20
	if _, x, err := h.runOnce(limited, "s=0123456789; while :; do s=$s$s; done"); err != nil || !x.OOM {
		t.Errorf("a limit of memory: %v, %v", x, err)
	}
	for name, v := range map[string]string{"user": "no", "pid": "no", "caps": "all", "seccomp": "none", "net": "host"} {
		if _, err := bench.Resolve(h.env, map[string]string{name: v}); err == nil {
			t.Errorf("a jail with %s=%s", name, v)
		}
	}
}

// A jail is an environment as the container is one; its settings are all that can differ.
func TestJailContract(t *testing.T) {
	if err := checkUsers(bench.Spec{Image: benchtest.Image(t)}); err != nil {
		t.Skip("SKIPPED: ", err)
	}
	benchtest.Run(t, NewJail(), benchtest.Options{Parts: []string{"Names", "Ready", "Status", "User", "Signals", "Exec", "Ports", "Nothing left"}})
}

// TestJailSockets makes sockets through a jail's filter.
func TestJailSockets(t *testing.T) {
	err := launch.Do(func() error {
		f := Filter(true)
		prog := &unix.SockFprog{Len: uint16(len(f)), Filter: &f[0]}
		if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
			return err
		}
		if _, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, 0, uintptr(unsafe.Pointer(prog))); errno != 0 {
			return errno
		}
		var allowed []string
		for family := range 100 {
			for kind := range 12 {
				for _, proto := range []int{0, unix.IPPROTO_ICMP, unix.IPPROTO_TCP, unix.IPPROTO_UDP, unix.IPPROTO_SCTP, unix.IPPROTO_RAW} {
					fd, err := unix.Socket(family, kind|unix.SOCK_CLOEXEC, proto)
					if err == nil {
						unix.Close(fd)
					}
					if err != unix.EPERM && family != unix.AF_UNIX && err != unix.EPROTONOSUPPORT {
						allowed = append(allowed, fmt.Sprintf("%d:%d:%d", family, kind, proto))
					}
				}
			}
		}
		if got, want := strings.Join(allowed, " "), "2:1:0 2:1:6 2:2:0 2:2:17 10:1:0 10:1:6 10:2:0 10:2:17"; got != want {
			t.Errorf("family:type:protocol %s, want %s", got, want)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
