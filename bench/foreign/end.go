package foreign

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"lab/bench"
	"lab/bench/testbed"
)

// made says whether there is, or was, an instance.
func (i *Instance) made() bool {
	if name := i.env.maker.PIDFile; name != "" && i.dir != nil {
		var st unix.Stat_t
		if unix.Fstatat(int(i.dir.Fd()), name, &st, 0) == nil {
			return true
		}
	}
	return i.workload() != nil
}

// hurry ends a program that makes no instance.
func (i *Instance) hurry() {
	if !i.ended() && !i.made() {
		i.stuck.Store(true)
		i.end()
	}
}

// Signal sends a signal to the workload. One that asks for an end and comes before
// there is a workload ends the program.
func (i *Instance) Signal(sig os.Signal) error {
	s, ok := sig.(syscall.Signal)
	switch {
	case !ok || i.PID() == 0 || i.ended():
		return i.Process.Signal(sig)
	case s == unix.SIGKILL:
		return i.kill()
	case i.env.maker.Relays:
		return i.pass(sig)
	}
	if w := i.workload(); w != nil {
		return w.signal(s)
	}
	if s == unix.SIGTERM || s == unix.SIGINT || s == unix.SIGHUP || s == unix.SIGQUIT {
		return i.pass(sig)
	}
	return nil
}

// pass sends a signal to the program itself, which may die of it.
func (i *Instance) pass(sig os.Signal) error {
	i.passed.Store(true)
	return i.Process.Signal(sig)
}

// kill ends what the program has made, or the program, if it has made nothing.
func (i *Instance) kill() error {
	i.killed.Store(true)
	if i.killTree() {
		return nil
	}
	return i.Process.Signal(unix.SIGKILL)
}

func (i *Instance) ended() bool {
	select {
	case <-i.Done():
		return true
	default:
		return false
	}
}

// end ends the workload, and the program as well where it doesn't end by itself. It
// returns when both have.
func (i *Instance) end() {
	if i.PID() == 0 {
		return
	}
	if !i.ended() {
		i.kill()
		t := time.NewTimer(EndWithin)
		defer t.Stop()
		select {
		case <-i.Done():
		case <-t.C:
			i.Process.Signal(unix.SIGKILL)
		}
	}
	if i.group != nil {
		i.group.Kill()
	}
	<-i.Done()
}

// Wait waits for the program's end, which is the workload's; see bench.Process.
func (i *Instance) Wait(ctx context.Context) (bench.Exit, error) {
	wait, inTime := context.WithoutCancel(ctx), true
	switch {
	case i.PID() == 0:
		wait = ctx // nothing to be ended gently
	case !i.ended():
		stop := context.AfterFunc(ctx, i.end)
		defer func() { stop() }()
		<-i.Done()
		inTime = stop()
	}
	x, err := i.Process.Wait(wait)
	if err == nil {
		x, err = i.judged(x)
	}
	if !inTime {
		return x, ctx.Err()
	}
	return x, err
}

