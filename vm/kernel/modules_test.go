package kernel

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// testModule is an ELF file with the one section that is looked at.
func testModule(info string) []byte {
	const names = "\x00.modinfo\x00.shstrtab\x00"
	le := binary.LittleEndian
	b := []byte("\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00")
	b = le.AppendUint16(b, 1)  // ET_REL
	b = le.AppendUint16(b, 62) // EM_X86_64
	b = le.AppendUint32(b, 1)
	b = append(b, make([]byte, 16)...) // no entry, no program headers
	at := 64 + len(info) + len(names)
	b = le.AppendUint64(b, uint64(at)) // section headers
	b = le.AppendUint32(b, 0)
	for _, h := range []uint16{64, 0, 0, 64, 3, 2} {
		b = le.AppendUint16(b, h)
	}
	b = append(append(b, info...), names...)
	section := func(name, typ uint32, off, size int) {
		b = le.AppendUint32(b, name)
		b = le.AppendUint32(b, typ)
		for _, v := range []uint64{0, 0, uint64(off), uint64(size), 0, 1, 0} {
			b = le.AppendUint64(b, v)
		}
	}
	b = append(b, make([]byte, 64)...)
	section(1, 1, 64, len(info))
	section(10, 3, 64+len(info), len(names))
	return b
}

func TestClosure(t *testing.T) {
	dir := t.TempDir()
	add := func(path string, data []byte) {
		t.Helper()
		path = filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var packed bytes.Buffer
	z, err := zstd.NewWriter(&packed)
	if err != nil {
		t.Fatal(err)
	}
	z.Write(testModule("name=ring\x00depends=\x00"))
	z.Close()
	add("kernel/virtio/virtio_ring.ko.zst", packed.Bytes())
	add("kernel/virtio/virtio.ko", testModule("depends=virtio_ring\x00"))
	add("kernel/char/virtio-console.ko", testModule("license=GPL\x00depends=virtio,virtio-ring,core\x00"))
	add("kernel/a/one.ko", testModule("depends=two\x00"))
	add("kernel/a/two.ko", testModule("depends=one\x00"))
	add("kernel/a/lost.ko", testModule("depends=nowhere\x00"))
	add("kernel/a/broken.ko", []byte("broken"))
	add("modules.builtin", []byte("kernel/core.ko\n"))

	mods, err := Closure(dir, "virtio_console", "virtio", "core")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, m := range mods {
		names = append(names, m.Name)
		if !bytes.HasPrefix(m.Data, []byte("\x7fELF")) {
			t.Errorf("%s isn't unpacked", m.Name)
		}
	}
	if want := []string{"virtio_ring", "virtio", "virtio_console"}; !slices.Equal(names, want) {
		t.Errorf("loading order %q, want %q", names, want)
	}
	for name, say := range map[string]string{
		"nosuch": "nosuch isn't in", "lost": "nowhere isn't in", "one": "depends on itself", "broken": "broken.ko",
	} {
		if _, err := Closure(dir, name); err == nil || !strings.Contains(err.Error(), say) {
			t.Errorf("%s: %v, want an error that says %q", name, err, say)
		}
	}
	if _, err := Closure(filepath.Join(dir, "none"), "x"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no folder: %v", err)
	}
}
