package docker

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/client"
	"golang.org/x/sys/unix"

	"lab/bench"
	"lab/bench/clock"
)

// over says whether the program has ended, or never ran.
func (i *instance) over() bool { return done(i.ended) }

// done says whether a channel is closed.
func done(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// Signal sends a signal to the program.
func (i *instance) Signal(sig os.Signal) error {
	n, ok := sig.(syscall.Signal)
	i.mu.Lock()
	begun := i.begun
	i.mu.Unlock()
	switch {
	case !ok:
		return fmt.Errorf("signal %v: not a signal of this system", sig)
	case !begun:
		return errors.New("signal: it wasn't started")
	case i.over():
		return os.ErrProcessDone
	}
	<-i.started
	if i.over() {
		return os.ErrProcessDone
	}
	if n == unix.SIGKILL {
		return i.kill()
	}
	if n == unix.SIGWINCH && i.spec.Command.TTY {
		return i.resize() // the kernel sends the signal
	}
	return i.signal(n)
}

func (i *instance) signal(n syscall.Signal) error {
	i.settle() // before, the engine knows of nothing that runs
	ctx, cancel := context.WithTimeout(i.life, endWithin)
	defer cancel()
	_, err := i.api.ContainerKill(ctx, i.id, client.ContainerKillOptions{Signal: fmt.Sprint(int(n))})
	if err != nil && (errdefs.IsConflict(err) || errdefs.IsNotFound(err) || i.over()) { // it has ended
		return os.ErrProcessDone
	}
	return err
}

// settle waits until the engine has said that the container was started, for a time.
func (i *instance) settle() {
	if i.called != nil {
		select {
		case <-i.called:
		case <-time.After(endWithin):
		}
	}
}

// kill ends the program: by the engine, or without it.
func (i *instance) kill() error {
	i.killed.Store(true)
	err := i.signal(unix.SIGKILL)
	if err == nil || errors.Is(err, os.ErrProcessDone) {
		return err
	}
	i.env.broken(i.engine)
	return i.endGroup()
}

// endGroup ends what is in the container's cgroup, if that is the lab's.
func (i *instance) endGroup() error {
	if i.group == nil {
		return nil
	}
	return i.group.Remove()
}

// Wait waits for the program's end; see bench.Process.
func (i *instance) Wait(ctx context.Context) (bench.Exit, error) {
	i.mu.Lock()
	begun := i.begun
	i.mu.Unlock()
	if begun {
		<-i.started
	}
	if !i.running {
		return bench.Exit{}, errors.New("wait: it never ran")
	}
	if !i.over() {
		select {
		case <-i.ended:
		case <-ctx.Done():
		}
	}
	if i.over() {
		return i.exit, i.err
	}
	i.kill()
	select {
	case <-i.ended:
		return i.exit, ctx.Err()
	case <-time.After(endWithin): // the engine doesn't say so, and it has ended
		i.env.broken(i.engine)
		return bench.Exit{Code: -1, Signal: int(unix.SIGKILL), At: clock.Now()}, ctx.Err()
	}
}

// Explain adds what became of the container.
func (i *instance) Explain(err error) error {
	select {
	case <-i.ended:
	case <-time.After(endWithin): // it may be about to
		return err
	}
	x, werr := i.Wait(context.Background())
	if werr != nil {
		return fmt.Errorf("%w; %w", err, werr)
	}
	return fmt.Errorf("%w; it has ended: %v", err, x)
}

// Close ends what runs still, and undoes everything.
func (i *instance) Close() error {
	i.closing.Do(func() {
		i.mu.Lock()
		begun := i.begun
		i.begun = true // a later Start is refused
		i.mu.Unlock()
		if begun {
			if !done(i.started) {
				i.cancel()
				<-i.started
			}
			if i.running && !i.over() {
				ctx, cancel := context.WithCancel(context.Background())
				cancel()
				i.Wait(ctx)
			}
		} else {
			close(i.started)
			close(i.ended)
		}
		i.closed = i.undo()
	})
	return i.closed
}

// undo removes the container, and what was made for it.
func (i *instance) undo() (err error) {
	if i.id != "" {
		i.settle()
		i.learn()
		ctx, cancel := context.WithTimeout(context.Background(), endWithin)
		defer cancel()
		if _, rerr := i.api.ContainerRemove(ctx, i.id, client.ContainerRemoveOptions{Force: true, RemoveVolumes: true}); rerr != nil && !errdefs.IsNotFound(rerr) {
			i.env.broken(i.engine) // it is started anew, without this container
			i.engine.killShims(i.id)
		}
	}
	i.cancel()
	if i.api != nil {
		i.api.close()
	}
	if i.running {
		select {
		case <-i.ended:
		case <-time.After(2 * endWithin):
			return errors.New("docker: the container's end isn't known")
		}
	}
	if i.io != nil {
		i.io.close()
	}
	err = i.endGroup()
	if i.parent != "" {
		os.Remove(i.idFile())
	}
	if i.id != "" {
		i.engine.unshim(i.id)
	}
	for _, p := range i.published {
		err = errors.Join(err, p.Close())
	}
	if i.addr.IsValid() {
		i.network.Release(i.addr)
	}
	return err
}

// resize gives the container's terminal the size of the command's.
func (i *instance) resize() error {
	if i.io.tty == nil {
		return nil
	}
	var ws *unix.Winsize
	rc, err := i.io.tty.SyscallConn()
	if err == nil {
		err = errors.Join(rc.Control(func(fd uintptr) { ws, err = unix.IoctlGetWinsize(int(fd), unix.TIOCGWINSZ) }), err)
	}
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(i.life, endWithin)
	defer cancel()
	_, err = i.api.ContainerResize(ctx, i.id, client.ContainerResizeOptions{Height: uint(ws.Row), Width: uint(ws.Col)})
	return err
}
