#include "textflag.h"

// func vfork(trap, a1, a2, a3 uintptr) (pid, errno uintptr)
//
// A clone(2) or clone3(2) with CLONE_VM|CLONE_VFORK and no stack of its own:
// the child runs first, on this very stack, and returns from here first. Its
// later calls overwrite the slot where CALL left our return address, so the
// address waits in R12, which the kernel keeps for both.
TEXT ·vfork(SB),NOSPLIT|NOFRAME,$0-48
	MOVQ	trap+0(FP), AX
	MOVQ	a1+8(FP), DI
	MOVQ	a2+16(FP), SI
	MOVQ	a3+24(FP), DX
	XORL	R10, R10
	XORL	R8, R8
	XORL	R9, R9
	POPQ	R12
	SYSCALL
	PUSHQ	R12
	CMPQ	AX, $0xfffffffffffff001
	JCC	failed
	MOVQ	AX, pid+32(FP)
	MOVQ	$0, errno+40(FP)
	RET
failed:
	NEGQ	AX
	MOVQ	$-1, pid+32(FP)
	MOVQ	AX, errno+40(FP)
	RET
