package reports

import (
	"fmt"
	"strings"
	"testing"
	"time"

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

// A session's number is whatever the file says: it costs nothing.
func TestManySessions(t *testing.T) {
	run := synthetic(12)
	for i := range run.Lines {
		run.Lines[i].Session = 1 + 1<<40*(run.Lines[i].Block%3)
	}
	ended := make(chan error, 1)
	go func() {
		for _, c := range analysis.Of(run).Cells {
			if _, err := c.Spread("ready"); err == nil && c.NotRun == nil {
				ended <- fmt.Errorf("%s has a spread, and most of its sessions are missing", c.Name)
				return
			}
		}
		ended <- nil
	}()
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("it counts them")
	}
}
