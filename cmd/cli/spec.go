package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"lab/bench"
	"lab/bench/input"
	"lab/bench/testbed"
)

// spec checks what was asked; its errors are the user's.
func (f *execFlags) spec(env bench.Environment, argv []string) (s bench.Spec, err error) {
	words := f.variant
	as := map[string]string{}
	if f.net != "" {
		words = append(words, "net="+f.net)
		as["net="+f.net] = "--net " + f.net
	}
	if f.readOnly {
		words = append(words, "overlay=no")
		as["overlay=no"] = "--read-only"
	}
	set, err := parseVariant(words, []bench.Environment{env}, as)
	if err != nil {
		return s, err
	}
	if s.Ports, err = ports(f.ports); err != nil {
		return s, err
	}
	if _, given := set["net"]; len(s.Ports) > 0 && !given {
		set["net"] = "bridge" // a port wants an address
	}
	if s.Settings, err = bench.Resolve(env, set); err != nil {
		return s, Usagef("%w", err)
	}
	if s.Limits, err = f.limits(); err != nil {
		return s, err
	}
	if s.Mounts, err = volumes(f.volumes); err != nil {
		return s, err
	}
	s.Init = f.init
	if s.Hostname = f.hostname; !validHostname(f.hostname) {
		return s, Usagef("--hostname %q: letters, digits, dots and hyphens, 64 at the most", f.hostname)
	}
	c := bench.Command{Argv: argv, Dir: f.dir, TTY: f.tty}
	if f.envRead, err = readEnv(f.envFile); err != nil {
		return s, Usagef("--env-file: %w", err)
	}
	for _, e := range f.env {
		if e == "" || e[0] == '=' {
			return s, Usagef("--env-var %q: not of the form NAME=VALUE", e)
		}
	}
	c.Env = f.variables("/root", nil)
	if c.User, err = parseUser(f.user); err != nil {
		return s, Usagef("--user %q: %w", f.user, err)
	}
	for _, g := range f.groups {
		if g < 0 {
			return s, Usagef("--group-add %d: a group is a number from 0 on", g)
		}
		c.User.Groups = append(c.User.Groups, uint32(g))
	}
	s.Command = c
	return s, nil
}

// variables are the command's: the usual ones, the image's, and what was asked for.
func (f *execFlags) variables(home string, image []string) []string {
	out := []string{"PATH=" + bench.DefaultPath, "HOME=" + home}
	if t := os.Getenv("TERM"); t != "" {
		out = append(out, "TERM="+t)
	}
	for _, e := range image {
		if strings.Contains(e, "=") { // an image learns nothing about the caller's variables
			out = setVar(out, e)
		}
	}
	for _, e := range slices.Concat(f.envRead, f.env) {
		if !strings.Contains(e, "=") {
			v, ok := os.LookupEnv(e)
			if !ok {
				continue
			}
			e += "=" + v
		}
		out = setVar(out, e)
	}
	return out
}

// volumes reads "SOURCE:/TARGET[:ro]". A source may have colons in its name.
func volumes(words []string) ([]bench.Mount, error) {
	var out []bench.Mount
	for _, w := range words {
		both, readOnly := strings.CutSuffix(w, ":ro")
		if !readOnly {
			both = strings.TrimSuffix(both, ":rw")
		}
		at := strings.LastIndex(both, ":/")
		if at < 1 || strings.Contains(both[at+1:], ":") {
			return nil, Usagef("--volume %q: not of the form SOURCE:/TARGET or SOURCE:/TARGET:ro", w)
		}
		source, err := filepath.Abs(both[:at])
		if err != nil {
			return nil, err
		}
		if _, err := os.Stat(source); err != nil {
			return nil, Usagef("--volume: %w", err)
		}
		out = append(out, bench.Mount{Source: source, Target: both[at+1:], ReadOnly: readOnly})
	}
	return out, nil
}

// ports reads "[IP:]HOSTPORT:PORT[/tcp|udp]".
func ports(words []string) (out []bench.Port, err error) {
	for _, w := range words {
		p, err := testbed.ParsePort(w)
		if err != nil {
			return nil, Usagef("--publish %q: %w", w, err)
		}
		out = append(out, p)
	}
	if err := testbed.CheckPorts(out); err != nil {
		return nil, Usagef("--publish: %w", err)
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

// readEnv reads a file of variables; "" is none.
func readEnv(name string) ([]string, error) {
	if name == "" {
		return nil, nil
	}
	b, err := input.ReadNamed(name, 1<<20)
	if err != nil {
		return nil, err
	}
	var out []string
	n := 0
	for line := range strings.Lines(input.Text(b)) {
		n++
		line = strings.TrimLeft(strings.TrimRight(line, "\r\n"), " \t")
		if line == "" || line[0] == '#' {
			continue
		}
		if name, _, _ := strings.Cut(line, "="); name == "" || strings.ContainsAny(name, " \t") {
			return nil, fmt.Errorf("line %d: not of the form NAME=VALUE", n)
		}
		out = append(out, line)
	}
	return out, nil
}

// validHostname keeps to what sethostname(2) and RFC 1123 both take.
func validHostname(s string) bool {
	return len(s) <= 64 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-") == "" && !strings.HasPrefix(s, "-")
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
