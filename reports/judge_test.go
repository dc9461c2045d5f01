package reports

import (
	"math"
	"strings"
	"testing"

	"lab/bench/results"
	"lab/reports/analysis"
	"lab/reports/msg"
)

func TestEveryVerdictEndsHere(t *testing.T) {
	if n := strings.Count(string(report(analysis.Of(synthetic(24))).Markdown(msg.English())), "on this machine"); n != 1 {
		t.Errorf("report.md says “on this machine” %d times", n)
	}
	for name, run := range map[string]*results.Run{"whole": synthetic(24), "few": whole(3, nil), "none": whole(0, nil)} {
		for _, v := range Summarize(run).Verdicts {
			if !strings.HasSuffix(v.Sentence, "on this machine.") {
				t.Errorf("%s: %s: %s", name, v.Name, v.Sentence)
			}
		}
	}
}

// On a machine that is itself emulated each verdict about a guest says so, and the
// report as a whole does, on top.
func TestEmulatedMachine(t *testing.T) {
	run := synthetic(24)
	for i := range run.Manifest.Cells {
		if s := run.Manifest.Cells[i].Settings; s["accel"] != "" {
			s["accel"] = "kvm"
		}
	}
	for _, emulated := range []bool{false, true} {
		run.Machine.Emulated = emulated
		guests := 0
		for _, v := range Summarize(run).Verdicts {
			if v.Outcome == analysis.Unmeasured {
				continue
			}
			guest := strings.Contains(v.Sentence, "of vm")
			if guest {
				guests++
			}
			if strings.Contains(v.Caveat, english(msg.T("caveat.emulated"))) != (emulated && guest) {
				t.Errorf("emulated %v: %s: %q, %q", emulated, v.Name, v.Sentence, v.Caveat)
			}
		}
		if guests == 0 {
			t.Error("no verdict about a guest")
		}
		files := exercise(t, run)
		for _, name := range []string{"terminal", "report.md", ArtifactFile} {
			if strings.Contains(files[name], "itself emulated in software (QEMU's TCG)") != emulated {
				t.Errorf("emulated %v: %s doesn't fit", emulated, name)
			}
		}
	}
}

// Under TCG nothing is said about how fast a VM is, in any file.
func TestEmulatedIsNeverCompared(t *testing.T) {
	run := synthetic(24)
	for _, f := range []results.Finding{
		{Name: "a", Metric: "ready", Of: "vm", To: "host", Compare: "ratio", Op: "above", Threshold: 2},
		{Name: "b", Metric: "ready", Of: "container", To: "vm", Compare: "difference", Op: "below"},
		{Name: "c", Metric: "ready", Of: "vm", Compare: "value", Op: "above", Threshold: 1},
		{Name: "d", Metric: "ready", Of: "vm", Compare: "share", Part: "kernel", Op: "above", Threshold: 0.5, NeedsKVM: true},
	} {
		run.Manifest.Findings = []results.Finding{f}
		for _, v := range Summarize(run).Verdicts {
			if v.Outcome != analysis.Unmeasured {
				t.Errorf("%s: %s: %s", f.Name, v.Outcome, v.Sentence)
			}
		}
	}
	for _, c := range Summarize(run).Cells {
		for _, m := range c.Metrics {
			if c.Env == "vm" && (m.Against != nil || !c.Emulated) {
				t.Errorf("vm is compared: %+v", m.Against)
			}
		}
	}
	files := exercise(t, run)
	for _, name := range []string{"report.md", "terminal"} {
		if !strings.Contains(strings.Join(strings.Fields(files[name]), " "), "It shows what a VM start consists of, not how fast VMs are.") {
			t.Errorf("%s has no banner", name)
		}
	}
	// The same run under KVM is compared, and has no banner.
	for i := range run.Manifest.Cells {
		if run.Manifest.Cells[i].Env == "vm" {
			run.Manifest.Cells[i].Settings = map[string]string{"accel": "kvm"}
		}
	}
	text := exercise(t, run)["report.md"]
	if strings.Contains(text, english(analysis.TCGMark)) || strings.Contains(text, "not compared") || !strings.Contains(text, "more than host") {
		t.Errorf("under KVM:\n%s", text)
	}
}

