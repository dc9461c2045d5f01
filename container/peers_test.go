package container

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/moby/profiles/seccomp"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"lab/bench"
	"lab/bench/cgroup"
	"lab/bench/clock"
	"lab/bench/launch"
)

// A peer is another program that makes containers, run as a whole command.
type peer struct {
	name string
	pkg  string // Debian's package
	args func(b *testing.B, r *rig) []string

	lab    string // the lab's --variant with which it is compared
	differ string // what couldn't be made equal
}

// peers are given the lab's root, namespaces, mounts, cgroups, capabilities
// and filter as far as they can be.
var peers = []peer{
	{name: "crun", pkg: "crun", args: oci("crun"),
		differ: "no overlay: its root is the image itself"},
	{name: "runc", pkg: "runc", args: oci("runc"),
		differ: "no overlay: its root is the image itself"},
	{name: "bwrap", pkg: "bubblewrap", args: bwrap, lab: "cgroup=no,overlay=no,seccomp=none",
		differ: "no cgroup and no filter on either side; bwrap hides nothing of /proc, and binds the host's /sys"},
	{name: "systemd-nspawn", pkg: "systemd-container", args: nspawn,
		differ: "its own filter and capabilities, more mounts; no overlay, no cgroup"},
}

var capNames = []string{
	"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_NET_BIND_SERVICE",
	"CAP_SETFCAP", "CAP_SETGID", "CAP_SETPCAP", "CAP_SETUID", "CAP_SYS_CHROOT",
}

// oci makes a bundle for a runtime of the Open Container Initiative.
func oci(program string) func(*testing.B, *rig) []string {
	return func(b *testing.B, r *rig) []string {
		b.Helper()
		dir := filepath.Join(r.dir, program)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			b.Fatal(err)
		}
		cmd := exec.Command(program, "spec")
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			b.Fatalf("%s spec: %v\n%s", program, err, out)
		}
		file := filepath.Join(dir, "config.json")
		data, err := os.ReadFile(file)
		if err != nil {
			b.Fatal(err)
		}
		var s specs.Spec
		if err := json.Unmarshal(data, &s); err != nil {
			b.Fatal(err)
		}
		s.Root = &specs.Root{Path: r.image.Dir, Readonly: true}
		s.Process.Terminal = false
		s.Process.Args = []string{"/bin/true"}
		s.Process.Capabilities = &specs.LinuxCapabilities{Bounding: capNames, Permitted: capNames, Effective: capNames}
		s.Linux.CgroupsPath = "/lab-bench-" + r.tb.ID
		if s.Linux.Seccomp, err = seccomp.GetDefaultProfile(&s); err != nil {
			b.Fatal(err)
		}
		if data, err = json.Marshal(s); err != nil {
			b.Fatal(err)
		}
		if err := os.WriteFile(file, data, 0o644); err != nil {
			b.Fatal(err)
		}
		return []string{program, "--root", filepath.Join(dir, "state"), "run", "--bundle", dir, "lab-bench-" + r.tb.ID}
	}
}

func bwrap(b *testing.B, r *rig) []string {
	args := []string{"bwrap", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-ipc", "--unshare-cgroup", "--hostname", Hostname,
		"--ro-bind", r.image.Dir, "/", "--proc", "/proc", "--dev", "/dev", "--mqueue", "/dev/mqueue",
		"--ro-bind", "/sys", "/sys", "--die-with-parent", "--new-session", "--cap-drop", "ALL"}
	for _, c := range capNames {
		args = append(args, "--cap-add", c)
	}
	return append(args, "/bin/true")
}

func nspawn(b *testing.B, r *rig) []string {
	return []string{"systemd-nspawn", "-q", "--register=no", "--keep-unit", "--private-network", "--read-only",
		"--link-journal=no", "--resolv-conf=off", "--timezone=off", "-D", r.image.Dir, "/bin/true"}
}

// whole runs a command to its end, and returns its seconds from just before
// its execution to its end. Debian's crun refuses a hybrid cgroup layout, so
// all peers, and the lab, run in a mount namespace where the v2 tree of such
// a layout can't be seen.
func whole(b *testing.B, args []string) float64 {
	var begin clock.Time
	err := os.ErrInvalid
	stderr, werr := os.CreateTemp(b.TempDir(), "stderr")
	if werr != nil {
		b.Fatal(werr)
	}
	defer stderr.Close()
	null, werr := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if werr != nil {
		b.Fatal(werr)
	}
	defer null.Close()
	p := launch.New(launch.Plan{
		Command: bench.Command{Argv: args, Env: os.Environ(), Stdout: null, Stderr: stderr},
		Steps: []launch.Step{{Name: "hide", Do: func(*launch.Thread) error {
			if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
				return err
			}
			if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_SLAVE, ""); err != nil {
				return err
			}
			if l, err := cgroup.Read(); err == nil && l.Kind() == "hybrid" {
				if err := unix.Unmount(l.V2, unix.MNT_DETACH); err != nil {
					return err
				}
			}
			begin = clock.Now()
			return nil
		}}},
	})
	defer p.Close()
	if err = p.Start(b.Context()); err != nil {
		b.Fatal(err)
	}
	x, err := p.Wait(b.Context())
	if err != nil || x.Status() != 0 {
		said, _ := os.ReadFile(stderr.Name())
		b.Fatalf("%s: %v, %v\n%s", strings.Join(args, " "), x, err, said)
	}
	return x.At.Sub(begin).Seconds()
}

// BenchmarkPeers: whole commands that run /bin/true in a container: the lab's
// beside those of the well-known programs, a pair at a time. No figure of it
// is ever ranked with one that was taken in process.
func BenchmarkPeers(b *testing.B) {
	r := newRig(b)
	lab := buildLab(b, r.dir)
	b.Setenv("LAB_CACHE", r.dir)
	for _, p := range peers {
		b.Run(p.name, func(b *testing.B) {
			if _, err := exec.LookPath(p.name); err != nil {
				b.Skipf("SKIP: %v; fix: apt-get install %s", err, p.pkg)
			}
			ours := []string{lab, "exec", "container", "--image", r.image.Dir}
			if p.lab != "" {
				ours = append(ours, "--variant", p.lab)
			}
			ours = append(ours, "--", "/bin/true")
			theirs := p.args(b, r)
			for b.Loop() {
				v := pairs(60, []func() float64{
					func() float64 { return whole(b, theirs) },
					func() float64 { return whole(b, ours) },
				})
				fmt.Println()
				tell(b, p.name, v[0], nil, "")
				tell(b, strings.TrimSpace("lab exec container "+p.lab), v[1], v[0], p.name)
				fmt.Println("  not equal:", p.differ)
			}
		})
	}
}

// buildLab builds the command as "make build" does.
func buildLab(b *testing.B, dir string) string {
	b.Helper()
	if out, err := exec.Command("make", "-s", "-C", "..", "build", "BUILD="+dir).CombinedOutput(); err != nil {
		b.Fatalf("build the lab: %v\n%s", err, out)
	}
	return filepath.Join(dir, "lab")
}

// BenchmarkVersion: the lab's own start, as a whole command that does nothing
// else. It is a part of what BenchmarkPeers measures.
func BenchmarkVersion(b *testing.B) {
	if os.Geteuid() != 0 {
		b.Skip("SKIP: the command is timed in a mount namespace; fix: sudo make bench")
	}
	args := []string{buildLab(b, b.TempDir()), "version"}
	for b.Loop() {
		v := pairs(200, []func() float64{func() float64 { return whole(b, args) }})
		fmt.Println()
		tell(b, "lab version", v[0], nil, "")
	}
}
