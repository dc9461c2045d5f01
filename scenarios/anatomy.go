package scenarios

import (
	"fmt"
	"maps"

	"lab/bench"
	"lab/bench/results"
)

// Anatomy asks what each ingredient of a start costs. A container is taken apart
// in two ways: built up from a changed root folder, one ingredient more a row, and
// whole but for one ingredient a row. The two needn't agree: what two ingredients
// wait for at the same time is paid once, and saved only where both are left out.
func Anatomy() *bench.Scenario {
	return &bench.Scenario{
		Name:     "anatomy",
		Alone:    "two starts at a time wait for the same locks of the kernel, and the wait would be measured",
		Question: "What does each ingredient of a container or a VM add to its start?",
		Method: "A trial starts one instance of the same program (less than 200 bytes) and ends when nothing of it is left, as in the startup scenario, on the same clock. " +
			"A container stands in many rows. up-to=root is a mount namespace with a changed root and its /proc and /dev alone; each row up-to=… after it has one ingredient more, " +
			"and the last one is a whole container again, which shows by how much two rows of the same can differ. " +
			"without=… is a whole container that lacks this one ingredient, with=… one that has one more. " +
			"A step of the staircase is the difference between the medians of two neighbouring rows, so that all steps together are the way from the first row to the last. " +
			"A guest's start is taken apart by the clock: each part ends where the next begins.",
		Cells:    anatomyCells,
		Trial:    startupTrial,
		Metrics:  startupMetrics,
		Figures:  anatomyFigures,
		Findings: anatomyFindings(),
	}
}

// An ingredient of a container is a setting that can be switched off: off is how
// it is without, on how a container has it by default.
type ingredient struct{ name, setting, off, on string }

// ingredients are in the order in which a container is built up here: files
// first, then what is seen, then what may be used, then what may be done.
var ingredients = []ingredient{
	{"overlay", "overlay", "no", "yes"},
	{"pid", "pid", "no", "yes"},
	{"ipc", "ipc", "no", "yes"},
	{"uts", "uts", "no", "yes"},
	{"net", "net", "host", "none"},
	{"cgroup", "cgroup", "no", "yes"},
	{"caps", "caps", "all", "default"},
	{"seccomp", "seccomp", "none", "default"},
}

// further are ingredients that a container hasn't got by default.
var further = []ingredient{
	{"user", "user", "no", "yes"},
	{"time", "time", "no", "yes"},
	{"bridge", "net", "none", "bridge"},
}

// anatomyRoot is the row that has none of the ingredients: the mount namespace, the
// changed root and what is mounted there.
const anatomyRoot = "root"

// anatomyWay is one row of an environment that has all ingredients.
type anatomyWay struct{ variant, set map[string]string }

// anatomyWays are a container's rows: the whole one first, to which others are
// compared.
func anatomyWays() []anatomyWay {
	ways := []anatomyWay{{}}
	built := map[string]string{}
	for _, i := range ingredients {
		built[i.setting] = i.off
	}
	add := func(key, name string, set map[string]string) {
		ways = append(ways, anatomyWay{map[string]string{key: name}, maps.Clone(set)})
	}
	add("up-to", anatomyRoot, built)
	for _, i := range ingredients {
		built[i.setting] = i.on
		add("up-to", i.name, built)
	}
	for _, i := range ingredients {
		add("without", i.name, map[string]string{i.setting: i.off})
	}
	for _, i := range further {
		add("with", i.name, map[string]string{i.setting: i.on})
	}
	return ways
}

// takenApart says whether an environment has all ingredients.
func takenApart(a bench.About) bool {
	for _, i := range ingredients {
		if !a.Has(i.setting, i.off, i.on) {
			return false
		}
	}
	return true
}

// anatomyCounts: there are some forty comparisons in a family, which six trials can't
// answer and fifteen can; a start takes milliseconds.
var anatomyCounts = bench.Counts{Full: bench.Count{Trials: 60, Warmup: 2}, Quick: bench.Count{Trials: 20, Warmup: 1},
	Slow: bench.Count{Trials: 20, Warmup: 1}, SlowQuick: bench.Count{Trials: 3, Warmup: 0}}

func anatomyCells(o bench.Options) []bench.Cell {
	var cells []bench.Cell
	for _, e := range o.Chosen() {
		row := func(variant, set map[string]string) {
			c := anatomyCounts.Row(e, o)
			c.Variant, c.Set = variant, set
			cells = append(cells, c)
		}
		switch {
		case takenApart(e):
			for _, w := range anatomyWays() {
				row(w.variant, w.set)
			}
		case e.Has("start", "cold", "restored"):
			row(map[string]string{"start": "cold"}, nil)
			row(map[string]string{"start": "restored"}, nil)
		default:
			row(nil, nil)
		}
	}
	return cells
}

var anatomyFigures = []results.Figure{
	{Name: "staircase", Title: "From a process to a container, one ingredient after another", Kind: "steps", By: "up-to",
		Metrics: []string{"ready"},
		Caption: "Each bar begins where the row above it ends: its length is what that row's ingredient adds to the time until ready."},
	{Name: "left-out", Title: "What a container saves that lacks one ingredient", Kind: "steps", By: "without", To: "container",
		Metrics: []string{"ready"},
		Caption: "Each bar begins at the whole container: its length is what the container saves without that ingredient."},
	{Name: "added", Title: "What one ingredient more costs a container", Kind: "steps", By: "with", To: "container",
		Metrics: []string{"ready"},
		Caption: "Each bar begins at the whole container, which has none of these by default."},
	{Name: "phases", Title: "What a start is made of, by the clock", Kind: "phases",
		Metrics: []string{"ready"},
		Caption: "The parts of the time until ready, each from the end of the one before it, on the host's clock."},
}

// anatomyFindings: an ingredient is cheap if it adds less than a millisecond, and the
// parts are the whole if a container built up to the last one is a container.
func anatomyFindings() []results.Finding {
	out := []results.Finding{{
		Name: "whole", Statement: "A container built up ingredient by ingredient starts as fast as any.",
		Metric: "ready", Of: "container", OfVariant: map[string]string{"up-to": ingredients[len(ingredients)-1].name}, To: "container", Compare: "ratio", Op: "within", Threshold: near,
		Reason: "the two rows are the same container: what lies between them is the error of all steps together",
	}}
	for _, i := range ingredients {
		out = append(out, results.Finding{
			Name: "without-" + i.name, Claim: 15, Statement: fmt.Sprintf("A container without %s starts < 1 ms sooner.", anatomyNames[i.name]),
			Metric: "ready", Of: "container", OfVariant: map[string]string{"without": i.name}, To: "container", Compare: "difference", Op: "above", Threshold: -0.001,
			Reason: "a millisecond is what nobody who starts a container notices, and a tenth of what a plain shell with a few commands takes",
		})
	}
	return out
}

// anatomyNames are the ingredients in a sentence.
var anatomyNames = map[string]string{
	"overlay": "a writable layer", "pid": "a PID namespace", "ipc": "an IPC namespace", "uts": "a host name of its own", "net": "a network namespace",
	"cgroup": "control groups", "caps": "dropping capabilities", "seccomp": "a filter of system calls",
}
