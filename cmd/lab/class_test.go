package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"lab/bench/results"
	"lab/reports"
	"lab/reports/analysis"
)

// student writes one made-up folder of a class: the synthetic run, as it might have
// been on that student's machine, which is one of five kinds, with that student's guess.
func student(t testing.TB, run results.Run, dir string, i int) {
	t.Helper()
	run.Manifest.ID = fmt.Sprintf("c1a55%011d", i)
	k := &run.Machine
	k.ID, k.CPU = fmt.Sprintf("student%02d", i), fmt.Sprintf("Made-up CPU %d", i%5)
	k.Virtual, k.Emulated, k.Acceleration.Use = i%5 >= 2, i%5 == 4, []string{"kvm", "tcg", "kvm", "tcg", "tcg"}[i%5]
	run.Manifest.Cells = append([]results.Cell(nil), run.Manifest.Cells...)
	for j := range run.Manifest.Cells {
		if c := &run.Manifest.Cells[j]; c.Env == "vm" {
			c.Settings = map[string]string{"accel": k.Acceleration.Use}
		}
	}
	factor := 1 + float64(i%7)/10
	lines := append([]results.Line(nil), run.Lines...)
	for j := range lines {
		lines[j].ID = run.Manifest.ID
		lines[j].At += float64(i) / 1000
		if v := lines[j].Value; v != nil {
			x := *v * factor
			lines[j].Value = &x
		}
	}
	run.Lines = lines
	g := &results.Guess{Format: results.Format, Scenario: "startup", Metric: "ready", Base: "host", At: run.Manifest.Started.Add(-time.Hour),
		Ratios: map[string]float64{"chroot": 1.1, "container": float64(1 + i%10), "vm": 100}, Worst: []string{"vm", "container"}[i%2]}
	g.Seal()
	if i%6 != 5 { // some forgot
		run.Manifest.Guess = g.Recorded()
	}
	f, err := results.Create(dir, -1, -1, func(w *results.Writer) error {
		if err := w.Machine(&run.Machine); err != nil {
			return err
		}
		if run.Manifest.Guess != nil {
			if err := w.File(results.GuessFile, g.Bytes()); err != nil {
				return err
			}
		}
		return w.Manifest(&run.Manifest)
	})
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	for _, l := range run.Lines {
		if err := enc.Encode(l); err != nil {
			t.Fatal(err)
		}
	}
	put(t, dir, results.TrialsFile, b.Bytes())
	conclude(t, dir)
}

// conclude writes a folder's summary and its digests.
func conclude(t testing.TB, dir string) {
	t.Helper()
	run, err := results.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	summary, err := reports.SummaryJSON(analysis.Of(run))
	if err != nil {
		t.Fatal(err)
	}
	put(t, dir, "summary.json", summary)
	if err := reports.WriteSums(dir, -1, -1); err != nil {
		t.Fatal(err)
	}
}

func put(t testing.TB, dir, name string, data []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
		t.Fatal(err)
	}
}

// change replaces a text in a file of a folder.
func change(t testing.TB, dir, name, from, to string) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil || !bytes.Contains(data, []byte(from)) {
		t.Fatalf("%s has no %q: %v", name, from, err)
	}
	put(t, dir, name, bytes.ReplaceAll(data, []byte(from), []byte(to)))
}

// thirty makes a class of thirty: five kinds of machines, and five folders that
// something is wrong with.
func thirty(t testing.TB) (dirs []string) {
	t.Helper()
	run, err := results.Read(filepath.Join(top, "reports", "testdata", "synthetic"))
	if err != nil {
		t.Fatal(err)
	}
	class := t.TempDir()
	for i := range 30 {
		dir := filepath.Join(class, fmt.Sprintf("student-%02d", i))
		dirs = append(dirs, dir)
		if i != 21 {
			student(t, *run, dir, i)
		}
	}
	// Two that are broken.
	if err := os.Remove(filepath.Join(dirs[7], results.ManifestFile)); err != nil {
		t.Fatal(err)
	}
	put(t, dirs[13], results.TrialsFile, []byte("{\"env\": 7\n"))
	// Two with the same trials: under another name, with its digests made anew.
	if err := os.CopyFS(dirs[21], os.DirFS(dirs[20])); err != nil {
		t.Fatal(err)
	}
	change(t, dirs[21], results.ManifestFile, "c1a5500000000020", "c1a5500000000021")
	change(t, dirs[21], results.TrialsFile, "c1a5500000000020", "c1a5500000000021")
	conclude(t, dirs[21])
	// One that was made better than it was, without its digests.
	change(t, dirs[25], results.TrialsFile, `"value":0.00`, `"value":0.000`)
	return dirs
}

