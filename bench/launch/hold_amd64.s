#include "textflag.h"

#define SYS_clone      56
#define SYS_prctl      157
#define SYS_exit_group 231
#define SYS_ppoll      271

// func hold(flags uintptr, held *uint32) (pid, errno uintptr)
//
// A clone(2) that doesn't suspend the parent. The child has no stack of its own
// and needs none: it writes to no memory. It asks to be killed with the thread
// that made it, looks whether that is there still (see lifeline), and waits for
// ever.
TEXT ·hold(SB),NOSPLIT|NOFRAME,$0-32
	MOVQ	flags+0(FP), DI
	MOVQ	held+8(FP), R12
	XORL	SI, SI
	XORL	DX, DX
	XORL	R10, R10
	XORL	R8, R8
	MOVL	$SYS_clone, AX
	SYSCALL
	TESTQ	AX, AX
	JEQ	child
	CMPQ	AX, $0xfffffffffffff001
	JCC	failed
	MOVQ	AX, pid+16(FP)
	MOVQ	$0, errno+24(FP)
	RET
failed:
	NEGQ	AX
	MOVQ	$-1, pid+16(FP)
	MOVQ	AX, errno+24(FP)
	RET
child:
	MOVL	$1, DI // PR_SET_PDEATHSIG
	MOVL	$9, SI // SIGKILL
	XORL	DX, DX
	XORL	R10, R10
	XORL	R8, R8
	MOVL	$SYS_prctl, AX
	SYSCALL
	MOVL	0(R12), AX
	TESTL	AX, AX
	JEQ	orphan
wait:
	XORL	DI, DI
	XORL	SI, SI
	XORL	DX, DX
	XORL	R10, R10
	XORL	R8, R8
	MOVL	$SYS_ppoll, AX
	SYSCALL
	JMP	wait
orphan:
	XORL	DI, DI
	MOVL	$SYS_exit_group, AX
	SYSCALL
	JMP	orphan
