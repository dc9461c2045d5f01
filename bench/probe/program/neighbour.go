package main

import (
	"encoding/hex"
	"errors"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"lab/bench/probe/line"
)

// The neighbour is a process on the host that has one of everything: a file, a
// mount, memory, an open file, a port, a network device, IPC objects, a key. It
// is what the probes of reach.go look for, and it says at the end what was
// changed.

const (
	neighbourNice = 7   // its niceness: who it is known by where only its number is seen
	touchedAt     = 100 // where in its memory a probe leaves its mark
	semSetValue   = 16  // SETVAL, and GETVAL, of semctl(2)
	semGetValue   = 12
)

// neighbour has everything made, says in the fact "neighbour" how to find it,
// and holds it in the section "hold", whose values say what was changed (1) and
// what not (0). dir= is a folder to make its file and its mount in.
func neighbour(t *talk, o options) (err error) {
	mark, dir := o["mark"], o["dir"]
	var undo []func()
	defer func() {
		for i := len(undo) - 1; i >= 0; i-- {
			undo[i]()
		}
	}()
	say := []line.Pair{line.Count("pid", int64(os.Getpid()))}
	var touched []func() line.Pair
	one := func(name string, is func() bool) {
		touched = append(touched, func() line.Pair {
			if is() {
				return line.Count(name, 1)
			}
			return line.Count(name, 0)
		})
	}

	if err := unix.Setpriority(unix.PRIO_PROCESS, os.Getpid(), neighbourNice); err != nil {
		return err
	}
	one("priority-other", func() bool {
		n, err := unix.Getpriority(unix.PRIO_PROCESS, os.Getpid())
		return err == nil && 20-n == neighbourNice+1
	})
	var signals atomic.Int64
	heard := make(chan os.Signal, 16)
	signal.Notify(heard, unix.SIGUSR1)
	go func() {
		for range heard {
			signals.Add(1)
		}
	}()
	one("signal", func() bool { return signals.Load() > 0 })

	// Its file and its mount.
	file := dir + "/" + mark + "-file"
	if err := os.WriteFile(file, []byte(mark), 0o600); err != nil {
		return err
	}
	undo = append(undo, func() { os.Remove(file) })
	say = append(say, line.Pair{Key: "file", Value: file})
	if h, _, err := unix.NameToHandleAt(unix.AT_FDCWD, file, 0); err == nil {
		say = append(say, line.Pair{Key: "handle", Value: hex.EncodeToString(append([]byte{byte(h.Type())}, h.Bytes()...))})
	}
	at := dir + "/" + mark + "-mount"
	if err := os.Mkdir(at, 0o700); err != nil {
		return err
	}
	undo = append(undo, func() { unix.Unmount(at, unix.MNT_DETACH); os.Remove(at) })
	if err := unix.Mount(mark+"-mount", at, "tmpfs", 0, "size=4k"); err != nil {
		return err
	}

	// Memory of its own, and a file that only its descriptor leads to.
	mem, err := unix.Mmap(-1, 0, os.Getpagesize(), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		return err
	}
	copy(mem, mark)
	say = append(say, line.Pair{Key: "at", Value: strconv.FormatUint(uint64(uintptr(unsafe.Pointer(&mem[0]))), 10)})
	one("memory", func() bool { return mem[touchedAt] == '+' })
	fd, err := unix.MemfdCreate(mark, unix.MFD_CLOEXEC)
	if err != nil {
		return err
	}
	held := os.NewFile(uintptr(fd), "memfd")
	defer held.Close()
	if _, err := held.WriteString(mark); err != nil {
		return err
	}
	say = append(say, line.Count("memfd", int64(fd)))
	// What is written at its place, through the descriptor itself; or at the end,
	// through /proc.
	one("descriptor", func() bool {
		b := make([]byte, 1)
		_, err := held.ReadAt(b, touchedAt)
		return err == nil && b[0] == '+'
	})

	one("open-files", func() bool {
		st, err := held.Stat()
		return err == nil && st.Size() != int64(len(mark)) && st.Size() != touchedAt+1
	})
	if more, err := neighbourSockets(mark, &undo, one); err != nil {
		return err
	} else {
		say = append(say, more...)
	}
	if more, err := neighbourIPC(mark, &undo, one); err != nil {
		return err
	} else {
		say = append(say, more...)
	}
	one("file", func() bool {
		b, err := os.ReadFile(file)
		return err == nil && len(b) > len(mark)
	})
	say = append(say, machine()...)
	if err := t.fact("neighbour", append(say, refused(mark, dir, say))...); err != nil {
		return err
	}
	return t.section("hold", func() (out []line.Pair, err error) {
		time.Sleep(20 * time.Millisecond) // what was sent arrives
		for _, f := range touched {
			out = append(out, f())
		}
		return out, nil
	})
}

