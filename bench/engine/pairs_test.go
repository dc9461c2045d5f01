package engine_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"lab/bench"
	"lab/bench/benchtest"
	"lab/bench/engine"
	"lab/bench/request"
	"lab/bench/results"
)

// Each row is made with its partner in each block, a pair's two trials at following
// places, and either side is drawn about as often.
func TestOrderPairs(t *testing.T) {
	partner := []int{-1, 0, 0, -1} // the last one is made alone
	plan := engine.OrderPairs(7, []int{0, 200, 200, 200}, partner)
	if !reflect.DeepEqual(plan, engine.OrderPairs(7, []int{0, 200, 200, 200}, partner)) {
		t.Error("the same seed gives two plans")
	}
	sides, first, made := map[int]int{}, map[int]int{}, map[int]int{}
	pos, block := 0, -1
	for _, s := range plan {
		if s.Block != block {
			pos, block = 0, s.Block
			first[s.Cell]++
		}
		if s.Pos != pos || s.Partner != partner[s.Cell] {
			t.Fatalf("block %d: cell %d at %d with %d; want %d with %d", s.Block, s.Cell, s.Pos, s.Partner, pos, partner[s.Cell])
		}
		pos++
		if s.Partner >= 0 {
			pos++
			sides[s.Side]++
		}
		made[s.Cell]++
	}
	if made[0] != 0 || made[1] != 200 || made[2] != 200 || made[3] != 200 {
		t.Errorf("trials: %v", made)
	}
	if sides[0] < 155 || sides[0] > 245 || sides[0]+sides[1] != 400 { // 200, give or take 4.5 standard deviations
		t.Errorf("sides: %v", sides)
	}
	for _, c := range []int{1, 2, 3} {
		if first[c] < 37 || first[c] > 97 {
			t.Errorf("cell %d comes first in %d of 200 blocks", c, first[c])
		}
	}
}

func TestSides(t *testing.T) {
	threads := func(n int) []int { return []int{n &^ 1, n | 1} }
	for _, x := range []struct {
		may  []int
		want results.Paired
	}{
		{[]int{0, 1}, results.Paired{CPUs: []string{"0", "1"}, SameCore: true}},
		{[]int{0, 1, 2, 3}, results.Paired{CPUs: []string{"0", "2"}}},
		{[]int{5, 9}, results.Paired{CPUs: []string{"5", "9"}}},
	} {
		if got, err := engine.Sides(x.may, threads); err != nil || !reflect.DeepEqual(*got, x.want) {
			t.Errorf("%v: %+v, %v", x.may, got, err)
		}
	}
	if got, err := engine.Sides([]int{3}, threads); err == nil || !strings.Contains(err.Error(), "fewer than two") {
		t.Errorf("of one: %v, %v", got, err)
	}
}

func twoProcessors(t *testing.T) {
	if runtime.NumCPU() < 2 {
		t.Skip("SKIPPED: a pair of trials needs two processors")
	}
}

// meeting is a scenario whose trials meet three times. together counts the times that both
// of a pair were there.
func meeting(together *int, cells ...bench.Cell) *bench.Scenario {
	var mu sync.Mutex
	at := 0
	return &bench.Scenario{
		Name: "meeting", Cells: func(bench.Options) []bench.Cell { return cells },
		Metrics: []results.Metric{{Name: "ready", Unit: "s", Better: "lower"}},
		Trial: func(ctx context.Context, t *bench.T, c bench.Cell) error {
			for n := range 3 {
				mu.Lock()
				if at++; at == 2 {
					*together++
				}
				mu.Unlock()
				if err := t.Meet(ctx); err != nil { // nobody leaves before both have counted
					return err
				}
				mu.Lock()
				at--
				mu.Unlock()
				// And nobody comes again before both have left.
				if err := t.Meet(ctx); err != nil {
					return err
				}
				if n == 1 && c.Env == "ends early" {
					return errors.New("it ends early")
				}
			}
			t.Record("ready", 1)
			return nil
		},
	}
}

