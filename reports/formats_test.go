package reports

import (
	"encoding/csv"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/perf/benchfmt"

	"lab/bench/stats"
	"lab/reports/analysis"
)

// bench.txt is read by benchstat's own reader, and gives our medians back.
func TestBenchText(t *testing.T) {
	run := synthetic(12)
	a := analysis.Of(run)
	r := benchfmt.NewReader(strings.NewReader(string(benchText(a))), "bench.txt")
	values := map[string][]float64{}
	for r.Scan() {
		switch rec := r.Result().(type) {
		case *benchfmt.Result:
			env := string(rec.Name.Full())
			for _, v := range rec.Values {
				if v.Unit == "ready-sec" {
					values[env] = append(values[env], v.Value)
				}
			}
			if strings.Contains(env, "vm") != (rec.GetConfig("accel") == "tcg") {
				t.Errorf("%s: accel is %q", env, rec.GetConfig("accel"))
			}
		case *benchfmt.SyntaxError:
			t.Errorf("%v", rec)
		}
	}
	if err := r.Err(); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]int{"Startup/env=host-2": 0, "Startup/env=container/net=bridge-2": 2, "Startup/env=vm/accel=tcg-2": 3} {
		if got, want := stats.Median(values[name]), a.Cells[c].Samples["ready"].Median.Point; got != want {
			t.Errorf("%s: median %v, want %v", name, got, want)
		}
	}
}

func TestBenchWord(t *testing.T) {
	if got := benchWord("a/b=c d\n"); got != "a_b_c_d_" {
		t.Errorf("got %q", got)
	}
}

func TestTrialsCSV(t *testing.T) {
	run := synthetic(12)
	data, err := trialsCSV(analysis.Of(run))
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(strings.NewReader(string(data))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) != len(run.Lines)+1 {
		t.Fatalf("%d rows for %d values", len(rows)-1, len(run.Lines))
	}
	column := func(name string) int { return slices.Index(rows[0], name) }
	for i, l := range run.Lines {
		row := rows[i+1]
		if l.Value != nil {
			if v, err := strconv.ParseFloat(row[column("value")], 64); err != nil || v != *l.Value {
				t.Fatalf("row %d: %v, want %v", i, v, *l.Value)
			}
		} else if row[column("value")] != "" || row[column("err")] == "" {
			t.Fatalf("row %d of a failed trial: %v", i, row)
		}
		if accel := row[column("accel")]; (accel == "tcg") != (l.Env == "vm") {
			t.Fatalf("row %d: accel %q", i, accel)
		}
		if row[column("variant_net")] != l.Variant["net"] {
			t.Fatalf("row %d: net %q", i, row[column("variant_net")])
		}
	}
}

func TestWrite(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	folder(t, synthetic(6), dir)
	for range 2 { // the second time replaces the first
		if err := Write(dir, os.Getuid(), os.Getgid()); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"report.md", "trials.csv", "bench.txt", "summary.json",
		"plots/ready.png", "plots/ready.svg", "plots/phases.png", "plots/phases.svg"} {
		if st, err := os.Stat(filepath.Join(dir, name)); err != nil || st.Size() == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
	left, _ := filepath.Glob(filepath.Join(dir, "*", ".*.new"))
	more, _ := filepath.Glob(filepath.Join(dir, ".*.new"))
	if len(left)+len(more) > 0 {
		t.Errorf("left behind: %v %v", left, more)
	}
	data, _ := os.ReadFile(filepath.Join(dir, "summary.json"))
	var s Summary
	if err := json.Unmarshal(data, &s); err != nil || len(s.Cells) != 5 {
		t.Errorf("summary.json: %d cells, %v", len(s.Cells), err)
	}
	if err := Write(t.TempDir(), -1, -1); err == nil {
		t.Error("a folder without results is written to")
	}
}

// The folder belongs to a user, and the writer may be root: a link planted in
// it must lead nowhere else.
func TestWriteFollowsNoLink(t *testing.T) {
	dir, outside := t.TempDir(), t.TempDir()
	folder(t, synthetic(6), dir)
	if err := os.Symlink(outside, filepath.Join(dir, "plots")); err != nil {
		t.Fatal(err)
	}
	if err := Write(dir, -1, -1); err == nil {
		t.Error("plots/ was a link out of the folder, and was followed")
	}
	if entries, _ := os.ReadDir(outside); len(entries) > 0 {
		t.Errorf("written outside: %v", entries)
	}
}
