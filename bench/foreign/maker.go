package foreign

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"lab/bench"
	"lab/bench/clean"
	"lab/bench/machine"
)

// A Maker is somebody else's program that makes instances: what one differs in from
// another.
type Maker struct {
	Name     string   // the environment's
	Program  string   // to be looked up along PATH, or an absolute path
	Package  string   // Debian's that has it; "" is none
	With     []string // further programs whose versions matter, along PATH
	About    bench.About
	Settings []bench.Setting // besides net and pagecache, which all have
	Nets     []string        // what net may be; nil is all three

	// Cgroup is the cgroup that it makes below the one that the lab gives it; "" is none.
	Cgroup string

	// Everywhere says that it makes cgroups below those in which it is itself, in
	// hierarchies that the lab has no other use for.
	Everywhere bool

	// PIDFile is the file in its folder that it writes once there is an instance; ""
	// is none: then an end with a message of its own is taken for a failure.
	PIDFile string

	// Log is the file in its folder to which it writes errors, and nothing to the
	// workload's standard error; "" is none. A line with Harmless in it is none.
	Log, Harmless string

	// Relays says that the workload is none of this machine's processes, and that
	// the program passes signals on to it.
	Relays bool

	// Mute says that it doesn't tell by which signal the workload ended.
	Mute bool

	// Whole says that the program has a testbed of its own, for which the folder of all
	// testbeds has to be empty, and keeps the limit of processes itself.
	Whole bool

	// Hides are folders of the machine's in which it keeps things of its own: the first
	// of them that is there is covered by a tmpfs, which goes with the instance.
	Hides []string

	// Store is the folder, in the testbed's, that an instance has for its own, of a
	// program that has images in a store elsewhere in the testbed and makes the
	// instance's root itself; "" is the testbed's, covered, with an overlay over the image.
	Store string

	// Monitor is the name of a process that the program leaves without a parent, and that
	// holds the workload; "" is none. The Order's ID is among that one's arguments.
	Monitor string

	// Binds are folders that it sees in place of the machine's, by the names of these. May
	// be nil.
	Binds func(*Order) map[string]string

	// Sealed says that it needs to write to nothing but its folder: it can't, then.
	Sealed bool

	// Prepare is Env.Prepare: for a program that makes a machine of its own, in which
	// somebody has to run the workload (it calls Env.Program), or that is asked and not
	// run, as an engine is (of what follows then Check and Start alone are used). nil is
	// Env.Program itself.
	Prepare func(context.Context, *Env, bench.Spec) (bench.Instance, error)

	// Check says what of a Spec it can't do. May be nil.
	Check func(bench.Spec) error

	// Files are what it reads or executes, by their names in its folder; root is the
	// instance's root. May be nil.
	Files func(*Order) (map[string][]byte, error)

	// Args are its arguments.
	Args func(*Order) []string

	// Enter are the arguments with which it runs a further command in an instance that it
	// has made. Nil: it can't.
	Enter func(*Order, bench.Command) []string

	// Start says what it does, in short phrases, for the method section of reports.
	Start []string
}

// An Order is what a program is told to make.
type Order struct {
	Spec bench.Spec // its command has a folder, "/" by default
	ID   string     // of the instance, on this machine
	Argv []string   // what is to be executed: absolute in the instance's root, with its init before it
	Dir  string     // the instance's folder, seen by the program alone
	Root string     // in it: the root to be, mounted and writable
	Host string     // the host name

	// Group is the name, among the testbed's, of the cgroup that has the limits, for a
	// program that makes one below it.
	Group string
}

// The network that the program finds, or is to make.
const (
	NetNone   = "none"   // it makes a network namespace
	NetBridge = "bridge" // the lab has made one, which it stays in
	NetHost   = "host"   // it stays in the testbed's
)

// Hostname is the name that an instance has, unless its Spec names another.
const Hostname = "lab"

// settings are what all have, with the maker's own.
func (m *Maker) settings() []bench.Setting {
	net := bench.Setting{Name: "net", Values: m.Nets, Default: NetNone, Help: "network: none but loopback"}
	if m.Nets == nil {
		net.Values, net.Help = []string{NetNone, NetBridge, NetHost}, net.Help+", a port of the testbed's bridge, or the testbed's own"
	}
	return append([]bench.Setting{net}, append(m.Settings, bench.PageCache)...)
}

// find is the program's path, or an error that says how to get it.
func (m *Maker) find() (string, error) {
	path, err := exec.LookPath(m.Program)
	if err == nil {
		return filepath.Abs(path)
	}
	if errors.Is(err, exec.ErrNotFound) && m.Package != "" {
		return "", bench.Unavailable("not installed", "apt-get install "+m.Package)
	}
	for why := errors.Unwrap(err); why != nil; why = errors.Unwrap(why) {
		err = why // without the program's name, which Check gives
	}
	return "", bench.Unavailable(err.Error(), "name a program that is there and can be executed")
}

// versionWithin bounds how long a program may take to say its version, and mostSaid
// how much of what it says is read, in bytes.
const (
	versionWithin = 5 * time.Second
	mostSaid      = 4 << 10
)

// Version is the first line with which the program answers --version, cleaned.
var Version = func() func(path string) (string, error) {
	var mu sync.Mutex
	known := map[string]string{}
	return func(path string) (string, error) {
		mu.Lock()
		defer mu.Unlock()
		if v, ok := known[path]; ok {
			return v, nil
		}
		v, err := ask(path)
		if err == nil {
			known[path] = v
		}
		return v, err
	}
}()

func ask(path string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), versionWithin)
	defer cancel()
	text := output{clean.Tail{Most: mostSaid}}
	cmd := exec.CommandContext(ctx, path, "--version")
	cmd.Stdout, cmd.Stderr = &text, &text
	cmd.WaitDelay = time.Second
	err := cmd.Run()
	if ctx.Err() != nil {
		err = fmt.Errorf("no answer in %v", versionWithin)
	}
	line, _, _ := strings.Cut(text.String(), "\n")
	if err != nil {
		return "", fmt.Errorf("%s --version: %w%s", path, err, text.quoted())
	}
	return line, nil
}

// Checks is doctor's: whether the program is there and answers.
func (e *Env) Checks(context.Context) []machine.Check {
	m := e.maker
	c := machine.Check{Name: m.Name, Result: machine.OK, Why: "the environment " + m.Name + " is this program"}
	path, err := m.find()
	if err == nil {
		if c.Detail, err = Version(path); err != nil {
			err = bench.Unavailable(err.Error(), "apt-get install --reinstall "+m.Package)
		}
	}
	if u := (*bench.UnfitError)(nil); errors.As(err, &u) {
		c.Result, c.Detail, c.Cure = machine.Fail, u.Reason, u.Cure
	}
	return []machine.Check{c}
}

// output keeps the end of what a program printed.
type output struct{ clean.Tail }

// String is cleaned, without white space around it.
func (s *output) String() string { return clean.Text(strings.TrimSpace(s.Tail.String())) }

// quoted is the last line, as the end of an error.
func (s *output) quoted() string {
	text := s.String()
	if text == "" {
		return ""
	}
	return ": " + text[strings.LastIndexByte(text, '\n')+1:]
}

// from says whether the last line is the program's own: "bwrap: …".
func (s *output) from(program string) bool {
	text := s.String()
	return strings.HasPrefix(text[strings.LastIndexByte(text, '\n')+1:], program+": ")
}
