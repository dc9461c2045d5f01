package reports

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"lab/bench/paper"
	"lab/bench/results"
	"lab/reports/analysis"
	"lab/reports/msg"
	"lab/reports/page"
)

// madeUpPaper has a row of each kind, of the synthetic run.
const madeUpPaper = `format: 1
title: A made-up paper
paper: A. Author, SYNTHETIC 2015
env: [host, chroot, container, vm, docker]
minutes: {startup: 1}
rows:
- name: chroot, same direction
  published: {value: 1.05, native: 1, unit: ms, source: table 1}
  here: {scenario: startup, metric: ready, of: chroot, to: host}
  differs: made up
  agrees: {rule: direction, by: 0.25, why: a quarter}
- name: container, within
  published: {value: 8, native: 1, unit: ms, source: "figure 2, page 3"}
  here: {scenario: startup, metric: ready, of: container, to: host}
  agrees: {rule: within, by: 0.25, why: a quarter}
- name: container, rank
  published: {value: 8, native: 1, unit: ms, source: table 1}
  here: {scenario: startup, metric: ready, of: container, to: host}
  agrees: {rule: rank, group: all, why: the order is what the paper says}
- name: chroot, rank
  published: {value: 2, native: 1, unit: ms, source: table 1}
  here: {scenario: startup, metric: ready, of: chroot, to: host}
  agrees: {rule: rank, group: all, why: the order is what the paper says}
- name: container, a rate
  published: {value: 1, native: 8, unit: 1/s, source: table 1}
  here: {scenario: startup, metric: ready, of: container, to: host, inverse: true}
  agrees: {rule: within, by: 0.25, why: a quarter}
- name: vm, emulated
  published: {value: 100, native: 1, unit: ms, source: table 1}
  here: {scenario: startup, metric: ready, of: vm, to: host}
  agrees: {rule: direction, by: 0.05, why: near native}
- name: docker, not there
  published: {value: 100, native: 1, unit: ms, source: table 1}
  here: {scenario: startup, metric: ready, of: docker, to: host}
  agrees: {rule: direction, by: 0.05, why: near native}
- name: from an abstract
  published: {value: 8, native: 1, unit: ms, source: abstract, abstract: true}
  here: {scenario: startup, metric: ready, of: container, to: host}
- name: absolute
  published: {value: 2.3, unit: ms, source: abstract}
  here: {scenario: startup, metric: ready, of: container}
- name: no value
  here: {scenario: startup, metric: gone, of: container, to: host}
- name: another scenario
  here: {scenario: cpu, metric: float, of: container, to: host}
- name: 10 GbE
  published: {value: 9348, native: 9340, unit: Mbit/s, source: log}
  cannot: needs 10 GbE
`

