package layer

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"lab/bench/image"
)

var day = time.Unix(1_600_000_000, 500_000_000)

// entry is an archive's: with data it is a file.
type entry struct {
	name, link, data string
	kind             byte
	mode             int64
	uid, gid         int
	attrs            map[string]string
}

func dir(name string) entry { return entry{name: name, kind: tar.TypeDir, mode: 0o755} }
func file(name, data string) entry {
	return entry{name: name, kind: tar.TypeReg, data: data, mode: 0o644}
}
func link(name, target string) entry { return entry{name: name, kind: tar.TypeSymlink, link: target} }
func hard(name, target string) entry { return entry{name: name, kind: tar.TypeLink, link: target} }

func archive(t testing.TB, entries ...entry) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, e := range entries {
		h := &tar.Header{Name: e.name, Typeflag: e.kind, Linkname: e.link, Mode: e.mode, Uid: e.uid, Gid: e.gid,
			Size: int64(len(e.data)), ModTime: day, Format: tar.FormatPAX, PAXRecords: map[string]string{}}
		for k, v := range e.attrs {
			h.PAXRecords["SCHILY.xattr."+k] = v
		}
		if err := errors.Join(w.WriteHeader(h)); err != nil {
			t.Fatalf("%s: %v", e.name, err)
		}
		if _, err := w.Write([]byte(e.data)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func room() *Room { return &Room{Entries: 1000, Bytes: 64 << 20} }

// unpack makes a layer's folder below a folder that mustn't change otherwise.
func unpack(t testing.TB, entries ...entry) (string, error) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("owners and device nodes need root: sudo go test")
	}
	to := filepath.Join(t.TempDir(), "layer")
	if err := os.Mkdir(to, 0o755); err != nil {
		t.Fatal(err)
	}
	_, err := Unpack(bytes.NewReader(archive(t, entries...)), to, room())
	return to, err
}

func layers(t testing.TB, all ...[]entry) []string {
	t.Helper()
	var out []string
	for i, entries := range all {
		l, err := unpack(t, entries...)
		if err != nil {
			t.Fatalf("layer %d: %v", i, err)
		}
		out = append(out, l)
	}
	return out
}

