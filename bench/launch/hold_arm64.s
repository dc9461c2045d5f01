#include "textflag.h"

#define SYS_ppoll      73
#define SYS_exit_group 94
#define SYS_prctl      167
#define SYS_clone      220

// func hold(flags uintptr, held *uint32) (pid, errno uintptr)
//
// As on amd64.
TEXT ·hold(SB),NOSPLIT,$0-32
	MOVD	flags+0(FP), R0
	MOVD	held+8(FP), R9
	MOVD	ZR, R1
	MOVD	ZR, R2
	MOVD	ZR, R3
	MOVD	ZR, R4
	MOVD	$SYS_clone, R8
	SVC
	CBZ	R0, child
	CMN	$4095, R0
	BCC	ok
	MOVD	$-1, R4
	MOVD	R4, pid+16(FP)
	NEG	R0, R0
	MOVD	R0, errno+24(FP)
	RET
ok:
	MOVD	R0, pid+16(FP)
	MOVD	ZR, errno+24(FP)
	RET
child:
	MOVD	$1, R0 // PR_SET_PDEATHSIG
	MOVD	$9, R1 // SIGKILL
	MOVD	ZR, R2
	MOVD	ZR, R3
	MOVD	ZR, R4
	MOVD	$SYS_prctl, R8
	SVC
	MOVWU	(R9), R0
	CBZ	R0, orphan
wait:
	MOVD	ZR, R0
	MOVD	ZR, R1
	MOVD	ZR, R2
	MOVD	ZR, R3
	MOVD	ZR, R4
	MOVD	$SYS_ppoll, R8
	SVC
	B	wait
orphan:
	MOVD	ZR, R0
	MOVD	$SYS_exit_group, R8
	SVC
	B	orphan
