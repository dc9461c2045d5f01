package bench

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"lab/bench/cgroup"
	"lab/bench/image"
	"lab/bench/testbed"
)

// A Spec is one workload: a program, its arguments, its limits, and the image
// that it is found in.
type Spec struct {
	Image    image.Ref
	Disk     string // a file that has Image as [image.Ref.WriteExt4] makes it, for a guest whose root is a disk; "": its environment makes one
	Command  Command
	Limits   Limits
	Mounts   []Mount
	Ports    []Port
	Hostname string            // of an instance that has one of its own; "" is the environment's choice
	Settings map[string]string // resolved by Resolve: every setting is there

	// CPUs is how many processors a guest has at least, 0 being 1; where the
	// kernel is the host's, a program sees the host's.
	CPUs int

	// Work puts what the instance writes into the testbed's work folder, on a
	// real file system, where the environment can: see Placer. The testbed
	// must have one.
	Work bool

	// Init puts a minimal init before the workload. False: the workload is
	// PID 1 wherever it has a PID namespace or a kernel of its own.
	Init bool
}

// A Command is what to execute, and with what.
type Command struct {
	// Argv[0] is looked up inside the image: as a path when it has a slash,
	// else along Env's PATH, else along [DefaultPath].
	Argv []string
	Env  []string // "NAME=value"; the whole environment
	Dir  string   // working folder inside the image; "" means "/"
	User User

	// Descriptors that the program inherits. A nil Stdin reads as end of
	// file; a nil Stdout goes to Instance.Ready; a nil Stderr goes where
	// Stdout goes for a VM's console, and to the null device elsewhere. They
	// belong to the caller, who closes them.
	Stdin, Stdout, Stderr *os.File

	// TTY gives the program a controlling terminal: Stdin, which must be one;
	// or, where Stdin, Stdout and Stderr are all nil, a new pseudo-terminal,
	// made where the program will look for it. See Terminaler.
	TTY bool
}

// DefaultPath is searched where Env has no PATH.
const DefaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// Path returns the folders to search for a program without a slash.
func (c Command) Path() []string {
	path := DefaultPath
	for _, e := range c.Env {
		if p, ok := strings.CutPrefix(e, "PATH="); ok {
			path = p
		}
	}
	return strings.Split(path, ":")
}

// User is who the program runs as, in the image's numbers.
type User struct {
	UID, GID uint32
	Groups   []uint32
}

// IsRoot says whether it is user and group 0, in no further groups: who a program
// starts as anyway.
func (u User) IsRoot() bool { return u.UID == 0 && u.GID == 0 && len(u.Groups) == 0 }

// Limits bound what an instance may use; a zero field means no limit.
type Limits = cgroup.Limits

// A Mount shows a folder or file of the host inside the instance.
type Mount struct {
	Source   string // absolute path on the host
	Target   string // absolute path in the image
	ReadOnly bool
}

// A Port of the instance is published: it can be reached from outside.
type Port = testbed.Port

// Resolve returns the settings of an environment with their defaults, changed
// by set. Names that the environment doesn't have are left out, since a
// variant may concern one environment of several. A value that isn't allowed is
// an error that lists those that are.
func Resolve(env Environment, set map[string]string) (map[string]string, error) {
	out := make(map[string]string)
	for _, s := range env.Settings() {
		out[s.Name] = s.Default
		v, ok := set[s.Name]
		if !ok {
			continue
		}
		if len(s.Values) > 0 && !slices.Contains(s.Values, v) {
			return nil, fmt.Errorf("%s: %s=%s isn't one of %s", env.Name(), s.Name, v, strings.Join(s.Values, ", "))
		}
		out[s.Name] = v
	}
	return out, nil
}

// LeastMemory is the smallest limit of memory in which a program starts, with
// some room: a static one took 128 KiB as a plain process and 200 in a container
// (Linux 6.18), and the kernel counts more on machines with many processors.
const LeastMemory = 1 << 20

// CheckLimits says whether the testbed's cgroups can keep the limits.
func CheckLimits(tb *testbed.Testbed, l Limits) error {
	if l.None() {
		return nil
	}
	if tb.Cgroups == nil {
		if l == (Limits{CPUWeight: cgroup.DefaultWeight}) {
			return nil // without groups nobody has another share
		}
		return Unavailable("limits need cgroups, and this machine mounts none that can be written", "mount -t cgroup2 none /sys/fs/cgroup, or run outside of a container")
	}
	if c := tb.Cgroups.Lacks(l); c != "" {
		return Unavailable("the limit needs the cgroup controller "+c+", which the lab's cgroups can't have here", tb.Cgroups.Cure(c))
	}
	return nil
}

// CheckElsewhere says that limits bind the lab and not whose instances, which are below
// somebody else's cgroup: compared with the others they would seem fast.
func CheckElsewhere(bounds []cgroup.Bound, whose, cure string) error {
	for _, b := range bounds {
		if slices.Contains([]string{"cpu", "cpuset", "memory", "io"}, b.What) {
			return NotApplicable(fmt.Sprintf("a limit binds the lab and not %s: %s %s, of %s", whose, b.What, b.Text, b.Dir),
				"start the lab from a shell outside of that cgroup, or "+cure)
		}
	}
	return nil
}
