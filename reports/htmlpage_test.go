package reports

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"lab/bench/results"
	"lab/reports/analysis"
	"lab/reports/html"
)

// What a page shows is what the summary says: each row, metric and verdict, with
// the same median.
func TestHTML(t *testing.T) {
	run := stored(t)
	page, err := HTML([]*results.Run{run}, []string{"one"}, false)
	if err != nil {
		t.Fatal(err)
	}
	data := regexp.MustCompile(`(?s)id="data">(.*?)</script>`).FindSubmatch(page)
	var p html.Page
	if err := json.Unmarshal(data[1], &p); err != nil {
		t.Fatal(err)
	}
	s, r := Summarize(run), p.Runs[0]
	if len(r.Rows) != len(s.Cells) || len(r.Rows) < 3 {
		t.Fatalf("%d rows, and the summary has %d", len(r.Rows), len(s.Cells))
	}
	for i, c := range s.Cells {
		for _, m := range c.Metrics {
			found := false
			for _, x := range r.Metrics {
				if x.Name != m.Metric {
					continue
				}
				found = true
				counted := 0
				for _, p := range x.Points[i] {
					if !p.W {
						counted++
					}
				}
				if x.Stats[i].Median != m.Median || counted != m.N {
					t.Errorf("%s of %s: median %g of %d, the summary has %g of %d", m.Metric, c.Label, x.Stats[i].Median, counted, m.Median, m.N)
				}
			}
			if !found {
				t.Errorf("no %s", m.Metric)
			}
		}
	}
	for _, v := range s.Verdicts {
		if !strings.Contains(string(page), escaped(v.Statement)) {
			t.Errorf("no verdict on %q", v.Statement)
		}
	}
}

// escaped is a text as the page has it.
func escaped(s string) string {
	return strings.NewReplacer("&", "&amp;", "'", "&#39;", `"`, "&#34;", "<", "&lt;", ">", "&gt;").Replace(s)
}

// The page leads with the metric whose plot it shows first, whatever differs more in
// another.
func TestHTMLLeadsWithTheHeadline(t *testing.T) {
	run := stored(t)
	for i, l := range run.Lines {
		if l.Metric == "gone" && l.Env == "container" && l.Value != nil {
			v := *l.Value * 100
			run.Lines[i].Value = &v
		}
	}
	if got := english(answer(analysis.Of(run))[0]); !strings.HasPrefix(got, "container net=bridge differs most from host: its median of “time until ready” is") {
		t.Error(got)
	}
}