// A run of pairs makes both trials of one at the same time, on processors of their own
// that are swapped, and writes both at once; the manifest says so.
func TestPairs(t *testing.T) {
	twoProcessors(t)
	together := 0
	var writes [][]results.Line
	r := &engine.Runner{Scenario: meeting(&together, cell("a", 12, 1), cell("b", 12, 1), cell("c", 12, 1)), Seed: 5,
		Envs:    []bench.Environment{&benchtest.Fake{Label: "a"}, &benchtest.Fake{Label: "b"}, &benchtest.Fake{Label: "c"}},
		Options: asking(request.Request{Paired: true}), Write: func(l []results.Line) error { writes = append(writes, l); return nil }}
	if outcome, _ := run(t, context.Background(), r); outcome != engine.Complete {
		t.Fatal(outcome)
	}
	m := r.Manifest
	if m.Paired == nil || len(m.Paired.CPUs) != 2 || m.Cells[0].Trials != 24 || m.Cells[0].Warmup != 2 || m.Cells[0].With != "" || m.Cells[1].With != "a" || m.Cells[2].With != "a" {
		t.Errorf("%+v, %+v", m.Paired, m.Cells)
	}
	if len(writes) != 26 || together != 3*26 {
		t.Errorf("%d pairs, which were together %d times", len(writes), together)
	}
	swapped := map[string]int{}
	for _, w := range writes {
		a, b := w[0], w[1]
		if len(w) != 2 || b.Env != "a" || a.Env == "a" || a.Pair == 0 || a.Pair != b.Pair || a.Block != b.Block || b.Pos != a.Pos+1 || b.Trial != a.Trial+1 || a.CPUs == b.CPUs || a.At != b.At || a.Warmup != b.Warmup {
			t.Errorf("%+v\n%+v", a, b)
		}
		swapped[a.CPUs]++
	}
	if len(swapped) != 2 {
		t.Errorf("sides of the first: %v", swapped)
	}
}

// One trial's end leaves the other one alone, and not waiting for ever.
func TestPairEndsEarly(t *testing.T) {
	twoProcessors(t)
	together := 0
	var lines []results.Line
	r := &engine.Runner{Scenario: meeting(&together, cell("a", 1, 0), cell("ends early", 1, 0)),
		Envs:    []bench.Environment{&benchtest.Fake{Label: "a"}, &benchtest.Fake{Label: "ends early"}},
		Options: asking(request.Request{Paired: true}), Write: func(l []results.Line) error { lines = append(lines, l...); return nil }}
	begun := time.Now()
	if outcome, _ := run(t, context.Background(), r); outcome != engine.Failures || time.Since(begun) > 5*time.Second {
		t.Errorf("%s after %v", outcome, time.Since(begun))
	}
	if len(lines) != 2 || lines[0].Err == "" || lines[1].Err != "" {
		t.Errorf("%+v", lines)
	}
}

// A resumed run makes what is missing, and both trials of a pair of which one wasn't
// written.
func TestResumePairs(t *testing.T) {
	twoProcessors(t)
	value := func(n int, env string) float64 { return 1 }
	var mu sync.Mutex
	var whole []results.Line
	runner := func() *engine.Runner {
		sc := valued(value, cell("a", 4, 1), cell("b", 4, 1), cell("c", 2, 0))
		trial := sc.Trial
		sc.Trial = func(ctx context.Context, t *bench.T, c bench.Cell) error {
			mu.Lock()
			defer mu.Unlock()
			return trial(ctx, t, c)
		}
		return &engine.Runner{Scenario: sc, Seed: 9, Options: asking(request.Request{Paired: true}),
			Envs: []bench.Environment{&benchtest.Fake{Label: "a"}, &benchtest.Fake{Label: "b"}, &benchtest.Fake{Label: "c"}}}
	}
	mark := func(to *[]results.Line) func([]results.Line) error {
		return func(lines []results.Line) error {
			for i := range lines {
				lines[i].Last = true // each trial has one
			}
			*to = append(*to, lines...)
			return nil
		}
	}
	r := runner()
	r.Write = mark(&whole)
	run(t, context.Background(), r)
	pairs := func(lines []results.Line) map[string]int {
		n := map[int][]string{}
		for _, l := range lines {
			n[l.Pair] = append(n[l.Pair], fmt.Sprint(l.Env, l.Block, l.Warmup))
		}
		out := map[string]int{}
		for _, p := range n {
			if len(p) == 2 {
				out[strings.Join(p, " ")]++
			}
		}
		return out
	}
	if len(whole) != 14 {
		t.Fatalf("%d trials", len(whole))
	}
	for cut := range whole {
		var rest []results.Line
		r := runner()
		r.Done, r.Write = slices.Clone(whole[:cut]), mark(&rest)
		if outcome, _ := run(t, context.Background(), r); outcome != engine.Complete {
			t.Fatal(outcome)
		}
		all := append(slices.Clone(whole[:cut]), rest...)
		if got := pairs(all); !reflect.DeepEqual(got, pairs(whole)) || len(all) != len(whole)+cut%2 {
			t.Errorf("cut after %d: %d trials, %v", cut, len(all), got)
		}
		for i, l := range rest {
			if i > 0 && l.Trial != rest[i-1].Trial+1 || l.Trial < cut {
				t.Errorf("cut after %d: trial %d", cut, l.Trial)
			}
		}
	}
}

