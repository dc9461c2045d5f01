#include "textflag.h"

// func entry()
//
// The program's first instruction (make build: -E), before Go's runtime, which
// ends with a trace of its own, or with none, where it can't have its memory.
TEXT ·entry(SB),NOSPLIT|NOFRAME|TOPFRAME,$0
	MOVQ SP, BX // argc and argv are there
	SUBQ $16, SP
	MOVQ $9, DI // RLIMIT_AS
	LEAQ ·tightSpace(SB), R12
	CALL ·atLeast(SB)
	MOVQ $2, DI // RLIMIT_DATA
	LEAQ ·tightData(SB), R12
	CALL ·atLeast(SB)

	// A standard output that is closed gets a /dev/null that can only be read, so
	// that what is written is lost with an error; Go would open one that takes all.
closed:
	MOVQ  $72, AX // fcntl
	MOVQ  $1, DI
	MOVQ  $1, SI // F_GETFD
	SYSCALL
	TESTQ AX, AX
	JGE   begin
	MOVQ  $2, AX // open: the lowest descriptor that is free, which may be 0
	LEAQ  ·null(SB), R12
	MOVQ  0(R12), DI
	XORL  SI, SI // O_RDONLY
	SYSCALL
	TESTQ AX, AX
	JGE   closed
begin:
	MOVQ ·runtimeWrite(SB), AX
	MOVQ AX, runtime·overrideWrite(SB)
	MOVQ BX, SP
	JMP  _rt0_amd64_linux(SB)

// func atLeast()
//
// It ends the program with the text at R12 where limit DI is below 1 GiB.
TEXT ·atLeast(SB),NOSPLIT|NOFRAME,$0
	MOVQ $97, AX // getrlimit
	LEAQ 8(SP), SI
	SYSCALL
	MOVQ 8(SP), CX
	SHRQ $30, CX
	JNZ  enough
	MOVQ 0(R12), SI
	MOVQ 8(R12), DX
	MOVQ $2, DI
	MOVQ $1, AX // write
	SYSCALL
	MOVQ $125, DI
	MOVQ $231, AX // exit_group
	SYSCALL
enough:
	RET

// func caught()
//
// The handler of the signals of catch: writes the signal's number to its pipe. It
// runs on the signal stack that Go gives each of its threads.
TEXT ·caught(SB),NOSPLIT|NOFRAME|TOPFRAME,$0
	PUSHQ   DI // the signal
	MOVLQSX ·caughtTo(SB), DI
	MOVQ    SP, SI
	MOVQ    $1, DX
	MOVQ    $1, AX // write
	SYSCALL
	POPQ    DI
	RET

// func resume()
//
// Where the handler returns to.
TEXT ·resume(SB),NOSPLIT|NOFRAME|TOPFRAME,$0
	MOVQ $15, AX // rt_sigreturn
	SYSCALL
	INT  $3

// func handler() (caught, resume uintptr)
TEXT ·handler(SB),NOSPLIT,$0-16
	LEAQ ·caught(SB), AX
	MOVQ AX, caught+0(FP)
	LEAQ ·resume(SB), AX
	MOVQ AX, resume+8(FP)
	RET
