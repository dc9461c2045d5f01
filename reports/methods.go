package reports

import (
	"bytes"
	"fmt"
	"strings"

	"lab/bench/results"
	"lab/reports/analysis"
	"lab/reports/msg"
)

// methods is methods.md: what was done, in the prose of a paper's section,
// made from the manifest and the machine's facts alone.
func methods(a *analysis.Analysis) []byte {
	var b bytes.Buffer
	m := a.Run.Manifest
	say := func(format string, args ...any) {
		if s := strings.TrimSpace(fmt.Sprintf(format, args...)); s != "" {
			b.WriteString(s + "\n\n")
		}
	}
	say("# Methods")
	say("This section was made by lab %s from `manifest.json` and `machine.json` of run %s. Edit it, and keep what it says.", escape(m.Lab), escape(m.ID))
	say("## Question and procedure")
	say("%s %s", escape(m.Question), escape(m.Method))
	for _, x := range a.Metrics {
		if x.Help != "" {
			say("**%s** (%s). %s", escape(x.Title), unitName(x), escape(x.Help))
		}
	}
	say("## Configurations")
	for _, c := range a.Cells {
		say("%s", configuration(c))
	}
	say("%s", bytesOf(m))
	say("## Design")
	say("%s", design(a))
	say("## Analysis")
	say("The figure of a configuration is the median of its trials, with a 95 %% confidence interval from order statistics (David and Nagaraja 2003, "+
		"section 7.1). Differences and ratios are those of medians. Their intervals are the hull of two: the shifts, or factors, that an exact two-sided Mann-Whitney "+
		"test doesn't reject (Hodges and Lehmann 1963; Hollander, Wolfe and Chicken 2014, section 4.3), and what the order statistics of the two samples say of their medians (two "+
		"independent confidence distributions; Singh, Xie and Strawderman 2005). Two configurations are called different where the interval leaves out zero (a ratio's, one). The comparisons of one metric are a "+
		"family of k, whose intervals have the confidence 1 − 0.05/k each, so that they hold together with 95 %% (Dunn 1961)%s. Effect sizes are Cliff's delta (1993). No value was "+
		"discarded as an outlier; fewer than six trials, or too few for any outcome to be a difference in its family, have a range and no interval.", a.FamilySizes())
	if len(m.Findings) > 0 {
		say("The %s that the report judges, with threshold and reason, stood in the manifest before the first trial. A statement holds, or doesn't, "+
			"if the whole interval is on one side of its threshold.", msg.Plural(len(m.Findings), "statement"))
	}
	if a.AnyTCG() {
		say("Configurations under TCG were emulated in software %s. They get no verdict against others: emulation says nothing about a virtual machine's speed.", escape(a.BecauseTCG()))
	}
	say("## Machine")
	say("%s", escape(machineSentence(a.Run.Machine)))
	say("## Deviations")
	doubts := a.Doubts()
	for _, n := range append(analysis.NotesOf(&m), doubts...) {
		fmt.Fprintf(&b, "- %s\n", escape(n))
	}
	return b.Bytes()
}

func unitName(m results.Metric) string {
	switch m.Unit {
	case "s":
		return "seconds"
	case "B":
		return "bytes"
	case "1", "":
		return "no unit"
	}
	return m.Unit
}

func configuration(c *analysis.Cell) string {
	s := fmt.Sprintf("**%s**", escape(c.Name))
	if c.NotRun != nil {
		return s + " was " + escape(analysis.NotRun(c)) + "."
	}
	s += fmt.Sprintf(": %s that count, %s before them", msg.Plural(c.Counted(), "trial"), msg.Plural(c.Warmups(), "warm-up"))
	if n := c.Failures(); n > 0 {
		s += fmt.Sprintf(", %s failed", msg.Plural(n, "trial"))
	}
	for _, p := range []string{phrase("before the clock: ", c.Prepare), phrase("on the clock: ", c.Start), phrase("settings: ", msg.Pairs(c.Settings)), phrase("found: ", msg.Pairs(c.Found))} {
		if p != "" {
			s += "; " + p
		}
	}
	return s + "."
}

// bytesOf says which bytes ran.
func bytesOf(m results.Manifest) string {
	var parts []string
	for _, x := range []struct {
		what string
		d    results.Digested
	}{{"the file tree", m.Image}, {"the workload", m.Workload}, {"the guests' kernel", m.Kernel}} {
		if x.d != (results.Digested{}) {
			parts = append(parts, fmt.Sprintf("%s %s (%s)", x.what, escape(x.d.Name), escape(x.d.Digest)))
		}
	}
	if parts == nil {
		return ""
	}
	return "All configurations ran the same bytes: " + strings.Join(parts, ", ") + "."
}

// design says in which order trials were made, and how many.
func design(a *analysis.Analysis) string {
	m := a.Run.Manifest
	s := fmt.Sprintf("Trials ran in blocks, each with every configuration at most once, in an order shuffled from the seed %d, so that what drifts on the machine "+
		"falls on all alike. Warm-up blocks came first; their trials are kept, and in no figure.", m.Seed)
	if m.Grouped > 0 {
		s = fmt.Sprintf("%d trials of each configuration ran one after another, then as many of the next: not shuffled, to show what that does.", m.Grouped)
	}
	if x := m.Asked; x != nil && x.Precision > 0 {
		s += fmt.Sprintf(" Blocks were added until half of each median's interval was within %s of it", msg.Percent(x.Precision))
		if x.MaxTime > 0 {
			s += fmt.Sprintf(", for %s at the most", msg.Quantity(x.MaxTime, "s"))
		}
		s += " (Chow and Robbins 1965); the rule looks at widths alone."
	} else if x != nil && x.MaxTime > 0 {
		s += fmt.Sprintf(" The trials were to end, after a whole block, within %s.", msg.Quantity(x.MaxTime, "s"))
	}
	if x := m.Asked; x != nil && x.Strict {
		s += " A disturbed trial was repeated at the end of its block, twice at most."
	}
	return s
}

func machineSentence(k results.Machine) string {
	if k.Kernel == "" {
		return "Not recorded."
	}
	parts := msg.NonEmpty(k.CPU, msg.Plural(k.CPUs, "usable CPU"), msg.Quantity(float64(k.Memory), "B")+" of memory", k.OS, "Linux "+k.Kernel, k.Arch)
	s := strings.Join(parts, ", ")
	if k.Virtual {
		s += "; itself a virtual machine"
		if k.Hypervisor != "" {
			s += " of " + k.Hypervisor
		}
		if k.Emulated {
			s += ", emulated in software"
		}
	}
	for _, v := range msg.Pairs(k.Versions) {
		s += "; " + v
	}
	if k.Governor != "" {
		s += "; governor " + k.Governor
	}
	if len(k.Mitigations) > 0 {
		s += "; mitigations: " + strings.Join(k.Mitigations, "; ")
	}
	return s + fmt.Sprintf("; load at the start %s.", msg.Number(k.Load, 2))
}
