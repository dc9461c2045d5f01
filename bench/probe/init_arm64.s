#include "textflag.h"

// The init of a container, as on amd64; see there.
//
//	R20  &argv[1]: the workload's path and arguments
//	R21  envp
//	R22  the workload's PID
//	R23  16 bytes of the stack: the signal set, a PID or status

#define SYS_kill            129
#define SYS_rt_sigprocmask  135
#define SYS_ioctl           29
#define SYS_getpid          172
#define SYS_clone           220
#define SYS_execve          221
#define SYS_wait4           260
#define SYS_setpgid         154
#define SYS_rt_sigtimedwait 137
#define SYS_exit_group      94
#define TIOCSPGRP           0x5410
#define SIGCHLD             17

TEXT ·initCode(SB),NOSPLIT|NOFRAME,$0
	MOVD	RSP, R9
	MOVD	0(R9), R10
	ADD	$16, R9, R20
	ADD	R10<<3, R20, R21
	SUB	$16, R9, R23
	MOVD	R23, RSP

	MOVD	$-1, R10
	MOVD	R10, 0(R23)
	MOVD	$2, R0
	MOVD	R23, R1
	MOVD	$0, R2
	MOVD	$8, R3
	MOVD	$SYS_rt_sigprocmask, R8
	SVC

	MOVD	$SIGCHLD, R0
	MOVD	$0, R1
	MOVD	$0, R2
	MOVD	$0, R3
	MOVD	$0, R4
	MOVD	$SYS_clone, R8
	SVC
	CBNZ	R0, parent

	MOVD	$0, R0
	MOVD	$0, R1
	MOVD	$SYS_setpgid, R8
	SVC
	MOVD	$SYS_getpid, R8
	SVC
	MOVD	R0, 8(R23)
	MOVD	$0, R0
	MOVD	$TIOCSPGRP, R1
	ADD	$8, R23, R2
	MOVD	$SYS_ioctl, R8
	SVC
	MOVD	ZR, 0(R23)
	MOVD	$2, R0
	MOVD	R23, R1
	MOVD	$0, R2
	MOVD	$8, R3
	MOVD	$SYS_rt_sigprocmask, R8
	SVC
	MOVD	0(R20), R0
	MOVD	R20, R1
	MOVD	R21, R2
	MOVD	$SYS_execve, R8
	SVC
	MOVD	R0, R9
	MOVD	$126, R0
	CMN	$2, R9 // -ENOENT
	BNE	exit
	ADD	$1, R0
	B	exit

parent:
	MOVD	R0, R22
	TBZ	$63, R0, wait
	MOVD	$125, R0
	B	exit

wait:
	MOVD	R23, R0
	MOVD	$0, R1
	MOVD	$0, R2
	MOVD	$8, R3
	MOVD	$SYS_rt_sigtimedwait, R8
	SVC
	CMP	$0, R0
	BLE	wait
	CMP	$SIGCHLD, R0
	BEQ	reap
	MOVD	R0, R1
	MOVD	R22, R0
	MOVD	$SYS_kill, R8
	SVC
	B	wait

reap:
	MOVD	$-1, R0
	ADD	$8, R23, R1
	MOVD	$1, R2
	MOVD	$0, R3
	MOVD	$SYS_wait4, R8
	SVC
	CMP	$0, R0
	BLE	wait
	CMP	R22, R0
	BNE	reap

	MOVWU	8(R23), R9
	AND	$0x7f, R9, R0
	CBZ	R0, exited
	ADD	$128, R0
	B	exit
exited:
	LSR	$8, R9, R0
	AND	$0xff, R0, R0
exit:
	MOVD	$SYS_exit_group, R8
	SVC
	B	exit

	WORD	$0x20444e45
	WORD	$0x54494e49

// func initStart() *byte
TEXT ·initStart(SB),NOSPLIT,$0-8
	MOVD	$·initCode(SB), R0
	MOVD	R0, ret+0(FP)
	RET
