package reports

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"lab/bench/request"
	"lab/bench/results"
	"lab/reports/msg"
	"lab/reports/page"
)

// A claim holds if each of its parts does; one that doesn't is enough against it; and
// what nobody measured, or no scenario does, says what would be needed.
func TestClaimsPage(t *testing.T) {
	run := staircase(30)
	finding := func(claim int, name, op string, threshold float64) results.Finding {
		return results.Finding{Name: name, Claim: claim, Statement: "SYNTHETIC " + name + ".", Metric: "ready", Of: "container", OfVariant: map[string]string{"up-to": "a"},
			Compare: "value", Op: op, Threshold: threshold, Reason: "made up"}
	}
	run.Manifest.Findings = []results.Finding{finding(1, "good", "above", 0.001), finding(2, "good too", "above", 0.001), finding(2, "bad", "above", 1)}
	r := folder(t, run, t.TempDir())
	list := []Claim{{Number: 1, Text: "It holds.", By: []string{"anatomy"}}, {Number: 2, Text: "It holds in part.", By: []string{"anatomy"}},
		{Number: 3, Text: "Nobody looked.", By: []string{"startup"}}, {Number: 4, Text: "Nobody can look.", Lacks: "a scenario"}}
	whole := string(Claims(list, []*results.Run{r}, true).Markdown(msg.English()))
	for _, want := range []string{
		"Of 4 claims: 1 hold, 1 don't, 0 undecided, 0 can't be measured here, 2 not measured.",
		"## 1. It holds.\n\n**Holds**", "## 2. It holds in part.\n\n**Doesn't hold**", "1 of its 2 parts: doesn't hold",
		"**Not measured**: no results folder answers it; `sudo lab run startup` does", "**Not measured**: not measured by any scenario yet: a scenario", "SYNTHETIC bad.",
	} {
		if !strings.Contains(whole, want) {
			t.Errorf("claims.md has no %q:\n%s", want, whole)
		}
	}
	var b bytes.Buffer
	if err := Claims(list, []*results.Run{r}, false).Terminal(&b, page.Options{Width: 80}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"+  1 It holds.", "x  2 It holds in part.", "lab run startup", "no scenario yet"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the terminal has no %q:\n%s", want, b.String())
		}
	}
}

// A claim of two scenarios doesn't hold by one of them alone, and names the other; one part
// that doesn't hold is enough all the same.
func TestClaimsOfTwoScenarios(t *testing.T) {
	run := staircase(30)
	finding := func(claim int, op string) results.Finding {
		return results.Finding{Name: op, Claim: claim, Statement: "SYNTHETIC.", Metric: "ready", Of: "container", OfVariant: map[string]string{"up-to": "a"},
			Compare: "value", Op: op, Threshold: 0.001, Reason: "made up"}
	}
	run.Manifest.Findings = []results.Finding{finding(1, "above"), finding(2, "below")}
	by := []string{"anatomy", "network"}
	list := []Claim{{Number: 1, Text: "Holds here.", By: by}, {Number: 2, Text: "Fails here.", By: by}}
	runs := []*results.Run{folder(t, run, t.TempDir())}
	whole := string(Claims(list, runs, true).Markdown(msg.English()))
	for _, want := range []string{"## 1. Holds here.\n\n**Undecided**", "other parts weren't measured: `sudo lab run network`", "## 2. Fails here.\n\n**Doesn't hold**"} {
		if !strings.Contains(whole, want) {
			t.Errorf("claims.md has no %q:\n%s", want, whole)
		}
	}
	var b bytes.Buffer
	if err := Claims(list, runs, false).Terminal(&b, page.Options{Width: 80}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"?  1 Holds here.", "1: `sudo lab run network`", "x  2 Fails here."} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the terminal has no %q:\n%s", want, b.String())
		}
	}
}

// The run that was asked for to decide a claim does: what fewer trials left open is no
// longer. Fewer don't decide what more left open.
func TestClaimsDecidedByMore(t *testing.T) {
	made := func(trials int, id string, threshold float64) *results.Run {
		run := staircase(trials)
		run.Manifest.ID = id
		for i := range run.Lines {
			run.Lines[i].ID = id
		}
		run.Manifest.Findings = []results.Finding{{Name: "f", Claim: 1, Statement: "SYNTHETIC.", Metric: "ready", Of: "container", OfVariant: map[string]string{"up-to": "a"},
			To: "host", Compare: "ratio", Op: "above", Threshold: threshold, Reason: "made up"}}
		return folder(t, run, t.TempDir())
	}
	list := []Claim{{Number: 1, Text: "More.", By: []string{"anatomy"}}}
	for want, runs := range map[string][]*results.Run{
		"**Holds**":     {made(4, "5e00000000000004", 1.5), made(30, "5e00000000000005", 1.5)},
		"**Undecided**": {made(10, "5e00000000000004", 1.5), made(30, "5e00000000000005", 2)},
	} {
		if whole := string(Claims(list, runs, true).Markdown(msg.English())); !strings.Contains(whole, "## 1. More.\n\n"+want) {
			t.Errorf("no %s:\n%s", want, whole)
		}
	}
}

