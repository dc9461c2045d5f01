package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/pflag"
	"golang.org/x/term"

	"lab/bench"
	"lab/bench/cgroup"
	"lab/bench/image"
	"lab/bench/launch"
	"lab/bench/testbed"
	"lab/bench/usercache"
)

// An Exec is lab exec, and what the program that has it adds.
type Exec struct {
	*App
	// Environments lists them, and those that some of also name by a path.
	Environments func(also ...string) []bench.Environment

	// Image is the default image; read says that all its bytes are to be compared.
	Image func(cache string, read bool) (image.Ref, error)

	// Apart runs a command in an environment that wants a testbed of its own, with
	// the image and the libvirt that the user named, or ""; status is the
	// command's own. Nil if Environments has none such.
	Apart func(env bench.Environment, spec bench.Spec, image, connect string) (status int, err error)

	// Scope asks systemd for a cgroup, where that is how one is had. Nil: Full does.
	Scope func(slice, name string) error

	// Full executes the program that has Scope; it returns only with an error.
	Full func() error

	asked execFlags
	flags *pflag.FlagSet
}

// execFlags are what lab exec was asked.
type execFlags struct {
	image, net, dir, user, memory, swap, cpuset string
	entrypoint                                  string
	replaces                                    bool // --entrypoint was given, be it empty
	env, variant, volumes, ports                words
	cpus                                        float64
	weight                                      int
	pids                                        int64
	tty, init, readOnly                         bool

	hostname, envFile                        string
	envRead                                  []string // what envFile has
	groups                                   []int
	readBytes, writeBytes, readOps, writeOps words // of a device
	connect                                  string
}

// words is a flag that may be given several times. (pflag's own writes itself as CSV at
// each start, by a buffer of 4 KiB a flag.)
type words []string

func (w *words) Set(s string) error { *w = append(*w, s); return nil }
func (w *words) String() string     { return strings.Join(*w, ",") }
func (w *words) Type() string       { return "words" }

// connectHelp is also in the request of lab run, which this program doesn't read for a
// flag: a test compares them.
const connectHelp = "`URI` libvirt that makes the virtual machines: qemu:///system, qemu+tls://HOST/system, qemu+ssh://USER@HOST/system (default: a private one)"

// ImageHelp is that of all commands that run in one.
const ImageHelp = "`IMAGE` file tree to run in: its root folder, or a name or digest of the image store (default: the lab's own)"

// Check judges the arguments: the environment, and the command behind it. dash is how
// many came before --, -1 without it.
func (a *Exec) Check(args []string, dash int) error {
	names := Names(a.Environments())
	if len(args) == 0 {
		return Usagef("exec: in which environment? there are: %s", strings.Join(names, ", "))
	}
	if dash == 0 {
		return Usagef("exec: the environment is missing before --: lab exec container -- %s\n     there are: %s", strings.Join(args, " "), strings.Join(names, ", "))
	}
	if _, err := Environment(a.Environments(args[0]), args[0]); err != nil {
		return err
	}
	if len(args) == 1 && a.asked.image == "" {
		return Usagef("exec %s: which command? lab exec %s -- CMD ARG…", args[0], args[0])
	}
	return nil
}

// FlagError words what is wrong with a flag of lab exec.
func (a *Exec) FlagError(err error) error {
	if !slices.Contains(a.Args, "--") {
		return Usagef("exec: %w; the command's own flags go behind --: lab exec ENV -- CMD ARG…", err)
	}
	return FlagError("exec", a.flags, err)
}

