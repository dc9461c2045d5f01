#include "textflag.h"

// func vfork(trap, a1, a2 uintptr) (pid uintptr)
//
// As on amd64; the return address is in the link register, which the child
// can't overwrite for us, since a frame of size 0 doesn't spill it.
TEXT ·vfork(SB),NOSPLIT,$0-32
	MOVD	trap+0(FP), R8
	MOVD	a1+8(FP), R0
	MOVD	a2+16(FP), R1
	MOVD	$0, R2
	MOVD	$0, R3
	MOVD	$0, R4
	MOVD	$0, R5
	SVC
	MOVD	R0, pid+24(FP)
	RET