func toyPaper(t *testing.T, data string) *paper.Suite {
	t.Helper()
	s, err := paper.Parse("toy.yaml", []byte(strings.Replace(data, "minutes: {startup: 1}", "minutes: {startup: 1, cpu: 1}", 1)), nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func paperOutcomes(s *paper.Suite, run *results.Run) map[string]string {
	out := map[string]string{}
	for _, r := range analysis.OfPaper(s, []*results.Run{run}, nil) {
		out[r.Name] = r.Outcome
	}
	return out
}

// Each kind of row comes to its verdict; a result that was doctored, or another figure in
// the paper, flips it.
func TestPaperVerdicts(t *testing.T) {
	run := folder(t, synthetic(40), t.TempDir())
	want := map[string]string{"chroot, same direction": analysis.Holds, "container, within": analysis.Holds, "container, rank": analysis.Holds, "chroot, rank": analysis.Holds,
		"container, a rate": analysis.Holds, "vm, emulated": analysis.Unmeasured, "docker, not there": analysis.Unmeasured, "10 GbE": analysis.Unmeasured,
		"from an abstract": "", "absolute": "", "no value": ""}
	got := paperOutcomes(toyPaper(t, madeUpPaper), run)
	for name, outcome := range want {
		if got[name] != outcome {
			t.Errorf("%s: %q, want %q", name, got[name], outcome)
		}
	}
	doctored := synthetic(40)
	for i, l := range doctored.Lines {
		if l.Env == "container" && l.Value != nil && l.PartOf == "" {
			v := *l.Value / 20
			doctored.Lines[i].Value = &v
		}
	}
	got = paperOutcomes(toyPaper(t, madeUpPaper), folder(t, doctored, t.TempDir()))
	for _, name := range []string{"container, within", "container, rank", "chroot, rank", "container, a rate"} {
		if got[name] != analysis.Fails {
			t.Errorf("doctored: %s: %q", name, got[name])
		}
	}
	got = paperOutcomes(toyPaper(t, strings.Replace(madeUpPaper, "value: 1.05", "value: 3", 1)), run)
	if got["chroot, same direction"] != analysis.Fails {
		t.Errorf("another figure: %q", got["chroot, same direction"])
	}
}

// The page has what a reader needs, on a terminal of 80 columns and as a file; the folder
// has figure and file; and a run becomes a paper that agrees with itself.
func TestPaperPage(t *testing.T) {
	run, s := folder(t, synthetic(40), t.TempDir()), toyPaper(t, madeUpPaper)
	golden(t, "paper.md", Paper(s, []*results.Run{run}, true).Markdown(msg.English()))
	var b bytes.Buffer
	if err := Paper(s, []*results.Run{run}, false).Terminal(&b, page.Options{Width: 80}); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(b.String(), "\n"); width(b.String()) > 80 || n > 24 || !strings.Contains(b.String(), "agrees") {
		t.Errorf("%d lines, %d columns:\n%s", n, width(b.String()), &b)
	}
	dir := t.TempDir()
	if err := WritePaper(s, []byte(madeUpPaper), []*results.Run{run}, nil, dir, -1, -1); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"report.md", "report.html", PaperFile, "plots/paper.png", "plots/paper.svg"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Error(err)
		}
	}
	html, _ := os.ReadFile(filepath.Join(dir, "report.html"))
	if !bytes.Contains(html, []byte("data:image/svg+xml")) || bytes.Contains(html, []byte(`src="plots/`)) {
		t.Error("report.html doesn't carry its figure")
	}
	from, err := PaperFrom(run)
	if err != nil {
		t.Fatal(err)
	}
	data, err := from.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	again, err := paper.Parse("from.yaml", data, nil)
	if err != nil {
		t.Fatalf("%v\n%s", err, data)
	}
	rows := analysis.OfPaper(again, []*results.Run{run}, nil)
	for _, r := range rows {
		if r.Outcome == analysis.Fails || r.Outcome == analysis.Unmeasured {
			t.Errorf("%s of itself: %s", r.Name, r.Outcome)
		}
	}
	if len(rows) != 4 {
		t.Errorf("%d rows of chroot and container in ready and gone", len(rows))
	}
	// What no file of a paper may have isn't written into one.
	for i, l := range run.Lines {
		if v := 1e300; l.Env == "container" && l.Metric == "ready" && l.Value != nil {
			run.Lines[i].Value = &v
		}
	}
	if from, err = PaperFrom(run); err == nil {
		data, err = from.Bytes()
	}
	if err == nil {
		_, err = paper.Parse("from.yaml", data, nil)
	}
	if err != nil || len(from.Rows) != 3 {
		t.Errorf("with a value of 1e300: %v\n%s", err, data)
	}
}

