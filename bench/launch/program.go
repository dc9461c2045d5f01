package launch

import (
	"bytes"
	"encoding/binary"
	"path"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"

	"lab/bench"
)

// A program is what a start will execute: a file that was looked at, opened.
type program struct {
	path  string   // what was asked for, a script's path included
	file  int      // what is executed: the program, or a script's interpreter
	args  []string // its arguments: the command's, or an interpreter's
	chain []string // the paths of all that the kernel would have to execute for it

	// foreign says that it isn't of this machine's kind: a handler of
	// binfmt_misc may know what to do with it.
	foreign bool
}

// executable picks the first candidate that is there, as execvp(3) does: one
// that can't be executed is remembered, in case that none can. Whoever calls it
// closes the program's file.
//
// pinned says that what was looked at here is what will be executed: a file that
// is renamed over it meanwhile is another one, and a script's interpreter is
// looked at as well. Between this and exec the child gets a /proc, where
// /proc/self/exe is the lab's own program: no script and no loader may lead to
// that (CVE-2019-5736).
//
// A loader alone is opened by the kernel once more, by its name: there is no way to
// hand it over as a descriptor. Who can rename files on a volume meanwhile may have
// the lab's program mapped in its place. It then runs with the container's rights
// and filters, and /proc/self/exe names the program that was pinned: nothing inside
// has the lab's file open, and map_files needs the machine's own privileges.
func executable(candidates []string, c *bench.Command, pinned bool) (*program, error) {
	worst := &ExecError{Path: c.Argv[0], Err: unix.ENOENT}
	for _, name := range candidates {
		fd, err := openProgram(name, pinned)
		if err == nil {
			p := &program{path: name, file: fd, args: c.Argv, chain: []string{name}}
			if err := p.follow(c.Dir, pinned); err != nil {
				unix.Close(p.file)
				return nil, err
			}
			return p, nil
		}
		if errno, _ := err.(unix.Errno); errno != unix.ENOENT && errno != unix.ENOTDIR {
			worst = &ExecError{Path: name, Err: errno}
		}
	}
	return nil, worst
}

// openProgram opens a regular file that somebody may execute.
func openProgram(name string, pinned bool) (fd int, err error) {
	// Without waiting: it might be a FIFO.
	const flags = unix.O_RDONLY | unix.O_NONBLOCK | unix.O_NOCTTY | unix.O_CLOEXEC
	open := func(flags int) (int, error) {
		if pinned {
			return unix.Openat2(unix.AT_FDCWD, name, &unix.OpenHow{Flags: uint64(flags), Resolve: unix.RESOLVE_NO_MAGICLINKS})
		}
		return unix.Open(name, flags, 0)
	}
	if fd, err = open(flags); err == unix.EACCES {
		fd, err = open(unix.O_PATH | unix.O_CLOEXEC) // without read permission it can still be executed
	}
	if err != nil {
		return -1, err
	}
	var st unix.Stat_t
	if err = unix.Fstat(fd, &st); err == nil && (st.Mode&unix.S_IFMT != unix.S_IFREG || st.Mode&0o111 == 0) {
		err = unix.EACCES
	}
	if err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// follow looks at what the kernel would need for the program, as deep as it
// would follow: a script's interpreter, in place of which it puts itself, and at
// last a loader. It says which one is missing, where execve has one ENOENT for
// all.
func (p *program) follow(dir string, pinned bool) error {
	other := func(name string) (int, error) {
		at := name
		if !path.IsAbs(at) {
			at = path.Join("/", dir, at)
		}
		fd, err := openProgram(at, pinned)
		if err != nil {
			errno, _ := err.(unix.Errno)
			return -1, &ExecError{Path: p.path, Err: errno, Interpreter: name}
		}
		p.chain = append(p.chain, at)
		return fd, nil
	}
	var buf [2048]byte // a loader's name lies behind the headers, at the beginning
	for range 6 {      // linux/fs/exec.c: depth in exec_binprm
		n, _ := unix.Pread(p.file, buf[:], 0)
		head := buf[:max(n, 0)] // nothing, where it can't be read: not a script, then
		if !bytes.HasPrefix(head, []byte("#!")) {
			loader, native := loader(p.file, head)
			p.foreign = !native
			if loader == "" {
				return nil
			}
			fd, err := other(loader)
			if err == nil {
				unix.Close(fd)
			}
			return err
		}
		line, _, _ := bytes.Cut(head[2:min(len(head), 256)], []byte("\n")) // BINPRM_BUF_SIZE
		line, _, _ = bytes.Cut(line, []byte{0})
		name, arg, _ := strings.Cut(strings.Trim(strings.ReplaceAll(string(line), "\t", " "), " "), " ")
		if name == "" {
			return &ExecError{Path: p.path, Err: unix.ENOEXEC}
		}
		args := []string{name}
		if arg = strings.TrimLeft(arg, " "); arg != "" {
			args = append(args, arg)
		}
		p.args = append(append(args, p.chain[len(p.chain)-1]), p.args[1:]...)
		fd, err := other(name)
		if err != nil {
			return err
		}
		unix.Close(p.file)
		p.file = fd
	}
	return &ExecError{Path: p.path, Err: unix.ELOOP}
}

// loader is the program that an ELF file asks for as its loader, "" where it
// asks for none or is none; native, whether it is of this machine's kind.
func loader(fd int, head []byte) (name string, native bool) {
	if len(head) < 64 || string(head[:4]) != "\x7fELF" || head[5] != 1 { // little-endian
		return "", false
	}
	le := binary.LittleEndian
	var off, size, count uint64 // of the program headers
	long := head[4] == 2        // 64 bits
	if long {
		off, size, count = le.Uint64(head[32:]), 56, uint64(le.Uint16(head[56:]))
	} else {
		off, size, count = uint64(le.Uint32(head[28:])), 32, uint64(le.Uint16(head[44:]))
	}
	machine := map[string]uint16{"amd64": 62, "arm64": 183}[runtime.GOARCH]
	native = long && le.Uint16(head[18:]) == machine
	part := func(off, n uint64) []byte {
		if all := uint64(len(head)); off < all && n <= all-off {
			return head[off : off+n]
		}
		b := make([]byte, n)
		if got, err := unix.Pread(fd, b, int64(off)); err != nil || uint64(got) < n {
			return nil
		}
		return b
	}
	if size*count > 64<<10 { // the kernel refuses it as well
		return "", native
	}
	for h := part(off, size*count); len(h) > 0; h = h[size:] {
		const interp = 3 // PT_INTERP
		if le.Uint32(h) != interp {
			continue
		}
		at, n := uint64(le.Uint32(h[4:])), uint64(le.Uint32(h[16:]))
		if long {
			at, n = le.Uint64(h[8:]), le.Uint64(h[32:])
		}
		if n > 4096 { // PATH_MAX
			return "", native
		}
		b, _, _ := bytes.Cut(part(at, n), []byte{0})
		return string(b), native
	}
	return "", native
}
