package main

import (
	"errors"
	"os"
	"strconv"
	"strings"

	"lab/bench"
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
	s.Limits = bench.Limits{CPU: f.cpus, Pids: f.pids}
	if s.Limits.Memory, err = size(f.memory); err != nil {
		return s, usagef("--memory %q: %w", f.memory, err)
	}
	if f.cpus < 0 || f.pids < 0 {
		return s, usagef("--cpus and --pids: a limit is above 0")
	}
	c := bench.Command{Argv: argv, Dir: f.dir, Env: []string{"PATH=" + bench.DefaultPath, "HOME=/root"}}
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

// size reads "64M": bytes, with a suffix for powers of 1024.
func size(s string) (int64, error) {
	if s == "" {
		return 0, nil
	}
	shift := 0
	num := strings.TrimSuffix(strings.TrimSuffix(strings.ToUpper(s), "B"), "I")
	if n := len(num); n > 0 {
		if i := strings.IndexByte("KMGT", num[n-1]); i >= 0 {
			shift, num = 10*(i+1), num[:n-1]
		}
	}
	n, err := strconv.ParseInt(num, 10, 64)
	if err != nil || n <= 0 || n > (1<<62)>>shift {
		return 0, errors.New("not a size such as 64M or 1G")
	}
	return n << shift, nil
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
