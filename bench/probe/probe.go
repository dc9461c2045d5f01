// Package probe is the programs that run inside an instance, and only there.
//
// They are the lab's own, so that every environment runs the same bytes, and
// as small as what they measure allows: a Go program takes a millisecond or two
// to start, which would hide the difference between a process and a
// container.
package probe

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"runtime"
	"unsafe"
)

// Ready returns an executable for the architecture (as Go names it) that
// writes its first argument to standard output and exits with status 0. It is
// the workload of the startup scenario: the host sees its first byte.
//
// The file is a static ELF of some 170 bytes: header, one segment, code. It
// needs no library, no loader and no stack beyond what the kernel lays there.
func Ready(arch string) ([]byte, error) {
	code, machine := ready(arch), machine(arch)
	if code == nil {
		return nil, fmt.Errorf("ready: no code for %s", arch)
	}
	return executable(machine, code), nil
}

// Stay returns an executable that writes its first argument as [Ready]'s does, and
// then stays, asleep, until a signal ends it: an instance that costs what its
// isolation costs, and next to nothing of its own.
func Stay(arch string) ([]byte, error) {
	code, machine := ready(arch), machine(arch)
	if code == nil {
		return nil, fmt.Errorf("stay: no code for %s", arch)
	}
	exit, sleep := 9, []byte{
		0xb8, 0x22, 0x00, 0x00, 0x00, // again: mov eax, 34        ; SYS_pause
		0x0f, 0x05, //                          syscall
		0xeb, 0xf7, //                          jmp  again
	}
	if arch == "arm64" {
		exit, sleep = 12, words(
			0xd2800000, // again: mov x0, #0        ; no descriptors,
			0xd2800001, //        mov x1, #0
			0xd2800002, //        mov x2, #0        ; no time out,
			0xd2800003, //        mov x3, #0        ; no mask
			0xd2800928, //        mov x8, #73       ; SYS_ppoll
			0xd4000001, //        svc #0
			0x17fffffa, //        b   again
		)
	}
	return executable(machine, append(code[:len(code)-exit], sleep...)), nil
}

// machine is ELF's number of an architecture: EM_AARCH64 or EM_X86_64. Functions,
// not tables: a program that starts fast would make these first, as it would the
// tables of package debug/elf.
func machine(arch string) uint16 {
	if arch == "arm64" {
		return 183
	}
	return 62
}

// At the entry the kernel has laid on the stack: argc, argv[0], argv[1], …
// (System V ABI, process initialization).
func ready(arch string) []byte {
	switch arch {
	case "amd64":
		return []byte{
			0x48, 0x8b, 0x74, 0x24, 0x10, //     mov  rsi, [rsp+16]     ; argv[1]
			0x31, 0xd2, //                       xor  edx, edx          ; its length
			0x80, 0x3c, 0x16, 0x00, //     next: cmp  byte [rsi+rdx], 0
			0x74, 0x04, //                       je   write
			0xff, 0xc2, //                       inc  edx
			0xeb, 0xf6, //                       jmp  next
			0xb8, 0x01, 0x00, 0x00, 0x00, // write: mov eax, 1          ; SYS_write
			0x89, 0xc7, //                       mov  edi, eax          ; standard output
			0x0f, 0x05, //                       syscall
			0xb8, 0x3c, 0x00, 0x00, 0x00, //     mov  eax, 60           ; SYS_exit
			0x31, 0xff, //                       xor  edi, edi
			0x0f, 0x05, //                       syscall
		}
	case "arm64":
		return words(
			0xf9400be1, //       ldr  x1, [sp, #16]    ; argv[1]
			0xd2800002, //       mov  x2, #0           ; its length
			0x38626823, // next: ldrb w3, [x1, x2]
			0x34000063, //       cbz  w3, write
			0x91000442, //       add  x2, x2, #1
			0x17fffffd, //       b    next
			0xd2800020, // write: mov x0, #1           ; standard output
			0xd2800808, //       mov  x8, #64          ; SYS_write
			0xd4000001, //       svc  #0
			0xd2800000, //       mov  x0, #0
			0xd2800ba8, //       mov  x8, #93          ; SYS_exit
			0xd4000001, //       svc  #0
		)
	}
	return nil
}

func words(ws ...uint32) []byte {
	var b []byte
	for _, w := range ws {
		b = binary.LittleEndian.AppendUint32(b, w)
	}
	return b
}

// base is where the one segment is loaded: the usual address of a static
// executable.
const base = 0x400000

// executable wraps code in the smallest well-formed ELF: a header, one program
// header that loads the whole file read-only and executable, and the code.
func executable(machine uint16, code []byte) []byte {
	const ehdr, phdr = 64, 56
	size := uint64(ehdr + phdr + len(code))
	b, err := binary.Append(nil, binary.LittleEndian, struct {
		ident                                    [16]byte
		kind, machine                            uint16
		version                                  uint32
		entry, phoff, shoff                      uint64
		flags                                    uint32
		ehsize, phsize, phnum, shsize, shnum, at uint16

		segment, access                                   uint32
		offset, vaddr, paddr, fileSize, memorySize, align uint64
	}{
		ident: [16]byte{0x7f, 'E', 'L', 'F', 2, 1, 1}, // 64 bits, little endian, version 1
		kind:  2, machine: machine, version: 1,        // ET_EXEC
		entry: base + ehdr + phdr, phoff: ehdr, ehsize: ehdr, phsize: phdr, phnum: 1,
		segment: 1, access: 4 | 1, // PT_LOAD, to be read and executed
		vaddr: base, paddr: base, fileSize: size, memorySize: size, align: 0x1000,
	})
	if err != nil {
		panic(err) // the struct has a size
	}
	return append(b, code...)
}

// Init returns an executable that does the duties of a PID namespace's first
// process and runs a workload as its second:
//
//	init /path/of/workload argument…
//
// The kernel treats PID 1 unlike others (pid_namespaces(7)): a signal that it
// has no handler for doesn't end it, orphans become its children, and with it
// the namespace ends. A program that doesn't expect that can't be ended by
// Ctrl-C, and collects zombies. Init passes every signal on to the workload,
// reaps what becomes its child, and ends as the workload ends: with its exit
// status, or with 128 + the number of the signal that killed it; 126 or 127
// where it can't be executed or found.
//
// It is some 300 bytes for this machine's architecture, written in assembly
// beside this file and assembled with the lab. It lies in a program of its own
// because the lab is no fit first process: it is large, and it is the host's.
func Init() []byte {
	// The end is marked, as nothing says how long a function is.
	const most = 1024
	code := unsafe.Slice(initStart(), most)
	end := bytes.Index(code, []byte("END INIT"))
	if end < 0 {
		panic("probe: the init's end mark isn't where it was assembled")
	}
	return executable(machine(runtime.GOARCH), bytes.Clone(code[:end]))
}

// initStart returns the address of the init's first instruction.
func initStart() *byte