// neighbourSockets are its port, its abstract socket and its network device.
func neighbourSockets(mark string, undo *[]func(), one func(string, func() bool)) (say []line.Pair, err error) {
	listen := func(family int, at unix.Sockaddr, name string) (int, error) {
		fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
		if err == nil {
			*undo = append(*undo, func() { unix.Close(fd) })
			err = unix.Bind(fd, at)
		}
		if err == nil {
			err = unix.Listen(fd, 8)
		}
		one(name, func() bool {
			got, _, err := unix.Accept4(fd, unix.SOCK_CLOEXEC)
			if err != nil {
				return false
			}
			defer unix.Close(got)
			var b [1]byte
			n, err := unix.Read(got, b[:])
			return err == nil && n == 1
		})
		return fd, err
	}
	fd, err := listen(unix.AF_INET, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}, "net-port")
	if err != nil {
		return nil, err
	}
	name, err := unix.Getsockname(fd)
	if err != nil {
		return nil, err
	}
	if in, ok := name.(*unix.SockaddrInet4); ok {
		say = append(say, line.Count("port", int64(in.Port)))
	}
	if fd, err = listen(unix.AF_UNIX, &unix.SockaddrUnix{Name: "@" + mark}, "net-abstract"); err != nil {
		return nil, err
	}
	// A bridge is a device that one call makes. Without it the probes of the
	// device have nothing to look for.
	dev, err := unix.BytePtrFromString(device(mark))
	if err != nil {
		return nil, err
	}
	if s, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0); err == nil {
		*undo = append(*undo, func() { unix.Close(s) })
		if _, err := raw(unix.SYS_IOCTL, uintptr(s), unix.SIOCBRADDBR, dev); err == nil {
			*undo = append(*undo, func() { raw(unix.SYS_IOCTL, uintptr(s), unix.SIOCBRDELBR, dev) })
			say = append(say, line.Pair{Key: "device", Value: device(mark)})
		}
	}
	return say, nil
}

// neighbourIPC are its System V and POSIX objects, and its key.
func neighbourIPC(mark string, undo *[]func(), one func(string, func() bool)) (say []line.Pair, err error) {
	id, err := unix.SysvShmGet(unix.IPC_PRIVATE, os.Getpagesize(), unix.IPC_CREAT|0o600)
	if err != nil {
		return nil, err
	}
	shm, err := unix.SysvShmAttach(id, 0, 0)
	// Marked for removal it lasts as long as somebody has it attached.
	unix.SysvShmCtl(id, unix.IPC_RMID, nil)
	if err != nil {
		return nil, err
	}
	copy(shm, mark)
	one("ipc-memory", func() bool { return shm[touchedAt] == '+' })
	key := 1_000_000_000 + int64(now()/1000%1_000_000_000)
	sem, _, errno := unix.Syscall(unix.SYS_SEMGET, uintptr(key), 1, unix.IPC_CREAT|unix.IPC_EXCL|0o600)
	if errno != 0 {
		return nil, errno
	}
	*undo = append(*undo, func() { unix.Syscall6(unix.SYS_SEMCTL, sem, 0, unix.IPC_RMID, 0, 0, 0) })
	one("ipc-semaphore", func() bool {
		v, _, errno := unix.Syscall6(unix.SYS_SEMCTL, sem, 0, semGetValue, 0, 0, 0)
		return errno == 0 && v == 2
	})
	q, err := openQueue(mark, unix.O_RDWR|unix.O_CREAT|unix.O_EXCL, &queueAttr{most: 4, size: 8})
	if err != nil && !errors.Is(err, unix.ENOSYS) {
		return nil, err
	}
	if err == nil {
		name, _ := unix.BytePtrFromString(mark)
		*undo = append(*undo, func() {
			unix.Close(q)
			unix.Syscall(unix.SYS_MQ_UNLINK, uintptr(unsafe.Pointer(name)), 0, 0)
		})
		one("ipc-queue", func() bool {
			b := make([]byte, 8)
			n, _, errno := unix.Syscall6(unix.SYS_MQ_TIMEDRECEIVE, uintptr(q), uintptr(unsafe.Pointer(&b[0])), 8, 0, 0, 0)
			return errno == 0 && n == 1
		})
	}
	say = append(say, line.Count("shm", int64(id)), line.Count("semkey", key))
	// The key is gone after a minute by itself, whatever happens here.
	if k, err := unix.AddKey("user", mark, []byte(mark), unix.KEY_SPEC_USER_KEYRING); err == nil {
		unix.KeyctlInt(unix.KEYCTL_SET_TIMEOUT, k, 60, 0, 0)
		*undo = append(*undo, func() { unix.KeyctlInt(unix.KEYCTL_UNLINK, k, unix.KEY_SPEC_USER_KEYRING, 0, 0) })
		say = append(say, line.Count("key", int64(k)))
	}
	return say, nil
}

