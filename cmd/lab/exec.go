package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"lab/bench"
	"lab/bench/cgroup"
	"lab/bench/image"
	"lab/bench/launch"
	"lab/bench/testbed"
	"lab/bench/usercache"
)

// execFlags are what lab exec was asked.
type execFlags struct {
	image, net, dir, user, memory, swap, cpuset string
	env, variant, volumes, ports                []string
	cpus                                        float64
	weight                                      int
	pids                                        int64
	tty, init, readOnly                         bool

	hostname, envFile                        string
	groups                                   []int
	readBytes, writeBytes, readOps, writeOps []string // of a device
	connect                                  string
}

// connectHelp is lab run's, too.
const connectHelp = "`URI` of a libvirt that makes the virtual machine, as virsh names it: qemu:///system, qemu+tls://HOST/system, qemu+ssh://USER@HOST/system (default: a private one)"

func (a *app) execCommand() *cobra.Command {
	var f execFlags
	cmd := &cobra.Command{
		Use:   "exec ENV [flags] -- CMD ARG…",
		Short: "Run any command in an environment",
		Long: `Run any command in an environment: host, chroot, container or vm.

Standard input, output and error are the command's own. SIGINT, SIGTERM, SIGHUP,
SIGQUIT, SIGUSR1 and SIGUSR2 are passed on to it; the third Ctrl-C kills it, as a
container's first process may ignore them. It starts with a small set of
variables (PATH, HOME, TERM); --env-var adds to them.

Exit status: the command's own; 128+n when signal n ended it; 125 the lab
failed; 126 it can't be executed; 127 it isn't found.

What --variant can set:
` + settingHelp(environmentNames()),
		Example: `  sudo lab exec container -- sh -c 'hostname; ps'
  sudo lab exec chroot -- ls -l /
  sudo lab exec container -it -- sh
  sudo lab exec container -v $PWD:/data:ro -- ls -l /data
  sudo lab exec container -p 8080:80 -- httpd -f -h /etc
  sudo lab exec vm -- uname -r
  sudo lab exec container --memory 64M --cpus 0.5 -- sh`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usagef("exec: in which environment? there are: %s", strings.Join(environmentNames(), ", "))
			}
			if _, err := environment(environments(), args[0]); err != nil {
				return err
			}
			if len(args) == 1 {
				return usagef("exec %s: which command? lab exec %s -- CMD ARG…", args[0], args[0])
			}
			return nil
		},
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, cobra.ShellCompDirectiveDefault
			}
			return environmentNames(), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(_ *cobra.Command, args []string) error { return a.exec(args[0], args[1:], &f) },
	}
	fl := cmd.Flags()
	cmd.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		if !slices.Contains(a.args, "--") {
			return usagef("exec: %w; the command's own flags go behind --: lab exec ENV -- CMD ARG…", err)
		}
		return flagError(cmd, err)
	})
	fl.StringVar(&f.image, "image", "", "`DIR`, root folder of the file tree to run in (default: the lab's own)")
	fl.StringVar(&f.net, "net", "", "`KIND`: short for --variant net=…")
	fl.StringArrayVarP(&f.env, "env-var", "e", nil, "`NAME=VALUE` for the command; NAME alone: as it is here")
	fl.StringVar(&f.envFile, "env-file", "", "`FILE` with a NAME=VALUE a line; # begins a comment")
	fl.StringVar(&f.hostname, "hostname", "", "`NAME` of the machine that the container believes to be, or of the guest")
	fl.StringVarP(&f.dir, "workdir", "w", "", "`DIR`, working folder inside")
	fl.StringVarP(&f.user, "user", "u", "", "`UID[:GID]` to run as")
	fl.IntSliceVar(&f.groups, "group-add", nil, "`GID,…`, further groups of the user")
	fl.BoolVarP(&f.tty, "tty", "t", false, "a terminal of its own for the command")
	fl.BoolP("interactive", "i", true, "pass input on: always so, and here for the habit of -it")
	fl.Bool("rm", true, "leave nothing behind: always so, and here for the habit of it")
	fl.BoolVar(&f.readOnly, "read-only", false, "a root that can't be written to: short for --variant overlay=no")
	fl.BoolVar(&f.init, "init", false, "a minimal init before the command: passes signals on, reaps orphans")
	fl.StringArrayVarP(&f.volumes, "volume", "v", nil, "`SOURCE:TARGET[:ro]`, show a folder or file of the host inside")
	fl.StringArrayVarP(&f.ports, "publish", "p", nil, "`[IP:]HOSTPORT:PORT[/udp]`, a port of this machine (of 127.0.0.1) that leads inside; implies --net bridge")
	fl.StringVar(&f.cpuset, "cpuset", "", "`LIST` of processors to run on: 0-1,3")
	fl.IntVar(&f.weight, "cpu-weight", 0, "`N`, share of busy processors beside others', 1 to 10000 (100 is usual)")
	fl.StringVar(&f.swap, "swap", "", "`SIZE` of swap beyond --memory (default: none)")
	fl.StringVarP(&f.memory, "memory", "m", "", "`SIZE`, limit of memory: 64M, 1G")
	fl.Float64Var(&f.cpus, "cpus", 0, "`CORES`, limit of processor time: 0.5")
	fl.Int64Var(&f.pids, "pids", 0, "`N`, limit of processes")
	fl.StringArrayVar(&f.readBytes, "device-read-bps", nil, "`DEVICE:SIZE`, bytes a second that may be read from a disk: /dev/sda:10M")
	fl.StringArrayVar(&f.writeBytes, "device-write-bps", nil, "`DEVICE:SIZE`, the same for what is written")
	fl.StringArrayVar(&f.readOps, "device-read-iops", nil, "`DEVICE:N`, reads a second")
	fl.StringArrayVar(&f.writeOps, "device-write-iops", nil, "`DEVICE:N`, writes a second")
	fl.StringSliceVar(&f.variant, "variant", nil, "`SETTINGS`, name=value,…")
	fl.StringVar(&f.connect, "connect", "", connectHelp)
	completeFlags(cmd)
	return cmd
}

