package kernel

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"strings"
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

// Offsets in a bzImage, from Documentation/arch/x86/boot.rst of the kernel.
const (
	offSetupSects    = 0x1f1 // u8: 512-byte sectors of real-mode code after the first
	offBootFlag      = 0x1fe // u16: 0xaa55
	offMagic         = 0x202 // "HdrS"
	offProtocol      = 0x206 // u16: 0x020f is 2.15
	offVersionString = 0x20e // u16: its place, minus 0x200
	offPayload       = 0x248 // u32: from the start of the protected-mode code
	offPayloadLen    = 0x24c // u32
	headerEnd        = 0x250

	// The payload fields exist since protocol 2.08 (Linux 2.6.26).
	minProtocol = 0x0208
)

// A header is what a bzImage's header says.
type header struct {
	version string // "6.1.0-56-cloud-amd64"
	payload []byte // compressed ELF file, its 4-byte length last
}

// parseHeader reads a bzImage's header.
func parseHeader(b []byte) (header, error) {
	le := binary.LittleEndian
	if len(b) < headerEnd {
		return header{}, fmt.Errorf("%w: %d bytes are too few for a header", ErrFormat, len(b))
	}
	if le.Uint16(b[offBootFlag:]) != 0xaa55 || !bytes.Equal(b[offMagic:offMagic+4], []byte("HdrS")) {
		return header{}, fmt.Errorf("%w: no bzImage header", ErrFormat)
	}
	if p := le.Uint16(b[offProtocol:]); p < minProtocol {
		return header{}, fmt.Errorf("%w: boot protocol %d.%02d is older than 2.08", ErrFormat, p>>8, p&0xff)
	}
	sects := int64(b[offSetupSects])
	if sects == 0 {
		sects = 4 // boot.rst: "for backwards compatibility, 0 means 4"
	}
	// int64 throughout: the sum of two 32-bit fields mustn't wrap.
	from := (sects+1)*512 + int64(le.Uint32(b[offPayload:]))
	to := from + int64(le.Uint32(b[offPayloadLen:]))
	if to > int64(len(b)) || to-from < 16 {
		return header{}, fmt.Errorf("%w: the payload lies at %d to %d of %d bytes", ErrFormat, from, to, len(b))
	}
	return header{version(b), b[from:to]}, nil
}

// version returns the kernel's version string up to its first blank, or "".
func version(b []byte) string {
	at := int(binary.LittleEndian.Uint16(b[offVersionString:]))
	if at == 0 || at+0x200 >= len(b) {
		return ""
	}
	s := b[at+0x200:]
	s = s[:min(len(s), 128)]
	if i := bytes.IndexAny(s, " \x00"); i >= 0 {
		s = s[:i]
	}
	for _, c := range s { // it will be a part of a path
		if c <= ' ' || c > '~' || c == '/' {
			return ""
		}
	}
	if strings.Trim(string(s), ".") == "" { // nor another folder than its own
		return ""
	}
	return string(s)
}
