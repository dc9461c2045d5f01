#include "go_asm.h"
#include "textflag.h"

#define SYS_clone      56
#define SYS_exit_group 231

// func bare(flags uintptr, calls *call, n int) (pid uintptr)
//
// A clone(2) that doesn't suspend the parent. The child has no stack of its own
// and needs none: it makes the n calls in registers, and writes to no memory. It
// ends with the first that fails and mustn't, or after the last.
TEXT ·bare(SB),NOSPLIT|NOFRAME,$0-32
	MOVQ	flags+0(FP), DI
	MOVQ	calls+8(FP), R12
	MOVQ	n+16(FP), R13
	XORL	SI, SI
	XORL	DX, DX
	XORL	R10, R10
	XORL	R8, R8
	MOVL	$SYS_clone, AX
	SYSCALL
	TESTQ	AX, AX
	JEQ	child
	MOVQ	AX, pid+24(FP)
	RET
child:
	TESTQ	R13, R13
	JEQ	end
	MOVQ	call_nr(R12), AX
	MOVQ	(call_args+0)(R12), DI
	MOVQ	(call_args+8)(R12), SI
	MOVQ	(call_args+16)(R12), DX
	MOVQ	(call_args+24)(R12), R10
	MOVQ	(call_args+32)(R12), R8
	MOVQ	(call_args+40)(R12), R9
	SYSCALL
	CMPQ	AX, $0xfffffffffffff001
	JCS	next
	CMPB	call_maybe(R12), $0
	JEQ	end
next:
	ADDQ	$call__size, R12
	DECQ	R13
	JMP	child
end:
	XORL	DI, DI
	MOVL	$SYS_exit_group, AX
	SYSCALL
	JMP	end
