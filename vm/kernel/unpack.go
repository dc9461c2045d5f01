package kernel

import (
	"bytes"
	"compress/bzip2"
	"compress/gzip"
	"encoding/binary"
	"fmt"
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
