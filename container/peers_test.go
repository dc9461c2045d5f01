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
	"lab/bench/confine"
	"lab/bench/launch"
	"lab/bench/stats"
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

// oci makes a bundle for a runtime of the Open Container Initiative that is as much
// like the lab's as it can be.
func oci(program string) func(*testing.B, *rig) []string {
	return func(b *testing.B, r *rig) []string {
		return bundle(b, r, program, program, func(s *specs.Spec) {
			kept := confine.CapabilityNames()
			s.Process.Capabilities = &specs.LinuxCapabilities{Bounding: kept, Permitted: kept, Effective: kept}
			s.Linux.CgroupsPath = "/lab-bench-" + r.tb.ID
			var err error
			if s.Linux.Seccomp, err = seccomp.GetDefaultProfile(s); err != nil {
				b.Fatal(err)
			}
		})
	}
}

// bundle makes one with the configuration that writer's spec command writes, changed
// by change, and returns program's command line for it.
func bundle(b *testing.B, r *rig, writer, program string, change func(*specs.Spec)) []string {
	b.Helper()
	dir := filepath.Join(r.dir, writer+program)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		b.Fatal(err)
	}
	cmd := exec.Command(writer, "spec")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Skipf("SKIP: %s spec: %v\n%s", writer, err, out)
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
	change(&s)
	if data, err = json.Marshal(s); err != nil {
		b.Fatal(err)
	}
	if err := os.WriteFile(file, data, 0o644); err != nil {
		b.Fatal(err)
	}
	return []string{program, "--root", filepath.Join(dir, "state"), "run", "--bundle", dir, "lab-bench-" + r.tb.ID}
}

func bwrap(b *testing.B, r *rig) []string {
	args := []string{"bwrap", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-ipc", "--unshare-cgroup", "--hostname", Hostname,
		"--ro-bind", r.image.Dir, "/", "--proc", "/proc", "--dev", "/dev", "--mqueue", "/dev/mqueue",
		"--ro-bind", "/sys", "/sys", "--die-with-parent", "--new-session", "--cap-drop", "ALL"}
	for _, c := range confine.CapabilityNames() {
		args = append(args, "--cap-add", c)
	}
	return append(args, "/bin/true")
}

func nspawn(b *testing.B, r *rig) []string {
	return []string{"systemd-nspawn", "-q", "--register=no", "--keep-unit", "--private-network", "--read-only",
		"--link-journal=no", "--resolv-conf=off", "--timezone=off", "-D", r.image.Dir, "/bin/true"}
}

