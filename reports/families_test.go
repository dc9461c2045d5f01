package reports

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"lab/bench/results"
	"lab/reports/analysis"
	"lab/reports/page"
)

// manyRows is a run of rows of one metric each way, n trials a row, whose values f
// gives; the first row is host's.
func manyRows(rows, metrics, n int, f func(row, metric int) float64) *results.Run {
	run := &results.Run{Dir: "made up", Manifest: results.Manifest{Scenario: "disk", Seed: 7, Outcome: "complete"}}
	for m := range metrics {
		run.Manifest.Metrics = append(run.Manifest.Metrics, results.Metric{Name: fmt.Sprint("m", m), Title: fmt.Sprint("Metric ", m), Unit: "s", Better: "lower"})
	}
	for r := range rows {
		c := results.Cell{Env: "container", Variant: map[string]string{"row": strconv.Itoa(r)}, N: 1, Trials: n}
		if r == 0 {
			c.Env, c.Variant = "host", nil
		}
		run.Manifest.Cells = append(run.Manifest.Cells, c)
		for b := range n {
			for m, x := range run.Manifest.Metrics {
				v := f(r, m)
				run.Lines = append(run.Lines, results.Line{Env: c.Env, Variant: c.Variant, N: 1, Block: b, Trial: b, Metric: x.Name, Value: &v, Unit: x.Unit, Better: x.Better, Last: m == metrics-1})
			}
		}
	}
	return run
}

// A first look with 93 comparisons of six trials each finds what is a hundred times
// as long, in the report and in compare alike; nothing that is printed contradicts
// the verdict beside it; and where there is nothing, at most 5 of 100 metrics show
// something.
func TestQuickFindsWhatIsThere(t *testing.T) {
	const rows, metrics = 5, 24
	rng := rand.New(rand.NewPCG(8, 9))
	noise := func(_, _ int) float64 { return 1e-3 * (1 + 0.3*rng.ExpFloat64()) }
	huge := manyRows(rows, metrics, 6, func(r, m int) float64 { return noise(r, m) * (1 + 131*float64(r)) })
	a := analysis.Of(huge)
	for _, p := range a.Pairs {
		k := a.Versus(p.Row, p.To, p.Metric)
		if !k.Differs() || k.Family != rows-1 {
			t.Fatalf("%s, %s: %.3g times, and not found: %+v", p.Row.Name, p.Metric, k.Ratio.Point, k)
		}
	}
	if len(a.Pairs) != (rows-1)*metrics {
		t.Errorf("%d comparisons", len(a.Pairs))
	}
	// The same rows of the same folder, by compare: the same intervals, the same words.
	c, err := analysis.CompareBy(huge, "row", "1", "2")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range c.Rows {
		if r.Verdict != analysis.Slower || r.Family != rows-1 {
			t.Errorf("compare: %s is %s, in a family of %d", r.Metric.Name, r.Verdict, r.Family)
		}
	}
	same := manyRows(rows, 200, 6, noise)
	found, b := 0, analysis.Of(same)
	for m := range b.Family {
		for _, x := range b.Cells {
			if k := x.Samples[m].Against; k != nil && k.Differs() {
				found++
				break
			}
		}
	}
	t.Logf("of 200 metrics without a difference %d show one", found)
	if found > 19 { // 10 are expected at the most
		t.Errorf("of 200 metrics without a difference %d show one", found)
	}
	text := markdown(b) + markdown(a)
	for _, m := range regexp.MustCompile(`no difference from host was found \([0-9.]+ % interval (\S+) to (\S+) `).FindAllStringSubmatch(text, -1) {
		if strings.HasPrefix(m[1], "−") == strings.HasPrefix(m[2], "−") && m[1] != "0" && m[2] != "0" {
			t.Errorf("no difference, and an interval from %s to %s", m[1], m[2])
		}
	}
}

