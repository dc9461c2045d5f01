package main

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"lab/bench"
	"lab/bench/cgroup"
)

// spec checks what was asked; its errors are the user's.
func (f *execFlags) spec(env bench.Environment, argv []string) (s bench.Spec, err error) {
	words := f.variant
	if f.net != "" {
		words = append(words, "net="+f.net)
	}
	set, err := parseVariant(words, []bench.Environment{env})
	if err != nil {
		return s, err
	}
	if s.Settings, err = bench.Resolve(env, set); err != nil {
		return s, usagef("%w", err)
	}
	s.Limits = bench.Limits{CPU: f.cpus, CPUWeight: f.weight, CPUSet: f.cpuset, Pids: f.pids}
	if s.Limits.Memory, err = size(f.memory); err != nil {
		return s, usagef("--memory %q: %w", f.memory, err)
	}
	if s.Limits.Swap, err = size(f.swap); err != nil {
		return s, usagef("--swap %q: %w", f.swap, err)
	}
	switch {
	case f.cpus < 0 || f.pids < 0:
		return s, usagef("--cpus and --pids: a limit is above 0")
	case f.weight < 0 || f.weight > 10000:
		return s, usagef("--cpu-weight %d: from 1 to 10000", f.weight)
	case f.cpuset != "" && !cgroup.ValidCPUSet(f.cpuset):
		return s, usagef("--cpuset %q: not a list of processors such as 0-1,3", f.cpuset)
	case f.swap != "" && f.memory == "":
		return s, usagef("--swap: it goes beyond --memory, which isn't limited")
	}
	if s.Mounts, err = volumes(f.volumes); err != nil {
		return s, err
	}
	s.Init = f.init
	c := bench.Command{Argv: argv, Dir: f.dir, TTY: f.tty, Env: []string{"PATH=" + bench.DefaultPath, "HOME=/root"}}
	if t := os.Getenv("TERM"); t != "" {
		c.Env = append(c.Env, "TERM="+t)
	}
	for _, e := range f.env {
		if !strings.Contains(e, "=") {
			v, ok := os.LookupEnv(e)
			if !ok {
				continue
			}
			e += "=" + v
		}
		c.Env = setVar(c.Env, e)
	}
	if c.User, err = parseUser(f.user); err != nil {
		return s, usagef("--user %q: %w", f.user, err)
	}
	s.Command = c
	return s, nil
}

// volumes reads "SOURCE:TARGET[:ro]".
func volumes(words []string) ([]bench.Mount, error) {
	var out []bench.Mount
	for _, w := range words {
		parts := strings.Split(w, ":")
		if len(parts) < 2 || len(parts) > 3 || parts[0] == "" || !strings.HasPrefix(parts[1], "/") ||
			len(parts) == 3 && parts[2] != "ro" && parts[2] != "rw" {
			return nil, usagef("--volume %q: not of the form SOURCE:/TARGET or SOURCE:/TARGET:ro", w)
		}
		source, err := filepath.Abs(parts[0])
		if err != nil {
			return nil, err
		}
		if _, err := os.Stat(source); err != nil {
			return nil, usagef("--volume: %w", err)
		}
		out = append(out, bench.Mount{Source: source, Target: parts[1], ReadOnly: len(parts) == 3 && parts[2] == "ro"})
	}
	return out, nil
}

// setVar sets NAME=value in place of an earlier one.
func setVar(env []string, e string) []string {
	name, _, _ := strings.Cut(e, "=")
	for i, old := range env {
		if strings.HasPrefix(old, name+"=") {
			env[i] = e
			return env
		}
	}
	return append(env, e)
}

// size reads "64M"; what wasn't given is 0.
func size(s string) (int64, error) {
	if s == "" {
		return 0, nil
	}
	return bench.ParseSize(s)
}

// parseUser reads "UID" or "UID:GID".
func parseUser(s string) (u bench.User, err error) {
	if s == "" {
		return u, nil
	}
	uid, gid, both := strings.Cut(s, ":")
	if !both {
		gid = uid
	}
	a, err1 := strconv.ParseUint(uid, 10, 32)
	b, err2 := strconv.ParseUint(gid, 10, 32)
	if err1 != nil || err2 != nil {
		return u, errors.New("not a number, or two with a colon between them: 1000:1000")
	}
	return bench.User{UID: uint32(a), GID: uint32(b)}, nil
}
