package docker

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"

	"github.com/moby/moby/client"
	"golang.org/x/sys/unix"

	"lab/bench"
	"lab/bench/clock"
	"lab/bench/foreign"
)

// An entry is a further command in a running container: what docker exec asks for.
type entry struct {
	i       *instance
	command bench.Command
	output
	id string

	mu      sync.Mutex // guards begun and running
	begun   bool
	running bool          // Start went well
	ended   chan struct{} // closed when exit and err are valid
	exit    bench.Exit
	err     error
	closing sync.Once
}

// Exec prepares a further command in the running container.
func (i *instance) Exec(_ context.Context, c bench.Command) (bench.Process, error) {
	if i.id == "" {
		return nil, errors.New("exec: the container isn't running")
	}
	return &entry{i: i, command: c, ended: make(chan struct{})}, nil
}

// Start has the engine make the command's process.
func (x *entry) Start(ctx context.Context) error {
	x.mu.Lock()
	again := x.begun
	x.begun = true
	x.mu.Unlock()
	if again {
		return errors.New("start: started or closed before")
	}
	ctx, cancel := context.WithTimeout(ctx, startWithin)
	defer cancel()
	x.i.settle()
	c, d := x.command, x.i.engine
	var err error
	if x.io, err = newStream(c); err != nil {
		return err
	}
	x.io.kill = func() { x.kill() }
	made, err := x.i.api.ExecCreate(ctx, x.i.id, client.ExecCreateOptions{Cmd: c.Argv, Env: c.Env, WorkingDir: c.Dir, TTY: c.TTY,
		User: fmt.Sprintf("%d:%d", c.User.UID, c.User.GID), AttachStdin: x.io.in != nil, AttachStdout: true, AttachStderr: x.io.errs != nil})
	if err != nil {
		return bench.Blamed(bench.BlameMachine, d.call("exec", err))
	}
	x.id = made.ID
	attached, err := x.i.api.ExecAttach(x.i.life, x.id, client.ExecAttachOptions{TTY: c.TTY})
	if err != nil {
		return bench.Blamed(bench.BlameMachine, d.call("exec", err))
	}
	if err := x.io.begin(client.ContainerAttachResult(attached)); err != nil {
		attached.Close()
		return err
	}
	x.mu.Lock()
	x.running = true
	x.mu.Unlock()
	go x.await()
	return nil
}

// await waits for the command's end, which is that of its output.
func (x *entry) await() {
	defer close(x.ended)
	<-x.io.pumped
	x.exit.At = clock.Now()
	x.io.finish()
	ctx, cancel := context.WithTimeout(x.i.life, endWithin)
	defer cancel()
	now, err := x.i.api.ExecInspect(ctx, x.id, client.ExecInspectOptions{})
	switch {
	case err != nil:
		x.err = bench.Blamed(bench.BlameMachine, x.i.engine.call("exec", err))
	case now.Running:
		x.err = errors.New("exec: the command has closed its output, and runs on")
	}
	x.exit.Code = now.ExitCode
	x.exit = foreign.OfShell(x.exit)
}

// Signal sends a signal to the command, which the engine has no call for: to its process,
// where that is one of this machine's.
func (x *entry) Signal(sig os.Signal) error {
	x.mu.Lock()
	running := x.running
	x.mu.Unlock()
	n, ok := sig.(syscall.Signal)
	switch {
	case !ok:
		return fmt.Errorf("signal %v: not a signal of this system", sig)
	case !running || done(x.ended):
		return os.ErrProcessDone
	case x.i.engine.others:
		return bench.NotApplicable("the engine has no call for it, and the process isn't the testbed's", x.i.env.ownCure())
	}
	ctx, cancel := context.WithTimeout(x.i.life, endWithin)
	defer cancel()
	now, err := x.i.api.ExecInspect(ctx, x.id, client.ExecInspectOptions{})
	if err != nil {
		return err
	}
	if !now.Running || now.PID == 0 {
		return os.ErrProcessDone
	}
	return unix.Kill(now.PID, n)
}

// kill ends the command, or else the whole container.
func (x *entry) kill() {
	if err := x.Signal(unix.SIGKILL); err != nil && !errors.Is(err, os.ErrProcessDone) {
		x.i.kill()
	}
}

// Wait waits for the command's end; see bench.Process.
func (x *entry) Wait(ctx context.Context) (bench.Exit, error) {
	x.mu.Lock()
	running := x.running
	x.mu.Unlock()
	if !running {
		return bench.Exit{}, errors.New("wait: it never ran")
	}
	select {
	case <-x.ended:
		return x.exit, x.err
	case <-ctx.Done():
	}
	x.kill()
	<-x.ended
	return x.exit, ctx.Err()
}

// Close ends the command, if it runs still.
func (x *entry) Close() error {
	x.closing.Do(func() {
		x.mu.Lock()
		running := x.running
		x.begun = true // a later Start is refused
		x.mu.Unlock()
		if running && !done(x.ended) {
			x.kill()
			<-x.ended
		}
		if x.io != nil {
			x.io.close()
		}
	})
	return nil
}
