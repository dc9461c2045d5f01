package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"lab/bench"
	"lab/bench/cgroup"
	"lab/bench/cgroup/systemd"
	"lab/bench/crew"
	"lab/bench/launch"
	"lab/bench/owner"
	"lab/bench/runs"
	"lab/bench/testbed"
	"lab/bench/usercache"
	"lab/cmd/cli"
	"lab/vm/client"
)

// A command in a guest needs what a run needs: a testbed of its own, in which
// libvirt's daemon and QEMU live and with which they die; likewise one in a container of
// an engine's. So lab exec vm starts a worker, which has the user's own standard
// descriptors, and passes signals on to it.
//
// Three processes take part:
//
//	lab exec    the supervisor: parses, locks, and turns the result into an exit status
//	the worker  the first process of new namespaces; makes the guest, and waits for it
//	QEMU        the guest, in which an init of the lab's runs the command
//
// They speak by what package crew has for runs as well: an order on the way in (execOrder),
// a result on the way out (execResult), and between them single bytes, which here are the
// numbers of signals.

// An execOrder is what the worker is told to do. It has the standard descriptors
// as files; what the supervisor says to it are numbers of signals.
type execOrder struct {
	Env, Cache string
	UID, GID   int
	Spec       bench.Spec
	Connect    *runs.Connection
}

// execResult is how it went.
type execResult struct {
	Status int
	OOM    bool
	Err    string
}

// execCommand is lab exec, of which this program has all environments.
func (a *app) execCommand() *cobra.Command {
	x := &cli.Exec{App: a.App, Environments: environments, Image: storedImage, Apart: a.executeApart, Scope: systemd.Scope}
	cmd := &cobra.Command{
		Use:  "exec ENV [flags] -- CMD ARG…",
		Args: func(cmd *cobra.Command, args []string) error { return x.Check(args, cmd.ArgsLenAtDash()) },
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, cobra.ShellCompDirectiveDefault
			}
			return environmentNames(), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(_ *cobra.Command, args []string) error { return x.Run(args) },
	}
	x.Flags(cmd.Flags())
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return x.FlagError(err) })
	completeFlags(cmd)
	return cmd
}

// executeApart runs the command in a worker; status is the command's own.
func (a *app) executeApart(env bench.Environment, spec bench.Spec, image, connect string) (status int, err error) {
	// From here on signals are the command's: they are passed on to it, as a shell does.
	sigs := make(chan os.Signal, 16)
	signal.Notify(sigs, cli.PassedOn...)
	lock, err := a.Acquire(false, func() <-chan os.Signal { return sigs })
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, lock.Release()) }()
	o := execOrder{Env: env.Name(), Spec: spec}
	var target *client.Target
	if connect != "" {
		if target, err = reach(connect); err != nil {
			return 0, err
		}
		o.Connect = &runs.Connection{Name: target.Name, Driver: target.Driver}
	}
	o.UID, o.GID = owner.IDs()
	if o.Cache, err = usercache.Make(); err != nil {
		return 0, err
	}
	if o.Spec.Image, err = openImage(image, o.Cache); err != nil {
		return 0, err
	}
	// The worker gets the very descriptors that the user gave us: what the guest writes
	// goes there without passing this process.
	w, err := crew.Spawn(crew.Order{Duty: execDuty, Job: o, Passage: passage(target), Stderr: a.Stderr.File,
		Files: []crew.File{{Name: "stdin", File: a.Stdin}, {Name: "stdout", File: a.Stdout.File}, {Name: "stderr", File: a.Stderr.File}}})
	if err != nil {
		return 0, err
	}
	var ended atomic.Bool // at once, as asked
	terminal := keepTerminal(a.Stdin)
	go func() {
		var asked cli.Asks
		for s := range sigs {
			if n, ok := s.(syscall.Signal); ok {
				w.Say(byte(n))
			}
			if asked.Enough(s) {
				// A guest that halted, or a QEMU that was stopped, takes no
				// signal. The kernel ends all that the worker has begun.
				time.AfterFunc(endGrace, func() { ended.Store(true); w.Kill() })
			}
		}
	}()
	// While it starts nobody waits for this.
	swept := make(chan struct{})
	go func() { testbed.SweepFolders(); close(swept) }()
	defer func() { <-swept }()
	// The result is the worker's last word. Without any it was killed, by us or by
	// somebody else.
	var res execResult
	derr := errors.New("ended without a result")
	for e := range w.Events() {
		derr = json.Unmarshal(e, &res)
	}
	_, werr := w.Wait()
	switch {
	case derr != nil && ended.Load():
		terminal()
		return 128 + int(syscall.SIGKILL), nil
	case derr != nil:
		terminal()
		return 0, fmt.Errorf("exec: the worker %w", cmp.Or(werr, derr))
	case res.Err != "" && res.Status > 0: // not found, can't be executed
		return 0, cli.Exit(res.Status, errors.New(res.Err))
	case res.Err != "":
		return 0, errors.New(res.Err)
	case res.OOM:
		fmt.Fprintf(a.Note, "lab: %s was killed: it used more memory than its limit\n", spec.Command.Argv[0])
	}
	return res.Status, nil
}

