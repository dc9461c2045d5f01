#include "textflag.h"

// func vfork(trap, a1, a2 uintptr) (pid uintptr)
//
// A clone(2) or clone3(2) with CLONE_VM|CLONE_VFORK and no stack of its own:
// the child runs first, on this very stack, and returns from here first. Its
// later calls overwrite the slot where CALL left our return address, so the
// address waits in R12, which the kernel keeps for both.
TEXT ·vfork(SB),NOSPLIT|NOFRAME,$0-32
	MOVQ	trap+0(FP), AX
	MOVQ	a1+8(FP), DI
	MOVQ	a2+16(FP), SI
	XORL	DX, DX
	XORL	R10, R10
	XORL	R8, R8
	XORL	R9, R9
	POPQ	R12
	SYSCALL
	PUSHQ	R12
	MOVQ	AX, pid+24(FP)
	RET