// whole runs a command to its end, with its output in a file or in the null device,
// and returns its seconds from just before its execution to its end. Debian's crun refuses a hybrid cgroup layout, so
// all peers, and the lab, run in a mount namespace where the v2 tree of such
// a layout can't be seen.
func whole(b *testing.B, args []string, file bool) float64 {
	var begin clock.Time
	err := os.ErrInvalid
	stderr, werr := os.CreateTemp(b.TempDir(), "stderr")
	if werr != nil {
		b.Fatal(werr)
	}
	defer stderr.Close()
	out, werr := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if werr != nil {
		b.Fatal(werr)
	}
	defer out.Close()
	errs := out
	if file {
		out, errs = stderr, stderr
	}
	p := launch.New(launch.Plan{
		Command: bench.Command{Argv: args, Env: os.Environ(), Stdout: out, Stderr: errs},
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
					func() float64 { return whole(b, theirs, true) },
					func() float64 { return whole(b, ours, true) },
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
	asRead(b, filepath.Join(dir, "lab"), filepath.Join(dir, "lab-full"))
	return filepath.Join(dir, "lab")
}

// asRead writes programs once more, in one go: what the linker has just written lies
// in the page cache in single pages, which costs each start some 0.2 ms that one read
// from a disk doesn't.
func asRead(b *testing.B, programs ...string) {
	b.Helper()
	for _, p := range programs {
		code, err := os.ReadFile(p)
		if err == nil {
			err = os.WriteFile(p+".copy", code, 0o755)
		}
		if err == nil {
			err = os.Rename(p+".copy", p)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkStart: what lab itself costs a whole command, beside an empty Go program
// and the program that is started; what its second program is for; and lab exec
// container beside crun with the plain configuration of "runc spec" and bwrap as
// people type it. Standard output and error go to a file, and in the rows that say
// so to the null device: then lab copies nothing.
func BenchmarkStart(b *testing.B) {
	r := newRig(b)
	lab := buildLab(b, r.dir)
	b.Setenv("LAB_CACHE", r.dir)
	empty := filepath.Join(r.dir, "empty.go")
	if err := os.WriteFile(empty, []byte("package main\n\nfunc main() {}\n"), 0o644); err != nil {
		b.Fatal(err)
	}
	build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", filepath.Join(r.dir, "empty"), empty)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		b.Fatalf("build an empty program: %v\n%s", err, out)
	}
	asRead(b, filepath.Join(r.dir, "empty"))
	prog := filepath.Join(r.image.Dir, "bin/true")
	typed := []string{"bwrap", "--ro-bind", r.image.Dir, "/", "--proc", "/proc", "--dev", "/dev", "--unshare-all", "/bin/true"}
	rows := []struct {
		name string
		args []string
		null bool
		over []int // the rows that its own time is counted above; or
		by   []int // the rows that it is a ratio to
		goal []float64
	}{
		{name: "an empty Go program", args: []string{filepath.Join(r.dir, "empty")}},
		{name: "true", args: []string{prog}},
		{name: "lab version", args: []string{lab, "version"}, over: []int{0}, goal: []float64{0.8}},
		{name: "lab exec host", args: []string{lab, "exec", "host", "--", prog}, over: []int{0, 1}, goal: []float64{1.0}},
		{name: "lab-full version", args: []string{lab + "-full", "version"}, over: []int{0}},
		{name: "lab-full exec host", args: []string{lab + "-full", "exec", "host", "--", prog}, over: []int{0, 1}},
		{name: "crun-plain", args: plain(b, r)},
		{name: "bwrap-as-typed", args: typed},
		{name: "lab-exec-container", args: []string{lab, "exec", "container", "--", "/bin/true"}, by: []int{6, 7}, goal: []float64{0.5, 1.2}},
		{name: "lab-exec-container-to-null", args: []string{lab, "exec", "container", "--", "/bin/true"}, by: []int{6, 7}, null: true},
	}
	if out, err := exec.Command(lab, "exec", "container", "--", "/bin/true").CombinedOutput(); err != nil { // makes the image
		b.Fatalf("lab exec container: %v\n%s", err, out)
	}
	var run []func() float64
	for _, row := range rows {
		if _, err := exec.LookPath(row.args[0]); err != nil {
			b.Skipf("SKIP: %v; fix: apt-get install crun bubblewrap", err)
		}
		run = append(run, func() float64 { return whole(b, row.args, !row.null) })
	}
	for b.Loop() {
		v := pairs(60, run)
		fmt.Println()
		for i, row := range rows {
			goal := func(k int) string {
				if k < len(row.goal) {
					return fmt.Sprintf(" (goal: at most %.1f)", row.goal[k])
				}
				return ""
			}
			if row.by == nil {
				tell(b, row.name, v[i], nil, "")
			}
			for k, to := range row.by {
				tell(b, row.name+goal(k), v[i], v[to], rows[to].name)
			}
			if row.over != nil {
				above := median(v[i])
				for _, k := range row.over {
					above -= median(v[k])
				}
				fmt.Printf("%52.3f ms above%s\n", above*1e3, goal(0))
				b.ReportMetric(above*1e3, "ms-above/"+strings.ReplaceAll(row.name, " ", "-"))
			}
		}
	}
}

func median(x []float64) float64 {
	m, _ := stats.MedianInterval(x) // a sample of one's own
	return m.Point
}

// plain is crun with the configuration that "runc spec" writes, of which only
// root, terminal and command are changed.
func plain(b *testing.B, r *rig) []string {
	return bundle(b, r, "runc", "crun", func(s *specs.Spec) {})
}
