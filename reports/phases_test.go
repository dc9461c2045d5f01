package reports

import (
	"strings"
	"testing"

	"lab/bench/results"
	"lab/reports/analysis"
	"lab/reports/msg"
	"lab/reports/plot"
)

// Nothing is cut off in the picture of parts: a long name is wrapped, and what has no
// room in a bar is said below it.
func TestPhasesCutNothing(t *testing.T) {
	variant := map[string]string{"net": "bridge", "firmware": "seabios", "pagecache": "cold", "machine": "microvm", "start": "restored", "kernel": "full"}
	run := whole(12, func(l *results.Line) {
		if l.Env == "container" {
			l.Variant = variant
		}
		// Now this part takes long and now that, so that the medians add up to little.
		if l.Env == "host" && l.PartOf != "" {
			v := 1e-6
			if l.Seq%3 == l.Trial%3 {
				v = 200e-6
			}
			l.Value = &v
		}
	})
	for i, c := range run.Manifest.Cells {
		if c.Env == "container" {
			run.Manifest.Cells[i].Variant = variant
		}
	}
	files, err := plot.Draw(analysis.Of(run), msg.English())
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if f.Name != "plots/phases.svg" {
			continue
		}
		text := strings.Join(words(t, string(f.Data)), " ")
		if strings.Contains(text, "…") {
			t.Error("something is cut off")
		}
		for _, want := range []string{"firmware=seabios", "start=restored", "in no part's median: "} {
			if !strings.Contains(text, want) {
				t.Errorf("no %q in %s", want, text)
			}
		}
		return
	}
	t.Error("no picture")
}
