package uml

import (
	"context"
	"errors"
	"net"
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"lab/bench"
	"lab/bench/clock"
	"lab/bench/foreign"
	"lab/bench/launch"
	"lab/vm/guest"
)

// An instance is the process that is the guest's kernel, and what runs in the guest.
type instance struct {
	*foreign.Instance // the kernel's process
	cmd               bench.Command
	limits            bench.Limits
	conn              net.Conn // the lab's end of the socket
	theirs, quiet     *os.File // what the kernel has for descriptors, until it has them
	copies            []*os.File

	mu      sync.Mutex // guards what follows
	session *guest.Session
	program *guest.Program // the workload; nil until it was started

	once   sync.Once
	closed error
}

// Start starts the kernel, waits for its init, and has that execute the workload.
func (i *instance) Start(ctx context.Context) error {
	if err := i.Instance.Start(ctx); err != nil {
		return err
	}
	i.theirs.Close()
	s, err := guest.Greet(ctx, i.conn)
	if err != nil {
		return i.Explain(err)
	}
	p := guest.NewProgram(s, i.cmd, i.limits)
	if err := p.Start(ctx); err != nil {
		return err
	}
	i.mu.Lock()
	i.session, i.program = s, p
	i.mu.Unlock()
	return nil
}

// running is the workload, or nil before it was started.
func (i *instance) running() *guest.Program {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.program
}

// Signal sends a signal to the workload.
func (i *instance) Signal(sig os.Signal) error {
	p := i.running()
	if p == nil {
		return os.ErrProcessDone
	}
	return p.Signal(sig)
}

// Wait waits for the workload's end; see bench.Process.
func (i *instance) Wait(ctx context.Context) (bench.Exit, error) {
	p := i.running()
	if p == nil {
		return bench.Exit{}, errors.New("wait: it never ran")
	}
	x, err := p.Wait(ctx)
	switch {
	case errors.Is(err, guest.ErrLost): // the guest did nothing wrong
	case err != nil && ctx.Err() == nil:
		return x, i.Explain(err)
	case err != nil && p.Alive(): // whether or not the guest said so, it is dead after this
		i.Process.Signal(syscall.SIGKILL)
	}
	return x, err
}

// Close ends the guest and undoes everything.
func (i *instance) Close() error {
	i.once.Do(func() {
		i.closed = i.Instance.Close()
		if p := i.running(); p != nil {
			i.session.Close()
			p.Close()
		}
		i.release()
	})
	return i.closed
}

// dup makes the command's descriptors its own: who gave them may close them once the
// program runs, and what is read from and written to them passes through the lab.
func (i *instance) dup() (err error) {
	if i.quiet, err = os.OpenFile(os.DevNull, os.O_RDWR, 0); err != nil {
		return err
	}
	for _, f := range []**os.File{&i.cmd.Stdin, &i.cmd.Stdout, &i.cmd.Stderr} {
		switch *f {
		case nil:
			continue
		case launch.Null:
			*f = i.quiet
			continue
		}
		fd, err := unix.FcntlInt((*f).Fd(), unix.F_DUPFD_CLOEXEC, 3)
		if err != nil {
			return os.NewSyscallError("dup", err)
		}
		*f = os.NewFile(uintptr(fd), (*f).Name())
		i.copies = append(i.copies, *f)
	}
	return nil
}

// release closes what the lab has of the socket, and the command's descriptors.
func (i *instance) release() {
	if i.conn != nil {
		i.conn.Close()
	}
	for _, f := range append(i.copies, i.theirs, i.quiet) {
		f.Close()
	}
}

// Exec runs a further command in the guest.
func (i *instance) Exec(_ context.Context, c bench.Command) (bench.Process, error) {
	if i.running() == nil {
		return nil, os.ErrProcessDone
	}
	return guest.NewProgram(i.session, c, bench.Limits{}), nil
}

// Ready is the workload's output; see bench.Instance.
func (i *instance) Ready() *os.File {
	if p := i.running(); p != nil {
		return p.Ready()
	}
	return nil
}

// Terminal is the workload's; see bench.Terminaler.
func (i *instance) Terminal() *os.File {
	if p := i.running(); p != nil {
		return p.Terminal()
	}
	return nil
}

// Marks are those of the kernel's process, and when the guest's init spoke.
func (i *instance) Marks() []clock.Mark {
	marks := i.Instance.Marks()
	if i.running() != nil {
		marks = append(marks, clock.Mark{Name: "boot", At: i.session.At})
	}
	return marks
}

// LastPhase is what follows the last mark: the guest's init.
func (i *instance) LastPhase() string { return "execute" }

// Meter tells what the guest costs: its kernel's process, and those that are its
// processes on the host.
func (i *instance) Meter() (bench.Cost, error) {
	c, err := i.Instance.Meter()
	if err != nil {
		return c, err
	}
	err = c.AddProcesses(i.PID())
	return c, err
}