// endGrace is how long a guest may take to obey the third signal that asks for
// an end.
const endGrace = time.Second

// keepTerminal returns what puts a terminal back to how it is now, as a worker
// that was killed doesn't.
func keepTerminal(f *os.File) (restore func()) {
	state, err := term.GetState(int(f.Fd()))
	if err != nil {
		return func() {}
	}
	return func() { term.Restore(int(f.Fd()), state) }
}

// execDuty is the worker's.
const execDuty = "exec"

// execWork is the worker's part of lab exec.
func execWork(post *crew.Post) any {
	var o execOrder
	err := post.Job(&o)
	var r execResult
	if err == nil {
		r.Status, r.OOM, err = o.execute(post)
	}
	if err != nil {
		r.Status, r.Err = 0, err.Error()
		var e *launch.ExecError
		if errors.As(err, &e) {
			r.Status = e.Status()
		}
	}
	return r
}

// execute is one instance from the testbed to the command's end, in the order that
// every trial has, too: Open, Check, Prepare, Start, Wait, Close. What was opened is
// closed in the opposite order whatever went wrong, and an error of closing counts:
// something was left.
func (o *execOrder) execute(post *crew.Post) (status int, oom bool, err error) {
	env, err := cli.Environment(environments(o.Env), o.Env)
	if err != nil {
		return 0, false, err
	}
	var groups *cgroup.Options
	if g, ok := env.(bench.Grouper); ok && g.Groups(o.Spec) > 0 {
		groups = &cgroup.Options{Controllers: true, Move: true, Scope: systemd.Scope}
	}
	tb, err := testbed.Enter(o.Cache, o.UID, o.GID, groups)
	if err != nil {
		return 0, false, err
	}
	defer func() { err = errors.Join(err, tb.Close()) }()
	// A run has a results folder for its logs; a single command has none.
	// They go with the testbed; what a daemon said that doesn't start is read there.
	tb.Log = func(name string) (*os.File, error) {
		return os.OpenFile(filepath.Join(tb.Dir, name), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	}
	if err := runs.Join(o.Connect, post, tb, []bench.Environment{env}); err != nil {
		return 0, false, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	pass := make(chan os.Signal, 16)
	go post.Obey(func(signal byte) {
		select {
		case pass <- syscall.Signal(signal):
		default:
		}
	})
	if err := env.Open(ctx, tb); err != nil {
		return 0, false, err
	}
	defer func() { err = errors.Join(err, env.Close()) }()
	// A guest's command runs under the guest's init, which hands on signals, input and
	// the exit status: PID 1 itself could be given none of these.
	o.Spec.Init = o.Spec.Init || env.About().Guest
	c := &o.Spec.Command
	c.Stdin, c.Stdout, c.Stderr = post.File("stdin"), post.File("stdout"), post.File("stderr")
	if err := env.Check(ctx, o.Spec); err != nil {
		return 0, false, err
	}
	// What a setting left open and came to is said where it changes what the user gets:
	// no silent fallback.
	if r, ok := env.(bench.Resolver); ok && o.Spec.Settings["root"] == "auto" && r.Resolved(o.Spec)["root"] == "ext4" {
		fmt.Fprintf(c.Stderr, "lab: the image (%d MiB) is too large for the guest's RAM, and is given to it as a disk (root=ext4)\n", o.Spec.Image.Size>>20)
	}
	p, err := env.Prepare(ctx, o.Spec)
	if err != nil {
		return 0, false, err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	if err := bench.Chill(p, o.Spec); err != nil {
		return 0, false, err
	}
	if err := p.Start(ctx); err != nil {
		return 0, false, err
	}
	// From here on signals go to the command; those that came while it was started wait
	// in pass.
	done := make(chan struct{})
	cli.PassSignals(pass, done, p, c.Stderr)
	x, err := p.Wait(ctx)
	close(done)
	return x.Status(), x.OOM, err
}
