package reports

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"lab/bench/results"
	"lab/bench/stats"
	"lab/reports/analysis"
	"lab/reports/msg"
)

// pairedRun makes up a run of pairs in so many sessions: a machine that is up to twice as
// slow from one pair to the next, a row that takes 2 % longer than its partner, and one
// that takes as long.
func pairedRun(t *testing.T, sessions, pairs int) *results.Run {
	t.Helper()
	base := synthetic(6)
	m := base.Manifest
	m.Scenario, m.Outcome, m.Findings, m.Figures = "toy", "complete", nil, nil
	m.Paired = &results.Paired{CPUs: []string{"0", "1"}, SameCore: true}
	m.Layout = &results.Layout{Env: 4095, Argv: 63}
	m.Asked = &results.Asked{Paired: true, Sessions: sessions, Precision: 0.01, MaxTime: 60e9}
	m.Metrics = []results.Metric{{Name: "long", Title: "Length", Unit: "s", Better: "lower"}}
	m.Cells = nil
	for _, env := range []string{"host", "chroot", "container"} {
		c := results.Cell{Env: env, Variant: map[string]string{}, Settings: map[string]string{}, N: 1, Trials: pairs}
		if env != "host" {
			c.With = "host"
		}
		m.Cells = append(m.Cells, c)
	}
	results.Together(m.Cells)
	m.Findings = []results.Finding{{Name: "near", Statement: "It is near.", Metric: "long", Of: "container", To: "host", Compare: "ratio", Op: "within", Threshold: 0.05, Reason: "a twentieth"}}
	rng := rand.New(rand.NewPCG(3, 4))
	run := &results.Run{Manifest: m, Machine: base.Machine}
	trial := 0
	for s := range sessions {
		drift := 0.01 * rng.NormFloat64()
		for b := range pairs {
			for i, env := range []string{"chroot", "container"} {
				machine := 1 + rng.Float64()
				for k, x := range []struct {
					env string
					by  float64
				}{{env, []float64{1, 1.02 * math.Exp(drift)}[i]}, {"host", 1}} {
					v := 0.1 * machine * x.by * (1 + 0.002*rng.NormFloat64())
					run.Lines = append(run.Lines, results.Line{ID: m.ID, Scenario: "toy", Env: x.env, Variant: map[string]string{}, N: 1, Session: s + 1,
						Block: s*pairs + b, Pos: 2*i + k, Trial: trial + k, Pair: trial + 1, CPUs: []string{"0", "1"}[(k+b)%2], EnvPad: rng.IntN(4096), ArgvPad: rng.IntN(64),
						Metric: "long", Value: &v, Unit: "s", Better: "lower", Samples: 1, Taint: []string{}, At: float64(trial/2) * 0.3, Last: true})
				}
				trial += 2
			}
		}
	}
	run.Manifest.Ended = run.Manifest.Started.Add(time.Duration(float64(trial/2)*0.3*1e9) + time.Duration(sessions)*3*time.Second)
	return folder(t, run, t.TempDir())
}

