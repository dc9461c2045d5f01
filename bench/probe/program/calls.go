package main

import (
	"errors"
	"os"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

// What a program asks of its kernel all the time: LEBench's list (X. Ren et al., An
// Analysis of Performance Evolution of Linux's Core Operations, SOSP 2019; its program is
// TEST_DIR/OS_Eval.c of github.com/LinuxPerfStudy/LEBench), as far as it isn't among
// kernels, and but for the creation of a thread, which Go does in a way of its own. Files
// are in memory: what is read and mapped is this program's own file, in the page cache; what
// is written has no name (memfd_create(2)). The disk is disk's.
var calls = []kernel{
	{"getpid", getpids},
	{"send", func() (*running, error) { return sends(1) }},
	{"send-96k", func() (*running, error) { return sends(96000) }},
	{"open", opens},
	{"read-4k", func() (*running, error) { return reads(4 << 10) }},
	{"read-40k", func() (*running, error) { return reads(40 << 10) }},
	{"read-1m", func() (*running, error) { return reads(1 << 20) }},
	{"write-4k", func() (*running, error) { return memoryWrites(4 << 10) }},
	{"write-40k", func() (*running, error) { return memoryWrites(40 << 10) }},
	{"write-1m", func() (*running, error) { return memoryWrites(1 << 20) }},
	{"mmap-4k", func() (*running, error) { return maps(4<<10, false) }},
	{"mmap-1m", func() (*running, error) { return maps(1<<20, false) }},
	{"map-fault", func() (*running, error) { return maps(1<<20, true) }},
	{"fork", func() (*running, error) { return forked(0) }},
	{"fork-48m", func() (*running, error) { return forked(forkPages) }},
	{"select-10", func() (*running, error) { return waits(10, selects) }},
	{"poll-10", func() (*running, error) { return waits(10, polls) }},
	{"epoll-10", func() (*running, error) { return waits(10, epolls) }},
	{"select-1000", func() (*running, error) { return waits(1000, selects) }},
	{"poll-1000", func() (*running, error) { return waits(1000, polls) }},
	{"epoll-1000", func() (*running, error) { return waits(1000, epolls) }},
}

// getpids asks for the process's number. Value: seconds a call.
func getpids() (*running, error) {
	want := uintptr(os.Getpid())
	return &running{work: func(rounds int) error {
		for range rounds {
			if got, _, _ := unix.RawSyscall(unix.SYS_GETPID, 0, 0, 0); got != want {
				return errors.New("the process has another number than before")
			}
		}
		return nil
	}}, nil
}

// sends writes so many bytes into one end of a socket (AF_UNIX, a stream) and reads them
// at the other. Value: seconds for both.
func sends(size int) (*running, error) {
	ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("socketpair", err)
	}
	out, in := make([]byte, size), make([]byte, size)
	return &running{
		work: func(rounds int) error {
			for range rounds {
				// One thread does both: what the socket has no room for waits for the reader.
				for sent, got := 0, 0; got < size; {
					if sent < size {
						n, err := send(ends[0], out[sent:], unix.MSG_DONTWAIT)
						if err != nil && err != unix.EAGAIN {
							return os.NewSyscallError("send", err)
						}
						sent += max(n, 0)
					}
					n, err := recv(ends[1], in[got:], unix.MSG_DONTWAIT)
					if err != nil || n == 0 {
						return errors.Join(errors.New("what was sent didn't come"), err)
					}
					got += n
				}
				out[0]++
			}
			return nil
		},
		check: func() error {
			if in[0] != out[0]-1 {
				return errors.New("another byte came than was sent")
			}
			return nil
		},
		close: func() { unix.Close(ends[0]); unix.Close(ends[1]) },
	}, nil
}

// opens opens this program's file by its path, and closes it. Value: seconds for both.
func opens() (*running, error) {
	path, err := unix.BytePtrFromString(self())
	if err != nil {
		return nil, err
	}
	at := unix.AT_FDCWD
	return &running{work: func(rounds int) error {
		for range rounds {
			fd, _, errno := unix.RawSyscall6(unix.SYS_OPENAT, uintptr(at), uintptr(unsafe.Pointer(path)), unix.O_RDONLY|unix.O_CLOEXEC, 0, 0, 0)
			if errno != 0 {
				return os.NewSyscallError("openat", errno)
			}
			if _, _, errno := unix.RawSyscall(unix.SYS_CLOSE, fd, 0, 0); errno != 0 {
				return os.NewSyscallError("close", errno)
			}
		}
		return nil
	}}, nil
}

