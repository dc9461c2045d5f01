package foreign

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"lab/bench"
	"lab/bench/launch"
)

// An entered command is one that the maker's program runs in an instance of its own.
type entered struct{ *launch.Process }

// Wait is that of the program, whose status is the command's, as a shell says it.
func (p entered) Wait(ctx context.Context) (bench.Exit, error) {
	x, err := p.Process.Wait(ctx)
	return OfShell(x), err
}

// OfShell reads a status as a shell says it: 128 and a signal's number.
func OfShell(x bench.Exit) bench.Exit {
	if n := x.Code - 128; n > 0 && n <= 64 {
		x.Code, x.Signal = -1, n
	}
	return x
}

// EnterFlags are a command's folder, user and variables, as most such programs take them.
func EnterFlags(dir string, c bench.Command) []string {
	out := []string{dir, cmp.Or(c.Dir, "/"), "--user", fmt.Sprintf("%d:%d", c.User.UID, c.User.GID)}
	for _, v := range c.Env {
		out = append(out, "--env", v)
	}
	if c.TTY {
		out = append(out, "--tty")
	}
	return out
}

// Exec prepares a further command in the running instance, which the program is asked for
// from where it was started: what it keeps is seen from there alone.
func (i *Instance) Exec(_ context.Context, c bench.Command) (bench.Process, error) {
	m := &i.env.maker
	switch {
	case m.Enter == nil:
		return nil, bench.Unavailable("the lab has no way to ask "+m.Name+" for it", "--env container")
	case i.PID() == 0 || i.ended():
		return nil, errors.New("exec: the instance isn't running")
	}
	p := launch.Plan{Command: c, Leave: leave, Find: func(bench.Command) []string {
		path, _ := i.env.path() // Check has seen it
		return []string{path}
	}}
	p.Command.Argv = append([]string{filepath.Base(m.Program)}, m.Enter(&i.order, c)...)
	p.Command.Dir, p.Command.User, p.Command.Env = "/", bench.User{}, i.surroundings()
	p.Steps = []launch.Step{{Name: "namespaces", Do: func(*launch.Thread) error {
		f, err := os.Open(fmt.Sprintf("/proc/%d/ns/mnt", i.PID()))
		if err != nil {
			return err
		}
		defer f.Close()
		if err := unix.Unshare(unix.CLONE_FS); err != nil { // a mount namespace isn't joined by one of several
			return os.NewSyscallError("unshare", err)
		}
		return os.NewSyscallError("setns", unix.Setns(int(f.Fd()), unix.CLONE_NEWNS))
	}}}
	return entered{launch.New(p)}, nil
}
