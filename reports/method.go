package reports

import (
	"fmt"
	"strings"

	"lab/bench/clean"
	"lab/bench/results"
	"lab/reports/analysis"
	"lab/reports/msg"
)

// method says what was done, so that a reader can judge it.
func (d *document) method() {
	m := d.a.Run.Manifest
	d.line("## Method")
	if m.Method != "" {
		d.line("%s", escape(m.Method))
	}
	order := fmt.Sprintf("Trials ran in blocks, each with every row once, in an order shuffled from the seed %d.", m.Seed)
	if m.Grouped > 0 {
		order = fmt.Sprintf("%d trials of each row ran one after another, then as many of the next: not shuffled, to show what that does.", m.Grouped)
	}
	d.line("%s "+
		"Warm-up trials are kept, and left out of all figures; no other value is. "+
		"A row's figure is the median of its trials, with a 95 %% interval from order statistics; "+
		"fewer than six trials have a range instead. Differences and ratios are those of medians. Their intervals are wide enough for the shifts that a "+
		"Mann-Whitney test doesn't reject and for what the order statistics say of the two medians. A difference is called one where its interval "+
		"leaves out zero (a ratio's, 1). All comparisons of one metric are a family, whose intervals hold together with 95 %% (Bonferroni): of twenty metrics without "+
		"any difference, about one at the most shows some. "+
		"The lab's own overhead is in the figures, not subtracted.", order)
	if d.a.AnyTCG() {
		d.line("Rows marked %s get no verdict against others: emulation says nothing about a VM's speed. Where a figure has their ratios, these show what emulation costs.", analysis.TCGMark)
	}
	for _, c := range d.a.Cells {
		d.steps(c)
	}
}

// steps prints what was done before the clock, and what is in the figures.
func (d *document) steps(c *analysis.Cell) {
	if len(c.Prepare)+len(c.Start)+len(c.Settings) == 0 {
		return
	}
	fmt.Fprintf(&d.b, "**%s**\n\n", escape(c.Name))
	d.items(msg.NonEmpty(
		phrase("before the clock (Prepare): ", c.Prepare),
		phrase("on the clock (Start): ", c.Start),
		phrase("settings: ", msg.Pairs(c.Settings)),
		phrase("found: ", msg.Pairs(c.Found)),
		fmt.Sprintf("planned: %s, %s before", msg.Plural(c.Trials, "trial"), msg.Plural(c.Warmup, "warm-up"))))
}

func phrase(head string, parts []string) string {
	if len(parts) == 0 {
		return ""
	}
	out := make([]string, len(parts))
	for i, p := range parts {
		out[i] = escape(p)
	}
	return head + strings.Join(out, ", ")
}

func with(head, value string) string {
	if value == "" {
		return ""
	}
	return head + escape(value)
}