// Flags gives fl the flags of lab exec, which Run then goes by.
func (a *Exec) Flags(fl *pflag.FlagSet) {
	a.flags = fl
	f := &a.asked
	fl.StringVar(&f.image, "image", "", ImageHelp)
	fl.StringVar(&f.entrypoint, "entrypoint", "", "`PROGRAM` entry point in place of the one that the image has; an empty one: none")
	fl.StringVar(&f.net, "net", "", "`KIND` network: short for --variant net=KIND")
	fl.VarP(&f.env, "env-var", "e", "`NAME=VALUE` variable of the command; NAME alone: as it is here")
	fl.StringVar(&f.envFile, "env-file", "", "`FILE` variables, one NAME=VALUE a line; # begins a comment")
	fl.StringVar(&f.hostname, "hostname", "", "`NAME` host name inside")
	fl.StringVarP(&f.dir, "workdir", "w", "", "`DIR` working folder inside")
	fl.StringVarP(&f.user, "user", "u", "", "`UID[:GID]` user and group of the command")
	fl.IntSliceVar(&f.groups, "group-add", nil, "`GID,…` further groups of the user")
	fl.BoolVarP(&f.tty, "tty", "t", false, "give the command a terminal of its own")
	fl.BoolP("interactive", "i", true, "pass input on: always done, accepted for the habit of -it")
	fl.Bool("rm", true, "leave nothing behind: always done, accepted for the habit")
	fl.BoolVar(&f.readOnly, "read-only", false, "a root that can't be written to: short for --variant overlay=no")
	fl.BoolVar(&f.init, "init", false, "run a minimal init before the command: it passes signals on and reaps orphans")
	fl.VarP(&f.volumes, "volume", "v", "`SOURCE:TARGET[:ro]` show a folder or file of the host inside")
	fl.VarP(&f.ports, "publish", "p", "`[IP:]HOSTPORT:PORT[/udp]` make a port inside reachable on this machine, by default on 127.0.0.1; implies --net bridge")
	fl.StringVar(&f.cpuset, "cpuset", "", "`LIST` processors to run on, such as 0-1,3")
	fl.IntVar(&f.weight, "cpu-weight", 0, "`N` share of busy processors compared with others, 1 to 10000 (100 is usual)")
	fl.StringVar(&f.swap, "swap", "", "`SIZE` swap allowed on top of --memory (default: none)")
	fl.StringVarP(&f.memory, "memory", "m", "", "`SIZE` limit of memory, such as 64M or 1G; free and /proc/meminfo in a container still show the machine's")
	fl.Float64Var(&f.cpus, "cpus", 0, "`CORES` limit of processor time, such as 0.5; nproc in a container still counts all processors (--cpuset changes that)")
	fl.Int64Var(&f.pids, "pids", 0, "`N` limit of processes")
	fl.Var(&f.readBytes, "device-read-bps", "`DEVICE:SIZE` bytes a second that may be read from a disk, such as /dev/sda:10M")
	fl.Var(&f.writeBytes, "device-write-bps", "`DEVICE:SIZE` bytes a second that may be written to it")
	fl.Var(&f.readOps, "device-read-iops", "`DEVICE:N` reads a second")
	fl.Var(&f.writeOps, "device-write-iops", "`DEVICE:N` writes a second")
	fl.Var(&f.variant, "variant", "`NAME=VALUE,…` settings of the environment: lab explain ENV lists them")
	fl.StringVar(&f.connect, "connect", "", connectHelp)
	a.WaitFlag(fl)
	Further(fl, "entrypoint", "group-add", "env-file", "hostname", "interactive", "rm", "init", "cpu-weight", "swap", "device-read-bps",
		"device-write-bps", "device-read-iops", "device-write-iops", "connect", "wait")
}

// Run runs the command that the arguments name behind the environment's name. They
// were checked.
func (a *Exec) Run(args []string) error {
	name, argv, f := args[0], args[1:], &a.asked
	f.replaces = a.flags.Changed("entrypoint")
	env, err := Environment(a.Environments(name), name)
	if err != nil {
		return err
	}
	about := env.About()
	if about.HostFiles && f.dir == "" {
		// A program of the host is where its user is.
		if f.dir, err = os.Getwd(); err != nil {
			return &StatusError{StatusLab, err}
		}
	}
	spec, err := f.spec(env, argv)
	if err != nil {
		return err
	}
	if f.image != "" {
		err = a.stored(&spec, f, about.HostFiles)
	}
	if err == nil && len(spec.Command.Argv) == 0 {
		err = Usagef("exec %s: which command? none was given, and none is the image's; lab exec %s --image %s -- CMD ARG…", name, name, f.image)
	}
	if err != nil {
		return err
	}
	if _, ok := env.(bench.Connecter); f.connect != "" && !ok {
		return Usagef("--connect: a libvirt makes virtual machines, and %s isn't one", name)
	}
	if err := a.NeedRoot("lab exec", StatusLab); err != nil {
		return err
	}
	if err := Tight(about.Apart); err != nil {
		return &StatusError{StatusLab, err}
	}
	var status int
	if about.Apart {
		status, err = a.Apart(env, spec, f.image, f.connect)
	} else {
		status, err = a.execute(env, spec, f.image)
	}
	var st *StatusError
	if errors.As(err, &st) {
		return err
	}
	var e *launch.ExecError
	switch {
	case errors.As(err, &e):
		return &StatusError{e.Status(), err}
	case err != nil:
		return &StatusError{StatusLab, err}
	case status != 0:
		return &StatusError{status, nil}
	}
	return nil
}

