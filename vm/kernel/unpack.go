package kernel

import (
	"bytes"
	"compress/bzip2"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
	"github.com/ulikunitz/xz/lzma"
)

// maxSize bounds what a kernel may unpack to: a damaged length must not make
// the lab ask for all memory. Distributions' kernels are 30 to 120 MiB.
const maxSize = 512 << 20

// Unpack returns the ELF file inside a bzImage, or image itself where that is
// an ELF file already. The error wraps [ErrFormat].
func Unpack(image []byte) (elf []byte, err error) {
	if bytes.HasPrefix(image, []byte("\x7fELF")) {
		return image, checkELF(image)
	}
	h, err := parseHeader(image)
	if err != nil {
		return nil, err
	}
	// Since Linux 2.6.38 every payload ends in its unpacked length: gzip has
	// it anyway, for the others the build appends it (scripts/Makefile.lib,
	// size_append).
	body := h.payload
	size := int64(binary.LittleEndian.Uint32(body[len(body)-4:]))
	if size == 0 || size > maxSize {
		return nil, fmt.Errorf("%w: it claims to unpack to %d bytes", ErrFormat, size)
	}
	format := Compression(body)
	if format != "gzip" {
		body = body[:len(body)-4]
	}
	elf, err = decompress(format, body, size)
	if err != nil {
		return nil, fmt.Errorf("%w: unpack %s payload: %w", ErrFormat, format, err)
	}
	if int64(len(elf)) != size {
		return nil, fmt.Errorf("%w: %s payload gave %d bytes instead of %d", ErrFormat, format, len(elf), size)
	}
	return elf, checkELF(elf)
}

// magics tells formats by their first bytes.
var magics = []struct{ magic, name string }{
	{"\x1f\x8b\x08", "gzip"},
	{"BZh", "bzip2"},
	{"\xfd7zXZ\x00", "xz"},
	{"\x5d\x00\x00", "lzma"},
	{"\x02\x21\x4c\x18", "lz4"}, // the legacy frame, which is what kernels use
	{"\x28\xb5\x2f\xfd", "zstd"},
	{"\x89LZO\x00", "lzo"},
}

// Compression names the format of compressed bytes, or returns "".
func Compression(b []byte) string {
	for _, m := range magics {
		if bytes.HasPrefix(b, []byte(m.magic)) {
			return m.name
		}
	}
	return ""
}

// decompress undoes one format; the result has at most limit+1 bytes.
func decompress(format string, b []byte, limit int64) (out []byte, err error) {
	// The decompressors are other people's: of some, panics on damaged input
	// are known. To a user a damaged kernel is an error all the same.
	defer func() {
		if p := recover(); p != nil {
			out, err = nil, fmt.Errorf("damaged: %v", p)
		}
	}()
	var r io.Reader = bytes.NewReader(b)
	switch format {
	case "gzip":
		z, err := gzip.NewReader(r)
		if err != nil {
			return nil, err
		}
		z.Multistream(false)
		r = z
	case "bzip2":
		r = bzip2.NewReader(r)
	case "lzma":
		if r, err = (lzma.ReaderConfig{DictCap: 64 << 20}).NewReader(r); err != nil {
			return nil, err
		}
	case "xz":
		return unxz(b, limit)
	case "lz4":
		return unlz4(b, limit)
	case "zstd":
		z, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxSize))
		if err != nil {
			return nil, err
		}
		defer z.Close()
		r = z
	case "":
		return nil, fmt.Errorf("unknown compression, first bytes % x", b[:min(4, len(b))])
	default:
		return nil, fmt.Errorf("%s isn't supported", format)
	}
	return io.ReadAll(io.LimitReader(r, limit+1))
}

// unlz4 undoes LZ4's legacy frame: a magic number, then blocks of a 32-bit
// length and compressed bytes, each unpacking to at most 8 MiB.
func unlz4(b []byte, limit int64) ([]byte, error) {
	const most = 8 << 20
	b = b[4:]
	block := make([]byte, most)
	var out []byte
	for len(b) > 0 {
		if len(b) < 4 {
			return nil, io.ErrUnexpectedEOF
		}
		n := int64(binary.LittleEndian.Uint32(b))
		if b = b[4:]; n > int64(len(b)) {
			return nil, io.ErrUnexpectedEOF
		}
		k, err := lz4.UncompressBlock(b[:n], block)
		if err != nil {
			return nil, err
		}
		out = append(out, block[:k]...)
		if int64(len(out)) > limit {
			return out, nil
		}
		b = b[n:]
	}
	return out, nil
}

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
