package launch

import (
	"path"
	"strings"

	"golang.org/x/sys/unix"

	"lab/bench"
)

// An ExecError is a program that couldn't be executed.
type ExecError struct {
	Path string
	Err  unix.Errno

	// Interpreter is what the script Path names after "#!", where that is
	// what is wrong.
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

// executable picks the first candidate that is there, as execvp(3) does: one
// that can't be executed is remembered, in case that none can.
func executable(candidates []string, c *bench.Command) (string, error) {
	worst := &ExecError{Path: c.Argv[0], Err: unix.ENOENT}
	for _, name := range candidates {
		var st unix.Stat_t
		err := unix.Stat(name, &st)
		switch {
		case err == nil && st.Mode&unix.S_IFMT != unix.S_IFREG:
			worst = &ExecError{Path: name, Err: unix.EACCES} // execve's own word for it
		case err == nil && st.Mode&0o111 != 0:
			return name, interpreters(name)
		case err == nil || err == unix.EACCES:
			worst = &ExecError{Path: name, Err: unix.EACCES}
		}
	}
	return "", worst
}

// interpreters checks the chain of interpreters that a script asks for, as deep
// as the kernel follows it. It says which one is missing, where execve has one
// ENOENT for all; and it looks before the child has its /proc, so that no
// script can ask for the lab itself by the name of /proc/self/exe
// (CVE-2019-5736).
func interpreters(name string) error {
	script := name
	for range 5 { // linux/fs/exec.c: depth in exec_binprm
		// Without waiting: it might be a FIFO by now.
		fd, err := unix.Open(script, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
		if err != nil {
			return nil // execute without read permission: not a script, then
		}
		var head [256]byte // BINPRM_BUF_SIZE
		n, _ := unix.Read(fd, head[:])
		unix.Close(fd)
		line, ok := strings.CutPrefix(string(head[:max(n, 0)]), "#!")
		if !ok {
			return nil
		}
		line, _, _ = strings.Cut(line, "\n")
		words := strings.FieldsFunc(line, func(r rune) bool { return r == ' ' || r == '\t' || r == 0 })
		if len(words) == 0 {
			return &ExecError{Path: name, Err: unix.ENOEXEC}
		}
		var st unix.Stat_t
		if err := unix.Stat(words[0], &st); err != nil {
			errno, _ := err.(unix.Errno)
			return &ExecError{Path: name, Err: errno, Interpreter: words[0]}
		}
		if st.Mode&unix.S_IFMT != unix.S_IFREG {
			return &ExecError{Path: name, Err: unix.EACCES, Interpreter: words[0]}
		}
		script = words[0]
	}
	return &ExecError{Path: name, Err: unix.ELOOP}
}
