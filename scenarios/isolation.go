package scenarios

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"

	"lab/bench"
	"lab/bench/image"
	"lab/bench/probe/line"
	"lab/bench/results"
)

// Isolation asks what a program inside can see of the machine, and change. A
// neighbour on the host has one of everything; the program looks for it. What it
// should find follows from what the instance is made of, as the host sees it.
func Isolation() *bench.Scenario {
	return &bench.Scenario{
		Name:     "isolation",
		Alone:    "its answers are yes or no, and noise doesn't change them",
		Workload: image.ProbePath,
		Beside:   "host",
		Question: "What of the machine can a program inside see, and what change?",
		Method: fmt.Sprintf("A trial starts a neighbour on the host, which has one of everything: a file, a mount, memory, an open file, a port, a network device, IPC objects, a key. "+
			"Then it starts the lab's probe, the same bytes everywhere, as root, and has it try %d ways to reach these and the machine itself. "+
			"A probe sees what it finds or can read; it changes what it could write to. The neighbour says what was in fact changed: if that differs from what the probe says, the trial fails. "+
			"What would harm the machine is asked for and not done: a file is opened for writing and not written to, a setting gets the value that it has. "+
			"Before the first probe the host looks at the process's /proc/PID (namespaces, root folder, capabilities, filter) and notes what the instance is made of. For each probe it is written down in advance which ingredients suffice to stop it; from both follows what it should answer. "+
			"Rows such as pid=no leave one ingredient out. This is about mechanism: what can be reached isn't what can be exploited.", len(isolationProbes)),
		Cells:    isolationCells,
		Trial:    isolationTrial,
		Metrics:  isolationMetrics(),
		Figures:  isolationFigures(),
		Findings: isolationFindings(),
	}
}

// isolationCounts: an answer is the same each time. A third trial would tell of a
// probe that sometimes succeeds.
var isolationCounts = bench.Counts{Full: bench.Count{Trials: 3}, Quick: bench.Count{Trials: 2}, Slow: bench.Count{Trials: 3}, SlowQuick: bench.Count{Trials: 2}}

// isolationCells is a row of each environment, and one for each of its ingredients
// left out, or added where it usually isn't there.
func isolationCells(o bench.Options) []bench.Cell {
	var cells []bench.Cell
	add := func(e bench.About, set map[string]string) {
		c := isolationCounts.Row(e, o)
		c.Variant, c.Init, c.Work = set, e.Guest, !e.Guest
		c.Grouped = ownGroup(e, o) && set["cgroup"] != "no"
		c.Expect = 100e6
		if !agrees(c, o) {
			return
		}
		cells = append(cells, c)
	}
	for _, e := range o.Chosen() {
		add(e, nil)
		for _, s := range e.Settings {
			if s.Without == "" {
				continue
			}
			v := s.Without
			for _, other := range s.Values {
				if s.Default == s.Without && other != v {
					v = other
					break
				}
			}
			if _, asked := o.Fixed()[s.Name]; !asked && e.Has(s.Name, v) {
				add(e, map[string]string{s.Name: v})
			}
		}
	}
	return cells
}

