package chaos

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"lab/bench"
	"lab/bench/clean"
)

// A life is one instance: its name, its folder and its command.
type life struct {
	id, dir string
	argv    []string // the workload's
	cmd     *exec.Cmd
	said    clean.Tail
	began   time.Time
	ended   chan struct{} // closed when the client has ended
	err     error         // how; valid then
}

// live starts an instance.
func (s *Scene) live(argv ...string) (*life, error) {
	l := &life{id: fmt.Sprintf("lab-chaos-%08x", s.rand.Uint32()), argv: argv, said: clean.Tail{Most: 4 << 10}, ended: make(chan struct{})}
	if s.run.Dir != "" {
		l.dir = filepath.Join(s.run.Dir, l.id)
		if err := os.Mkdir(l.dir, 0o755); err != nil {
			return nil, err
		}
	}
	args, err := s.victim.args(s, l)
	if err != nil {
		return nil, err
	}
	l.cmd = s.command(args...)
	l.cmd.Stdout, l.cmd.Stderr = nil, &l.said
	l.cmd.WaitDelay = 10 * time.Millisecond // survivors hold it
	// If this process is killed, it dies with it: its workload would sleep on for an hour.
	// The kernel does so when the thread ends that started it.
	l.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(l.ended)
		l.began = time.Now()
		err := l.cmd.Start()
		started <- err
		if err == nil {
			l.err = l.cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return l, nil
}

// command is a command of the victim's.
func (s *Scene) command(args ...string) *exec.Cmd {
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir = "/"
	if s.bed != "" {
		cmd.Env = []string{"PATH=" + cmp.Or(os.Getenv("PATH"), bench.DefaultPath), "HOME=" + s.run.Dir, "TMPDIR=" + s.run.Dir, "container=lab"}
	}
	return cmd
}

// ask runs a command of the victim's to its end, and returns what it printed; its error
// quotes what it said.
func (s *Scene) ask(ctx context.Context, within time.Duration, stdin *os.File, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	said := clean.Tail{Most: 64 << 10}
	var out bytes.Buffer
	cmd := s.command(args...)
	if stdin != nil {
		cmd.Stdin = stdin
	}
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = &out, &said, 100*time.Millisecond
	if err := cmd.Start(); err != nil {
		return "", err
	}
	stop := context.AfterFunc(ctx, func() { cmd.Process.Kill() })
	defer stop()
	if err := cmd.Wait(); err != nil && !errors.Is(err, exec.ErrWaitDelay) {
		if ctx.Err() != nil {
			err = fmt.Errorf("no end in %v", within)
		}
		return "", errors.New(firstLine(said.String(), err))
	}
	return strings.TrimSpace(out.String()), nil
}

// firstLine is the first line of what was said that isn't a mere warning, cleaned, or
// else the error.
func firstLine(said string, err error) string {
	for line := range strings.Lines(strings.TrimSpace(said)) {
		if line = clean.Text(strings.TrimSpace(line)); line != "" && !strings.HasPrefix(line, "WARNING") {
			return line
		}
	}
	return err.Error()
}

// next lives a life to its end, with nobody killed; why it can't is its own first line.
func (s *Scene) next(ctx context.Context) (why string) {
	if err := s.up(ctx); err != nil {
		return err.Error()
	}
	l, err := s.live("true")
	if err != nil {
		return err.Error()
	}
	defer os.RemoveAll(l.dir)
	select {
	case <-l.ended:
		if l.err != nil && !errors.Is(l.err, exec.ErrWaitDelay) {
			why = firstLine(l.said.String(), l.err)
		}
	case <-time.After(nextWithin):
		why = fmt.Sprintf("no end in %v", nextWithin)
		s.end(l)
	case <-ctx.Done():
		why = ctx.Err().Error()
		s.end(l)
	}
	return why
}

// end kills the client.
func (s *Scene) end(l *life) {
	l.cmd.Process.Kill()
	<-l.ended
}
