package layer

import (
	"archive/tar"
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"lab/bench/image"
)

// A hostile layer, and what it comes to.
type hostile struct {
	name    string
	entries []entry
	err     string // part of the error's text; "" is none
}

var hostiles = []hostile{
	{"dots", []entry{file("../out", "x")}, `".." in a name leads out`},
	{"dots within", []entry{dir("a"), file("a/../../out", "x")}, `".." in a name leads out`},
	{"absolute", []entry{file("/abs", "x")}, ""},
	{"through a link up", []entry{link("l", "../.."), file("l/out", "x")}, ""},
	{"through an absolute link", []entry{link("l", "/"), file("l/out", "x")}, ""},
	{"through chained links", []entry{link("a", "b"), link("b", "../../.."), file("a/out", "x")}, ""},
	{"onto a link", []entry{link("l", "../out"), file("l", "x")}, ""},
	{"folder onto a link", []entry{link("l", "../.."), {name: "l", kind: tar.TypeDir, mode: 0o777, uid: 99}, file("l/out", "x")}, ""},
	{"link later in the place of a folder", []entry{dir("d"), dir("d/e"), link("d", "../.."), file("d/out", "x")}, ""},
	{"links in a circle", []entry{link("a", "b"), link("b", "a"), file("a/x", "")}, "round in a circle"},
	{"dangling", []entry{link("a", "missing/../../x"), file("a/x", "")}, "neither a folder nor a link"},
	{"through a file", []entry{file("a", ""), file("a/x", "")}, "neither a folder nor a link"},
	{"hard link out", []entry{hard("h", "../victim")}, `".." in a name leads out`},
	{"hard link through a link", []entry{link("l", ".."), hard("h", "l/victim")}, "isn't in this layer"},
	{"hard link to an absolute name", []entry{hard("h", "/etc/passwd")}, "isn't in this layer"},
	{"hard link to a removed file", []entry{file(".wh.f", ""), hard("h", "f")}, "isn't in this layer"},
	{"hard link to itself", []entry{file("f", "x"), hard("f", "f")}, ""},
	{"hard link, then written through", []entry{link("s", "../victim"), hard("h", "s"), file("h", "x")}, ""},
	{"device", []entry{{name: "sda", kind: tar.TypeBlock, mode: 0o666}}, ""},
	{"unknown kind", []entry{{name: "x", kind: 'Z'}}, "type 'Z'"},
	{"root is a file", []entry{file(".", "x")}, "root isn't a folder"},
	{"root is a link", []entry{link("./", "/etc")}, "root isn't a folder"},
	{"whiteout of nothing", []entry{file("a/.wh.", "")}, "removes nothing"},
	{"whiteout of dots", []entry{file("a/.wh...", "")}, "removes nothing"},
	{"whiteout through a link", []entry{link("l", "../.."), file("l/.wh.victim", "")}, ""},
	{"long name", []entry{file(strings.Repeat("a/", 2000)+"x", "")}, "more than 3500 bytes"},
	{"long part", []entry{file(strings.Repeat("a", 300), "")}, "file name too long"},
	{"odd names", []entry{file("new\nline", ""), file("\xff\xfe", ""), file(" ", ""), file("-rf", ""), file("…", ""), file("a\\b", "")}, ""},
	{"owner", []entry{{name: "x", kind: tar.TypeReg, uid: 1<<32 - 1}}, "no user and group"},
	{"an overlay's own marks", []entry{{name: "d", kind: tar.TypeDir, mode: 0o755, attrs: map[string]string{"trusted.overlay.opaque": "y", "user.overlay.redirect": "/etc"}}}, ""},
}

// Nothing is changed outside the folder, whatever an archive says, and each error
// says what is wrong with it.
func TestHostile(t *testing.T) {
	for _, h := range hostiles {
		t.Run(h.name, func(t *testing.T) {
			err := contained(t, archive(t, h.entries...), room())
			switch {
			case err == nil && h.err != "":
				t.Errorf("no error; want one with %q", h.err)
			case err != nil && (h.err == "" || !strings.Contains(err.Error(), h.err)):
				t.Errorf("%v; want %q", err, h.err)
			}
		})
	}
}