// A run of pairs is compared pair by pair in every place, and says so: 2 % are found on a
// machine whose noise is fifty times as large, and what is the same is not.
func TestPairsShown(t *testing.T) {
	run := pairedRun(t, 1, 60)
	a := analysis.Of(run)
	for _, c := range a.Cells {
		switch s := c.Samples["long"]; c.Env {
		case "host":
			if !c.IsBase || c.Base != nil || len(s.Values) != 120 {
				t.Errorf("host: %d values, base %v", len(s.Values), c.IsBase)
			}
		default:
			k := s.Against
			if k == nil || k.Ratio == nil || k.Difference.Method != stats.SignedRank || k.Ratio.N != 60 || k.Family != 2 {
				t.Fatalf("%s: %+v", c.Env, k)
			}
			if c.Env == "container" && (!k.Differs() || math.Abs(k.Ratio.Point-1.02) > 0.02 || k.P > 0.001) || c.Env == "chroot" && k.Differs() {
				t.Errorf("%s: %+v, ratio %+v", c.Env, k, *k.Ratio)
			}
			if unpaired, _ := stats.Compare(s.Values, a.Cells[0].Samples["long"].Values, 2); unpaired.Differs() {
				t.Errorf("%s: the difference is seen without pairs, so this test shows nothing", c.Env)
			}
		}
	}
	if v := a.Verdicts; len(v) != 1 || v[0].Outcome != analysis.Holds {
		t.Errorf("%+v", v)
	}
	page, how := markdown(a), string(methods(a).Markdown(msg.English()))
	for _, x := range []struct{ in, want string }{
		{page, "Made in pairs (--paired): each trial ran at the same time"}, {page, "container and host, in 60 pairs: Cliff's delta within pairs"},
		{how, "each pinned to its own of the processors 0 + 1"}, {how, "threads of one core"}, {how, "Wilcoxon's signed-rank test"}, {how, "half of each ratio's interval was within 1.0 %"},
		{how, "longer by 0 to 4095 bytes"}, {how, "their arguments up to 63, which didn't move length in any of the 3 rows"},
		{how, "2 comparisons, of which 2 could tell a difference and 1 did"},
	} {
		if !strings.Contains(x.in, x.want) {
			t.Errorf("no %q", x.want)
		}
	}
	// lab compare --by takes the same pairs.
	c, err := analysis.CompareBy(run, "env", "host", "container")
	if err != nil || len(c.Rows) != 1 || !c.Rows[0].Paired || c.Rows[0].Verdict != analysis.Slower {
		t.Errorf("%+v, %v", c, err)
	}
	if c, err = analysis.CompareBy(run, "env", "container", "host"); err != nil || !c.Rows[0].Paired || c.Rows[0].Verdict != analysis.Faster || c.Rows[0].Ratio.Point > 1 {
		t.Errorf("the other way round: %+v, %v", c, err)
	}
	// Figures of two programs at a time aren't compared with those of one.
	alone := *run
	alone.Manifest.Paired = nil
	if c, err := analysis.Compare(run, &alone); err != nil || slices.ContainsFunc(c.Rows, analysis.ContrastRow.Compared) || !strings.Contains(c.Rows[0].Reason.String(), "pairs") {
		t.Errorf("%+v, %v", c, err)
	}
	data, err := trialsCSV(a)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(strings.NewReader(string(data))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if at := slices.Index(rows[0], "pair"); at < 0 || rows[1][at] != "1" || rows[2][at] != "1" || rows[3][at] != "3" || rows[1][at+1] == rows[2][at+1] {
		t.Errorf("%q\n%q\n%q", rows[0], rows[1], rows[2])
	}
	s := summarize(a)
	if x := s.Cells[2].Metrics[0].Against; x == nil || x.Difference.Method != stats.SignedRank || x.Ratio.Value < 1 {
		t.Errorf("%+v", x)
	}
}

// A trial that moves with the size of its environment is found in the self-check.
func TestLayoutMoves(t *testing.T) {
	run := pairedRun(t, 1, 40)
	for i := range run.Lines {
		if l := &run.Lines[i]; l.Env == "chroot" {
			v := 0.1 * (1 + float64(l.EnvPad)/4096)
			l.Value = &v
		}
	}
	how := string(methods(analysis.Of(folder(t, run, t.TempDir()))).Markdown(msg.English()))
	if !strings.Contains(how, "which moved length of chroot (Kendall's tau ") || strings.Contains(how, "container (Kendall") {
		t.Error(how[strings.Index(how, "## Self-check"):])
	}
}

// A run of one configuration doesn't cover configurations, however well it ran.
func TestOneConfiguration(t *testing.T) {
	run := pairedRun(t, 1, 12)
	run.Manifest.Cells = run.Manifest.Cells[:1]
	env := run.Manifest.Cells[0].Env
	run.Lines = slices.DeleteFunc(run.Lines, func(l results.Line) bool { return l.Env != env })
	run.Manifest.Paired = nil
	how := string(methods(analysis.Of(folder(t, run, t.TempDir()))).Markdown(msg.English()))
	if !regexp.MustCompile(`Workloads and configurations covered +\| partly +\| 1 of 1 configurations ran`).MatchString(how) {
		t.Error(how[strings.Index(how, "## Self-check"):])
	}
}

// Too few pairs are said before a run.
func TestTooFewPairs(t *testing.T) {
	m := pairedRun(t, 1, 10).Manifest
	for _, x := range []struct{ trials, warn int }{{9, 1}, {10, 0}} {
		for i := range m.Cells {
			m.Cells[i].Trials = x.trials * map[bool]int{true: 1, false: 2}[m.Cells[i].With != ""]
		}
		if got := analysis.TooFew(m, 1); len(got) != x.warn || x.warn > 0 && !strings.Contains(got[0].String(), "9 trials can't tell a difference, however large: 10 would") {
			t.Errorf("%d: %v", x.trials, got)
		}
	}
}

// sessionsRun makes up a run of sessions that differ by between, and whose trials differ
// by within, as shares; a session takes 10 s to begin and a block 1 s.
func sessionsRun(t *testing.T, sessions, trials int, between, within float64, seed uint64) *results.Run {
	t.Helper()
	base := synthetic(6)
	m := base.Manifest
	m.ID, m.Scenario, m.Outcome, m.Findings, m.Figures = fmt.Sprintf("5e%014x", seed), "toy", "complete", nil, nil
	m.Metrics = []results.Metric{{Name: "long", Title: "Length", Unit: "s", Better: "lower"}}
	m.Cells = []results.Cell{{Env: "host", Variant: map[string]string{}, N: 1, Trials: trials}, {Env: "chroot", Variant: map[string]string{}, N: 1, Trials: trials}}
	rng := rand.New(rand.NewPCG(seed, 4))
	run := &results.Run{Manifest: m, Machine: base.Machine}
	n, at := 0, 0.0
	for s := range sessions {
		at += 10
		middle := []float64{0.1 * (1 + between*rng.NormFloat64()), 0.1}
		for b := range trials {
			for pos, env := range []string{"host", "chroot"} {
				v := middle[pos] * (1 + within*rng.NormFloat64())
				run.Lines = append(run.Lines, results.Line{ID: m.ID, Scenario: "toy", Env: env, Variant: map[string]string{}, N: 1, Session: s + 1, Block: s*trials + b, Pos: pos, Trial: n,
					Metric: "long", Value: &v, Unit: "s", Better: "lower", Samples: 1, Taint: []string{}, At: at, Last: true})
				n++
				at += 0.5
			}
		}
	}
	run.Manifest.Ended = run.Manifest.Started.Add(time.Duration(at * 1e9))
	return folder(t, run, t.TempDir())
}

// A plan finds the planted spreads and times again, and what it promises a run of that
// size has.
func TestPlan(t *testing.T) {
	p, err := analysis.PlanOf([]*results.Run{sessionsRun(t, 60, 20, 0.02, 0.04, 1)}, "")
	if err != nil {
		t.Fatal(err)
	}
	host, chroot := p.Rows[0], p.Rows[1]
	if p.Sessions != 60 || math.Abs(host.Between-0.02) > 0.005 || math.Abs(host.Within-0.04) > 0.003 || chroot.Between > 0.006 || math.Abs(chroot.Within-0.04) > 0.003 || host.Most < host.Between {
		t.Errorf("%+v", p.Rows)
	}
	if p.Begin == nil || math.Abs(*p.Begin-10) > 1 || math.Abs(*p.Block-1) > 0.02 {
		t.Errorf("a session begins in %v and a block takes %v", *p.Begin, *p.Block)
	}
	if want := int(math.Ceil(math.Sqrt(*p.Begin / *p.Block) * host.Within / host.Between)); host.Trials != want {
		t.Errorf("%d trials pay, want %d", host.Trials, want)
	}
	x := p.Targets[3] // ± 1 %
	if x.Half != 0.01 || x.Row != "host" || x.Sessions < 15 || x.Sessions > 40 || x.Seconds == nil || *x.Seconds != float64(x.Sessions)*(*p.Begin+float64(x.Trials)**p.Block) {
		t.Fatalf("%+v", x)
	}
	// Runs of that size have that interval, and no other plan that was tried is cheaper.
	wide := 0
	for seed := range uint64(40) {
		later, err := analysis.PlanOf([]*results.Run{sessionsRun(t, x.Sessions, max(x.Trials, 2), 0.02, 0.04, 100+seed)}, "")
		if err != nil {
			t.Fatal(err)
		}
		r := later.Rows[0]
		f := stats.Forecast{Spread: stats.Spread{Between: r.Between, Within: r.Within}}
		if f.Half(x.Sessions, x.Trials) > 0.0125 {
			wide++
		}
	}
	if wide > 8 {
		t.Errorf("%d of 40 later runs have an interval that is a quarter wider than promised", wide)
	}
	for _, g := range p.Grid {
		if g.Half <= 0.01 && *g.Seconds < *x.Seconds {
			t.Errorf("%+v is cheaper than %+v", g, x)
		}
	}
	text := string(Plan(p).Markdown(msg.English()))
	for _, want := range []string{"What the next run of toy has to be: length", "| ± 1.0 %", "From 60 sessions", "may be up to"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in %s", want, text)
		}
	}
	data, err := PlanJSON(p)
	var back struct {
		Format  int
		Rows    []analysis.PlanRow
		Targets []analysis.PlanTarget
		Unsure  []string
	}
	if err != nil || json.Unmarshal(data, &back) != nil || back.Format != 1 || len(back.Rows) != 2 || len(back.Targets) != 5 || back.Unsure == nil {
		t.Errorf("%s, %v", data, err)
	}
}