func (a *app) exec(name string, argv []string, f *execFlags) error {
	env, err := environment(environments(), name)
	if err != nil {
		return err
	}
	if name == "host" && f.dir == "" {
		// A program of the host is where its user is.
		if f.dir, err = os.Getwd(); err != nil {
			return &statusError{statusLab, err}
		}
	}
	spec, err := f.spec(env, argv)
	if err != nil {
		return err
	}
	if f.connect != "" && name != "vm" {
		return usagef("--connect: a libvirt makes virtual machines, and %s isn't one", name)
	}
	if err := a.needRoot("lab exec", statusLab); err != nil {
		return err
	}
	var status int
	if name == "vm" {
		status, err = a.executeApart(env, spec, f)
	} else {
		status, err = a.execute(env, spec, f.image)
	}
	var st *statusError
	if errors.As(err, &st) {
		return err
	}
	var e *launch.ExecError
	switch {
	case errors.As(err, &e):
		return &statusError{e.Status(), err}
	case err != nil:
		return &statusError{statusLab, err}
	case status != 0:
		return &statusError{status, nil}
	}
	return nil
}

// passedOn are the signals that exec passes on to its command.
var passedOn = []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT,
	syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGWINCH}

// execute runs the command in this process; status is its own.
func (a *app) execute(env bench.Environment, spec bench.Spec, named string) (status int, err error) {
	// Before anything is made: what comes early waits in the channel.
	sigs := make(chan os.Signal, 16)
	signal.Notify(sigs, passedOn...)
	ctx := context.Background()
	var groups *cgroup.Options
	if g, ok := env.(bench.Grouper); ok && g.Grouped(spec) {
		groups = &cgroup.Options{Controllers: !spec.Limits.None(), Scope: scope}
		if groups.Controllers && scope == nil {
			if l, err := cgroup.Read(); err == nil && l.NeedsScope() {
				return 0, becomeFull()
			}
		}
	}
	go launch.Ready(1) // the thread that Prepare would wait for
	lock, err := testbed.Acquire(false)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, lock.Release()) }()
	cache, err := usercache.Dir()
	if err != nil {
		return 0, err
	}
	dir, err := imageDir(named, cache, false)
	if err != nil {
		return 0, err
	}
	if spec.Image, err = image.At(dir); err != nil {
		return 0, err
	}
	tb, err := testbed.Local(cache, groups, launch.Undertaker(a.args[0]))
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
	case env.Name() == "host": // nothing keeps it from the machine's files
		c.Stdin, c.Stdout, c.Stderr = a.stdin, a.stdout, a.stderr
	default:
		if pumps, err = launch.Pump(c, a.stdin, a.stdout, a.stderr); err != nil {
			return 0, err
		}
	}
	p, err := env.Prepare(ctx, spec)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	if err := bench.Chill(p, spec); err != nil {
		return 0, err
	}
	if err := p.Start(ctx); err != nil {
		return 0, err
	}
	if l, ok := p.(interface{ PID() int }); ok { // it leads a session
		tb.Follow(l.PID())
		defer tb.Follow(0)
	}
	if pumps != nil {
		pumps.Begin()
	}
	abort := passSignals(sigs, p)
	finish := func(<-chan struct{}) {}
	if t, ok := p.(bench.Terminaler); ok && spec.Command.TTY {
		if finish, err = attach(t.Terminal(), a.stdin, a.stdout); err != nil {
			return 0, err
		}
	}
	// While the command runs nobody waits for this.
	swept := make(chan struct{})
	go func() { testbed.SweepFolders(); close(swept) }()
	exit, err := p.Wait(ctx)
	finish(abort)
	status = exit.Status()
	if pumps != nil {
		broken, perr := pumps.End(abort)
		if err = errors.Join(err, perr); broken && status == 0 {
			// It would have been told by the signal, had it written later.
			status = 128 + int(syscall.SIGPIPE)
		}
	}
	<-swept
	if exit.OOM {
		fmt.Fprintf(a.stderr, "lab: %s was killed: it used more memory than its limit\n", spec.Command.Argv[0])
	}
	return status, err
}

// passSignals passes signals on. The third that asks for an end is a SIGKILL: a
// container's first process ignores every signal that it has no handler for
// (pid_namespaces(7)), and somebody is pressing Ctrl-C. late is closed when one
// asks for the end of what has ended.
func passSignals(sigs <-chan os.Signal, p bench.Process) (late <-chan struct{}) {
	c := make(chan struct{})
	go func() {
		var asked asks
		for s := range sigs {
			ends := s == syscall.SIGINT || s == syscall.SIGTERM || s == syscall.SIGHUP
			if asked.enough(s) {
				s = syscall.SIGKILL
			}
			if err := p.Signal(s); err != nil && ends {
				close(c)
				return
			}
		}
	}()
	return c
}

// asks counts the signals that ask for an end.
type asks int

// enough says whether this signal, after those before it, is to be obeyed
// whatever the command thinks of it.
func (n *asks) enough(s os.Signal) bool {
	if s == syscall.SIGINT || s == syscall.SIGTERM {
		*n++
	}
	return *n >= 3
}
