package kernel

import (
	"bytes"
	"compress/gzip"
	"debug/elf"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
	"github.com/ulikunitz/xz"
	"github.com/ulikunitz/xz/lzma"
)

// testELF is a kernel as far as this package looks: one segment to load, one
// PVH note, and bytes that look like calls and jumps, for the BCJ filter.
func testELF() []byte {
	le := binary.LittleEndian
	b := []byte("\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00")
	b = le.AppendUint16(b, uint16(elf.ET_EXEC))
	b = le.AppendUint16(b, uint16(elf.EM_X86_64))
	b = le.AppendUint32(b, 1)
	b = le.AppendUint64(b, 0x1000000) // entry
	b = le.AppendUint64(b, 64)        // program headers
	b = le.AppendUint64(b, 0)
	b = le.AppendUint32(b, 0)
	for _, h := range []uint16{64, 56, 2, 0, 0, 0} {
		b = le.AppendUint16(b, h)
	}
	const text, size = 0x200, 64 << 10
	prog := func(typ elf.ProgType, off, n uint64) {
		b = le.AppendUint32(b, uint32(typ))
		b = le.AppendUint32(b, 5)
		for _, v := range []uint64{off, 0x1000000, 0x1000000, n, n, 4} {
			b = le.AppendUint64(b, v)
		}
	}
	prog(elf.PT_LOAD, text, size)
	prog(elf.PT_NOTE, 0x100, 44)
	b = append(b, make([]byte, 0x100-len(b))...)
	// A note that isn't the one, then the one.
	for _, w := range []uint32{4, 4, 1} {
		b = le.AppendUint32(b, w)
	}
	b = append(b, "GNU\x00abcd"...)
	for _, w := range []uint32{4, 8, notePVH} {
		b = le.AppendUint32(b, w)
	}
	b = append(b, "Xen\x00"...)
	b = le.AppendUint64(b, 0x1000850)
	b = append(b, make([]byte, text-len(b))...)
	// A fixed pseudo-random sequence (an LCG), rich in calls.
	x := uint32(1)
	for len(b) < text+size {
		x = x*1664525 + 1013904223
		switch x >> 29 {
		case 0:
			b = append(b, 0xe8, byte(x>>8), byte(x>>16), 0, 0)
		case 1:
			b = append(b, 0xe9, byte(x>>8), byte(x>>16), 0xff, 0xff)
		case 2:
			b = append(b, 0xe8, 0xe8, 0xe9, byte(x>>9), byte(x>>17), 0xff)
		default:
			b = append(b, byte(x>>24), 0x48, 0x89)
		}
	}
	return b[:text+size]
}

// bzImage wraps a compressed payload as the kernel's build does.
func bzImage(payload []byte, size int) []byte {
	le := binary.LittleEndian
	const sects = 2
	b := make([]byte, (sects+1)*512+32)
	b[offSetupSects] = sects
	le.PutUint16(b[offBootFlag:], 0xaa55)
	copy(b[offMagic:], "HdrS")
	le.PutUint16(b[offProtocol:], 0x020f)
	le.PutUint16(b[offVersionString:], 0x300)
	copy(b[0x500:], "6.1.0-56-cloud-amd64 (debian-kernel) #1 SMP\x00")
	le.PutUint32(b[offPayload:], 32)
	if Compression(payload) != "gzip" {
		payload = le.AppendUint32(slices.Clone(payload), uint32(size))
	}
	le.PutUint32(b[offPayloadLen:], uint32(len(payload)))
	return append(append(b, payload...), "what follows the payload"...)
}

