package reports

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"lab/bench/results"
	"lab/reports/analysis"
	"lab/reports/msg"
	"lab/reports/page"
)

var update = flag.Bool("update", false, "write testdata anew: the synthetic results folder, and what is expected of it")

// golden compares with a file in testdata, and leaves what it got beside it.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	name = filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(name, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatalf("%v (go test ./reports -update writes it)", err)
	}
	if bytes.Equal(got, want) {
		os.Remove(name + ".got")
		return
	}
	if err := os.WriteFile(name+".got", got, 0o644); err != nil {
		t.Fatal(err)
	}
	t.Errorf("%s differs: diff %s %s.got; if it should, go test ./reports -update", name, name, name)
}

// english is a message, or a text, in English.
func english(x any) string { return msg.English().Text(x) }

// markdown is report.md and tables.md.
func markdown(a *analysis.Analysis) string {
	return string(report(a).Markdown(msg.English())) + string(tables(a).Markdown(msg.English()))
}

// width is the longest line's, in characters.
func width(s string) int {
	w := 0
	for l := range strings.Lines(s) {
		w = max(w, utf8.RuneCountInString(strings.TrimRight(l, "\n")))
	}
	return w
}

// stored reads the synthetic results folder in testdata.
func stored(t testing.TB) *results.Run {
	t.Helper()
	dir := filepath.Join("testdata", "synthetic")
	if *update {
		return folder(t, synthetic(12), dir)
	}
	run, err := results.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	return run
}

func TestGolden(t *testing.T) {
	files, err := Files(stored(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if !strings.HasPrefix(f.Name, "plots/") && f.Name != "report.html" { // see htmlpage_test.go
			golden(t, f.Name, f.Data)
		}
	}
}

func TestTerminalGolden(t *testing.T) {
	run := stored(t)
	for name, o := range map[string]page.Options{
		"terminal-160.txt":   {Width: 160},
		"terminal-80.txt":    {Width: 80},
		"terminal-color.txt": {Width: 160, Color: true},
	} {
		var b bytes.Buffer
		if err := Terminal(&b, run, o); err != nil {
			t.Fatal(err)
		}
		golden(t, name, b.Bytes())
		if !o.Color && strings.Contains(b.String(), "\x1b") {
			t.Errorf("%s: an escape sequence without colours", name)
		}
		for l := range strings.Lines(b.String()) {
			if n := width(l); n > o.Width && !o.Color {
				t.Errorf("%s: a line of %d columns: %s", name, n, l)
			}
		}
	}
}

// Summarize computes a run's summary.
func Summarize(run *results.Run) Summary { return summarize(analysis.Of(run)) }

// Write reads the results folder dir and writes its report beside what is
// there: report.md, report.html, plots/, trials.csv, bench.txt, summary.json, methods.md,
// table.tex, ARTIFACT.md, and SHA256SUMS over all of the folder. Earlier ones
// are replaced, each at once or not at all. What it makes belongs to uid and
// gid; -1 leaves them as they are.
func Write(dir string, uid, gid int) error {
	run, err := results.Read(dir)
	if err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return WriteRun(run, dir, uid, gid)
}