// With --fail-if all rows are one family, and what six trials can't tell of 100 is
// said, not "no difference found".
func TestTogether(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 4))
	values := func(by float64) func(int, int) float64 {
		return func(int, int) float64 { return by * (1 + 0.1*rng.Float64()) }
	}
	x, y := manyRows(5, 20, 6, values(1)), manyRows(5, 20, 6, values(50))
	c := compareRuns(t, x, y)
	if c.Told() != 100 || c.Rows[0].Verdict != analysis.Slower || c.Rows[0].Family != 5 {
		t.Errorf("%d told, the first %s of %d", c.Told(), c.Rows[0].Verdict, c.Rows[0].Family)
	}
	c.Together()
	if r := c.Rows[0]; c.Told() != 0 || r.Verdict != analysis.TooFewTrials || !strings.Contains(english(r.Reason), "6 trials can't tell: 8 would") {
		t.Errorf("together: %d told, %s: %s", c.Told(), r.Verdict, r.Reason)
	}
	var b bytes.Buffer
	if err := Contrast(c).Terminal(&b, page.Options{Width: 80}); err != nil || !strings.Contains(b.String(), "8 would") || strings.Contains(b.String(), analysis.NoDifference) {
		t.Errorf("%s (%v)", b.String(), err)
	}
	c = compareRuns(t, manyRows(5, 20, 8, values(1)), manyRows(5, 20, 8, values(50)))
	if c.Together(); c.Told() != 100 || c.Rows[99].Verdict != analysis.Slower {
		t.Errorf("eight trials: %d told, %s", c.Told(), c.Rows[99].Verdict)
	}
}

// Rows of one environment are compared with the first; a run with a host isn't
// touched by that.
func TestFirstRowIsBase(t *testing.T) {
	run := manyRows(4, 1, 8, func(r, _ int) float64 { return float64(1+r) * 1e-3 })
	kept := run.Lines[:0]
	for _, l := range run.Lines {
		if l.Env != "host" {
			kept = append(kept, l)
		}
	}
	run.Lines, run.Manifest.Cells = kept, run.Manifest.Cells[1:]
	text := markdown(analysis.Of(run))
	for _, want := range []string{"time added to the first row (ms)", "ratio to the first row", "1.00 ms more than container row=1", "| container row=1 | 8 | 2.00 | 2.00 to 2.00 | baseline |"} {
		if !strings.Contains(text, want) {
			t.Errorf("lacks %q:\n%s", want, text)
		}
	}
	if strings.Contains(text, "no value of host") {
		t.Error("somebody misses the host")
	}
	// Two rows of the host alone, too.
	for i := range run.Lines {
		run.Lines[i].Env = "host"
	}
	for i := range run.Manifest.Cells {
		run.Manifest.Cells[i].Env = "host"
	}
	if text = markdown(analysis.Of(run)); !strings.Contains(text, "1.00 ms more than host row=1") {
		t.Errorf("of the host alone:\n%s", text)
	}
}

// Two humps change the sentence and the verdict's caveat, and no plot draws one
// diamond for them.
func TestTwoGroupsAreSaid(t *testing.T) {
	at := 0
	run := manyRows(2, 1, 20, func(r, _ int) float64 {
		at++
		if r == 0 && at%5 < 3 {
			return 62e-6 + float64(at)*1e-8
		}
		return 14e-6 + float64(at)*1e-8
	})
	run.Manifest.Figures = []results.Figure{{Name: "d", Title: "D", Kind: "distribution", Metrics: []string{"m0"}}, {Name: "p", Title: "P", Kind: "panels", Metrics: []string{"m0"}}}
	run.Manifest.Findings = []results.Finding{{Name: "f", Statement: "As fast.", Metric: "m0", Of: "container", To: "host", Compare: "ratio", Op: "below", Threshold: 0.9, Reason: "r"}}
	a := analysis.Of(run)
	text := markdown(a)
	for _, want := range []string{"in two groups, around 14.1 µs (8 trials) and 62.1 µs (12 trials); their common median,", "describes neither",
		"(of medians: the trials of host come in two groups, which one median describes badly)"} {
		if !strings.Contains(text, want) {
			t.Errorf("lacks %q:\n%s", want, text)
		}
	}
	if v := a.Verdicts[0]; !strings.Contains(english(v.Caveat), "the trials of host come in two groups") {
		t.Errorf("caveat %q", v.Caveat)
	}
	files := exercise(t, run)
	for _, name := range []string{"plots/d.svg", "plots/p.svg"} {
		if all := strings.Join(words(t, files[name]), "\n"); !strings.Contains(all, "one of two groups") {
			t.Errorf("%s: no hollow diamonds:\n%s", name, all)
		}
	}
	if c, err := analysis.CompareBy(run, "env", "host", "container"); err != nil || !strings.Contains(notes(c.Notes), "host, m0: the trials of host come in two groups") {
		t.Errorf("compare: %v, %v", c, err)
	}
	one := markdown(analysis.Of(manyRows(2, 1, 20, func(r, _ int) float64 { at++; return float64(at) })))
	if strings.Contains(one, "two groups") {
		t.Error("one hump is called two")
	}
}