// judged makes of the program's end the workload's. Such programs say of a signal
// what a shell says, 128 and its number, and so it is read here.
func (i *Instance) judged(x bench.Exit) (bench.Exit, error) {
	i.judging.Do(func() {
		i.listened()
		m := &i.env.maker
		crashed := x.Signal != 0 && !i.killed.Load() && !i.passed.Load()
		if y := OfShell(x); y.Signal != x.Signal {
			x = y
		} else if i.killed.Load() && x.Code != 0 {
			x.Code, x.Signal = -1, int(unix.SIGKILL)
		}
		if i.group != nil { // what wait4(2) says is the program's own as well
			if user, system, err := i.group.CPU(); err == nil {
				x.Usage.User, x.Usage.System = user, system
			}
		}
		i.exit = x
		// The program, and what it starts before the workload, are in its limit, too, or
		// below one around the lab: the kernel kills whichever is the largest.
		g, none := i.holds(), m.PIDFile != "" && !i.made()
		if x.Signal == int(unix.SIGKILL) || x.Code > 0 && (m.Mute || none) {
			if i.exit.OOM = g.OOMKilled() || i.Group().OOMKilled() || g.Hit() && !i.killed.Load(); i.exit.OOM {
				i.exit.Code, i.exit.Signal = -1, int(unix.SIGKILL)
			}
		}
		i.logged()
		name, how := filepath.Base(m.Program), ""
		switch {
		case i.stuck.Load():
			how = fmt.Sprintf("%s made no instance in %v, and was ended", name, StartWithin)
		case i.exit.OOM, i.killed.Load(), x.Signal != 0 && i.passed.Load():
		case crashed:
			how = fmt.Sprintf("%s was ended by signal %d", name, x.Signal)
		case none:
			how = fmt.Sprintf("%s ended without an instance (%v)", name, x)
		case m.PIDFile == "" && x.Code > 0 && i.text.from(name):
			how = fmt.Sprintf("%s failed (%v)", name, x)
		}
		if how != "" {
			i.err = bench.Blamed(bench.BlameMachine, errors.New(how+i.text.quoted()))
		}
	})
	return i.exit, i.err
}

// mostLogged is how much is read of a program's log.
const mostLogged = 64 << 10

// logged takes over what the program wrote to its log, as if it had said it.
func (i *Instance) logged() {
	m := &i.env.maker
	if m.Log == "" || i.dir == nil {
		return
	}
	fd, err := unix.Openat(int(i.dir.Fd()), m.Log, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return // it had nothing to say
	}
	f := os.NewFile(uintptr(fd), m.Log)
	defer f.Close()
	b, _ := io.ReadAll(io.LimitReader(f, mostLogged))
	for l := range strings.Lines(string(b)) {
		if _, text, ok := strings.Cut(l, " ERROR "); ok && !strings.Contains(text, m.Harmless) {
			fmt.Fprintf(&i.text, "%s: %s\n", filepath.Base(m.Program), strings.TrimSpace(text))
		}
	}
}

// listened waits until what the program said is there. What it left behind may have the
// pipe open for long.
func (i *Instance) listened() {
	if i.pipe != nil {
		i.pipe.SetReadDeadline(time.Now().Add(time.Second))
		i.heard.Wait()
	}
}

// Explain adds what became of the program, and what it said last.
func (i *Instance) Explain(err error) error {
	select {
	case <-i.Done():
	case <-time.After(EndWithin): // it may be about to
		if !i.made() {
			return fmt.Errorf("%w; %s is running, and has made no instance%s", err, filepath.Base(i.env.maker.Program), i.text.quoted())
		}
		return err
	}
	x, werr := i.Wait(context.Background())
	if werr != nil {
		return fmt.Errorf("%w; %w", err, werr)
	}
	return fmt.Errorf("%w; it has ended: %v%s", err, x, i.text.quoted())
}

// Close ends what runs still, and undoes everything.
func (i *Instance) Close() error {
	i.closing.Do(func() {
		if late := i.late.Load(); late != nil {
			late.Stop()
		}
		i.end()
		if i.PID() != 0 {
			i.Wait(context.Background()) // while its cgroup can be asked
			i.outlived()
		}
		i.closed = i.Process.Close()
	})
	return i.closed
}

// cleanup undoes what the kernel doesn't.
func (i *Instance) cleanup() (err error) {
	if i.group != nil {
		err = i.group.Remove()
	}
	if i.env.tb.Private {
		testbed.Reap() // what it left without a parent
	}
	i.theirs.Close() // again, mostly; or nil
	i.listened()
	i.pipe.Close()
	i.dir.Close()
	if i.layer != "" {
		err = errors.Join(err, os.RemoveAll(i.layer))
	}
	for _, p := range i.published {
		err = errors.Join(err, p.Close())
	}
	if i.network != nil {
		err = errors.Join(err, i.network.Disconnect(i.addr))
		i.network.Release(i.addr)
	}
	return err
}