// execute runs the command in this process; status is its own.
func (a *Exec) execute(env bench.Environment, spec bench.Spec, named string) (status int, err error) {
	sigs, err := catch(spec.Command.TTY && term.IsTerminal(int(a.Stdin.Fd())))
	if err != nil {
		return 0, err
	}
	ctx := context.Background()
	var groups *cgroup.Options
	if g, ok := env.(bench.Grouper); ok && g.Groups(spec) > 0 {
		groups = &cgroup.Options{Controllers: !spec.Limits.None(), Scope: a.Scope, Single: g.Groups(spec) == 1}
		if groups.Controllers && a.Scope == nil {
			if l, err := cgroup.Read(); err == nil && l.NeedsScope() {
				return 0, a.Full()
			}
		}
	}
	launch.Alone.Store(true)
	host := env.About().HostFiles
	if !host {
		go launch.Ready(1) // the thread that Prepare would wait for
	}
	lock, err := a.Acquire(false, sigs)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, lock.Release()) }()
	cache, err := usercache.Dir()
	if err != nil {
		return 0, err
	}
	switch {
	case named == "":
		spec.Image, err = DefaultImage(cache, false, a.Image)
	case spec.Image.Digest == "": // a folder; whoever makes the digest looks anyway
		err = image.NoWhiteouts(spec.Image.Dir)
	}
	if err != nil {
		return 0, err
	}
	tb, err := testbed.Local(cache, groups, launch.Undertaker(a.Args[0]))
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, tb.Close()) }()
	if err := env.Open(ctx, tb); err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, env.Close()) }()
	if err := env.Check(ctx, spec); err != nil {
		return 0, err
	}
	var pumps *launch.Pumps
	switch c := &spec.Command; {
	case c.TTY:
	case host: // nothing keeps it from the machine's files
		c.Stdin, c.Stdout, c.Stderr = a.Stdin, a.Stdout.File, a.Stderr.File
	default:
		if pumps, err = launch.Pump(c, a.Stdin, a.Stdout.File, a.Stderr.File); err != nil {
			return 0, err
		}
		// As a background job we read the terminal for the command; that
		// mustn't stop us.
		signal.Ignore(syscall.SIGTTIN)
	}
	p, err := env.Prepare(ctx, spec)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	if err := bench.Chill(p, spec); err != nil {
		return 0, err
	}
	if l, ok := p.(bench.Leader); ok {
		l.Announce(tb.Leads())
		defer tb.Forget()
	}
	if err := p.Start(ctx); err != nil {
		return 0, err
	}
	if pumps != nil {
		pumps.Begin()
	}
	done := make(chan struct{})
	abort := PassSignals(sigs(), done, p, a.Note)
	finish := func(<-chan struct{}) error { return nil }
	if t, ok := p.(bench.Terminaler); ok && spec.Command.TTY {
		if finish, err = attach(t.Terminal(), a.Stdin, a.Stdout.File, func() { p.Signal(syscall.SIGKILL) }); err != nil {
			return 0, err
		}
	}
	testbed.SweepFolders() // while the command runs nobody waits for this
	exit, err := p.Wait(ctx)
	close(done)
	err = errors.Join(err, finish(abort))
	status = exit.Status()
	if pumps != nil {
		broken, perr := pumps.End(abort)
		if err = errors.Join(err, perr); broken && status == 0 {
			// It would have been told by the signal, had it written later.
			status = 128 + int(syscall.SIGPIPE)
		}
	}
	if exit.OOM {
		a.Tell(spec.Command.Argv[0] + " was killed: it used more memory than its limit")
	}
	return status, err
}

// DefaultImage is the default image, which is made where there is none of this
// lab's, and made again where somebody changed it. With read, that is told by all
// its bytes.
func DefaultImage(cache string, read bool, stored func(cache string, read bool) (image.Ref, error)) (image.Ref, error) {
	r, err := stored(cache, read)
	if errors.Is(err, image.ErrNoBusybox) {
		err = fmt.Errorf("%w; make setup, or apt-get install busybox-static", err)
	}
	return r, err
}
