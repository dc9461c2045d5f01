package launch

import (
	"runtime"
	"strings"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"lab/bench/clock"
)

// A Tape is what the child does between clone and exec: system calls, prepared
// by the parent as data, made one after another.
//
// Between clone(CLONE_VM|CLONE_VFORK) and exec a child shares the memory of a
// Go program whose scheduler doesn't know of it. It can't allocate, grow its
// stack, take a lock or call ordinary Go. Making prepared system calls is all
// that it can do, and all that it needs: some steps of a container's start
// work only there, such as mounting the /proc of a PID namespace that had no
// process before.
//
// A failed call ends the child; the parent finds in the shared memory which
// one it was. No pipe is needed for it, as vfork wakes the parent only when
// the child executed or is gone.
type Tape struct {
	calls    []call
	accounts bool  // marks have the child's processor time
	keep     []any // what the calls point to: out of the collector's sight otherwise
	marks    []mark
}

type call struct {
	nr     uintptr
	args   [6]uintptr
	reg    [6]int8 // 1+register that replaces the argument; 0: none
	out    int8    // 1+register that takes the result; 0: none
	maybe  bool    // an error doesn't end the child
	what   string
	detail string
}

type mark struct {
	name    string
	at, cpu *unix.Timespec
}

// A Reg is a register: the result of an earlier call of the tape, such as a
// descriptor. There are 4.
type Reg int8

const regs = 4

// Arg is an argument of a call: an int, a uintptr, a [Reg], a string (handed
// over as a pointer to its bytes and a NUL), or an unsafe.Pointer to memory
// that isn't on a stack (kept alive by the tape).
type Arg any

// Call appends a system call. what names it in errors: "mount proc".
func (t *Tape) Call(what string, nr uintptr, args ...Arg) { t.add(what, nr, args) }

// Maybe appends a call whose error is of no matter, for instance one that
// older kernels lack.
func (t *Tape) Maybe(what string, nr uintptr, args ...Arg) {
	t.add(what, nr, args).maybe = true
}

// CallTo appends a call whose result goes to a register.
func (t *Tape) CallTo(r Reg, what string, nr uintptr, args ...Arg) {
	t.add(what, nr, args).out = int8(r) + 1
}

// MaybeTo is CallTo for a call whose error doesn't matter: the register then holds
// what no later call takes for a descriptor.
func (t *Tape) MaybeTo(r Reg, what string, nr uintptr, args ...Arg) {
	c := t.add(what, nr, args)
	c.maybe, c.out = true, int8(r)+1
}

// Mark appends a reading of the clock, which shows as a mark of the process.
func (t *Tape) Mark(name string) {
	m := mark{name, new(unix.Timespec), new(unix.Timespec)}
	t.marks = append(t.marks, m)
	t.Maybe("read the clock", unix.SYS_CLOCK_GETTIME, unix.CLOCK_MONOTONIC, unsafe.Pointer(m.at))
	if t.accounts {
		t.Maybe("read the clock", unix.SYS_CLOCK_GETTIME, unix.CLOCK_THREAD_CPUTIME_ID, unsafe.Pointer(m.cpu))
	}
}

func (t *Tape) add(what string, nr uintptr, args []Arg) *call {
	c := call{nr: nr, what: what}
	for i, a := range args {
		switch a := a.(type) {
		case int:
			c.args[i] = uintptr(a)
		case uintptr:
			c.args[i] = a
		case Reg:
			c.reg[i] = int8(a) + 1
		case unsafe.Pointer:
			c.args[i] = uintptr(a)
			t.keep = append(t.keep, a)
		case string:
			b := append([]byte(a), 0)
			c.args[i] = uintptr(unsafe.Pointer(&b[0]))
			t.keep = append(t.keep, b)
			c.detail = strings.TrimSpace(c.detail + " " + a)
		default:
			panic("launch: an argument that a tape can't hold")
		}
	}
	t.calls = append(t.calls, c)
	return &t.calls[len(t.calls)-1]
}

// read returns the marks that the child made.
func (t *Tape) read() []clock.Mark {
	out := make([]clock.Mark, 0, len(t.marks))
	for _, m := range t.marks {
		out = append(out, clock.Mark{Name: m.name, At: clock.Time(m.at.Nano()), CPU: time.Duration(m.cpu.Nano())})
	}
	return out
}

// outcome is the child's word to its parent, in memory that both see.
type outcome struct {
	failed uintptr // 1+index of the call that failed; 0: none did
	errno  uintptr
	reg    [regs]uintptr
}