// own opens this program's file, which has so many bytes at least.
func own(size int) (fd int, err error) {
	fd, err = unix.Open(self(), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, &os.PathError{Op: "open", Path: self(), Err: err}
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil || st.Size < int64(size) {
		unix.Close(fd)
		return -1, errors.Join(errors.New(self()+" has fewer than "+strconv.Itoa(size)+" bytes"), err)
	}
	return fd, nil
}

// reads reads the first bytes of this program's file, which are in the page cache. Value:
// seconds a read.
func reads(size int) (*running, error) {
	fd, err := own(size)
	if err != nil {
		return nil, err
	}
	buf := make([]byte, size)
	return &running{
		work: func(rounds int) error {
			for range rounds {
				if err := transferAll(false, fd, buf, 0); err != nil {
					return err
				}
			}
			return nil
		},
		check: func() error {
			if string(buf[:4]) != "\x7fELF" {
				return errors.New("what was read isn't the program")
			}
			return nil
		},
		close: func() { unix.Close(fd) },
	}, nil
}

// memoryWrites writes over the first bytes of a file that is in memory alone. Value:
// seconds a write.
func memoryWrites(size int) (*running, error) {
	fd, err := unix.MemfdCreate("probe", unix.MFD_CLOEXEC)
	if err != nil {
		return &running{skip: "this kernel has no files without a name (memfd_create: " + err.Error() + ")"}, nil
	}
	buf := make([]byte, size)
	return &running{
		work: func(rounds int) error {
			for range rounds {
				buf[size-1]++
				if err := transferAll(true, fd, buf, 0); err != nil {
					return err
				}
			}
			return nil
		},
		check: func() error {
			var last [1]byte
			if err := transferAll(false, fd, last[:], int64(size-1)); err != nil || last[0] != buf[size-1] {
				return errors.Join(errors.New("the file doesn't have what was written"), err)
			}
			return nil
		},
		close: func() { unix.Close(fd) },
	}, nil
}

// maps maps the first bytes of this program's file into memory and gives them back, and
// touches each page in between or none. Value: seconds for both calls, or a page.
func maps(size int, touch bool) (*running, error) {
	fd, err := own(size)
	if err != nil {
		return nil, err
	}
	page := os.Getpagesize()
	r := &running{close: func() { unix.Close(fd) }, work: func(rounds int) error {
		sum := byte(0)
		for range rounds {
			at, _, errno := unix.RawSyscall6(unix.SYS_MMAP, 0, uintptr(size), unix.PROT_READ, unix.MAP_PRIVATE, uintptr(fd), 0)
			if errno != 0 {
				return os.NewSyscallError("mmap", errno)
			}
			if touch {
				mem := unsafe.Slice((*byte)(*(*unsafe.Pointer)(unsafe.Pointer(&at))), size)
				for i := 0; i < size; i += page {
					sum += mem[i]
				}
			}
			if _, _, errno := unix.RawSyscall(unix.SYS_MUNMAP, at, uintptr(size), 0); errno != 0 {
				return os.NewSyscallError("munmap", errno)
			}
		}
		sink = uint64(sum)
		return nil
	}}
	if touch {
		r.value = func(perRound float64) float64 { return perRound / float64(size/page) }
	}
	return r, nil
}

// forkPages are the pages that LEBench's "huge fork" has beside the program's own.
const forkPages = 12000

// forked makes a copy of the process, which ends at once, and waits for that. The process
// has so many pages beside its own, each written to, whose tables the kernel copies. Value:
// seconds for fork, exit and wait.
func forked(n int) (*running, error) {
	var mem []byte
	if n > 0 {
		var err error
		if mem, err = smallPages(n * os.Getpagesize()); err != nil {
			return nil, os.NewSyscallError("mmap", err)
		}
		for i := 0; i < len(mem); i += os.Getpagesize() {
			mem[i] = 1
		}
	}
	return &running{
		work: func(rounds int) error {
			for range rounds {
				if err := forkOnce(); err != nil {
					return err
				}
			}
			return nil
		},
		close: func() {
			if mem != nil {
				unix.Munmap(mem)
			}
		},
	}, nil
}

// forkOnce is fork(2) as C has it, but for the signal at the child's end, which Go's
// runtime would be woken by. The child has this thread alone, and does one call more.
func forkOnce() error {
	pid, _, errno := unix.RawSyscall6(unix.SYS_CLONE, 0, 0, 0, 0, 0, 0)
	if errno != 0 {
		return os.NewSyscallError("clone", errno)
	}
	if pid == 0 {
		for {
			unix.RawSyscall(unix.SYS_EXIT_GROUP, 7, 0, 0)
		}
	}
	var status uint32
	for {
		got, _, errno := unix.RawSyscall6(unix.SYS_WAIT4, pid, uintptr(unsafe.Pointer(&status)), unix.WALL, 0, 0, 0)
		if errno == unix.EINTR {
			continue
		}
		if got != pid || status != 7<<8 {
			return errors.Join(errors.New("the copy of the process ended badly"), os.NewSyscallError("wait4", errno))
		}
		return nil
	}
}