// listing describes all of a tree that a program in it could tell.
func listing(t testing.TB, root string) string {
	t.Helper()
	var b strings.Builder
	inodes := map[uint64]string{}
	err := filepath.WalkDir(root, func(name string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		var st unix.Stat_t
		if err := unix.Lstat(name, &st); err != nil {
			return err
		}
		rel, _ := filepath.Rel(root, name)
		fmt.Fprintf(&b, "%s %o %d:%d %d.%d", rel, st.Mode, st.Uid, st.Gid, st.Mtim.Sec, st.Mtim.Nsec)
		switch st.Mode & unix.S_IFMT {
		case unix.S_IFLNK:
			to, _ := os.Readlink(name)
			fmt.Fprintf(&b, " -> %s", to)
		case unix.S_IFREG:
			data, _ := os.ReadFile(name)
			fmt.Fprintf(&b, " %q", data)
			if first, ok := inodes[st.Ino]; ok {
				fmt.Fprintf(&b, " = %s", first)
			} else {
				inodes[st.Ino] = rel
			}
		}
		attrs, err := Attributes(name)
		for _, k := range slices.Sorted(func(yield func(string) bool) {
			for k := range attrs {
				if !yield(k) {
					return
				}
			}
		}) {
			fmt.Fprintf(&b, " %s=%q", k, attrs[k])
		}
		b.WriteByte('\n')
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// A file's owner, mode, time, links, capability and attributes are the archive's.
func TestUnpack(t *testing.T) {
	capability := "\x01\x00\x00\x02\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00" // cap_net_raw+ep
	got, err := unpack(t,
		entry{name: "./", kind: tar.TypeDir, mode: 0o755},
		entry{name: "a", kind: tar.TypeDir, mode: 0o1777, uid: 3, gid: 4},
		entry{name: "a/ping", kind: tar.TypeReg, data: "x", mode: 0o4755, uid: 5, gid: 6,
			attrs: map[string]string{"security.capability": capability, "user.note": "n", "trusted.overlay.redirect": "/x", "security.ima": "y"}},
		hard("a/hard", "/a/ping"), link("a/abs", "/etc/passwd"), link("lib", "/usr/lib"), dir("usr"), dir("usr/lib"),
		file("lib/x.so", "through a link"), entry{name: "fifo", kind: tar.TypeFifo, mode: 0o600},
		entry{name: "null", kind: tar.TypeChar, mode: 0o666}, entry{name: "implicit/deep/file", kind: tar.TypeReg, mode: 0o400},
		file("twice", "first"), file("twice", "second"))
	if err != nil {
		t.Fatal(err)
	}
	want := `. 40755 0:0 1600000000.500000000
a 41777 3:4 1600000000.500000000
a/abs 120777 0:0 1600000000.500000000 -> /etc/passwd
a/hard 104755 5:6 1600000000.500000000 "x" security.capability="` + fmt.Sprintf("%q", capability)[1:] + ` user.note="n"
a/ping 104755 5:6 1600000000.500000000 "x" = a/hard security.capability="` + fmt.Sprintf("%q", capability)[1:] + ` user.note="n"
fifo 10600 0:0 1600000000.500000000
`
	if l := listing(t, got); !strings.HasPrefix(l, want) {
		t.Errorf("got\n%s\nwant it to begin\n%s", l, want)
	}
	for name, data := range map[string]string{"usr/lib/x.so": "through a link", "twice": "second", "implicit/deep/file": ""} {
		if b, err := os.ReadFile(filepath.Join(got, name)); err != nil || string(b) != data {
			t.Errorf("%s: %q, %v", name, b, err)
		}
	}
	if _, err := os.Lstat(filepath.Join(got, "null")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a device node was made: %v", err)
	}
}

// Zeros cost no disk, however they are written.
func TestHoles(t *testing.T) {
	got, err := unpack(t, file("zeros", strings.Repeat("\x00", 8<<20)+"end"), file("all", strings.Repeat("\x00", 1<<20)))
	if err != nil {
		t.Fatal(err)
	}
	for name, size := range map[string]int64{"zeros": 8<<20 + 3, "all": 1 << 20} {
		var st unix.Stat_t
		if err := unix.Stat(filepath.Join(got, name), &st); err != nil || st.Size != size || st.Blocks > 256 {
			t.Errorf("%s: %d bytes in %d blocks, %v", name, st.Size, st.Blocks, err)
		}
	}
}

// A merged tree is what an overlay of the same layers shows.
func TestMerge(t *testing.T) {
	ls := layers(t,
		[]entry{dir("./"), dir("etc"), file("etc/a", "1"), file("etc/b", "1"), dir("opt"), dir("opt/x"), file("opt/x/old", ""),
			dir("gone"), file("gone/f", ""), link("link", "etc"), file("tofolder", ""), {name: "mode", kind: tar.TypeDir, mode: 0o700, uid: 7}},
		[]entry{dir("./"), dir("etc"), file("etc/.wh.a", ""), file("etc/c", "2"), hard("etc/d", "etc/c"), dir("opt"), dir("opt/x"), file("opt/x/.wh..wh..opq", ""),
			file("opt/x/new", ""), file(".wh.gone", ""), dir("tofolder"), file("tofolder/in", ""), {name: "mode", kind: tar.TypeDir, mode: 0o711, uid: 8}},
		[]entry{dir("./"), file(".wh.etc", ""), dir("etc"), file("etc/only", "3"), dir("gone"), file("gone/back", ""), file(".wh.link", ""), file("link", "now a file"),
			file(".wh..wh.plnk", "")})
	tree := t.TempDir()
	if err := Merge(ls, tree); err != nil {
		t.Fatal(err)
	}
	on := t.TempDir()
	lower := slices.Clone(ls)
	slices.Reverse(lower)
	if err := unix.Mount("lab", on, "overlay", unix.MS_RDONLY, "lowerdir="+strings.Join(lower, ":")); err != nil {
		t.Skipf("overlay: %v", err)
	}
	defer unix.Unmount(on, 0)
	if got, want := listing(t, tree), listing(t, on); got != want {
		t.Errorf("merged:\n%s\nan overlay shows:\n%s", got, want)
	}
	if _, _, err := image.Sum(tree); err != nil {
		t.Error(err)
	}
}

// A folder that a layer has only on the way to a file keeps what the layers below
// say about it; the marks of layers are not in the tree.
func TestMergeImplicit(t *testing.T) {
	ls := layers(t, []entry{{name: "var", kind: tar.TypeDir, mode: 0o2750, uid: 9, gid: 9}}, []entry{file("var/x", "")},
		[]entry{file(".wh..wh..opq", ""), file("y/z", "")}, []entry{file("y/.wh.z", "")})
	for n, want := range map[int]string{2: "var 42750 9:9 ", 4: "y 40755 0:0 "} {
		tree := t.TempDir()
		if err := Merge(ls[:n], tree); err != nil {
			t.Fatal(err)
		}
		if got := listing(t, tree); !strings.Contains(got, want) || strings.Contains(got, "z") || n == 4 && strings.Contains(got, "var") {
			t.Errorf("%d layers:\n%s", n, got)
		}
	}
}

// A packed tree unpacks to the same one, and packs to the same bytes.
func TestPack(t *testing.T) {
	tree, err := unpack(t, entry{name: "./", kind: tar.TypeDir, mode: 0o755}, entry{name: "a", kind: tar.TypeDir, mode: 0o1777, uid: 3},
		entry{name: "a/f", kind: tar.TypeReg, data: "x", mode: 0o4755, uid: 5, gid: 6, attrs: map[string]string{"user.note": "n"}},
		hard("b", "a/f"), link("c", "a"), entry{name: "p", kind: tar.TypeFifo, mode: 0o600})
	if err != nil {
		t.Fatal(err)
	}
	var first, again bytes.Buffer
	if err := Pack(&first, tree); err != nil {
		t.Fatal(err)
	}
	to := t.TempDir()
	if _, err := Unpack(bytes.NewReader(first.Bytes()), to, room()); err != nil {
		t.Fatal(err)
	}
	if got, want := listing(t, to), listing(t, tree); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if err := Pack(&again, to); err != nil || !bytes.Equal(first.Bytes(), again.Bytes()) {
		t.Errorf("packed again it has other bytes: %v", err)
	}
}
