package launch

import (
	"os"
	"path"
	"sync"

	"golang.org/x/sys/unix"
)

// Descriptors of a child whose program is pinned, until it executes.
const (
	programFD = 3
	namesFD   = 4
)

// target is where each name leads: to the descriptor, of whoever follows it.
const target = "/proc/self/fd/3"

// names is a folder that nobody sees, of links to target under the names of
// programs. To execute a descriptor itself, by execveat(2) without a name,
// would do as well, if the kernel didn't name the process after the
// descriptor's number (until Linux 6.14): ps would show a "3".
var names = sync.OnceValues(func() (int, error) {
	dir, err := newTmpfs()
	if err != nil {
		return -1, os.NewSyscallError("make a folder for names", err)
	}
	defer unix.Close(dir)
	fd, err := unix.FcntlInt(uintptr(dir), unix.F_DUPFD_CLOEXEC, namesFD+1)
	return fd, os.NewSyscallError("dup", err)
})

// newTmpfs makes a tmpfs that is attached nowhere.
func newTmpfs() (dir int, err error) {
	fs, err := unix.Fsopen("tmpfs", unix.FSOPEN_CLOEXEC)
	if err != nil {
		return -1, err
	}
	defer unix.Close(fs)
	if err := unix.FsconfigSetString(fs, "mode", "755"); err != nil {
		return -1, err
	}
	if err := unix.FsconfigCreate(fs); err != nil {
		return -1, err
	}
	return unix.Fsmount(fs, unix.FSMOUNT_CLOEXEC, unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NOEXEC)
}

// pin has the child take the program's descriptor, and the folder of names.
//
// Both are closed by exec, and of what is executed by such a descriptor the
// kernel runs no script (execveat(2), BUGS): who writes "#!/proc/self/exe" into
// the file now comes too late for that as well. A foreign program's handler has
// to open it, and gets them.
func (g *program) pin(tape *Tape, folder func() int) error {
	var dir int
	var err error
	if folder != nil {
		dir = folder()
	} else if dir, err = names(); err != nil {
		return err
	}
	if err := unix.Symlinkat(target, dir, path.Base(g.path)); err != nil && err != unix.EEXIST {
		return os.NewSyscallError("symlinkat", err)
	}
	if g.file <= namesFD {
		fd, err := unix.FcntlInt(uintptr(g.file), unix.F_DUPFD_CLOEXEC, namesFD+1)
		if err != nil {
			return os.NewSyscallError("dup", err)
		}
		unix.Close(g.file)
		g.file = fd
	}
	flags := unix.O_CLOEXEC
	if g.foreign {
		flags = 0
	}
	tape.Call("dup", unix.SYS_DUP3, g.file, programFD, flags)
	tape.Call("dup", unix.SYS_DUP3, dir, namesFD, flags)
	return nil
}
