package reports

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"context"

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

// In a real browser the page draws its points, says nothing on the console, and
// asks for nothing.
func TestHTMLInBrowser(t *testing.T) {
	run := stored(t) // on a logarithmic axis, where emulated guests are apart as well
	page, err := HTML([]*results.Run{run, guessing(run, map[string]float64{"container": 2}, "vm")}, []string{"one", "two"}, false)
	if err != nil {
		t.Fatal(err)
	}
	dom := browse(t, page)
	if n := strings.Count(dom, `class="point"`); n < 20 {
		t.Errorf("%d points are drawn", n)
	}
	for _, want := range []string{`aria-pressed="true"`, `role="status"`, `class="small">Emulated in software (TCG): an axis of its own`, "Cumulative", `<article class="run" data-run="1" hidden`,
		"Guessed first", "data:image/svg+xml;base64,"} {
		if !strings.Contains(dom, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
}

// The same of each scenario's page, and of a class's.
func TestPagesInBrowser(t *testing.T) {
	if os.Getenv("LAB_LONG") == "" {
		t.Skip("SKIPPED: takes half a minute; fix: LAB_LONG=1")
	}
	for name, run := range everyRun(t) {
		page, err := HTML([]*results.Run{run}, []string{name}, false)
		if err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(browse(t, page), `class="point"`); n < 10 {
			t.Errorf("%s: %d points are drawn", name, n)
		}
	}
	runs, names := class(), []string(nil)
	for i := range runs {
		names = append(names, runs[i].Dir)
		guessing(runs[i], map[string]float64{"container": 3}, "vm")
	}
	page, err := ClassHTML(runs, names, nil)
	if err != nil {
		t.Fatal(err)
	}
	if dom := browse(t, page); strings.Count(dom, `<article class="run"`) != len(runs) || !strings.Contains(dom, "Guesses and results") {
		t.Error("the class's page lacks a run, or the guesses")
	}
}

// browse opens a page in a browser, which may say nothing on its console, and returns
// what it has made of it.
func browse(t *testing.T, page []byte) string {
	t.Helper()
	browser, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("no browser; fix: apt-get install chromium")
	}
	name := filepath.Join(t.TempDir(), "report.html")
	if err := os.WriteFile(name, page, 0o644); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
		"--disable-component-update", "--disable-sync", "--user-data-dir="+t.TempDir(), "--enable-logging=stderr", "--window-size=1000,1400", "--dump-dom", "file://"+name)
	var said strings.Builder
	cmd.Stderr = &said
	dom, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, said.String())
	}
	for line := range strings.Lines(said.String()) {
		if strings.Contains(line, "CONSOLE") {
			t.Errorf("the console: %s", line)
		}
	}
	return string(dom)
}
