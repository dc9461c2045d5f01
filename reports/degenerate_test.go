package reports

import (
	"bytes"
	"io"
	"math"
	"slices"
	"strings"
	"testing"

	"lab/bench/results"
	"lab/reports/page"
)

// exercise makes all that can be made of a run.
func exercise(t testing.TB, run *results.Run) map[string]string {
	t.Helper()
	files, err := Files(run)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, f := range files {
		out[f.Name] = string(f.Data)
	}
	var b bytes.Buffer
	if err := Terminal(&b, run, page.Options{}); err != nil {
		t.Fatal(err)
	}
	out["terminal"] = b.String()
	return out
}

// whole keeps the synthetic run's first so many trials of each cell.
func whole(trials int, change func(*results.Line)) *results.Run {
	run := synthetic(12)
	seen := map[string]map[int]bool{}
	var lines []results.Line
	for _, l := range run.Lines {
		if l.Warmup {
			continue
		}
		if seen[l.Env] == nil {
			seen[l.Env] = map[int]bool{}
		}
		if !seen[l.Env][l.Trial] && len(seen[l.Env]) == trials {
			continue
		}
		seen[l.Env][l.Trial] = true
		if change != nil {
			change(&l)
		}
		lines = append(lines, l)
	}
	run.Lines = lines
	return run
}

func TestDegenerateRuns(t *testing.T) {
	set := func(v float64) func(*results.Line) {
		return func(l *results.Line) {
			if l.Value != nil {
				l.Value = &v
			}
		}
	}
	for name, c := range map[string]struct {
		run  *results.Run
		want []string // somewhere in report.md or tables.md
	}{
		"nothing at all": {&results.Run{}, []string{"Nothing was measured"}},
		"no trials":      {whole(0, nil), []string{"has no trials", "not run: the program docker"}},
		"one trial":      {whole(1, nil), []string{"too few trials for an interval", "1 trial can't tell: 6 would"}},
		"five trials":    {whole(5, nil), []string{"too few trials for an interval"}},
		"all zero":       {whole(12, set(0)), []string{"0 ms"}},
		"all negative":   {whole(12, set(-1)), nil},
		"all equal":      {whole(12, set(2)), []string{"no difference from host was found"}},
		"enormous":       {whole(12, set(math.MaxFloat64)), nil},
		"minute":         {whole(12, set(math.SmallestNonzeroFloat64)), nil},
		"all but equal":  {whole(12, func(l *results.Line) { v := 1e9 + float64(l.Trial)*1e-7; l.Value = &v }), nil},
		"all failed":     {whole(12, func(l *results.Line) { l.Value, l.Err = nil, "it broke\nin two | ways" }), []string{`it broke in two \| ways`, "12 of 12 trials failed"}},
		"all warm-ups":   {whole(12, func(l *results.Line) { l.Warmup = true }), nil},
		"one row, no trial yet": {func() *results.Run {
			r := whole(12, func(l *results.Line) { l.Warmup = true })
			r.Manifest.Cells = r.Manifest.Cells[:1]
			r.Lines = slices.DeleteFunc(r.Lines, func(l results.Line) bool { return l.Env != "host" })
			return r
		}(), []string{"Nothing was measured"}},
		"all disturbed":   {whole(12, func(l *results.Line) { l.Taint = []string{"load"} }), []string{"This machine wasn't quiet"}},
		"no cells listed": {func() *results.Run { r := synthetic(12); r.Manifest.Cells = nil; return r }(), []string{"container net=bridge"}},
		"no metrics listed": {func() *results.Run { r := synthetic(12); r.Manifest.Metrics = nil; return r }(),
			[]string{"## Ready"}},
		"no host": {func() *results.Run {
			r := synthetic(12)
			r.Lines = nil
			for _, l := range synthetic(12).Lines {
				if l.Env != "host" {
					r.Lines = append(r.Lines, l)
				}
			}
			return r
		}(), []string{"no value of host"}},
		"interrupted": {func() *results.Run { r := whole(3, nil); r.Manifest.Outcome = "interrupted"; return r }(),
			[]string{"This run was interrupted: it has 12 of 42 planned trials"}},
		"killed": {func() *results.Run { r := whole(3, nil); r.Manifest.Outcome = ""; r.Dropped = 1; return r }(),
			[]string{"This run has no end", "1 trial was cut off while it was written"}},
		"odd figures": {func() *results.Run {
			r := synthetic(12)
			r.Manifest.Figures = []results.Figure{{Name: "../../x", Kind: "distribution", Metrics: []string{"ready"}},
				{Name: "pie", Kind: "pie"}, {Name: "none", Kind: "phases"}, {Name: "other", Kind: "distribution", Metrics: []string{"speed"}}}
			return r
		}(), []string{"isn't a file name", `doesn't know the kind “pie”`, "nothing was measured that it could show"}},
	} {
		t.Run(name, func(t *testing.T) {
			files := exercise(t, c.run)
			for _, want := range c.want {
				if !strings.Contains(files["report.md"]+files["tables.md"], want) {
					t.Errorf("report.md lacks %q:\n%s", want, files["report.md"])
				}
			}
			for name := range files {
				if strings.Contains(name, "..") {
					t.Errorf("a file outside of the folder: %s", name)
				}
			}
		})
	}
}

// A full disk or a closed pipe is an error, not a silence.
func TestTerminalReportsWriteErrors(t *testing.T) {
	r, w := io.Pipe()
	r.Close()
	if err := Terminal(w, synthetic(12), page.Options{}); err == nil {
		t.Error("no error from a closed pipe")
	}
}
