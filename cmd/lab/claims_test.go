package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"lab/bench"
	"lab/bench/results"
	"lab/scenarios"
)

// A copy of a run counts once and without a word. A run that has another's id alone takes
// its place in no silence.
func TestRunsOfOneID(t *testing.T) {
	const from = "../../reports/reference/startup"
	made := func(name, old, new string) string {
		dir := filepath.Join(t.TempDir(), name)
		if err := os.CopyFS(dir, os.DirFS(from)); err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(dir, results.TrialsFile)
		data, err := os.ReadFile(file)
		if err == nil {
			err = os.WriteFile(file, bytes.ReplaceAll(data, []byte(old), []byte(new)), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
		return dir
	}
	copied, forged := made("copied", "\x00", ""), made("forged", `"value":0.`, `"value":9.`)
	if runs, err := distinct("claims", []string{from, copied}); err != nil || len(runs) != 1 {
		t.Errorf("a copy: %d runs, %v", len(runs), err)
	}
	runs, err := distinct("claims", []string{forged, from})
	if len(runs) != 1 || err == nil || !strings.Contains(err.Error(), from+" are the same run") {
		t.Errorf("a forged one: %d runs, %v", len(runs), err)
	}
}

// Each claim is answered by a finding, or says what would have to be measured; and lab run
// claims makes the rows that each of these findings is about, by a scenario's default or a
// further run of the claim's.
func TestClaimsAreAnswered(t *testing.T) {
	if n := len(scenarios.Claims); n != 41 {
		t.Errorf("%d claims", n)
	}
	answered := 0
	for i, c := range scenarios.Claims {
		if c.Number != i+1 || c.Text == "" {
			t.Errorf("claim %d is number %d: %q", i+1, c.Number, c.Text)
		}
		by := scenarios.Answering(c.Number)
		if len(by) == 0 && c.Lacks == "" {
			t.Errorf("claim %d has neither a finding nor a reason", c.Number)
		}
		answered += min(len(by), 1)
	}
	if answered != len(scenarios.Claims) {
		t.Logf("%d claims are answered", answered)
	}
	for _, sc := range scenarios.All() {
		for _, f := range sc.Findings {
			if f.Claim == 0 {
				continue
			}
			asks := []bench.Options{{Known: known()}}
			for _, r := range scenarios.FurtherRuns {
				if slices.Contains(r.Claims, f.Claim) && r.Scenario == sc.Name {
					asks = append(asks, bench.Options{Known: known(r.Ask.Environments...), Request: r.Ask})
				}
			}
			has := func(env string, variant map[string]string) bool {
				return slices.ContainsFunc(asks, func(o bench.Options) bool {
					return slices.ContainsFunc(sc.Planned(o, environments(o.Environments...)), func(c bench.Cell) bool {
						for k, v := range variant {
							if c.Variant[k] != v && c.Set[k] != v {
								return false
							}
						}
						return c.Env == env
					})
				})
			}
			if !has(f.Of, f.OfVariant) || f.To != "" && !has(f.To, f.ToVariant) {
				t.Errorf("claim %d: %s, finding %s: no run of lab run claims has its rows (%s %v, %s %v)", f.Claim, sc.Name, f.Name, f.Of, f.OfVariant, f.To, f.ToVariant)
			}
		}
	}
	for _, r := range scenarios.FurtherRuns {
		for _, claim := range r.Claims {
			if !slices.Contains(scenarios.Answering(claim), r.Scenario) {
				t.Errorf("the further run of claim %d is of %s, which doesn't answer it", claim, r.Scenario)
			}
		}
	}
}

// What a claim needs in addition and isn't there is a row with the reason, and no failure.
func TestFurtherRunsFailNothing(t *testing.T) {
	f := runFlags{out: t.TempDir(), gather: &gathering{}}
	f.Scenarios, f.Quick = []string{claimsName}, true
	for _, x := range f.furtherRuns() {
		j, err := x.job()
		if err != nil {
			t.Fatal(x.Scenarios, err)
		}
		for _, e := range x.Environments {
			if !slices.Contains(j.Options.Some, e) {
				t.Errorf("%s: it fails where there is no %s", x.gather.folder, e)
			}
		}
	}
}
