#include "go_asm.h"
#include "textflag.h"

#define SYS_exit_group 94
#define SYS_clone      220

// func bare(flags uintptr, calls *call, n int) (pid uintptr)
//
// As on amd64.
TEXT ·bare(SB),NOSPLIT,$0-32
	MOVD	flags+0(FP), R0
	MOVD	calls+8(FP), R9
	MOVD	n+16(FP), R10
	MOVD	ZR, R1
	MOVD	ZR, R2
	MOVD	ZR, R3
	MOVD	ZR, R4
	MOVD	$SYS_clone, R8
	SVC
	CBZ	R0, child
	MOVD	R0, pid+24(FP)
	RET
child:
	CBZ	R10, end
	MOVD	call_nr(R9), R8
	MOVD	(call_args+0)(R9), R0
	MOVD	(call_args+8)(R9), R1
	MOVD	(call_args+16)(R9), R2
	MOVD	(call_args+24)(R9), R3
	MOVD	(call_args+32)(R9), R4
	MOVD	(call_args+40)(R9), R5
	SVC
	CMN	$4095, R0
	BCC	next
	MOVBU	call_maybe(R9), R11
	CBZ	R11, end
next:
	ADD	$call__size, R9
	SUB	$1, R10
	B	child
end:
	MOVD	ZR, R0
	MOVD	$SYS_exit_group, R8
	SVC
	B	end