// An undecided claim names the run that would decide it: of the rows that its parts are
// about, as they were asked for, with as many trials as they need; one that can't be
// measured names what it takes. What a run doesn't have another may.
func TestClaimsNameTheRun(t *testing.T) {
	finding := func(claim int, name string, threshold float64) results.Finding {
		return results.Finding{Name: name, Claim: claim, Statement: "SYNTHETIC " + name + ".", Metric: "ready", Of: "container", OfVariant: map[string]string{"up-to": "a"},
			To: "host", Compare: "ratio", Op: "above", Threshold: threshold, Reason: "made up"}
	}
	few := staircase(4)
	few.Manifest.ID = "5e00000000000004"
	few.Manifest.Asked = &results.Asked{Environments: []string{"host", "container", "vm"}, Trials: 4, Quick: true, Work: request.Unrecorded,
		Variant: request.Settings{"net": {"bridge", "host"}, "user": {"yes"}}}
	elsewhere := finding(3, "elsewhere", 1)
	elsewhere.Of, elsewhere.OfVariant = "docker", nil
	emulated := finding(4, "emulated", 1)
	emulated.Of, emulated.OfVariant, emulated.NeedsKVM = "vm", nil, true
	few.Manifest.Findings = []results.Finding{finding(1, "few", 1.5), elsewhere, emulated}
	for i := range few.Manifest.Cells {
		if few.Manifest.Cells[i].Env == "vm" {
			few.Manifest.Cells[i].Settings["accel"] = "tcg"
		}
	}
	for i := range few.Lines {
		few.Lines[i].ID = few.Manifest.ID
	}
	near := staircase(30)
	near.Manifest.Findings = []results.Finding{finding(2, "near", 2)}
	docker := staircase(30)
	docker.Manifest.ID = "5e00000000000005"
	for i := range docker.Lines {
		docker.Lines[i].ID = docker.Manifest.ID
	}
	docker.Manifest.Findings = []results.Finding{elsewhere}
	list := []Claim{{Number: 1, Text: "Few.", By: []string{"anatomy"}}, {Number: 2, Text: "Near.", By: []string{"anatomy"}},
		{Number: 3, Text: "Elsewhere.", By: []string{"anatomy"}, Further: "anatomy --env docker,host"}, {Number: 4, Text: "Emulated.", By: []string{"anatomy"}}}
	runs := []*results.Run{folder(t, few, t.TempDir()), folder(t, near, t.TempDir()), folder(t, docker, t.TempDir())}
	whole := string(Claims(list, runs, true).Markdown(msg.English()))
	for _, want := range []string{
		"to decide it: `sudo lab run anatomy --env container,host --variant net=bridge,net=host,user=yes -r 20`",
		"so near to the threshold that even this may not decide it: `sudo lab run anatomy --env container,host -r ",
		"To measure it: `sudo lab run anatomy --env docker,host`.",
		"a machine whose KVM is usable (`lab doctor` says what this one lacks), and there `sudo lab run anatomy --env vm,host --variant",
	} {
		if !strings.Contains(whole, want) {
			t.Errorf("claims.md has no %q:\n%s", want, whole)
		}
	}
	if n := strings.Count(whole, "SYNTHETIC elsewhere."); n != 1 {
		t.Errorf("what two runs don't have is said %d times:\n%s", n, whole)
	}
	var b bytes.Buffer
	if err := Claims(list, runs, false).Terminal(&b, page.Options{Width: 200}); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(b.String(), "1: `sudo lab run anatomy --env container,host --variant net=bridge,net=host,user=yes -r 20`") {
		t.Errorf("the terminal doesn't name the run:\n%s", b.String())
	}
}

// In the folder above the runs the page shows each claim's picture, and report.html has
// the runs behind it.
func TestClaimsWritten(t *testing.T) {
	run, dir := staircase(30), t.TempDir()
	run.Manifest.Findings = []results.Finding{{Name: "good", Claim: 1, Statement: "SYNTHETIC good.", Metric: "ready", Of: "container", OfVariant: map[string]string{"up-to": "a"},
		Compare: "value", Op: "above", Threshold: 0.001, Reason: "made up"}}
	r := folder(t, run, filepath.Join(dir, "anatomy-1"))
	if err := WriteRun(r, r.Dir, -1, -1); err != nil {
		t.Fatal(err)
	}
	if err := WriteClaims([]Claim{{Number: 1, Text: "It holds.", By: []string{"anatomy"}}}, []*results.Run{r}, dir, -1, -1); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"claims.md": "](anatomy-1/plots/up.png)", "report.html": "SYNTHETIC good."} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil || !strings.Contains(string(text), want) {
			t.Errorf("%s has no %q: %v", name, want, err)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "anatomy-1", "plots", "up.png")); err != nil {
		t.Error(err)
	}
}
