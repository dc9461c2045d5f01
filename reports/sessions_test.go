package reports

import (
	"strings"
	"testing"

	"lab/bench/results"
	"lab/reports/analysis"
)

// What differs between sessions is shown beside what differs within one; where
// they differ more, the report says that its intervals are too narrow.
func TestSessionsShown(t *testing.T) {
	run := synthetic(30)
	run.Manifest.Asked = &results.Asked{Sessions: 3}
	shift := map[string]float64{"host": 1e-3} // for each session, far above its spread
	for i := range run.Lines {
		l := &run.Lines[i]
		l.Session = 1 + l.Block%3
		if l.Value != nil && l.PartOf == "" {
			v := *l.Value + shift[l.Env]*float64(l.Session)
			l.Value = &v
		}
	}
	a := analysis.Of(folder(t, run, t.TempDir()))
	page := markdown(a)
	for _, want := range []string{"## Between sessions", "The whole set was made 3 times", "| host | 1.31, 2.3", "| 0.9",
		"host: sessions differ more than the trials within one"} {
		if !strings.Contains(page, want) {
			t.Errorf("report.md has no %q", want)
		}
	}
	if strings.Contains(page, "chroot: sessions differ more") {
		t.Error("sessions of chroot don't differ")
	}
	for _, c := range summarize(a).Cells {
		if len(c.Metrics) == 0 {
			continue
		}
		x := c.Metrics[0].Sessions
		if x == nil || len(x.Medians) != 3 || (c.Env == "host") != (x.Between > x.Within) {
			t.Errorf("%s: %+v", c.Label, x)
		}
	}
	run.Manifest.Asked = nil
	if page := markdown(analysis.Of(folder(t, run, t.TempDir()))); strings.Contains(page, "## Between sessions") {
		t.Error("a run of one session has a table of them")
	}
}
