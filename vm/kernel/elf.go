package kernel

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
)

// notePVH is XEN_ELFNOTE_PHYS32_ENTRY: the note, named "Xen", that holds the
// physical address of a kernel's 32-bit PVH entry point.
const notePVH = 18

// checkELF says whether b is an ELF file for amd64 with something to load.
func checkELF(b []byte) error {
	f, err := elf.NewFile(bytes.NewReader(b))
	if err != nil {
		return fmt.Errorf("%w: %w", ErrFormat, err)
	}
	if f.Class != elf.ELFCLASS64 || f.Machine != elf.EM_X86_64 {
		return fmt.Errorf("%w: an ELF file for %v, not for amd64", ErrFormat, f.Machine)
	}
	for _, p := range f.Progs {
		if p.Type == elf.PT_LOAD && p.Off+p.Filesz >= p.Off && p.Off+p.Filesz <= uint64(len(b)) {
			return nil
		}
	}
	return fmt.Errorf("%w: an ELF file with nothing to load", ErrFormat)
}

// PVHEntry returns the physical address at which QEMU enters an uncompressed
// kernel, and false where the kernel was built without CONFIG_PVH: such a one
// boots as a bzImage only.
func PVHEntry(b []byte) (uint32, bool) {
	f, err := elf.NewFile(bytes.NewReader(b))
	if err != nil {
		return 0, false
	}
	for _, p := range f.Progs {
		if p.Type != elf.PT_NOTE || p.Off > uint64(len(b)) || p.Filesz > uint64(len(b))-p.Off {
			continue
		}
		notes := b[p.Off:][:p.Filesz]
		for len(notes) >= 12 {
			nameLen := uint64(binary.LittleEndian.Uint32(notes))
			descLen := uint64(binary.LittleEndian.Uint32(notes[4:]))
			kind := binary.LittleEndian.Uint32(notes[8:])
			desc := 12 + (nameLen+3)&^3
			end := desc + (descLen+3)&^3
			if end > uint64(len(notes)) {
				break
			}
			if kind == notePVH && string(notes[12:12+nameLen]) == "Xen\x00" && descLen >= 4 {
				return binary.LittleEndian.Uint32(notes[desc:]), true
			}
			notes = notes[end:]
		}
	}
	return 0, false
}