// Of a rank only rows count that have a published ratio; that one order is surely another
// one doesn't depend on which row is looked at first; and a value of zero has no inverse.
func TestPaperRank(t *testing.T) {
	run := folder(t, synthetic(40), t.TempDir())
	head := madeUpPaper[:strings.Index(madeUpPaper, "rows:")] + "rows:\n"
	row := func(name, env, published string) string {
		return "- name: " + name + "\n  published: {" + published + ", unit: ms, source: table 1}\n  here: {scenario: startup, metric: ready, of: " + env + ", to: host}\n  agrees: {rule: rank, group: all, why: order}\n"
	}
	rows := []string{row("container", "container", "value: 8, native: 1"), row("chroot", "chroot", "value: 2, native: 1")}
	for _, odd := range []string{row("no native", "container", "value: 900"), row("abstract", "container", "value: 1.5, native: 1, abstract: true")} {
		if got := paperOutcomes(toyPaper(t, head+odd+strings.Join(rows, "")), run); got["chroot"] != analysis.Holds || got["container"] != analysis.Holds {
			t.Errorf("%s%v", odd, got)
		}
	}
	// Published: chroot between two rows that are one and the same here, and far above it.
	rows = []string{row("same", "container", "value: 7, native: 1"), row("container", "container", "value: 8, native: 1"), row("chroot", "chroot", "value: 9, native: 1")}
	for _, order := range [][]int{{0, 1, 2}, {2, 1, 0}, {1, 2, 0}} {
		text := head
		for _, i := range order {
			text += rows[i]
		}
		if got := paperOutcomes(toyPaper(t, text), run); got["container"] != analysis.Fails || got["same"] != analysis.Fails || got["chroot"] != analysis.Fails {
			t.Errorf("%v: %v", order, got)
		}
	}
	zero := synthetic(40)
	for i, l := range zero.Lines {
		if l.Env == "container" && l.Value != nil && l.PartOf == "" && i%2 == 0 {
			v := 0.0
			zero.Lines[i].Value = &v
		}
	}
	s := toyPaper(t, madeUpPaper)
	for _, r := range analysis.OfPaper(s, []*results.Run{folder(t, zero, t.TempDir())}, nil) {
		if r.Row.Name == "container, a rate" && (r.Here != nil || r.Outcome != "") {
			t.Errorf("the inverse of zero: %+v, %q", r.Here, r.Outcome)
		}
	}
}

// A run of another application is no measure of the paper's; a paper made of a run names it.
func TestPaperApp(t *testing.T) {
	of := func(app string) *results.Run {
		x := synthetic(40)
		x.Manifest.Asked = &results.Asked{App: app}
		return folder(t, x, t.TempDir())
	}
	s := toyPaper(t, strings.Replace(madeUpPaper, "env:", "app: redis\nenv:", 1))
	for app, want := range map[string]string{"redis": analysis.Holds, "httpd": analysis.Unmeasured, `{"title":"mine"}`: analysis.Unmeasured, "": analysis.Holds} {
		if got := paperOutcomes(s, of(app))["container, within"]; got != want {
			t.Errorf("a run of %q: %s", app, got)
		}
	}
	// Two folders of one scenario: the one of the paper's application counts.
	for _, r := range analysis.OfPaper(s, []*results.Run{of("httpd"), of("redis")}, nil) {
		if r.Row.Name == "container, within" && r.Outcome != analysis.Holds {
			t.Errorf("of two: %s", r.Outcome)
		}
	}
	if from, err := PaperFrom(of("redis")); err != nil || from.App != "redis" {
		t.Errorf("%v: the application isn't in the paper that was made: %+v", err, from)
	}
}

// Where several rows of a run are of the kind that a paper's row asks for, the report says
// which of them was taken.
func TestPaperSeveral(t *testing.T) {
	run := synthetic(40)
	for _, c := range run.Manifest.Cells {
		if c.Env == "container" {
			c.Variant = map[string]string{"net": "host"}
			run.Manifest.Cells = append(run.Manifest.Cells, c)
		}
	}
	for _, l := range run.Lines {
		if l.Env == "container" {
			l.Variant = map[string]string{"net": "host"}
			l.Trial += 10000
			run.Lines = append(run.Lines, l)
		}
	}
	text := string(Paper(toyPaper(t, madeUpPaper), []*results.Run{folder(t, run, t.TempDir())}, true).Markdown(msg.English()))
	if n := strings.Count(text, "2 rows of the run are of this kind; the first one counts: container net=bridge"); n != 6 {
		t.Errorf("%d times in %s", n, text)
	}
}
