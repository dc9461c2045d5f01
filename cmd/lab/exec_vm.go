//go:build !lean

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"

	"lab/bench"
	"lab/bench/launch"
	"lab/bench/testbed"
)

// A command in a guest needs what a run needs: a testbed of its own, in which
// libvirt's daemon and QEMU live and with which they die. So lab exec vm starts
// a worker, which has the user's own standard descriptors, and passes signals
// on to it.

// execWorkerArg makes this program the worker of lab exec.
const execWorkerArg = "__exec"

// Descriptors that it starts with; 3 is the testbed's folder.
const (
	execJob   = 4 + iota // an execOrder, as JSON
	execSigs             // numbers of signals, a byte each; end of file: the supervisor died
	execReply            // an execResult, as JSON
	execIn
	execOut
	execErr
	execPassage // connections to a foreign libvirt, where the order has one
	execEnd
)

// execOrder is what the worker is told to do.
type execOrder struct {
	Env, Cache string
	UID, GID   int
	Spec       bench.Spec
	Connect    *connectJob
}

// execResult is how it went.
type execResult struct {
	Status int
	OOM    bool
	Err    string
}

// executeApart runs the command in a worker; status is the command's own.
func (a *app) executeApart(env bench.Environment, spec bench.Spec, f *execFlags) (status int, err error) {
	sigs := make(chan os.Signal, 16)
	signal.Notify(sigs, passedOn...)
	lock, err := testbed.Acquire(false)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, lock.Release()) }()
	o := execOrder{Env: env.Name(), Spec: spec}
	var files []*os.File
	if f.connect != "" {
		target, err := reach(f.connect)
		if err != nil {
			return 0, err
		}
		passage, end, err := link(target)
		if err != nil {
			return 0, err
		}
		defer end()
		defer passage.Close()
		o.Connect, files = &connectJob{target.Name, target.Driver}, append(files, passage)
	}
	o.UID, o.GID = owner()
	if o.Cache, err = makeCache(); err != nil {
		return 0, err
	}
	if o.Spec.Image, err = openImage(f.image, o.Cache); err != nil {
		return 0, err
	}
	data, err := json.Marshal(o)
	if err != nil {
		return 0, err
	}
	var ours, theirs [3]*os.File // order, signals, reply
	for i := range ours {
		r, w, err := os.Pipe()
		if err != nil {
			return 0, err
		}
		if ours[i], theirs[i] = w, r; i == 2 {
			ours[i], theirs[i] = r, w
		}
		defer ours[i].Close()
	}
	w, err := testbed.Spawn(a.undertaker(), []string{execWorkerArg}, a.stderr,
		append([]*os.File{theirs[0], theirs[1], theirs[2], a.stdin, a.stdout, a.stderr}, files...)...)
	for _, f := range theirs {
		f.Close()
	}
	if err != nil {
		return 0, err
	}
	if _, err := ours[0].Write(data); err != nil {
		return 0, errors.Join(err, w.Wait())
	}
	ours[0].Close()
	go func() {
		for s := range sigs {
			if n, ok := s.(syscall.Signal); ok {
				ours[1].Write([]byte{byte(n)})
			}
		}
	}()
	// While it starts nobody waits for this.
	swept := make(chan struct{})
	go func() { testbed.SweepFolders(); close(swept) }()
	defer func() { <-swept }()
	var res execResult
	derr := json.NewDecoder(ours[2]).Decode(&res)
	werr := w.Wait()
	switch {
	case derr != nil:
		return 0, fmt.Errorf("exec: the worker died: %w", errors.Join(derr, werr))
	case res.Err != "" && res.Status > 0: // not found, can't be executed
		return 0, &statusError{res.Status, errors.New(res.Err)}
	case res.Err != "":
		return 0, errors.New(res.Err)
	case res.OOM:
		fmt.Fprintf(a.stderr, "lab: %s was killed: it used more memory than its limit\n", spec.Command.Argv[0])
	}
	return res.Status, nil
}

// execWork is the worker's main function.
func execWork(stderr *os.File) int {
	if os.Getpid() != 1 {
		fmt.Fprintln(stderr, "lab: the worker is started by lab exec alone")
		return statusUsage
	}
	for fd := 3; fd < execEnd; fd++ {
		unix.CloseOnExec(fd)
	}
	var o execOrder
	in := os.NewFile(execJob, "order")
	if err := json.NewDecoder(in).Decode(&o); err != nil {
		fmt.Fprintln(stderr, "lab: worker: read order:", err)
		return statusFailed
	}
	in.Close()
	done := make(chan execResult)
	// Not on this goroutine, which holds the main thread; see work.
	go func() {
		status, oom, err := o.execute(os.NewFile(execSigs, "signals"))
		r := execResult{Status: status, OOM: oom}
		if err != nil {
			r.Err = err.Error()
			var e *launch.ExecError
			if errors.As(err, &e) {
				r.Status = e.Status()
			}
		}
		done <- r
	}()
	if err := json.NewEncoder(os.NewFile(execReply, "reply")).Encode(<-done); err != nil {
		return statusFailed
	}
	return 0
}

func (o *execOrder) execute(sigs *os.File) (status int, oom bool, err error) {
	tb, err := testbed.Enter(o.Cache, o.UID, o.GID)
	if err != nil {
		return 0, false, err
	}
	defer func() { err = errors.Join(err, tb.Close()) }()
	tb.Log = func(string) (*os.File, error) { return os.OpenFile(os.DevNull, os.O_WRONLY, 0) }
	env, err := environment(environments(), o.Env)
	if err != nil {
		return 0, false, err
	}
	if err := o.Connect.join([]bench.Environment{env}, execPassage); err != nil {
		return 0, false, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	pass := make(chan os.Signal, 16)
	go func() {
		r := bufio.NewReader(sigs)
		for {
			b, err := r.ReadByte()
			if err != nil {
				os.Exit(statusFailed) // PID 1's end is the testbed's
			}
			select {
			case pass <- syscall.Signal(b):
			default:
			}
		}
	}()
	if err := env.Open(ctx, tb); err != nil {
		return 0, false, err
	}
	defer func() { err = errors.Join(err, env.Close()) }()
	o.Spec.Init = true
	c := &o.Spec.Command
	c.Stdin, c.Stdout, c.Stderr = os.NewFile(execIn, "stdin"), os.NewFile(execOut, "stdout"), os.NewFile(execErr, "stderr")
	if err := env.Check(ctx, o.Spec); err != nil {
		return 0, false, err
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
	go passSignals(pass, p)
	x, err := p.Wait(ctx)
	return x.Status(), x.OOM, err
}