//go:linkname beforeFork syscall.runtime_BeforeFork
func beforeFork()

//go:linkname afterFork syscall.runtime_AfterFork
func afterFork()

//go:linkname afterForkInChild syscall.runtime_AfterForkInChild
func afterForkInChild()

// vfork is the bare system call; see the assembly.
func vfork(trap, a1, a2 uintptr) (pid uintptr)

// cloneArgs is struct clone_args of clone3(2).
type cloneArgs struct {
	flags, pidfd, childTID, parentTID, exitSignal uint64
	stack, stackSize, tls, setTID, setTIDSize     uint64
	cgroup                                        uint64
}

// clearSigHand is clone3's CLONE_CLEAR_SIGHAND (Linux 5.5): the child's handlers
// are the default ones from its birth. Without it Go resets them one by one,
// with more than 60 calls in the child.
const clearSigHand = 1 << 32

// noClone3 is set where clone3(2) or its flag isn't to be had: on older kernels,
// and under the seccomp profiles of older engines.
var noClone3 atomic.Bool

// fork makes a child that plays the tape, and returns its PID once the child
// has executed or ended. It is what package syscall's forkAndExecInChild is to
// os/exec, and keeps to its rules: no allocation, no stack growth and no race
// detector between the call and the end of the child; all signals blocked on
// this thread meanwhile, so that no handler of ours runs in the child. The tape
// has to unblock them. Until then the line is tied to the thread.
//
// The last call of the tape doesn't return when it succeeds.
//
//go:norace
//go:noinline
func fork(flags uintptr, cgroup int, calls []call, out *outcome, line *lifeline) (pid int, err unix.Errno) {
	args := &cloneArgs{
		flags:      uint64(flags|unix.CLONE_VM|unix.CLONE_VFORK) | clearSigHand,
		exitSignal: uint64(unix.SIGCHLD),
	}
	if cgroup >= 0 {
		// Only clone3 can put a child into a cgroup v2 folder as it is born;
		// writing cgroup.procs later waits for an RCU grace period.
		args.flags |= unix.CLONE_INTO_CGROUP
		args.cgroup = uint64(cgroup)
	}
	if cgroup >= 0 || !noClone3.Load() {
		pid, err = forkTape(unix.SYS_CLONE3, uintptr(unsafe.Pointer(args)), unsafe.Sizeof(*args), true, calls, out, line)
		runtime.KeepAlive(args)
		switch err {
		case unix.ENOSYS, unix.EINVAL, unix.E2BIG, unix.EPERM:
			if cgroup >= 0 {
				return pid, err
			}
		default:
			return pid, err
		}
	}
	pid, err = forkTape(unix.SYS_CLONE, flags|unix.CLONE_VM|unix.CLONE_VFORK|uintptr(unix.SIGCHLD), 0, false, calls, out, line)
	if err == 0 {
		noClone3.Store(true) // it was clone3, not what was asked of it
	}
	return pid, err
}

// cloned is what the kernel returned to a parent: a PID, or an error below 0.
//
//go:nosplit
func cloned(r uintptr) (pid int, err unix.Errno) {
	if int(r) < 0 {
		return -1, unix.Errno(-r)
	}
	return int(r), 0
}

// forkTape returns twice, as fork does; the child never leaves it. cleared says
// that the kernel resets the child's handlers.
//
//go:norace
//go:nosplit
func forkTape(trap, a1, a2 uintptr, cleared bool, calls []call, out *outcome, line *lifeline) (pid int, err unix.Errno) {
	beforeFork()
	line.hold() // here, as until afterFork the goroutine stays on its thread
	if r := vfork(trap, a1, a2); r != 0 {
		line.release()
		afterFork()
		return cloned(r)
	}
	// The child.
	if !cleared {
		afterForkInChild()
	}
	for i := 0; i < len(calls); i++ {
		c := &calls[i]
		for j := 0; j < len(c.reg); j++ {
			if r := c.reg[j]; r > 0 {
				c.args[j] = out.reg[r-1]
			}
		}
		r, _, e := unix.RawSyscall6(c.nr, c.args[0], c.args[1], c.args[2], c.args[3], c.args[4], c.args[5])
		if e != 0 && !c.maybe {
			out.failed, out.errno = uintptr(i)+1, uintptr(e)
			break
		}
		if c.out > 0 {
			out.reg[c.out-1] = r
		}
	}
	for {
		unix.RawSyscall(unix.SYS_EXIT_GROUP, 253, 0, 0)
	}
}
