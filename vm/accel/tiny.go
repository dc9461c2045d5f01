package accel

import (
	"encoding/binary"
)

// tinyBase is where the tiny guest is loaded: the first megabyte is the
// firmware's.
const tinyBase = 0x100000

// TinyEnd is what the tiny guest writes last.
const TinyEnd = '\n'

// Tiny returns a whole guest: an ELF file of some 150 bytes that QEMU boots by
// the PVH protocol. It writes its command line to the first serial port, counts
// down from loops (at least 1), writes a line feed and switches itself off.
//
// It tells whether an accelerator executes guest code at all, and how fast; and
// it is what environment vm-bare starts: a virtual machine without an
// operating system.
func Tiny(loops uint32) []byte {
	code := binary.LittleEndian.AppendUint32(append([]byte{}, tinyWrite...), max(loops, 1))
	return pvh(append(code, tinyRest...))
}

// pvh is a guest of nothing but code: an ELF file that QEMU boots by the PVH
// protocol.
func pvh(code []byte) []byte {
	// A 32-bit ELF: header, two program headers, a note, code.
	const ehdr, phdr, note = 52, 32, 20
	entry := uint32(tinyBase + ehdr + 2*phdr + note)
	size := uint32(ehdr+2*phdr+note) + uint32(len(code))
	le := binary.LittleEndian
	b := []byte{0x7f, 'E', 'L', 'F', 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0}
	b = le.AppendUint16(b, 2) // ET_EXEC
	b = le.AppendUint16(b, 3) // EM_386
	for _, w := range []uint32{1, entry, ehdr, 0, 0} {
		b = le.AppendUint32(b, w) // version, entry, program headers, no sections, flags
	}
	for _, h := range []uint16{ehdr, phdr, 2, 0, 0, 0} {
		b = le.AppendUint16(b, h)
	}
	// PT_LOAD: the whole file, read and executed.
	for _, w := range []uint32{1, 0, tinyBase, tinyBase, size, size, 5, 0x1000} {
		b = le.AppendUint32(b, w)
	}
	// PT_NOTE: where the entry point is said once more, for PVH.
	const at = ehdr + 2*phdr
	for _, w := range []uint32{4, at, tinyBase + at, tinyBase + at, note, note, 4, 4} {
		b = le.AppendUint32(b, w)
	}
	for _, w := range []uint32{4, 4, 18} { // sizes of name and value, XEN_ELFNOTE_PHYS32_ENTRY
		b = le.AppendUint32(b, w)
	}
	b = append(b, "Xen\x00"...)
	b = le.AppendUint32(b, entry)
	return append(b, code...)
}

// PVH enters a guest in 32-bit protected mode with flat segments, paging and
// interrupts off, and EBX pointing to struct hvm_start_info, whose 64-bit field
// at offset 24 is the command line's address (xen/include/public/arch-x86/hvm/
// start_info.h). No byte is waited for: QEMU's UART has sent it by the time the
// next instruction runs.
var (
	tinyWrite = []byte{
		0x8b, 0x73, 0x18, //             mov  esi, [ebx+24]
		0x66, 0xba, 0xf8, 0x03, //       mov  dx, 0x3f8   ; the first serial port
		0xac,       //             next: lodsb
		0x84, 0xc0, //                   test al, al
		0x74, 0x03, //                   jz   count
		0xee,       //                   out  dx, al
		0xeb, 0xf8, //                   jmp  next
		0xb9, //                  count: mov  ecx, loops  ; which follow
	}
	tinyRest = []byte{
		0x49,       //              down: dec  ecx
		0x75, 0xfd, //                   jnz  down
		0xb0, TinyEnd, //                mov  al, '\n'
		0xee,                   //       out  dx, al
		0x66, 0xba, 0x04, 0x06, //       mov  dx, 0x604   ; PM1a_CNT where SeaBIOS puts it
		0x66, 0xb8, 0x00, 0x20, //       mov  ax, 0x2000  ; SLP_EN, sleep state 5
		0x66, 0xef, //                   out  dx, ax
		0xfa,       //             halt: cli
		0xf4,       //                   hlt
		0xeb, 0xfc, //                   jmp  halt
	}
)
