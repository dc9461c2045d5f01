package kernel

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/ulikunitz/xz/lzma"
)

// Filters of the .xz format (xz-file-format.txt, 5.3).
const (
	filterBCJx86 = 0x04
	filterLZMA2  = 0x21
)

// unxz undoes a .xz stream of one block, which is what kernels (and their
// modules) are. A kernel for x86 is packed with the BCJ filter before LZMA2
// (scripts/xz_wrap.sh), which the xz library doesn't undo; hence the block's
// header is read here, LZMA2 is the library's, and [unbcj] is ours.
func unxz(b []byte, limit int64) ([]byte, error) {
	const streamHeader = 12 // magic, two flags, CRC
	if len(b) < streamHeader+8 {
		return nil, io.ErrUnexpectedEOF
	}
	b = b[streamHeader:]
	size := (int(b[0]) + 1) * 4
	if b[0] == 0 || size > len(b) {
		return nil, errors.New("xz: no block")
	}
	h := b[:size-4]
	if crc32.ChecksumIEEE(h) != binary.LittleEndian.Uint32(b[size-4:]) {
		return nil, errors.New("xz: block header: wrong checksum")
	}
	flags := h[1]
	filters := int(flags&3) + 1
	r := bytes.NewReader(h[2:])
	for _, bit := range []byte{0x40, 0x80} { // optional sizes, packed and unpacked
		if flags&bit != 0 {
			if _, err := binary.ReadUvarint(r); err != nil {
				return nil, err
			}
		}
	}
	bcj, dict := false, -1
	for i := range filters {
		id, err := binary.ReadUvarint(r)
		if err != nil {
			return nil, err
		}
		n, err := binary.ReadUvarint(r)
		if err != nil {
			return nil, err
		}
		if n > uint64(r.Len()) {
			return nil, io.ErrUnexpectedEOF
		}
		props := make([]byte, n)
		r.Read(props)
		switch {
		case id == filterBCJx86 && n == 0 && i < filters-1:
			bcj = true
		case id == filterLZMA2 && n == 1 && props[0] <= 40 && i == filters-1:
			// 2<<11, 3<<11, 2<<12, 3<<12, …
			dict = (2 | int(props[0]&1)) << (props[0]/2 + 11)
		default:
			return nil, fmt.Errorf("xz: filter %#x with %d bytes of properties isn't supported", id, n)
		}
	}
	z, err := lzma.Reader2Config{DictCap: min(max(dict, lzma.MinDictCap), maxSize)}.NewReader2(bytes.NewReader(b[size:]))
	if err != nil {
		return nil, err
	}
	out, err := io.ReadAll(io.LimitReader(z, limit+1))
	if bcj {
		unbcj(out)
	}
	return out, err
}

// unbcj undoes the "branch, call, jump" filter for x86 in place: it turns the
// absolute targets after the opcodes E8 (call) and E9 (jmp) back into relative
// ones. The filter, with its heuristics about opcodes that are really data, is
// defined by its implementation (xz, src/liblzma/simple/x86.c, public domain).
func unbcj(b []byte) {
	allowed := [8]bool{true, true, true, false, true, false, false, false}
	bit := [8]uint{0, 1, 2, 2, 3, 3, 3, 3}
	msb := func(c byte) bool { return c == 0 || c == 0xff }
	prev, mask := -1, uint(0)
	for i := 0; i+4 < len(b); i++ {
		if b[i]&0xfe != 0xe8 {
			continue
		}
		// mask remembers which of the last three bytes looked like opcodes.
		if d := i - prev; d > 3 {
			mask = 0
		} else {
			mask = mask << uint(d-1) & 7
			if mask != 0 && (!allowed[mask] || msb(b[i+4-int(bit[mask])])) {
				prev, mask = i, mask<<1|1
				continue
			}
		}
		prev = i
		if !msb(b[i+4]) {
			mask = mask<<1 | 1
			continue
		}
		src := binary.LittleEndian.Uint32(b[i+1:])
		var dst uint32
		for {
			dst = src - uint32(i+5)
			if mask == 0 {
				break
			}
			j := bit[mask] * 8
			if !msb(byte(dst >> (24 - j))) {
				break
			}
			src = dst ^ (1<<(32-j) - 1)
		}
		dst &= 0x01ffffff
		dst |= -(dst & 0x01000000)
		binary.LittleEndian.PutUint32(b[i+1:], dst)
		i += 4
	}
}
