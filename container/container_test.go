package container

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"lab/bench"
	"lab/bench/benchtest"
	"lab/bench/launch"
	"lab/bench/testbed/nat"
)

func TestMain(m *testing.M) { benchtest.Main(m) }

// Without an overlay a program has no place to write a file to.
var readOnly = map[benchtest.Feature]string{
	benchtest.Ports: noPorts[benchtest.Ports],
	benchtest.Meter: "overlay=no: it can't write the file that it is to hold",
}

var noPorts = map[benchtest.Feature]string{benchtest.Ports: "not net=bridge: no address of its own"}

func TestContainer(t *testing.T) {
	for _, c := range []struct {
		name     string
		settings map[string]string
		lacks    map[benchtest.Feature]string
	}{
		{"default", nil, noPorts},
		{"bridge", map[string]string{"net": "bridge"}, nil},
		{"ports by nftables", map[string]string{"net": "bridge", "publish": "nftables"}, nil},
		{"net=host", map[string]string{"net": "host"}, noPorts},
		{"no overlay", map[string]string{"overlay": "no"}, readOnly},
		{"no PID namespace", map[string]string{"pid": "no"}, noPorts},
		{"user", map[string]string{"user": "yes"}, noPorts},
		{"user, bridge", map[string]string{"user": "yes", "net": "bridge", "time": "yes"}, nil},
		{"user, bare", map[string]string{"user": "yes", "pid": "no", "ipc": "no", "uts": "no", "net": "host", "caps": "all", "seccomp": "none", "overlay": "no"}, readOnly},
		{"time", map[string]string{"time": "yes"}, noPorts},
		{"bare", map[string]string{"pid": "no", "ipc": "no", "uts": "no", "net": "host", "cgroup": "no", "caps": "all", "seccomp": "none", "overlay": "no"},
			map[benchtest.Feature]string{
				benchtest.CPU:    "cgroup=no",
				benchtest.Memory: "cgroup=no",
				benchtest.Pids:   "cgroup=no",
				benchtest.Meter:  readOnly[benchtest.Meter],
				benchtest.Ports:  "net=host",
			}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.settings["user"] == "yes" {
				if err := checkUsers(bench.Spec{Image: benchtest.Image(t)}); err != nil {
					t.Skip("SKIP: ", err)
				}
			}
			if c.settings["publish"] == "nftables" {
				err := launch.Do(func() error {
					if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
						return err
					}
					return nat.Try()
				})
				if err != nil {
					t.Skip("SKIP: this kernel has no nftables: ", err, "; fix: modprobe -a nf_tables nft_chain_nat nft_masq")
				}
			}
			if c.settings["time"] == "yes" {
				if err := checkTime(); err != nil {
					t.Skip("SKIP: ", err)
				}
			}
			benchtest.Run(t, New(), benchtest.Options{Settings: c.settings, Lacks: c.lacks})
		})
	}
}

// A start that fails at once moves nobody else's working folder.
func TestFailedStart(t *testing.T) {
	tb := benchtest.Testbed(t)
	env := New()
	if err := env.Open(t.Context(), tb); err != nil {
		t.Fatal(err)
	}
	defer env.Close()
	set, err := bench.Resolve(env, nil)
	if err != nil {
		t.Fatal(err)
	}
	before, err := os.Readlink("/proc/self/cwd")
	if err != nil {
		t.Fatal(err)
	}
	c, err := env.Prepare(t.Context(), bench.Spec{Image: benchtest.Image(t), Settings: set}) // no command
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(t.Context()); err == nil {
		t.Error("it started nothing")
	}
	c.Close()
	if after, err := os.Readlink("/proc/self/cwd"); after != before || before == "/" {
		t.Errorf("the working folder was %s, and is %s (%v)", before, after, err)
	}
}
