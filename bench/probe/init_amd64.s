#include "textflag.h"

// The init of a container, see probe.go. It never runs as a part of the lab: its
// bytes, up to the mark, are copied into a program of their own. So it uses
// registers and the stack that the kernel made, and jumps only relatively.
//
// At the entry: 0(SP) argc, 8(SP) argv[0], 16(SP) argv[1], …, NULL, envp.
//
//	R12  &argv[1]: the workload's path and arguments
//	R13  envp
//	R14  the workload's PID

#define SYS_kill            62
#define SYS_rt_sigprocmask  14
#define SYS_ioctl           16
#define SYS_getpid          39
#define SYS_fork            57
#define SYS_execve          59
#define SYS_wait4           61
#define SYS_setpgid         109
#define SYS_rt_sigtimedwait 128
#define SYS_exit_group      231
#define TIOCSPGRP           0x5410
#define SIGCHLD             17

TEXT ·initCode(SB),NOSPLIT|NOFRAME,$0
	MOVQ	0(SP), AX
	LEAQ	16(SP), R12
	LEAQ	16(SP)(AX*8), R13

	// Block all signals: they wait until sigtimedwait takes them.
	SUBQ	$16, SP
	MOVQ	$-1, 0(SP)
	MOVL	$2, DI // SIG_SETMASK
	MOVQ	SP, SI
	XORL	DX, DX
	MOVL	$8, R10
	MOVL	$SYS_rt_sigprocmask, AX
	SYSCALL

	MOVL	$SYS_fork, AX
	SYSCALL
	TESTQ	AX, AX
	JNE	parent

	// The workload: a process group of its own, which gets the terminal, if
	// there is one (stopping for it is blocked still), and no blocked signal.
	XORL	DI, DI
	XORL	SI, SI
	MOVL	$SYS_setpgid, AX
	SYSCALL
	MOVL	$SYS_getpid, AX
	SYSCALL
	MOVQ	AX, 8(SP)
	XORL	DI, DI
	MOVL	$TIOCSPGRP, SI
	LEAQ	8(SP), DX
	MOVL	$SYS_ioctl, AX
	SYSCALL
	MOVQ	$0, 0(SP)
	MOVL	$2, DI
	MOVQ	SP, SI
	XORL	DX, DX
	MOVL	$8, R10
	MOVL	$SYS_rt_sigprocmask, AX
	SYSCALL
	MOVQ	0(R12), DI
	MOVQ	R12, SI
	MOVQ	R13, DX
	MOVL	$SYS_execve, AX
	SYSCALL
	// 127 for "not found" (-ENOENT is -2), else 126.
	MOVL	$126, DI
	CMPQ	AX, $-2
	JNE	exit
	INCL	DI
	JMP	exit

parent:
	MOVQ	AX, R14
	TESTQ	AX, AX
	JPL	wait
	MOVL	$125, DI
	JMP	exit

wait:
	MOVQ	SP, DI // all signals
	XORL	SI, SI
	XORL	DX, DX // for ever
	MOVL	$8, R10
	MOVL	$SYS_rt_sigtimedwait, AX
	SYSCALL
	TESTQ	AX, AX
	JLE	wait // EINTR
	CMPQ	AX, $SIGCHLD
	JEQ	reap
	MOVQ	R14, DI // pass it on
	MOVQ	AX, SI
	MOVL	$SYS_kill, AX
	SYSCALL
	JMP	wait

reap:
	// One SIGCHLD may stand for many.
	MOVQ	$-1, DI
	LEAQ	8(SP), SI
	MOVL	$1, DX // WNOHANG
	XORL	R10, R10
	MOVL	$SYS_wait4, AX
	SYSCALL
	TESTQ	AX, AX
	JLE	wait
	CMPQ	AX, R14
	JNE	reap

	// The workload's end is ours, and with PID 1 all in the namespace end.
	MOVL	8(SP), AX
	MOVL	AX, DI
	ANDL	$0x7f, DI
	JEQ	exited
	ADDL	$128, DI
	JMP	exit
exited:
	MOVL	AX, DI
	SHRL	$8, DI
	ANDL	$0xff, DI
exit:
	MOVL	$SYS_exit_group, AX
	SYSCALL
	JMP	exit

	// "END INIT"
	LONG	$0x20444e45
	LONG	$0x54494e49

// func initStart() *byte
TEXT ·initStart(SB),NOSPLIT,$0-8
	LEAQ	·initCode(SB), AX
	MOVQ	AX, ret+0(FP)
	RET
