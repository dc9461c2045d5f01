package reports

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"lab/reports/analysis"
)

// Any file that is changed, taken away or added is named.
func TestCheckSums(t *testing.T) {
	dir := t.TempDir()
	folder(t, synthetic(6), dir)
	if _, err := CheckSums(dir); err == nil || !strings.Contains(err.Error(), "lab report writes it") {
		t.Errorf("without sums: %v", err)
	}
	if err := Write(dir, -1, -1); err != nil {
		t.Fatal(err)
	}
	if wrong, err := CheckSums(dir); err != nil || wrong != nil {
		t.Fatalf("fresh: %v, %v", wrong, err)
	}
	data, err := os.ReadFile(filepath.Join(dir, SumsFile))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"manifest.json", "machine.json", "trials.jsonl", "report.md", "plots/ready.png"} {
		if !strings.Contains(string(data), "  "+name+"\n") {
			t.Errorf("%s isn't listed", name)
		}
	}
	if path, err := exec.LookPath("sha256sum"); err == nil {
		cmd := exec.Command(path, "--check", "--strict", "--quiet", SumsFile)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("sha256sum: %v\n%s", err, out)
		}
	}
	os.WriteFile(filepath.Join(dir, "extra"), nil, 0o644)
	os.Remove(filepath.Join(dir, "table.tex"))
	trials := filepath.Join(dir, "trials.jsonl")
	text, _ := os.ReadFile(trials)
	os.WriteFile(trials, bytes.Replace(text, []byte(`"value":`), []byte(`"value":1`), 1), 0o644)
	run, err := Read(dir)
	if err != nil || !slices.Equal(run.Changed, []string{"trials.jsonl"}) {
		t.Fatalf("%v, %v", run, err)
	}
	if err := Redraw(run); err != nil { // which makes table.tex again
		t.Fatal(err)
	}
	wrong, err := CheckSums(dir)
	if want := "extra: was added\n     trials.jsonl: isn't what was written"; err != nil || Lines(wrong) != want {
		t.Errorf("%q, %v; want %q", wrong, err, want)
	}
}

func FuzzParseSums(f *testing.F) {
	f.Add(strings.Repeat("a1", 32) + "  manifest.json\n")
	f.Add("\n")
	f.Fuzz(func(t *testing.T, s string) {
		got, err := parseSums([]byte(s))
		if err == nil && len(got) != strings.Count(strings.TrimSuffix(s, "\n")+"\n", "\n") && s != "" {
			t.Errorf("%d sums in %q", len(got), s)
		}
	})
}

// Whatever a label or a reason holds, a table stays one: braces balance, and
// nothing is left that LaTeX would take for its own.
func TestLatexEscapes(t *testing.T) {
	nasty := `50%_{x} $&# ~^\input{/etc/passwd} µ×−±“”→…`
	run := synthetic(12)
	run.Manifest.Metrics[0].Title = nasty
	run.Manifest.Cells[0].Variant = map[string]string{"net": nasty}
	for i, l := range run.Lines {
		if l.Env == "host" {
			run.Lines[i].Variant = run.Manifest.Cells[0].Variant
		}
	}
	text := string(latex(analysis.Of(run)))
	if strings.Contains(text, `\input`) || strings.Count(text, `\textbackslash{}input\{`) == 0 {
		t.Error("a command came through")
	}
	depth := 0
	for i, r := range text {
		escaped := i > 0 && text[i-1] == '\\'
		switch {
		case r == '{' && !escaped:
			depth++
		case r == '}' && !escaped:
			depth--
		case r > 126:
			t.Fatalf("%q is no ASCII", r)
		}
		if depth < 0 {
			t.Fatal("a brace too many")
		}
	}
	if depth != 0 {
		t.Errorf("%d braces are left open", depth)
	}
}
