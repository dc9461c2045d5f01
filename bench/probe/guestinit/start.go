package main

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"lab/bench/probe/guestinit/wire"
)

// start executes a program; what it writes to is in streams.
func (s *server) start(p *process, b wire.RunBody) (streams []stream, err error) {
	var theirs []*os.File // ours to close once the program has them
	defer func() {
		for _, f := range theirs {
			f.Close()
		}
		if err != nil {
			for _, x := range streams {
				x.f.Close()
			}
			if p.stdin != nil {
				p.stdin.Close()
			}
			p.group.remove()
		}
	}()
	prog, err := find(b)
	if err != nil {
		return nil, err
	}
	dir := string(b.Dir)
	if dir == "" {
		dir = "/"
	}
	// Before the fork: its error wouldn't say whether it was the folder or
	// the program.
	if st, err := os.Stat(dir); err != nil {
		return nil, &failure{"change folder", dir, errnoOf(err)}
	} else if !st.IsDir() {
		return nil, &failure{"change folder", dir, unix.ENOTDIR}
	}
	attr := &syscall.ProcAttr{
		Dir: dir,
		Env: words(b.Env),
		Sys: &syscall.SysProcAttr{
			Setsid:     true,
			Credential: &syscall.Credential{Uid: b.UID, Gid: b.GID, Groups: b.Groups},
		},
	}
	if p.group, err = newGroup(p.id, b); err != nil {
		return nil, &failure{"cgroup", "", errnoOf(err)}
	}
	if p.group.dir != "" {
		f, err := os.Open(p.group.dir)
		if err != nil {
			return nil, &failure{"cgroup", p.group.dir, errnoOf(err)}
		}
		defer f.Close()
		attr.Sys.UseCgroupFD, attr.Sys.CgroupFD = true, int(f.Fd())
	}
	if b.Terminal != nil {
		master, slave, err := terminal()
		if err != nil {
			return nil, err
		}
		p.master, p.stdin = master, master
		p.resize(*b.Terminal)
		theirs = append(theirs, slave)
		streams = append(streams, stream{wire.Output, master})
		fd := slave.Fd()
		attr.Files = []uintptr{fd, fd, fd}
		attr.Sys.Setctty, attr.Sys.Ctty = true, 0
	} else if streams, theirs, err = p.pipes(attr, b); err != nil {
		return streams, err
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	p.pid, err = syscall.ForkExec(prog, words(b.Argv), attr)
	if err != nil {
		return streams, &failure{"execute", prog, errnoOf(err)}
	}
	s.procs[p.id], s.pids[p.pid] = p, p
	select {
	case s.born <- struct{}{}:
	default:
	}
	return streams, nil
}

// pipes makes a program's three descriptors.
func (p *process) pipes(attr *syscall.ProcAttr, b wire.RunBody) (streams []stream, theirs []*os.File, err error) {
	var in *os.File
	if b.Input {
		in, p.stdin, err = os.Pipe()
	} else {
		in, err = os.Open(os.DevNull)
	}
	if err != nil {
		return nil, nil, err
	}
	theirs = append(theirs, in)
	attr.Files = append(attr.Files, in.Fd()) // Fd also makes it blocking
	for _, kind := range []wire.Kind{wire.Output, wire.Errors} {
		r, w, err := os.Pipe()
		if err != nil {
			return streams, theirs, err
		}
		streams, theirs = append(streams, stream{kind, r}), append(theirs, w)
		attr.Files = append(attr.Files, w.Fd())
	}
	return streams, theirs, nil
}

// find picks the first path that is there, as execvp(3) does: one that can't be
// executed is remembered, in case that none can.
func find(b wire.RunBody) (string, error) {
	worst := &failure{"execute", "", unix.ENOENT}
	if len(b.Argv) > 0 {
		worst.path = string(b.Argv[0])
	}
	for _, path := range words(b.Paths) {
		st, err := os.Stat(path)
		switch {
		case err == nil && st.Mode().IsRegular() && st.Mode()&0o111 != 0:
			return path, nil
		case err == nil || errnoOf(err) == unix.EACCES:
			worst = &failure{"execute", path, unix.EACCES}
		}
	}
	return "", worst
}

func words(bs [][]byte) []string {
	out := make([]string, 0, len(bs))
	for _, b := range bs {
		out = append(out, string(b))
	}
	return out
}