// contained unpacks an archive beside a file that mustn't change, merges it, and
// looks at all around it.
func contained(t testing.TB, data []byte, room *Room) error {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("owners and device nodes need root: sudo go test")
	}
	around := t.TempDir()
	for _, d := range []string{"in", "in/layer", "in/tree"} {
		if err := os.Mkdir(filepath.Join(around, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range []string{"victim", "in/victim"} {
		if err := os.WriteFile(filepath.Join(around, f), []byte("whole"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	to, tree := filepath.Join(around, "in/layer"), filepath.Join(around, "in/tree")
	_, err := Unpack(bytes.NewReader(data), to, room)
	if err == nil {
		if err = Merge([]string{to, to}, tree); err == nil {
			_, _, err = image.Sum(tree)
		}
	}
	for _, d := range []string{to, tree} {
		if rerr := os.RemoveAll(d); rerr != nil {
			t.Errorf("it can't be removed: %v", rerr)
		}
	}
	if left := listingNames(t, around); left != ". in in/victim victim" {
		t.Errorf("around the layer there is: %s", left)
	}
	for _, f := range []string{"victim", "in/victim"} {
		st, serr := os.Stat(filepath.Join(around, f))
		if b, rerr := os.ReadFile(filepath.Join(around, f)); serr != nil || rerr != nil || string(b) != "whole" || st.Mode() != 0o644 {
			t.Errorf("%s was changed: %q, %v", f, b, st.Mode())
		}
	}
	return err
}

func listingNames(t testing.TB, dir string) string {
	t.Helper()
	var names []string
	if err := filepath.WalkDir(dir, func(name string, _ os.DirEntry, err error) error {
		rel, _ := filepath.Rel(dir, name)
		names = append(names, rel)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return strings.Join(names, " ")
}

// Files, bytes and holes are bounded, and so is what is behind an archive's end.
func TestRoom(t *testing.T) {
	many := make([]entry, 50)
	for i := range many {
		many[i] = file(strings.Repeat("d/", i)+"f", "")
	}
	small := &Room{Entries: 40, Bytes: 1 << 20}
	for name, data := range map[string][]byte{
		"entries": archive(t, many...), "bytes": archive(t, file("f", strings.Repeat("x", 2<<20))),
		"holes": sparse(t, 1<<40), "trailer": append(archive(t, file("f", "")), make([]byte, 8<<20)...),
	} {
		room := *small
		if err := contained(t, data, &room); !errors.Is(err, ErrRoom) {
			t.Errorf("%s: %v, want ErrRoom", name, err)
		}
	}
}

// sparse is an archive of one file of which only the size is there (GNU format).
func sparse(t testing.TB, size int64) []byte {
	t.Helper()
	block := archive(t, entry{name: "s", kind: tar.TypeReg, mode: 0o644})
	// The entry's header is the last but the end's two blocks.
	h := block[len(block)-1024-512 : len(block)-1024]
	copy(h[257:265], "ustar  \x00")
	h[156] = 'S'
	put := func(at []byte, n int64) {
		at[0] = 0x80
		for i := len(at) - 1; i > 0; i, n = i-1, n>>8 {
			at[i] = byte(n)
		}
	}
	put(h[386:398], size) // one empty piece at the end
	put(h[398:410], 0)
	put(h[483:495], size)
	copy(h[148:156], "        ")
	sum := int64(0)
	for _, b := range h {
		sum += int64(b)
	}
	copy(h[148:156], []byte{byte('0' + sum>>15&7), byte('0' + sum>>12&7), byte('0' + sum>>9&7), byte('0' + sum>>6&7), byte('0' + sum>>3&7), byte('0' + sum&7), 0, ' '})
	return append(h, make([]byte, 1024)...)
}

// FuzzUnpack gives the unpacker bytes of every kind. Type
// go test -fuzz FuzzUnpack -fuzzminimizetime 1x: minimizing takes all the time else.
func FuzzUnpack(f *testing.F) {
	for _, h := range hostiles {
		f.Add(archive(f, h.entries...))
	}
	f.Add(sparse(f, 1<<30))
	f.Fuzz(func(t *testing.T, data []byte) {
		contained(t, data, &Room{Entries: 200, Bytes: 1 << 20})
	})
}
