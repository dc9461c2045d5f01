package main

import (
	"errors"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

var networkTries = []try{
	{"net-device", false, netDevice},
	{"net-port", false, netPort},
	{"net-abstract", false, func(s *search) (answer, error) {
		return sendTo(unix.AF_UNIX, &unix.SockaddrUnix{Name: "@" + s.mark})
	}},
	{"net-packets", false, netPackets},
	{"net-table", false, netTable},
}

// device is the name of the neighbour's network device: at most 15 letters.
func device(mark string) string { return mark[:min(len(mark), unix.IFNAMSIZ-1)] }

// netDevice looks for the neighbour's device, and sets its queue's length to what
// it is.
func netDevice(s *search) (answer, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return neither, err
	}
	defer unix.Close(fd)
	if s.options["device"] == "" {
		return neither, errAbsent
	}
	r, err := unix.NewIfreq(s.options["device"])
	if err != nil {
		return neither, err
	}
	if err := unix.IoctlIfreq(fd, unix.SIOCGIFMTU, r); err != nil {
		return neither, err
	}
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFMTU, r); err != nil {
		return sees, err
	}
	return changes, nil
}

// sendTo says a byte to a listener.
func sendTo(family int, to unix.Sockaddr) (answer, error) {
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return neither, err
	}
	defer unix.Close(fd)
	unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &unix.Timeval{Sec: 1})
	if err := unix.Connect(fd, to); err != nil {
		return neither, err
	}
	if _, err := unix.Write(fd, []byte("+")); err != nil {
		return sees, err
	}
	return changes, nil
}

func netPort(s *search) (answer, error) {
	n, err := s.number("port", 0)
	if err != nil {
		return neither, err
	}
	return sendTo(unix.AF_INET, &unix.SockaddrInet4{Port: int(n), Addr: [4]byte{127, 0, 0, 1}})
}

// netPackets opens a socket that gets all packets of the network that the
// neighbour's device is on.
func netPackets(s *search) (answer, error) {
	if s.options["device"] == "" {
		return neither, errAbsent
	}
	if a, err := netDevice(s); a == neither {
		return a, err
	}
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err == nil {
		unix.Close(fd)
	}
	return yes(sees, err)
}

// netTable looks for the neighbour's port in the kernel's table of sockets.
func netTable(s *search) (answer, error) {
	n, err := s.number("port", 0)
	if err != nil {
		return neither, err
	}
	return contains("/proc/net/tcp", "0100007F:"+strings.ToUpper(hex4(n))+" 00000000:0000 0A")
}

func hex4(n int64) string {
	h := strconv.FormatInt(n, 16)
	return strings.Repeat("0", max(0, 4-len(h))) + h
}

var ipcTries = []try{
	{"ipc-memory", false, ipcMemory},
	{"ipc-semaphore", false, ipcSemaphore},
	{"ipc-queue", false, ipcQueue},
	{"ipc-list", false, func(s *search) (answer, error) {
		if !s.same {
			return neither, nil // a number that small may be another's in there
		}
		return contains("/proc/sysvipc/sem", s.options["semkey"]+" ")
	}},
	{"keyring", true, keyring},
}

// ipcMemory attaches the neighbour's segment of shared memory.
func ipcMemory(s *search) (answer, error) {
	id, err := s.number("shm", 0)
	if err != nil {
		return neither, err
	}
	b, err := unix.SysvShmAttach(int(id), 0, 0)
	if err != nil {
		return neither, err
	}
	defer unix.SysvShmDetach(b)
	if string(b[:len(s.mark)]) != s.mark {
		return neither, errors.New("another segment has this number")
	}
	b[touchedAt] = '+'
	return changes, nil
}

// ipcSemaphore finds the neighbour's semaphore by its key, and sets it.
func ipcSemaphore(s *search) (answer, error) {
	key, err := s.number("semkey", 0)
	if err != nil {
		return neither, err
	}
	id, _, errno := unix.Syscall(unix.SYS_SEMGET, uintptr(key), 0, 0)
	if errno != 0 {
		return neither, errno
	}
	if _, _, errno := unix.Syscall6(unix.SYS_SEMCTL, id, 0, semSetValue, 2, 0, 0); errno != 0 {
		return sees, errno
	}
	return changes, nil
}

// ipcQueue puts a message into the neighbour's POSIX message queue.
func ipcQueue(s *search) (answer, error) {
	fd, err := openQueue(s.mark, unix.O_WRONLY, nil)
	if err != nil {
		return neither, err
	}
	defer unix.Close(fd)
	return yes(changes, sendQueue(fd))
}

// keyring looks for a key of the neighbour's among those of user 0 (keyrings(7)):
// these are the user's, on all of the machine.
func keyring(s *search) (answer, error) {
	if s.options["key"] == "" {
		return neither, errAbsent
	}
	id, err := unix.KeyctlSearch(unix.KEY_SPEC_USER_KEYRING, "user", s.mark, 0)
	if err != nil {
		return neither, err
	}
	text := make([]byte, 64)
	n, err := unix.KeyctlBuffer(unix.KEYCTL_READ, id, text, 0)
	if err != nil || string(text[:min(n, len(text))]) != s.mark {
		return neither, err
	}
	return yes(sees, nil)
}

// A queue's attributes, struct mq_attr.
type queueAttr struct{ flags, most, size, now, _, _, _, _ int }

// openQueue is mq_open(3): the name goes without its "/" to the kernel.
func openQueue(name string, flags int, a *queueAttr) (int, error) {
	p, err := unix.BytePtrFromString(name)
	if err != nil {
		return -1, err
	}
	fd, _, errno := unix.Syscall6(unix.SYS_MQ_OPEN, uintptr(unsafe.Pointer(p)), uintptr(flags|unix.O_CLOEXEC|unix.O_NONBLOCK), 0o600, uintptr(unsafe.Pointer(a)), 0, 0)
	if errno != 0 {
		return -1, errno
	}
	return int(fd), nil
}

func sendQueue(fd int) error {
	b := [1]byte{'+'}
	if _, _, errno := unix.Syscall6(unix.SYS_MQ_TIMEDSEND, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), 1, 0, 0, 0); errno != 0 {
		return errno
	}
	return nil
}