// refused lists the probes of the kernel that fail here, too, where nothing isolates:
// this kernel hasn't got what they look for, or keeps it from all.
func refused(mark, dir string, say []line.Pair) line.Pair {
	s := &search{options: options{}, mark: mark, dir: dir, same: true}
	for _, p := range say {
		s.options[p.Key] = p.Value
	}
	list := ","
	for _, group := range tries {
		for _, x := range group {
			if !x.kernel {
				continue
			}
			if a, _ := s.try(x); a == neither {
				list += x.name + ","
			}
		}
	}
	for _, name := range []string{"disk", "cgroup", "proc"} {
		os.Remove(dir + "/" + name)
	}
	return line.Pair{Key: "absent", Value: list}
}

// machine is what the kernel has once, so that a program can tell whether it is on
// the same one. What is nobody's business is told as a digest.
func machine() (say []line.Pair) {
	text := func(key, value string) { say = append(say, line.Pair{Key: key, Value: value}) }
	text("kernel", version())
	if b, err := os.ReadFile("/proc/sys/kernel/random/boot_id"); err == nil {
		text("boot", strings.TrimSpace(string(b)))
	}
	if b, err := os.ReadFile("/proc/cmdline"); err == nil {
		text("cmdline", digest(string(b)))
	}
	var ts unix.Timespec
	unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts)
	say = append(say, line.Count("up", ts.Sec))
	var u unix.Utsname
	if unix.Uname(&u) == nil {
		text("host", digest(unix.ByteSliceToString(u.Nodename[:])))
	}
	var i unix.Sysinfo_t
	if unix.Sysinfo(&i) == nil {
		text("ram", strconv.FormatUint(i.Totalram*uint64(i.Unit), 10))
	}
	// The first line below the heading of /proc/partitions is a disk.
	if b, err := os.ReadFile("/proc/partitions"); err == nil {
		for l := range strings.Lines(string(b)) {
			f := strings.Fields(l)
			if len(f) < 4 || f[0] == "major" {
				continue
			}
			major, _ := strconv.Atoi(f[0])
			minor, _ := strconv.Atoi(f[1])
			say = append(say, line.Count("disk", int64(unix.Mkdev(uint32(major), uint32(minor)))))
			break
		}
	}
	// A hierarchy of version 1 has a number, and controllers.
	if b, err := os.ReadFile("/proc/self/cgroup"); err == nil {
		for l := range strings.Lines(string(b)) {
			if f := strings.SplitN(l, ":", 3); f[0] != "0" && len(f) == 3 && f[1] != "" && !strings.HasPrefix(f[1], "name=") {
				text("hierarchy", f[1])
				break
			}
		}
	}
	return say
}
