package reports

import (
	"bytes"
	"encoding/json"
	"fmt"

	"lab/bench/results"
	"lab/bench/stats"
	"lab/reports/analysis"
	"lab/reports/msg"
)

// Summary is summary.json: what was computed, for other programs. Values are
// in base units.
type Summary struct {
	Format   int              `json:"format"`
	ID       string           `json:"id"`
	Scenario string           `json:"scenario"`
	Outcome  string           `json:"outcome"`
	Banners  []string         `json:"banners"`
	Tests    int              `json:"tests"` // comparisons, in families by metric
	Cells    []SummaryCell    `json:"cells"`
	Slopes   []SummarySlope   `json:"slopes,omitempty"` // what one more instance costs, where a figure shows it
	Verdicts []SummaryVerdict `json:"verdicts"`
	Doubts   []string         `json:"doubts"`
}

// SummaryCell is one cell.
type SummaryCell struct {
	Label     string            `json:"label"`
	Env       string            `json:"env"`
	Variant   map[string]string `json:"variant"`
	N         int               `json:"n"`
	Emulated  bool              `json:"emulated"` // under TCG: no verdict against others
	Trials    int               `json:"trials"`   // counted ones
	Failed    int               `json:"failed"`
	Warmup    int               `json:"warmup"`
	Disturbed int               `json:"disturbed"`
	NotRun    *results.NotRun   `json:"not_run,omitempty"`
	Metrics   []SummaryMetric   `json:"metrics"`
}

// SummaryMetric is one metric of one cell. Method "range" means that Lo and Hi
// are the least and the largest value, for want of an interval.
type SummaryMetric struct {
	Metric     string          `json:"metric"`
	Unit       string          `json:"unit"`
	N          int             `json:"n"`
	Median     float64         `json:"median"`
	Lo         float64         `json:"lo"`
	Hi         float64         `json:"hi"`
	Confidence float64         `json:"confidence"`
	Method     string          `json:"method"`
	P95        *float64        `json:"p95,omitempty"` // only where the sample carries it
	Against    *SummaryAgainst `json:"against,omitempty"`
	Parts      []SummaryPart   `json:"parts,omitempty"`
	Sessions   *SummarySpread  `json:"sessions,omitempty"` // where the set was made several times
	Warnings   []string        `json:"warnings,omitempty"`
}

// SummaryAgainst compares a cell with the baseline.
type SummaryAgainst struct {
	Baseline   string         `json:"baseline"`
	Difference SummaryEnds    `json:"difference"`
	Ratio      *SummaryEnds   `json:"ratio,omitempty"`
	Family     int            `json:"family"` // comparisons that hold together with 95 %
	Confidence float64        `json:"confidence"`
	P          float64        `json:"p"` // two-sided, of this comparison alone: Mann-Whitney's, or the signed-rank test's where the method is signed ranks
	Differs    bool           `json:"differs"`
	Effect     *SummaryEffect `json:"effect"`
}

// SummaryEnds is an estimate with its ends.
type SummaryEnds struct {
	Value  float64 `json:"value"`
	Lo     float64 `json:"lo"`
	Hi     float64 `json:"hi"`
	Method string  `json:"method"`
}

// SummaryEffect is how far two samples lie apart.
type SummaryEffect struct {
	Cliff float64 `json:"cliffs_delta"`
	A12   float64 `json:"a12"`
	Size  string  `json:"size"`
}

// SummaryPart is a phase.
type SummaryPart struct {
	Name   string  `json:"name"`
	Median float64 `json:"median"`
	Share  float64 `json:"share"`
}

// SummaryVerdict is a finding's outcome.
type SummaryVerdict struct {
	Name      string       `json:"name"`
	Claim     int          `json:"claim,omitempty"`
	Statement string       `json:"statement"`
	Cell      string       `json:"cell"`
	Outcome   string       `json:"outcome"`
	Caveat    string       `json:"caveat,omitempty"` // most trials of a row that it rests on were disturbed
	Sentence  string       `json:"sentence"`
	Figure    *SummaryEnds `json:"figure,omitempty"`
}