// With pairs, --precision is about ratios: medians that a machine moves for both don't
// keep a run going.
func TestPrecisionOfPairs(t *testing.T) {
	twoProcessors(t)
	var mu sync.Mutex
	rng := rand.New(rand.NewPCG(1, 2))
	n, machine := 0, 1.0
	sc := valued(nil, cell("a", 12, 0), cell("b", 12, 0))
	sc.Trial = func(_ context.Context, t *bench.T, c bench.Cell) error {
		mu.Lock()
		defer mu.Unlock()
		if n%2 == 0 {
			machine = 1 + rng.Float64()
		}
		n++
		t.Record("ready", machine*(1+0.001*rng.Float64()))
		return nil
	}
	var lines []results.Line
	r := &engine.Runner{Scenario: sc, Envs: two, Write: func(l []results.Line) error { lines = append(lines, l...); return nil },
		Options: asking(request.Request{Paired: true, Precision: 0.01})}
	run(t, context.Background(), r)
	if len(lines) != 24 || len(r.Manifest.Notes) != 1 || !strings.Contains(r.Manifest.Notes[0], "each ratio of ready (--precision) was asked for, and reached after 12 blocks") {
		t.Errorf("%d trials; %q", len(lines), r.Manifest.Notes)
	}
}

// A scenario that lets layouts vary has another one in each trial: written down, the same
// for the same seed, and just what its program has.
func TestLayout(t *testing.T) {
	var mu sync.Mutex
	var got []bench.Command
	fake := &benchtest.Fake{Label: "a", Script: func(_ int, s bench.Spec) benchtest.Act {
		mu.Lock()
		defer mu.Unlock()
		got = append(got, s.Command)
		return benchtest.Act{}
	}}
	measured := func(layout bool) (lines []results.Line) {
		got = nil
		sc := startup(cell("a", 40, 0))
		sc.Layout = layout
		_, trials := run(t, context.Background(), &engine.Runner{Scenario: sc, Envs: []bench.Environment{fake}, Seed: 3, Manifest: &results.Manifest{}})
		for n, l := range trials {
			lines = append(lines, l[0])
			c := got[n]
			if !layout {
				if len(c.Env) != 0 || c.Argv[0] != "/bin/ready" || l[0].EnvPad+l[0].ArgvPad != 0 {
					t.Errorf("%q %q", c.Argv, c.Env)
				}
			} else if len(c.Env) != 1 || len(c.Env[0]) != len(bench.PadName+"=")+l[0].EnvPad || len(c.Argv[0]) != len("/bin/ready")+l[0].ArgvPad ||
				strings.TrimLeft(c.Argv[0], "/") != "bin/ready" || !strings.HasPrefix(c.Argv[1], "lab-") {
				t.Errorf("%+v: %q %q", l[0], c.Argv, c.Env)
			}
		}
		return lines
	}
	measured(false)
	envs, argvs := map[int]bool{}, map[int]bool{}
	one, two := measured(true), measured(true)
	for i, l := range one {
		envs[l.EnvPad], argvs[l.ArgvPad] = true, true
		if l.EnvPad != two[i].EnvPad || l.ArgvPad != two[i].ArgvPad {
			t.Error("the same seed gives two layouts")
		}
	}
	if len(envs) < 35 || len(argvs) < 20 {
		t.Errorf("%d and %d sizes in 40 trials", len(envs), len(argvs))
	}
}

// Each instance of a pair is told its own processor, and a guest that it has one.
func TestPairIsPinned(t *testing.T) {
	twoProcessors(t)
	var mu sync.Mutex
	var sets []string
	script := func(_ int, s bench.Spec) benchtest.Act {
		mu.Lock()
		defer mu.Unlock()
		if s.CPUs > 1 || len(s.Limits.CPUSet) == 0 {
			t.Errorf("%d processors of %q", s.CPUs, s.Limits.CPUSet)
		}
		sets = append(sets, s.Limits.CPUSet)
		return benchtest.Act{}
	}
	a, b := cell("a", 5, 0), cell("b", 5, 0)
	a.CPUs, b.CPUs = 2, 2
	r := &engine.Runner{Scenario: startup(a, b), Seed: 1, Options: asking(request.Request{Paired: true}),
		Envs: []bench.Environment{&benchtest.Fake{Label: "a", Script: script}, &benchtest.Fake{Label: "b", Script: script}}}
	if outcome, trials := run(t, context.Background(), r); outcome != engine.Complete || len(trials) != 5 {
		t.Fatal(outcome, len(trials))
	}
	for i := 0; i < len(sets); i += 2 {
		if sets[i] == sets[i+1] {
			t.Errorf("both of a pair ran on %s", sets[i])
		}
	}
}