// A run of pairs is planned by its ratios, whose sessions differ by 1 % here however
// noisy the machine; several runs are sessions; and what can't be planned says why.
func TestPlanOf(t *testing.T) {
	p, err := analysis.PlanOf([]*results.Run{pairedRun(t, 30, 12)}, "long")
	if err != nil || !p.Paired || len(p.Rows) != 2 {
		t.Fatalf("%+v, %v", p, err)
	}
	if r := p.Rows[1]; r.Row != "container" || math.Abs(r.Mean-1.02) > 0.01 || math.Abs(r.Between-0.01) > 0.004 || math.Abs(r.Within-0.0028) > 0.001 {
		t.Errorf("%+v", r)
	}
	if math.Abs(*p.Block-0.6) > 0.05 || math.Abs(*p.Begin-3) > 0.5 {
		t.Errorf("block %v, session %v", *p.Block, *p.Begin)
	}
	one := sessionsRun(t, 1, 10, 0, 0.1, 1)
	for _, x := range []struct {
		name, want string
		runs       []*results.Run
	}{
		{"one run twice", "are the same run", []*results.Run{one, one}},
		{"one session", "how sessions differ can't be seen", []*results.Run{one}},
		{"other scenarios", "different scenarios", []*results.Run{one, func() *results.Run { r := *one; r.Manifest.Scenario = "other"; return &r }()}},
		{"other kernels", "different kernels", []*results.Run{one, func() *results.Run { r := *one; r.Manifest.ID, r.Machine.Kernel = "5f", "other"; return &r }()}},
		{"other applications", "different applications", []*results.Run{one, func() *results.Run {
			r := *one
			r.Manifest.ID, r.Manifest.Asked = "5f", &results.Asked{App: "redis"}
			return &r
		}()}},
		{"other machines", "different machines", []*results.Run{one, func() *results.Run { r := *one; r.Machine.ID = "other"; return &r }()}},
	} {
		if _, err := analysis.PlanOf(x.runs, ""); err == nil || !strings.Contains(err.Error(), x.want) {
			t.Errorf("%s: %v", x.name, err)
		}
	}
	var none *analysis.NoMetricError
	if _, err := analysis.PlanOf([]*results.Run{one}, "wide"); !errors.As(err, &none) || !slices.Equal(none.Known, []string{"long"}) {
		t.Error(err)
	}
	several := []*results.Run{one, sessionsRun(t, 1, 10, 0, 0.1, 2), sessionsRun(t, 1, 10, 0, 0.1, 3)}
	if p, err := analysis.PlanOf(several, ""); err != nil || p.Sessions != 3 || !strings.Contains(msg.English().Texts(p.Unsure())[0], "3 sessions are few") {
		t.Errorf("%+v, %v", p, err)
	}
}
