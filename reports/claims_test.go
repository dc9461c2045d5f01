package reports

import (
	"bytes"
	"strings"
	"testing"

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