// machine says what the run ran on, as machine.json has it.
func (d *document) machine() {
	k := d.a.Run.Machine
	d.line("## Machine")
	virtual := "no"
	if k.Virtual {
		virtual = "yes"
		if k.Hypervisor != "" {
			virtual += ", of " + k.Hypervisor
		}
		if k.Emulated {
			virtual += ", emulated in software"
		}
	}
	var rows [][2]string
	add := func(name, value string) {
		if value != "" {
			rows = append(rows, [2]string{name, value})
		}
	}
	add("system", k.OS)
	add("kernel", k.Kernel)
	add("processor", k.CPU)
	if k.CPUs > 0 {
		add("usable CPUs", fmt.Sprint(k.CPUs))
	}
	add("architecture", k.Arch)
	if k.Memory > 0 {
		add("memory", msg.Quantity(float64(k.Memory), "B"))
	}
	if k.Swap > 0 {
		add("swap", msg.Quantity(float64(k.Swap), "B"))
	}
	add("equal pages merged (KSM)", k.KSM)
	add("transparent huge pages", k.HugePages)
	if k.Virtual || k.Kernel != "" { // else nothing is known
		add("itself a guest", virtual)
	}
	if k.WSL {
		add("WSL", "yes")
	}
	add("frequency governor", k.Governor)
	add("mitigations", strings.Join(k.Mitigations, "; "))
	add("security modules", strings.Join(k.Security, ", "))
	add("cgroups", strings.TrimSpace(k.CgroupLayout+" "+strings.Join(k.Controllers, ", ")))
	add("the run's cgroups", k.CgroupPlace)
	add("limits of the lab's own cgroup", analysis.BoundsOf(k))
	add("inherited, not as usual", strings.Join(msg.Pairs(k.Inherited), ", "))
	add("init", k.Init)
	if k.Kernel != "" {
		add("load at the start", msg.Number(k.Load, 2))
	}
	if x := k.Acceleration; x.Use+x.Device+x.Reason != "" {
		add("acceleration", strings.Join(msg.NonEmpty(x.Use, x.Device, x.Reason), "; "))
	}
	add("versions", strings.Join(msg.Pairs(k.Versions), ", "))
	add("built with", k.Go)
	add("salted machine id", k.ID)
	if len(rows) == 0 {
		d.line("Not recorded.")
		return
	}
	d.b.WriteString("| | |\n|:---|:---|\n")
	for _, r := range rows {
		fmt.Fprintf(&d.b, "| %s | %s |\n", r[0], escape(r[1]))
	}
	d.b.WriteByte('\n')
}

// repeat says what the run was, and how to do it once more.
func (d *document) repeat() {
	m := d.a.Run.Manifest
	d.line("## How to repeat it")
	if len(m.Command) > 0 {
		d.line("```\nsudo lab %s\n```", clean.Code(d.command()))
	}
	items := []string{strings.Join(msg.NonEmpty(with("run ", m.ID), with("lab ", m.Lab), fmt.Sprintf("seed %d", m.Seed)), ", ")}
	if !m.Started.IsZero() {
		span := "begun " + m.Started.UTC().Format("2006-01-02 15:04:05 MST")
		if !m.Ended.IsZero() {
			span += ", ended " + m.Ended.UTC().Format("15:04:05 MST")
		}
		items = append(items, span)
	}
	for _, x := range []struct {
		what string
		d    results.Digested
	}{{"image", m.Image}, {"workload", m.Workload}, {"guest kernel", m.Kernel}} {
		if x.d != (results.Digested{}) {
			text := fmt.Sprintf("%s %s, %s", x.what, escape(x.d.Name), escape(x.d.Digest))
			if x.d.Size > 0 {
				text += ", " + msg.Quantity(float64(x.d.Size), "B")
			}
			items = append(items, text)
		}
	}
	if m.Work != "" {
		items = append(items, "what instances wrote lay on one file system, "+escape(m.Work))
	}
	items = append(items,
		"every value is in `trials.csv` (`pandas.read_csv`, R's `read.csv`); `benchstat bench.txt` reads the rest; `summary.json` has what this page computed",
		"`lab report` draws this page again from `manifest.json`, `machine.json` and `trials.jsonl`, without a new run")
	d.items(items)
}

// command is the run's, with the seed that it had, and without --out: where it
// lay is nobody's business, and a folder that exists would be refused.
func (d *document) command() string {
	m := d.a.Run.Manifest
	if m.Experiment != nil { // which nothing on the command line changes
		return "run -f " + results.ExperimentFile
	}
	var words []string
	seeded := false
	for i, w := range m.Command {
		if w == "--out" || strings.HasPrefix(w, "--out=") || i > 0 && m.Command[i-1] == "--out" {
			continue
		}
		seeded = seeded || w == "--seed" || strings.HasPrefix(w, "--seed=")
		if w == "" || strings.ContainsAny(w, " \t\n'\"\\$&|;<>*?`(){}[]#~!") {
			w = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
		}
		words = append(words, w)
	}
	if !seeded {
		words = append(words, "--seed", fmt.Sprint(m.Seed))
	}
	return strings.Join(words, " ")
}