func TestFindingsOfVariants(t *testing.T) {
	run := &results.Run{}
	add := func(env, net string, base float64) {
		variant := map[string]string{"net": net}
		run.Manifest.Cells = append(run.Manifest.Cells, results.Cell{Env: env, Variant: variant, Settings: map[string]string{"net": net, "cgroup": "yes"}, N: 1, Trials: 10})
		for i := range 10 {
			v := base + float64(i)*1e-6
			run.Lines = append(run.Lines, results.Line{Env: env, Variant: variant, N: 1, Block: i, Trial: len(run.Lines), Metric: "ready", Value: &v, Unit: "s"})
		}
	}
	add("host", "none", 0.001)
	add("host", "host", 0.002)
	add("container", "none", 0.004)
	add("container", "host", 0.004)
	run.Manifest.Findings = []results.Finding{
		{Name: "each", Metric: "ready", Of: "container", To: "host", Compare: "ratio", Op: "below", Threshold: 3},
		{Name: "one", Metric: "ready", Of: "container", OfVariant: map[string]string{"net": "none"},
			To: "container", ToVariant: map[string]string{"net": "host"}, Compare: "ratio", Op: "within", Threshold: 0.05},
		{Name: "but one", Metric: "ready", Of: "container", OfExcept: map[string]string{"net": "host"}, Compare: "value", Op: "below", Threshold: 1},
		{Name: "of nobody", Metric: "ready", Of: "container", OfExcept: map[string]string{"cgroup": "yes"}, Compare: "value", Op: "below", Threshold: 1},
		{Name: "absent", Metric: "ready", Of: "container", OfVariant: map[string]string{"net": "bridge"}, Compare: "value"},
	}
	got := ""
	for _, v := range Summarize(run).Verdicts {
		got += v.Name + " " + v.Cell + ": " + v.Outcome + "\n"
	}
	want := "each container net=none: doesn't hold\neach container net=host: holds\none container net=none: holds\n" +
		"but one container net=none: holds\n" +
		"absent container net=bridge: can't be measured here\n"
	if got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

// Parts sum to the whole.
func TestPartsSumToTheWhole(t *testing.T) {
	a := analysis.Of(synthetic(24))
	for _, c := range a.Cells {
		b := a.Breakdown(c, "ready")
		if b == nil {
			continue
		}
		sum, share := 0.0, 0.0
		for _, p := range b.Parts {
			sum += p.Median
			share += p.Share
		}
		if math.Abs(sum-b.Sum) > 1e-9*sum || b.Apart() || math.Abs(share-sum/b.Whole) > 1e-9 {
			t.Errorf("%s: %v of %v, shares %v", c.Name, sum, b.Whole, share)
		}
	}
}

// A verdict on trials most of which were disturbed says so wherever it stands,
// in the same words; one on half of them, or without figures, says nothing.
func TestCaveat(t *testing.T) {
	taint := func(env string, of func(block int) bool) *results.Run {
		return whole(12, func(l *results.Line) {
			if l.Taint = nil; (env == "" || l.Env == env) && of(l.Block) {
				l.Taint = []string{"pressure"}
			}
		})
	}
	always := func(int) bool { return true }
	for name, x := range map[string]struct {
		run  *results.Run
		want string // of “A container starts like a process.”
	}{
		"none":           {taint("nobody", always), ""},
		"all":            {taint("", always), "23 of 23 trials were disturbed"},
		"the host alone": {taint("host", always), "12 of 23 trials were disturbed"},
		"half":           {taint("host", func(block int) bool { return block%2 == 0 }), ""},
		"more than half": {taint("host", func(block int) bool { return block > 6 }), "7 of 23 trials were disturbed"},
	} {
		files := exercise(t, x.run)
		for _, v := range Summarize(x.run).Verdicts {
			if v.Outcome == analysis.Unmeasured && v.Caveat != "" {
				t.Errorf("%s: %s can't be measured: %s", name, v.Name, v.Caveat)
			}
			if v.Name == "container-process" && v.Caveat != x.want {
				t.Errorf("%s: %q, want %q", name, v.Caveat, x.want)
			}
		}
		for file, text := range map[string]string{
			"report.md":    "- **Doesn't hold**" + beside(x.want) + ": “A container starts like a process.”",
			"terminal":     map[bool]string{true: "x*", false: "x"}[x.want != ""] + " A container starts like a process.",
			ArtifactFile:   "“A container starts like a process.” (container net=bridge): **doesn't hold**" + beside(x.want) + "\n",
			"summary.json": map[bool]string{true: `"caveat": "` + x.want + `"`}[x.want != ""],
		} {
			if got := files[file]; !strings.Contains(strings.Join(strings.Fields(got), " "), strings.TrimSpace(text)) {
				t.Errorf("%s: %s has no %q", name, file, text)
			}
		}
		if x.want == "" && strings.Contains(files["summary.json"], "caveat") {
			t.Errorf("%s: summary.json has a caveat", name)
		}
	}
	// A slope rests on the trials of all its cells, the baseline's included.
	run := totals(10)
	for i := range run.Lines {
		run.Lines[i].Taint = []string{"pressure"}
	}
	for _, v := range Summarize(run).Verdicts {
		want := map[string]string{"near": "60 of 60 trials were disturbed", "far": "60 of 60 trials were disturbed", "alone": "30 of 30 trials were disturbed"}[v.Name]
		if v.Caveat != want {
			t.Errorf("%s: %q, want %q", v.Name, v.Caveat, want)
		}
	}
}

// Where trials gave a reason in place of a number, a verdict names it.
func TestNoValueSaysWhy(t *testing.T) {
	run := whole(12, func(l *results.Line) {
		if l.Env == "container" && l.Metric == "ready" {
			l.Value, l.Text, l.Err = nil, "not applicable: made up", ""
		}
	})
	for _, v := range Summarize(run).Verdicts {
		if v.Name == "container-process" && (v.Outcome != analysis.Unmeasured || !strings.Contains(v.Sentence, "no value of ready: not applicable: made up")) {
			t.Errorf("%s: %s", v.Outcome, v.Sentence)
		}
	}
}

// beside is a caveat behind an outcome.
func beside(caveat string) string {
	if caveat == "" {
		return ""
	}
	return " (" + caveat + ")"
}