// A class of thirty: one command gives the page, the grades and the names of the five;
// and says what it can't find.
func TestClass(t *testing.T) {
	dirs := thirty(t)
	out := filepath.Join(t.TempDir(), "class")
	t.Setenv("COLUMNS", "100")
	text := printed(t, append([]string{"check", "--out", out}, dirs...))
	_, look, ok := strings.Cut(text, "To be looked at")
	look, kinds, ok2 := strings.Cut(look, "Kinds of machines")
	if !ok || !ok2 {
		t.Fatal(text)
	}
	for _, want := range []string{"student-07: broken", "student-13: broken", "student-20: the same trials as student-21", "student-21: the same trials as student-20", "student-25: changed after the run"} {
		if !strings.Contains(look, want) {
			t.Errorf("nobody says %q:\n%s", want, look)
		}
	}
	if n := strings.Count(look, "student-"); n != 7 { // two of them twice
		t.Errorf("%d names:\n%s", n, look)
	}
	for _, want := range []string{"bare metal, KVM: 7 folders", "bare metal, TCG (emulated): 5 folders", "inside a virtual machine, KVM: 5 folders",
		"inside a virtual machine, TCG (emulated): 5 folders", "inside an emulated machine, TCG (emulated): 6 folders", "A consistent forgery"} {
		if !strings.Contains(kinds, want) {
			t.Errorf("nobody says %q:\n%s", want, kinds)
		}
	}
	var grades struct {
		Folders []struct {
			Dir        string
			Sound      bool
			Points, Of int
			Marks      []struct {
				Name, Reason string
				Points, Of   int
			}
		}
	}
	data, err := os.ReadFile(filepath.Join(out, "grades.json"))
	if err == nil {
		err = json.Unmarshal(data, &grades)
	}
	if err != nil || len(grades.Folders) != 30 {
		t.Fatal(err, len(grades.Folders))
	}
	for i, f := range grades.Folders {
		want := 10
		switch i {
		case 7, 13:
			want = 0
		case 20, 21:
			want = 9
		case 25:
			want = 7 // digests, and claims that its trials don't bear
		}
		if i%6 == 5 && want > 0 { // no guess
			want -= 2
		}
		if f.Points != want || f.Of != 10 || len(f.Marks) != 7 {
			t.Errorf("%s has %d of %d, want %d: %+v", f.Dir, f.Points, f.Of, want, f.Marks)
		}
		for _, m := range f.Marks {
			if m.Reason == "" {
				t.Errorf("%s: no reason for %s", f.Dir, m.Name)
			}
		}
		if sound := want >= 8 && i != 20 && i != 21; f.Sound != sound {
			t.Errorf("%s: sound %v", f.Dir, f.Sound)
		}
	}
	page, err := os.ReadFile(filepath.Join(out, "class.html"))
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(page), `<article class="run"`); n != 27 {
		t.Errorf("the page has %d runs", n)
	}
	for _, want := range []string{"student-25", "Guesses and results", "named the environment that came off worst", "Changed after the run"} {
		if !strings.Contains(string(page), want) {
			t.Errorf("the page doesn't say %q", want)
		}
	}
	if len(page) > 2<<20 {
		t.Errorf("the page has %d bytes", len(page))
	}
	if dir := os.Getenv("LAB_KEEP"); dir != "" {
		os.CopyFS(dir, os.DirFS(out))
		t.Log(text)
	}
}