// isolationTrial makes the neighbour, and the probes while it waits.
func isolationTrial(ctx context.Context, t *bench.T, c bench.Cell) error {
	mark := bench.Token()
	dir := "/tmp"
	if c.Work {
		var err error
		if dir, err = t.Place(ctx); err != nil {
			return err
		}
	}
	args := []string{"reach", "mark=" + mark, "dir=" + dir}
	r := &isolationAnswers{guest: c.Guest, mark: mark, says: map[string]int{}, absent: map[string]bool{}}
	err := t.Beside(ctx, []string{"neighbour", "mark=" + mark, "dir=" + t.Home()}, func(_ bench.Instance, h bench.Heard) error {
		switch h.Kind {
		case line.Fact:
			for _, p := range h.Pairs {
				args = append(args, p.Key+"="+p.Value)
			}
		case line.Begin:
			return t.Probe(ctx, args, func(_ bench.Instance, h bench.Heard) error { return r.hear(h) })
		case line.End:
			return r.against(h)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return r.record(t)
}

// isolationAnswers are what a trial heard and saw.
type isolationAnswers struct {
	guest   bool
	mark    string
	outside isolationOutside
	says    map[string]int  // by probe
	absent  map[string]bool // those that this kernel has nothing for
	why     map[string]string
}

// hear is what the program inside says; at its sections the host looks at it.
func (r *isolationAnswers) hear(h bench.Heard) (err error) {
	switch {
	case h.Kind == line.Begin && h.Name == "hold":
		r.outside, err = lookFromOutside(r.mark, r.guest)
	case h.Kind == line.Begin && h.Name == "mount":
		r.outside.made = mountedHere(r.mark + "-made")
	case h.Kind == line.Fact && h.Name == "why":
		r.why = map[string]string{}
		for _, p := range h.Pairs {
			r.why[p.Key] = p.Value
		}
	case h.Kind == line.Fact:
		for _, p := range h.Pairs {
			if p.Value == "absent" {
				r.absent[p.Key] = true
				continue
			}
			if r.says[p.Key], err = strconv.Atoi(p.Value); err != nil {
				return bench.Blamed(bench.BlameLab, fmt.Errorf("probe: %s says %q", p.Key, p.Value))
			}
		}
	}
	return err
}

// against holds what the program said it changed against what the neighbour says
// was changed.
func (r *isolationAnswers) against(h bench.Heard) error {
	file := 0
	for _, name := range []string{"file", "escape", "escape-proc", "escape-handle", "root-link"} {
		file = max(file, r.says[name])
	}
	var wrong []error
	for _, p := range h.Pairs {
		said, ok := r.says[p.Key]
		if p.Key == "file" {
			said = file
		}
		if was, number := h.Float(p.Key); ok && number && (was == 1) != (said == isolationChanges) {
			wrong = append(wrong, fmt.Errorf("%s: the program says %s, the neighbour that it was changed: %v", p.Key, isolationWords[said], was == 1))
		}
	}
	if wrong != nil {
		return bench.Blamed(bench.BlameLab, errors.Join(wrong...))
	}
	return nil
}

// record records all answers, and how many of them are as they should be.
func (r *isolationAnswers) record(t *bench.T) error {
	yes := func(is bool, a int) int {
		if is {
			return a
		}
		return isolationNeither
	}
	r.says["seen"] = yes(r.outside.pid != 0, isolationSees)
	r.says["root-is-root"] = yes(r.outside.pid != 0 && r.outside.uid == 0, isolationSees)
	r.says["mount-made"] = yes(r.outside.made, isolationChanges)
	seen, changed, surprises := 0, 0, 0
	for _, p := range isolationProbes {
		a, ok := r.says[p.name]
		if r.absent[p.name] {
			t.RecordText(p.metric(), "not even root on the host can here")
			continue
		}
		if !ok || a >= len(isolationWords) {
			return bench.Blamed(bench.BlameLab, fmt.Errorf("probe: no answer to %s", p.name))
		}
		t.Record(p.metric(), float64(a))
		if a >= isolationSees {
			seen++
		}
		if a == isolationChanges {
			changed++
		}
		if r.outside.has == nil {
			continue
		}
		if should := p.follows(r.outside); a != should {
			surprises++
			t.Found(map[string]string{"unexplained " + p.name: fmt.Sprintf("%s instead of %s (%s)",
				isolationWords[a], isolationWords[should], cmp.Or(r.why[p.name], "no error"))})
		}
	}
	t.Record("reached", float64(seen))
	t.Record("changed", float64(changed))
	if r.outside.has == nil {
		t.RecordText("unexplained", "what it is made of can't be seen from the host")
		return nil
	}
	t.Record("unexplained", float64(surprises))
	for _, i := range isolationIngredients {
		t.Record("has-"+i.name, share(r.outside.has[i.name]))
	}
	return nil
}

func isolationMetrics() []results.Metric {
	out := []results.Metric{
		{Name: "reached", Title: "Probes that reach the host", Unit: "1", Fact: true,
			Help: fmt.Sprintf("How many of the %d probes see something of the host's, or can change it. It counts mechanisms, and is no score of security: one that matters outweighs the others.", len(isolationProbes))},
		{Name: "changed", Title: "Probes that can change it", Unit: "1", Fact: true,
			Help: "How many of them could change what they found."},
		{Name: "unexplained", Title: "Answers that don't follow", Unit: "1", Better: "lower", Fact: true,
			Help: "How many answers differ from what follows from what the instance is made of, as the host sees it in /proc/PID. Which ones is in the manifest, with the row."},
	}
	for _, p := range isolationProbes {
		out = append(out, results.Metric{Name: p.metric(), Title: p.title, Unit: "1", Words: isolationWords, Help: p.help()})
	}
	for _, i := range isolationIngredients {
		out = append(out, results.Metric{Name: "has-" + i.name, Title: i.title, Unit: "1", Words: []string{"no", "yes"},
			Help: "Whether the host sees it at the process inside."})
	}
	return out
}

func isolationFigures() []results.Figure {
	var probes, has []string
	for _, p := range isolationProbes {
		probes = append(probes, p.metric())
	}
	for _, i := range isolationIngredients {
		has = append(has, "has-"+i.name)
	}
	return []results.Figure{
		{Name: "ladder", Title: "What a program inside reaches of the host", Kind: "matrix", Metrics: probes,
			Caption: "Each row is a probe, each column an environment. The rows are sorted so that what most environments reach comes first."},
		{Name: "left-out", Title: "What each ingredient of a container keeps out", Kind: "matrix", Metrics: probes, To: "container",
			Caption: "Each column leaves one ingredient out of a container, or adds one; only the probes that then answer something else are shown, and these answers are framed."},
		{Name: "ingredients", Title: "What each environment is made of", Kind: "matrix", Metrics: has,
			Caption: "As the host sees it at the process inside: its namespaces, root folder, capabilities and filter, in /proc/PID."},
	}
}

// isolationFindings answer what people are told (CLAIMS 3, 15, 16, 19, 22, 24, 28).
func isolationFindings() []results.Finding {
	const sure = "each trial gave this answer"
	var out []results.Finding
	is := func(env string, claim int, probe string, least bool, statement string) {
		f := results.Finding{Name: env + "-" + probe, Claim: claim, Statement: statement, Metric: "reach-" + probe, Of: env, Compare: "value",
			Op: "below", Threshold: 0.5, Reason: sure, Plain: true}
		if least {
			f.Op = "above"
		}
		out = append(out, f)
	}
	is("container", 3, "seen", true, "A container's program runs as a process of the host, which sees it.")
	is("container", 15, "process-list", false, "A PID namespace keeps the host's processes from a container.")
	is("container", 15, "file", false, "A container can't reach the host's files by their path.")
	is("chroot", 16, "signal", true, "With chroot alone, the host's processes stay reachable.")
	is("chroot", 16, "net-port", true, "With chroot alone, the host's network stays reachable.")
	is("chroot", 16, "ipc-memory", true, "With chroot alone, the host's IPC objects stay reachable.")
	is("chroot", 16, "escape", true, "Root gets out of a chroot by a second chroot.")
	is("container", 16, "escape", false, "Root doesn't get out of a container by a second chroot.")
	is("container", 22, "kernel", true, "A container runs on the host's kernel.")
	is("container", 28, "net-device", false, "A container doesn't see the host's network devices.")
	is("container", 32, "mount-made", false, "A container keeps a jail's rule that mounts stay inside.")
	is("container", 32, "signal", false, "A container keeps a jail's rule that no signal leaves it.")
	shared := results.Finding{Name: "shared-packets", Claim: 32, Statement: "On the host's network a container has no raw sockets, as a jail.", Metric: "reach-net-packets",
		Of: "container", OfVariant: map[string]string{"net": "host"}, Compare: "value", Op: "below", Threshold: 0.5, Reason: sure}
	out = append(out, shared)
	shared.Name, shared.Statement, shared.Metric, shared.Threshold = "shared-device", "On the host's network a container can't change devices, as a jail.", "reach-net-device", 1.5
	out = append(out, shared)
	is("vm", 22, "kernel", false, "A virtual machine runs on a kernel of its own.")
	out = append(out, results.Finding{Name: "vm-reached", Claim: 19, Statement: "A virtual machine reaches less of the host than a container.",
		Metric: "reached", Of: "vm", To: "container", Compare: "difference", Op: "below", Threshold: -0.5, Reason: "at least one probe fewer, in each pair of trials", Plain: true},
		results.Finding{Name: "container-complete", Claim: 24, Statement: "Namespaces and cgroups separate a container completely.",
			Metric: "reached", Of: "container", Compare: "value", Op: "below", Threshold: 0.5, Reason: "no probe reaches anything of the host's", Plain: true})
	for _, env := range []string{"host", "chroot", "container", "vm"} {
		out = append(out, results.Finding{Name: env + "-follows", Statement: "What " + env + " keeps apart follows from what it is made of.",
			Metric: "unexplained", Of: env, Compare: "value", Op: "below", Threshold: 0.5, Reason: "no answer differs from what its ingredients say", Plain: true})
	}
	return out
}
