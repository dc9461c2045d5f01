#include "textflag.h"

// func entry()
//
// See entry_amd64.s.
TEXT ·entry(SB),NOSPLIT|NOFRAME|TOPFRAME,$0
	MOVD RSP, R19 // argc and argv are there
	SUB  $16, RSP
	MOVD $9, R0 // RLIMIT_AS
	MOVD $·tightSpace(SB), R20
	CALL ·atLeast(SB)
	MOVD $2, R0 // RLIMIT_DATA
	MOVD $·tightData(SB), R20
	CALL ·atLeast(SB)
closed:
	MOVD $25, R8 // fcntl
	MOVD $1, R0
	MOVD $1, R1 // F_GETFD
	SVC
	TBZ  $63, R0, begin
	MOVD $56, R8 // openat
	MOVD $-100, R0 // AT_FDCWD
	MOVD $·null(SB), R20
	MOVD 0(R20), R1
	MOVD $0, R2 // O_RDONLY
	SVC
	TBZ  $63, R0, closed
begin:
	MOVD ·runtimeWrite(SB), R0
	MOVD R0, runtime·overrideWrite(SB)
	MOVD R19, RSP
	JMP  _rt0_arm64_linux(SB)

// func atLeast()
//
// It ends the program with the text at R20 where limit R0 is below 1 GiB.
TEXT ·atLeast(SB),NOSPLIT|NOFRAME,$0
	MOVD $163, R8 // getrlimit
	MOVD RSP, R1
	SVC
	MOVD 0(RSP), R2
	LSR  $30, R2
	CBNZ R2, enough
	MOVD 0(R20), R1
	MOVD 8(R20), R2
	MOVD $2, R0
	MOVD $64, R8 // write
	SVC
	MOVD $125, R0
	MOVD $94, R8 // exit_group
	SVC
enough:
	RET

// func caught()
//
// See entry_amd64.s. The kernel's own page has what it returns to.
TEXT ·caught(SB),NOSPLIT|NOFRAME|TOPFRAME,$0
	SUB  $16, RSP
	MOVD R0, 0(RSP) // the signal
	MOVW ·caughtTo(SB), R0
	MOVD RSP, R1
	MOVD $1, R2
	MOVD $64, R8 // write
	SVC
	ADD  $16, RSP
	RET

// func handler() (caught, resume uintptr)
TEXT ·handler(SB),NOSPLIT,$0-16
	MOVD $·caught(SB), R0
	MOVD R0, caught+0(FP)
	MOVD ZR, resume+8(FP)
	RET
