package fleet

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"testing"
)

// packedNames are the files and folders of parts, as an archive has them.
func packedNames(t *testing.T, parts []Part) map[string]bool {
	t.Helper()
	var b bytes.Buffer
	if _, err := WriteBundle(&b, "top", parts); err != nil {
		t.Fatal(err)
	}
	zip, err := gzip.NewReader(&b)
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for in := tar.NewReader(zip); ; {
		h, err := in.Next()
		if err != nil {
			return names
		}
		name := strings.TrimPrefix(path.Clean(h.Name), "top/")
		if names[name] {
			t.Errorf("%s is there twice", name)
		}
		names[name] = true
	}
}

// A reader of the bundle finds what its texts link to.
func TestTextsLeadSomewhere(t *testing.T) {
	top := filepath.Join("..", "..")
	parts, err := texts(top)
	if err != nil {
		t.Fatal(err)
	}
	names := packedNames(t, parts)
	// What isn't kept in the repository differs from one copy of it to the next.
	if kept, err := exec.Command("git", "-C", top, "ls-files", "-z", "--cached", "--others", "--exclude-standard").Output(); err == nil {
		for _, p := range parts {
			if !strings.Contains("\x00"+string(kept), "\x00"+p.Name+"\x00") {
				t.Errorf("%s is in the bundle, and git ignores it", p.Name)
			}
		}
	}
	links := 0
	for _, text := range []string{"README.md", "LAB.md", "docs/ko/LAB.md"} {
		data, err := os.ReadFile(filepath.Join(top, text))
		if err != nil {
			t.Fatal(err)
		}
		for i, rest := range strings.Split(string(data), "](") {
			to, _, ok := strings.Cut(rest, ")")
			to, _, _ = strings.Cut(to, "#")
			if i == 0 || !ok || to == "" || strings.Contains(to, "://") || strings.ContainsAny(to, " \n") {
				continue
			}
			links++
			if to = path.Join(path.Dir(text), to); !names[to] {
				t.Errorf("%s links to %s, which the bundle doesn't have", text, to)
			}
		}
	}
	if links < 80 {
		t.Errorf("only %d links were found", links)
	}
}

// Whatever a text links to, nothing from outside of the folder comes, and nothing twice.
func TestTexts(t *testing.T) {
	dir := t.TempDir()
	top := filepath.Join(dir, "top")
	elf := "\x7fELF\x02\x01" + strings.Repeat("\x00", 90)
	for name, text := range map[string]string{
		"secret":        "x",
		"top/LAB.md":    "[a](docs/a.md#x) ![b](b.png), [up](../secret) [abs](" + dir + "/secret) [web](https://example.org/x) [none](none) [all](.) [c](c/in/d) [c](c/in)",
		"top/b.png":     "x",
		"top/other":     "x",
		"top/c/in/prog": elf,                          // built there
		"top/c/in/dyn":  elf + "\x00/lib/ld-linux.so", // for a loader
		"top/c/in/elf":  "\x7fEL",
		"top/c/in/d":    "[no](../../other)",
		"top/c/e":       "x",
		"top/e.md":      "x",
		"top/docs/a.md": "[back](../LAB.md) [e](../e.md) [up](../../secret)",

		// What tests and reports left.
		"top/.gitignore":         "# x\n*.test\n*.prof\n/out/\nbefore.out\n/c/in/init-*\n",
		"top/c/in/in.test":       "x",
		"top/c/in/sub/cpu.prof":  "x",
		"top/c/in/before.out":    "x",
		"top/c/in/out/x":         "x", // not that folder
		"top/c/in/init-x":        "x",
		"top/c/in/r/plots/a.png": "x",
		"top/c/in/r/report.html": "x",
		"top/c/in/r/report.go":   "x",
		"top/c/in/.gitignore":    "*/hgrm/\n*/*.csv\n",
		"top/c/in/r/hgrm/a":      "x",
		"top/c/in/r/t.csv":       "x",
		"top/c/in/t.csv":         "x",
		"top/c/in/hgrm":          "x",
	} {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	parts, err := texts(top)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range parts {
		got = append(got, p.Name)
	}
	if want := "LAB.md docs/a.md b.png c/in/d e.md c/in/.gitignore c/in/elf c/in/hgrm c/in/out/x c/in/r/report.go c/in/t.csv"; strings.Join(got, " ") != want {
		t.Errorf("%q, want %s", got, want)
	}
	packedNames(t, parts)
}
