package reports

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"lab/bench/results"
	"lab/reports/analysis"
	"lab/reports/html"
	"lab/reports/msg"
	"lab/reports/page"
	"lab/reports/plot"
)

// toy is a second language, of one file: each message is its arguments between
// dots.
func toy(t *testing.T) *msg.Language {
	t.Helper()
	en, err := os.ReadFile(filepath.Join("msg", "en.txt"))
	if err != nil {
		t.Fatal(err)
	}
	argument := regexp.MustCompile(`\{[a-z-]+`)
	var file strings.Builder
	for line := range strings.Lines(string(en)) {
		if id, words, ok := strings.Cut(line, ": "); ok && line[0] != '#' {
			file.WriteString(id + ": ·")
			for _, a := range argument.FindAllString(words, -1) {
				file.WriteString(a + "}·")
			}
			file.WriteByte('\n')
		}
	}
	l, err := msg.Parse("toy", file.String())
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// Another language is another file: no word of any page, plot or table comes from
// elsewhere than that, the results, or a few names of files and programs.
func TestAnotherLanguage(t *testing.T) {
	l := toy(t)
	run := *stored(t)
	run.Manifest.Figures = append(slices.Clone(run.Manifest.Figures),
		results.Figure{Name: "panels", Title: "Panels", Kind: "panels", Metrics: []string{"ready", "gone"}, Log: true},
		results.Figure{Name: "ratios", Title: "Ratios", Kind: "ratios", Metrics: []string{"ready", "gone"}},
		results.Figure{Name: "pie", Title: "Pie", Kind: "pie"})
	run.Manifest.Asked = &results.Asked{Precision: 0.1, MaxTime: 7, Strict: true}
	a := analysis.Of(&run)
	again := changed(12, "container", 1.5, func(r *results.Run) { r.Manifest.Seed++; r.Machine.CPUs++ })
	r, err := analysis.Reproduce(&run, again)
	if err != nil {
		t.Fatal(err)
	}
	by, err := analysis.CompareBy(&run, "env", "host", "container")
	if err != nil {
		t.Fatal(err)
	}
	several := across(t, class())
	plots, err := plot.Draw(a, l)
	if err != nil {
		t.Fatal(err)
	}
	more, err := plot.Machines(several, l)
	if err != nil {
		t.Fatal(err)
	}
	texts := map[string]string{}
	for _, f := range append(plots, more...) {
		if strings.HasSuffix(f.Name, ".svg") {
			texts[f.Name] = strings.Join(words(t, string(f.Data)), "\n")
		}
	}
	for name, p := range map[string]*page.Page{
		"report.md": report(a), "tables.md": tables(a), "machine.md": machinePage(a), "methods.md": methods(a), ArtifactFile: artifact(a), "brief": brief(a),
		"contrast": Contrast(by), "reproduction": Reproduction(r), "machines.md": machinesReport(several, more), "machines": Machines(several),
		"calibration": Calibration([][]string{{"host", "host", "1", "2", "no"}}),
	} {
		texts[name] = string(p.Markdown(l))
		var b bytes.Buffer
		if err := p.Terminal(&b, page.Options{Width: 200, Language: l}); err != nil {
			t.Fatal(err)
		}
		texts[name+", terminal"] = b.String()
		texts[name+", HTML"] = regexp.MustCompile(`<[^>]*>|&[#0-9a-z]+;`).ReplaceAllString(string(p.HTML(l)), " ")
	}
	whole, err := html.Render(&html.Page{Language: l, Runs: []*html.Run{htmlRun(a, "one", l)}})
	if err != nil {
		t.Fatal(err)
	}
	texts["report.html"] = regexp.MustCompile(`(?s)<(style|script)[^>]*>.*?</(style|script)>|<[^>]*>|&[#0-9a-z]+;`).ReplaceAllString(string(whole), " ")

	word := regexp.MustCompile(`[A-Za-z]{2,}`)
	known := map[string]bool{}
	learn := func(x any) {
		data, err := json.Marshal(x)
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range word.FindAllString(string(data), -1) {
			known[strings.ToLower(w)] = true
		}
	}
	for _, c := range run.Manifest.Cells {
		learn(run.Manifest.Environment(c.Env)) // what an early folder doesn't hold
	}
	learn([]any{again.Dir, run.Manifest, run.Machine, run.Lines, again.Manifest, again.Machine})
	for _, k := range several.Machines {
		for _, a := range k.Runs {
			learn([]any{a.Run.Manifest, a.Run.Machine, a.Run.Lines, a.Run.Dir})
		}
	}
	learn(strings.Fields("lab sudo analysis ipynb reproduce report check cmp cp DIR SHA256SUMS before sha256sum md csv jsonl json txt html plots png svg pdf manifest machine trials summary tables methods machines analysis ipynb" +
		" GiB MiB KiB ms ns min UTC TCG synthetic original again testdata seed MB kB GB whole and as it was written also computes draws all from what measured the same gives bytes repeat with a verdict for each statement"))
	for name, text := range texts {
		for _, w := range word.FindAllString(text, -1) {
			if !known[strings.ToLower(w)] {
				t.Errorf("%s says %q, which is in no language's file", name, w)
			}
		}
		if !strings.Contains(text, "·") {
			t.Errorf("%s isn't in the other language", name)
		}
	}
}
