package asked

import (
	"errors"
	"math"
	"path/filepath"

	"golang.org/x/sys/unix"

	"lab/bench"
	"lab/bench/launch"
	"lab/bench/probe/guestinit/wire"
	"lab/vm/disk"
	"lab/vm/domain"
)

// CheckDirect says whether a workload can be PID 1, started by the kernel itself.
func CheckDirect(s bench.Spec) error {
	const cure = "run it under the guest's init (Spec.Init)"
	c := s.Command
	switch {
	case !c.User.IsRoot():
		return bench.NotApplicable("a guest's PID 1 is root", cure)
	case c.Dir != "" && c.Dir != "/":
		return bench.NotApplicable("a guest's PID 1 starts in /", cure)
	case c.Stdin != nil || c.Stdout != nil || c.Stderr != nil || c.TTY:
		return bench.NotApplicable("a guest's PID 1 has a console and no other input or output", cure)
	case s.Limits.CPU != math.Trunc(s.Limits.CPU):
		return bench.NotApplicable("a guest has whole processors, and nothing in it would keep a limit of processor time", "--cpu-limit 1, or --env container")
	case s.Limits.Pids != 0:
		return bench.NotApplicable("nothing in the guest would keep a limit of processes", "leave out --pids, or --env container")
	}
	if len(c.Argv) > 0 {
		if _, err := (domain.Cmdline{Init: "/x", Args: c.Argv[1:], Env: kernelEnv(c.Env)}).String(); err != nil {
			return bench.NotApplicable(err.Error(), cure)
		}
	}
	return nil
}

// kernelEnv is what of an environment the kernel doesn't set by itself.
func kernelEnv(env []string) (out []string) {
	for _, v := range env {
		if v != "HOME=/" && v != "TERM=linux" {
			out = append(out, v)
		}
	}
	return out
}

// Cmdline says who is PID 1: the workload, where the kernel alone can start it,
// or the lab's init, which then becomes the workload, or runs it.
func Cmdline(s bench.Spec, b wire.Boot) (line domain.Cmdline, err error) {
	path, err := launch.Lookup(s.Command, func(name string) (uint32, error) {
		// The image's links are the guest's to follow; on the host an absolute one
		// would lead out of the image.
		var st unix.Stat_t
		err := unix.Lstat(filepath.Join(s.Image.Dir, name), &st)
		return st.Mode, err
	})
	if !s.Init && err != nil || errors.Is(err, launch.ErrNoCommand) {
		return line, err
	}
	if !s.Init {
		line.Init, line.Args, line.Env = path, s.Command.Argv[1:], kernelEnv(s.Command.Env)
	}
	if Staged(s) {
		if !s.Init {
			b.Exec = append([]string{line.Init}, line.Args...)
		}
		line.Init, line.Args = disk.InitPath, b.Words()
	}
	return line, nil
}
