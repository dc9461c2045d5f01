#include "textflag.h"

// func timestamp() uint64
//
// The processor's time stamp counter (Intel SDM 4-673, RDTSC).
TEXT ·timestamp(SB),NOSPLIT,$0-8
	RDTSC
	SHLQ	$32, DX
	ORQ	DX, AX
	MOVQ	AX, ret+0(FP)
	RET
