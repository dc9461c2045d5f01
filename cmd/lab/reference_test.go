package main

import (
	"bytes"
	"image/png"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"lab/bench/results"
	"lab/reports"
	"lab/reports/analysis"
	"lab/reports/evidence"
	"lab/reports/msg"
	"lab/reports/plot"
)

// The reference runs in the repository are small, whole, of a machine that stays unnamed,
// and marked where they were emulated; all that they measured can be drawn without root.
func TestReference(t *testing.T) {
	dirs, err := filepath.Glob(filepath.Join(top, "reports", "reference", "*", results.ManifestFile))
	if err != nil || len(dirs) < 5 {
		t.Fatalf("%d reference runs, %v", len(dirs), err)
	}
	readme, err := os.ReadFile(filepath.Join(top, "reports", "reference", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	private := regexp.MustCompile(`/(root|home|work|tmp|srv|Users)/|([0-9a-f]{2}:){5}[0-9a-f]{2}`)
	for i := range dirs {
		dirs[i] = filepath.Dir(dirs[i])
		name := filepath.Base(dirs[i])
		// In a copy, without what somebody may have drawn there.
		dir, size := filepath.Join(t.TempDir(), name), 0
		err := filepath.WalkDir(dirs[i], func(path string, d fs.DirEntry, err error) error {
			rel, _ := filepath.Rel(dirs[i], path)
			if err != nil || d.IsDir() || !results.IsData(rel) {
				return err
			}
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			if found := private.Find(data); found != nil {
				t.Errorf("%s has %q", rel, found)
			}
			size += len(data)
			os.MkdirAll(filepath.Dir(filepath.Join(dir, rel)), 0o755)
			return os.WriteFile(filepath.Join(dir, rel), data, 0o644)
		})
		if err != nil {
			t.Fatal(err)
		}
		if size > 350<<10 {
			t.Errorf("%s has %d bytes", name, size)
		}
		// Digests of the data, whatever else was drawn since.
		sums, err := os.ReadFile(filepath.Join(dirs[i], reports.SumsFile))
		if err != nil {
			t.Fatal(err)
		}
		var data []byte
		for line := range bytes.Lines(sums) {
			if _, name, _ := strings.Cut(strings.TrimSpace(string(line)), "  "); results.IsData(name) {
				data = append(data, line...)
			}
		}
		put(t, dir, reports.SumsFile, data)
		f := evidence.Grade([]string{dir}, nil).Folders[0]
		if !f.Sound() {
			t.Fatal(f.Err())
		}
		a := analysis.Of(f.Run)
		for _, x := range f.Run.Manifest.Figures {
			if why := plot.Undrawable(a, x); !why.IsZero() {
				t.Logf("%s: %v", name, why)
			}
		}
		files, err := plot.Draw(a, msg.English())
		if err != nil || len(files) == 0 {
			t.Errorf("%s: %d plots, %v", name, len(files), err)
		}
		if name == "startup" {
			picture(t, files)
		}
		if !strings.Contains(string(readme), "`"+name+"`") {
			t.Errorf("README.md has no line for %s", name)
		}
		if a.AnyTCG() && !strings.Contains(string(readme), "**TCG**") {
			t.Errorf("README.md doesn't say that %s is emulated", name)
		}
	}
}

// picture holds README's picture against the one that is drawn of the reference run.
func picture(t *testing.T, files []plot.File) {
	t.Helper()
	file := filepath.Join(top, "scenarios", "startup.png")
	for _, f := range files {
		if filepath.Base(f.Name) != "ready.png" {
			continue
		}
		if *update {
			if err := os.WriteFile(file, f.Data, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		there, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		got, err1 := png.Decode(bytes.NewReader(there))
		want, err2 := png.Decode(bytes.NewReader(f.Data))
		if err1 != nil || err2 != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s isn't what the reference run looks like: go test ./cmd/lab -run TestReference -update (%v, %v)", file, err1, err2)
		}
		return
	}
	t.Error("the reference run has no picture ready.png")
}

// figure is a number of LAB.md with where it comes from: 4.2 µs<!-- network, host, latency -->
var figure = regexp.MustCompile(`([0-9][0-9.,]*(?: [a-zA-Zµ/]+)?)<!-- ([a-z-]+), ([^,>]+), ([^,>]+) -->`)

// Each figure of the course that names its origin is the median that the reference run has.
func TestFigures(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(top, "LAB.md"))
	if err != nil {
		t.Fatal(err)
	}
	found := figure.FindAllStringSubmatch(string(text), -1)
	if len(found) < 4 {
		t.Errorf("only %d figures say where they come from", len(found))
	}
	for _, m := range found {
		run, err := results.Read(filepath.Join(top, "reports", "reference", m[2]))
		if err != nil {
			t.Fatal(err)
		}
		a, is := analysis.Of(run), ""
		for _, c := range a.Cells {
			if s := c.Samples[m[4]]; s != nil && c.Cell.Label() == m[3] {
				x, _ := a.Metric(m[4])
				is = msg.Quantity(s.Median.Point, x.Unit)
			}
		}
		if is != m[1] && !*update {
			t.Errorf("LAB.md says %s, and the reference run has %q: go test ./cmd/lab -run TestFigures -update", m[0], is)
		}
		text = bytes.ReplaceAll(text, []byte(m[0]), []byte(strings.Replace(m[0], m[1], is, 1)))
	}
	if *update {
		if err := os.WriteFile(filepath.Join(top, "LAB.md"), text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