// partsApart has rows whose parts' medians add up to less than the whole's: each part is
// long in a third of the trials.
func partsApart(rows int) *results.Run {
	run := manyRows(rows, 1, 9, func(int, int) float64 { return 7.32e-3 })
	var lines []results.Line
	for i, l := range run.Lines {
		lines = append(lines, l)
		for j, name := range []string{"a", "b", "c"} {
			v := 1.2e-3
			if i%3 == j {
				v = 4.92e-3
			}
			p := l
			p.Metric, p.PartOf, p.Seq, p.Value = name, "m0", j, &v
			lines = append(lines, p)
		}
	}
	run.Lines = lines
	run.Manifest.Figures = []results.Figure{{Name: "phases", Title: "P", Kind: "phases", Metrics: []string{"m0"}}}
	return run
}

// A reader who divides a part's time by the whole gets the share that is printed.
func TestSharesAreOfTheWhole(t *testing.T) {
	run := partsApart(1)
	a := analysis.Of(run)
	b := a.Breakdown(a.Cells[0], "m0")
	for _, p := range b.Parts {
		if got := p.Share * b.Whole; got != p.Median {
			t.Errorf("%s: %v of %v is %v", p.Name, p.Share, b.Whole, p.Median)
		}
	}
	if !b.Apart() {
		t.Fatalf("the parts' medians add up: %v of %v", b.Sum, b.Whole)
	}
	text := markdown(a)
	if !strings.Contains(text, "| a | 1.20 | 16 % |") || !strings.Contains(text, "| the medians' sum | 3.60 | 49 % |") {
		t.Errorf("shares:\n%s", text)
	}
	if svg := strings.Join(words(t, exercise(t, run)["plots/phases.svg"]), "\n"); !strings.Contains(svg, "in no part's median: 51 %") {
		t.Errorf("the bar has no rest:\n%s", svg)
	}
}

// Of many rows whose parts don't add up one line tells, and no row's name is in it.
func TestManyPartsAreSaidOnce(t *testing.T) {
	run := partsApart(5)
	text := markdown(analysis.Of(run))
	if !strings.Contains(text, "- 5 rows: the medians of their parts add up to between 49 % and 49 % of the median of the whole") {
		t.Errorf("doubts:\n%s", text)
	}
	if strings.Contains(text, "of its parts add up") {
		t.Error("a line for each row")
	}
}

// What people read of a run's commands can be typed, and names no list that isn't
// there.
func TestRepeatWithRoot(t *testing.T) {
	run := synthetic(12)
	files := exercise(t, run)
	if !strings.Contains(files["report.md"], "```\nsudo lab run startup") {
		t.Error("how to repeat it lacks sudo")
	}
	for name, data := range files {
		if strings.HasSuffix(name, ".md") || strings.HasSuffix(name, ".svg") {
			if strings.Contains(data, "(claim ") || strings.Contains(data, "compared with nothing") || !utf8.ValidString(data) {
				t.Errorf("%s names a claim's number, says “compared with nothing”, or cuts a character", name)
			}
		}
	}
}