func summarize(a *analysis.Analysis) Summary {
	say := msg.English()
	m := a.Run.Manifest
	s := Summary{Format: results.Format, ID: m.ID, Scenario: m.Scenario, Outcome: m.Outcome,
		Banners: say.Texts(a.Banners()), Tests: len(a.Pairs), Doubts: say.Texts(a.Doubts()),
		Cells: []SummaryCell{}, Verdicts: []SummaryVerdict{}}
	for _, c := range a.Cells {
		x := SummaryCell{Label: say.Text(c.Name), Env: c.Env, Variant: c.Variant, N: max(c.N, 1), Emulated: c.TCG,
			Trials: c.Counted(), Failed: c.Failures(), Warmup: c.Warmups(), Disturbed: c.Disturbed(),
			NotRun: c.NotRun, Metrics: []SummaryMetric{}}
		for _, m := range a.Metrics {
			if smp := c.Samples[m.Name]; smp != nil {
				x.Metrics = append(x.Metrics, summarizeMetric(a, c, m, smp))
			}
		}
		s.Cells = append(s.Cells, x)
	}
	s.Slopes = summarizeSlopes(a)
	for _, v := range a.Verdicts {
		x := SummaryVerdict{Name: v.Finding.Name, Claim: v.Finding.Claim, Statement: v.Finding.Statement,
			Cell: say.Text(v.Cell), Outcome: v.Outcome, Caveat: say.Text(v.Caveat), Sentence: say.Text(v.Sentence())}
		if v.Interval != nil {
			x.Figure = estimate(*v.Interval)
		}
		s.Verdicts = append(s.Verdicts, x)
	}
	return s
}

func summarizeMetric(a *analysis.Analysis, c *analysis.Cell, m results.Metric, s *analysis.Sample) SummaryMetric {
	iv := s.Median
	x := SummaryMetric{Metric: m.Name, Unit: m.Unit, N: iv.N, Median: iv.Point, Lo: iv.Lo, Hi: iv.Hi,
		Confidence: iv.Confidence, Method: iv.Method, Warnings: msg.English().Texts(s.Doubts)}
	if p, err := stats.Quantile(s.Values, 0.95); err == nil {
		x.P95 = &p
	}
	if k := s.Against; k != nil {
		x.Against = &SummaryAgainst{Baseline: msg.English().Text(c.Base.Name), Difference: *estimate(k.Difference),
			Family: k.Family, Confidence: k.Difference.Confidence, P: k.P, Differs: k.Differs(),
			Effect: &SummaryEffect{Cliff: k.Effect.Delta, A12: k.Effect.A12, Size: k.Effect.Size()}}
		if k.Ratio != nil {
			x.Against.Ratio = estimate(*k.Ratio)
		}
	}
	if v, err := c.Spread(m.Name); err == nil {
		x.Sessions = &SummarySpread{Medians: v.Medians, Between: v.Between, Within: v.Within}
	}
	if b := a.Breakdown(c, m.Name); b != nil {
		for _, p := range b.Parts {
			x.Parts = append(x.Parts, SummaryPart{p.Name, p.Median, p.Share})
		}
	}
	return x
}

func estimate(iv stats.Interval) *SummaryEnds {
	return &SummaryEnds{iv.Point, iv.Lo, iv.Hi, iv.Method}
}

// SummaryJSON is summary.json.
// SummaryJSON is summary.json.
func SummaryJSON(a *analysis.Analysis) ([]byte, error) {
	s := summarize(a)
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(s); err != nil {
		return nil, fmt.Errorf("summary.json: %w", err)
	}
	return b.Bytes(), nil
}

// SummarySlope is what one more instance costs in a metric.
type SummarySlope struct {
	Label     string      `json:"label"`
	Metric    string      `json:"metric"`
	Emulated  bool        `json:"emulated"`
	Instances []int       `json:"instances"` // the numbers that the line goes through
	Slope     SummaryEnds `json:"slope"`     // the metric's unit for each
	Intercept float64     `json:"intercept"` // of the line, at none
}

func summarizeSlopes(a *analysis.Analysis) (out []SummarySlope) {
	for _, m := range a.SlopesShown() {
		for _, s := range a.Series(m.Name) {
			l, err := s.Line(m.Name, nil, a.Run.Manifest.Seed)
			if err != nil {
				continue
			}
			x := SummarySlope{Label: s.Label, Metric: m.Name, Emulated: s.TCG, Slope: *estimate(l.Slope), Intercept: l.Intercept}
			for _, c := range s.Cells {
				x.Instances = append(x.Instances, max(c.N, 1))
			}
			out = append(out, x)
		}
	}
	return out
}

// SummarySpread is how far sessions lie apart, and trials within one: standard
// deviations in the metric's unit.
type SummarySpread struct {
	Medians []float64 `json:"medians"` // of each session, in their order
	Between float64   `json:"between"`
	Within  float64   `json:"within"`
}
