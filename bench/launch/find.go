package launch

import (
	"errors"
	"path"
	"strings"

	"golang.org/x/sys/unix"

	"lab/bench"
)

// An ExecError is a program that couldn't be executed.
type ExecError struct {
	Path string
	Err  unix.Errno

	// Interpreter is what the script Path names after "#!", or a dynamic
	// program as its loader, where that is what is wrong.
	Interpreter string
}

func (e *ExecError) Error() string {
	if e.Interpreter != "" {
		return "execute " + e.Path + ": its interpreter " + e.Interpreter + ": " + e.Err.Error()
	}
	return "execute " + e.Path + ": " + e.Err.Error()
}

func (e *ExecError) Unwrap() error { return e.Err }

// Status is what a shell's exit status for it is: 127 not found, 126 can't be
// executed (POSIX, Shell Command Language, 2.8.2).
func (e *ExecError) Status() int {
	if e.Err == unix.ENOENT || e.Err == unix.ENOTDIR {
		return 127
	}
	return 126
}

// PathInside lists where Argv[0] may be in the root that the child sees: itself
// when it has a slash, else in each folder of the command's PATH.
func PathInside(c bench.Command) []string {
	name := c.Argv[0]
	if strings.Contains(name, "/") {
		if !path.IsAbs(name) {
			name = path.Join("/", c.Dir, name)
		}
		return []string{name}
	}
	var out []string
	for _, dir := range c.Path() {
		out = append(out, path.Join("/", dir, name))
	}
	return out
}

// ErrNoCommand is of a command without a program's name; it blames the workload.
var ErrNoCommand = bench.Blamed(bench.BlameWorkload, errors.New("start: no command"))

// Lookup picks a command's program in the root that the child will see, as execvp(3)
// does, for those whose program is started by somebody else. mode is stat(2)'s mode of
// a path there; a link that it doesn't follow counts as a program. The errors blame the
// workload: [ErrNoCommand] and [*ExecError], of what can't be executed if there is such.
func Lookup(c bench.Command, mode func(path string) (uint32, error)) (string, error) {
	if len(c.Argv) == 0 || c.Argv[0] == "" {
		return "", ErrNoCommand
	}
	worst := &ExecError{Path: c.Argv[0], Err: unix.ENOENT}
	for _, name := range PathInside(c) {
		m, err := mode(name)
		kind := m & unix.S_IFMT
		switch errno, _ := err.(unix.Errno); {
		case err == nil && (kind == unix.S_IFLNK || kind == unix.S_IFREG && m&0o111 != 0):
			return name, nil
		case err == nil:
			worst = &ExecError{Path: name, Err: unix.EACCES}
		case errno != unix.ENOENT && errno != unix.ENOTDIR:
			worst = &ExecError{Path: name, Err: errno}
		}
	}
	return "", bench.Blamed(bench.BlameWorkload, worst)
}
