package kernel

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

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
	return string(s)
}