// payloads are the test kernel in each format. Those that Go can't write were
// written by the programs that kernels are packed with; see testdata/README.
func payloads(t testing.TB) map[string][]byte {
	t.Helper()
	in := testELF()
	pack := func(w io.WriteCloser, err error, buf *bytes.Buffer) []byte {
		if err == nil {
			_, err = w.Write(in)
		}
		if err == nil {
			err = w.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
		return buf.Bytes()
	}
	out := make(map[string][]byte)
	var buf bytes.Buffer
	out["gzip"] = slices.Clone(pack(gzip.NewWriter(&buf), nil, &buf))
	buf.Reset()
	z, err := zstd.NewWriter(&buf)
	out["zstd"] = slices.Clone(pack(z, err, &buf))
	buf.Reset()
	x, err := xz.NewWriter(&buf)
	out["xz"] = slices.Clone(pack(x, err, &buf))
	buf.Reset()
	l, err := lzma.NewWriter(&buf)
	out["lzma"] = slices.Clone(pack(l, err, &buf))

	frame := []byte("\x02\x21\x4c\x18")
	for _, part := range [][]byte{in[:40000], in[40000:]} {
		block := make([]byte, lz4.CompressBlockBound(len(part)))
		n, err := lz4.CompressBlock(part, block, nil)
		if err != nil {
			t.Fatal(err)
		}
		frame = binary.LittleEndian.AppendUint32(frame, uint32(n))
		frame = append(frame, block[:n]...)
	}
	out["lz4"] = frame
	for name, file := range map[string]string{"xz with BCJ": "kernel.xz", "bzip2": "kernel.bz2"} {
		b, err := os.ReadFile(filepath.Join("testdata", file))
		if err != nil {
			t.Fatal(err)
		}
		out[name] = b
	}
	return out
}

func TestUnpack(t *testing.T) {
	want := testELF()
	for name, payload := range payloads(t) {
		if got, err := Unpack(bzImage(payload, len(want))); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %d bytes, %v, want %d", name, len(got), err, len(want))
		}
	}
	if got, err := Unpack(want); err != nil || !bytes.Equal(got, want) {
		t.Errorf("an ELF file as it is: %v", err)
	}
	if e, ok := PVHEntry(want); !ok || e != 0x1000850 {
		t.Errorf("PVH entry %#x, %v", e, ok)
	}
	if v := version(bzImage(want, 1)); v != "6.1.0-56-cloud-amd64" {
		t.Errorf("version %q", v)
	}
}

func TestUnpackRefuses(t *testing.T) {
	in := testELF()
	good := func() []byte { return bzImage(payloads(t)["gzip"], len(in)) }
	at := func(b []byte, off int, v ...byte) []byte { copy(b[off:], v); return b }
	arm := slices.Clone(in)
	arm[18] = byte(elf.EM_AARCH64)
	for _, c := range []struct {
		name, say string
		image     []byte
	}{
		{"empty", "too few", nil},
		{"text", "too few", []byte("hello")},
		{"no header", "no bzImage", make([]byte, 4096)},
		{"old protocol", "older than 2.08", at(good(), offProtocol, 7, 2)},
		{"payload outside", "payload lies", at(good(), offPayload, 0xff, 0xff, 0xff, 0xff)},
		{"payload's length wraps", "payload lies", at(good(), offPayloadLen, 0xff, 0xff, 0xff, 0xff)},
		{"no payload", "payload lies", at(good(), offPayloadLen, 0, 0, 0, 0)},
		{"unknown format", "unknown compression", bzImage([]byte("?????????????????"), 100)},
		{"lzo", "lzo isn't supported", bzImage([]byte("\x89LZO\x00.............."), 100)},
		{"wrong length", "instead of", bzImage(payloads(t)["zstd"], len(in)-1)},
		{"absurd length", "claims", bzImage(payloads(t)["zstd"], 1<<31)},
		{"another machine", "not for amd64", arm},
		{"cut off", "", in[:100]},
	} {
		if _, err := Unpack(c.image); !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), c.say) {
			t.Errorf("%s: %v, want ErrFormat that says %q", c.name, err, c.say)
		}
	}
	if _, ok := PVHEntry(in[:0x100]); ok {
		t.Error("a PVH entry was found where there is none")
	}
}

// A kernel that is damaged at any byte gives an error, or what it would have
// been without the damage, and never a panic.
func TestDamaged(t *testing.T) {
	want := testELF()
	for name, payload := range payloads(t) {
		image := bzImage(payload, len(want))
		step := max(1, len(image)/60)
		for i := 0; i < len(image); i += step {
			for _, bit := range []byte{0x01, 0x80} {
				image[i] ^= bit
				if got, err := Unpack(image); err == nil && len(got) != len(want) {
					t.Errorf("%s, byte %d ^ %#x: %d bytes and no error", name, i, bit, len(got))
				}
				image[i] ^= bit
			}
		}
		for n := 0; n < len(image)-len("what follows the payload"); n += step {
			if _, err := Unpack(image[:n]); !errors.Is(err, ErrFormat) {
				t.Errorf("%s, cut to %d bytes: %v", name, n, err)
			}
		}
	}
}

func FuzzUnpack(f *testing.F) {
	in := testELF()
	f.Add(in[:0x300])
	for _, p := range payloads(f) {
		f.Add(bzImage(p, len(in)))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if elf, err := Unpack(b); err == nil {
			PVHEntry(elf)
		} else if !errors.Is(err, ErrFormat) {
			t.Errorf("%v isn't ErrFormat", err)
		}
		PVHEntry(b)
		dependencies(b)
		version(append(b, make([]byte, headerEnd)...))
	})
}
