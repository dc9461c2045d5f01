package engine_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"lab/bench"
	"lab/bench/benchtest"
	"lab/bench/engine"
	"lab/bench/request"
	"lab/bench/results"
)

// valued is a scenario whose values f makes up.
func valued(f func(n int, env string) float64, cells ...bench.Cell) *bench.Scenario {
	n := 0
	return &bench.Scenario{
		Name: "valued", Cells: func(bench.Options) []bench.Cell { return cells },
		Metrics: []results.Metric{{Name: "ready", Unit: "s", Better: "lower"}},
		Trial: func(_ context.Context, t *bench.T, c bench.Cell) error {
			t.Record("ready", f(n, c.Env))
			n++
			return nil
		},
	}
}

// written collects lines, marked as the folder's writer marks them.
func written(to *[]results.Line) func([]results.Line) error {
	return func(lines []results.Line) error {
		for i := range lines {
			lines[i].Last = i == len(lines)-1
		}
		*to = append(*to, lines...)
		return nil
	}
}

func spots(lines []results.Line) (out []string) {
	for _, l := range lines {
		out = append(out, fmt.Sprintln(l.Trial, l.Block, l.Pos, l.Env, l.Warmup, l.Repeated))
	}
	return out
}

var two = []bench.Environment{&benchtest.Fake{Label: "a"}, &benchtest.Fake{Label: "b"}}

// Blocks are added until each cell's interval is as narrow as asked, and not
// one more; the manifest says so.
func TestPrecision(t *testing.T) {
	noisy := func(n int, env string) float64 {
		rng := rand.New(rand.NewPCG(uint64(n), 1))
		if env == "a" {
			return 1
		}
		return 1 + 0.1*rng.Float64()
	}
	var lines []results.Line
	r := &engine.Runner{Scenario: valued(noisy, cell("a", 8, 1), cell("b", 8, 1)), Envs: two, Seed: 3,
		Manifest: &results.Manifest{}, Write: written(&lines), Options: asking(request.Request{Precision: 0.01})}
	outcome, _ := run(t, context.Background(), r)
	n := len(lines)/2 - 1
	if outcome != engine.Complete || n <= 8 {
		t.Fatalf("%s after %d blocks", outcome, n)
	}
	m := r.Manifest
	if m.Cells[0].Trials != n || m.Cells[1].Trials != n {
		t.Errorf("the manifest says %d and %d trials, and %d blocks were made", m.Cells[0].Trials, m.Cells[1].Trials, n)
	}
	if len(m.Notes) != 1 || !strings.Contains(m.Notes[0], "±1 %") || !strings.Contains(m.Notes[0], fmt.Sprintf("reached after %d blocks", n)) {
		t.Errorf("notes %q", m.Notes)
	}
	for b := range n + 1 { // whole blocks
		in := 0
		for _, l := range lines {
			if l.Block == b {
				in++
			}
		}
		if in != 2 {
			t.Errorf("block %d has %d trials", b, in)
		}
	}
	defer engine.SetMaxBlocks(50)()
	// What isn't reached is said, with how wide it was left.
	lines = nil
	wild := func(n int, _ string) float64 { return float64(1 + n%2*9) }
	r = &engine.Runner{Scenario: valued(wild, cell("a", 1, 0)), Envs: two, Manifest: &results.Manifest{}, Write: written(&lines),
		Options: asking(request.Request{Precision: 0.01})}
	run(t, context.Background(), r)
	if len(lines) != 50 || len(r.Manifest.Notes) != 1 || !strings.Contains(r.Manifest.Notes[0], "not reached after 50 blocks, the most that are made: a (±") {
		t.Errorf("%d trials, notes %q", len(lines), r.Manifest.Notes)
	}
}

func TestMaxTime(t *testing.T) {
	slow := func(int, string) float64 { time.Sleep(10 * time.Millisecond); return 1 }
	var lines []results.Line
	r := &engine.Runner{Scenario: valued(slow, cell("a", 1000, 1)), Envs: two, Manifest: &results.Manifest{}, Write: written(&lines),
		Options: asking(request.Request{MaxTime: request.Span(2 * time.Second)})}
	start := time.Now()
	outcome, _ := run(t, context.Background(), r)
	if d := time.Since(start); outcome != engine.Complete || d > 10*time.Second || len(lines) < 3 {
		t.Errorf("%s after %v and %d trials", outcome, d, len(lines))
	}
	if n := r.Manifest.Notes; len(n) != 1 || !strings.Contains(n[0], "2s (--max-time) was over after ") || r.Manifest.Cells[0].Trials != len(lines)-1 {
		t.Errorf("notes %q, %d trials of %d", n, r.Manifest.Cells[0].Trials, len(lines))
	}
	// However short: one block.
	lines = nil
	r = &engine.Runner{Scenario: valued(slow, cell("a", 10, 1)), Envs: two, Manifest: &results.Manifest{}, Write: written(&lines),
		Options: asking(request.Request{MaxTime: 1})}
	if run(t, context.Background(), r); len(lines) != 2 {
		t.Errorf("%d trials", len(lines))
	}
}

// A disturbed trial is made once more in its block, and both are kept.
func TestStrict(t *testing.T) {
	n := 0
	guard := func(hit func(int) bool) func() func() []string {
		n = 0
		return func() func() []string {
			n++
			me := n - 1
			return func() []string {
				if hit(me) {
					return []string{"steal"}
				}
				return nil
			}
		}
	}
	var lines []results.Line
	r := &engine.Runner{Scenario: valued(func(int, string) float64 { return 1 }, cell("a", 4, 1), cell("b", 4, 1)), Envs: two, Seed: 5,
		Manifest: &results.Manifest{}, Write: written(&lines), Options: asking(request.Request{Strict: true}),
		Guard: guard(func(i int) bool { return i == 0 || i == 2 || i == 4 })}
	run(t, context.Background(), r)
	var got []string
	for _, l := range lines {
		if l.Block == 1 {
			got = append(got, fmt.Sprint(l.Env, l.Pos, l.Repeated, len(l.Taint)))
		}
	}
	first, other := lines[2].Env, lines[3].Env
	want := []string{first + "0 true 1", other + "1 false 0", first + "2 true 1", first + "3 false 0"}
	if !slices.Equal(got, want) || lines[0].Repeated {
		t.Errorf("got %q, want %q", got, want)
	}
	if len(lines) != 12 || !strings.Contains(strings.Join(r.Manifest.Notes, ""), "repeated (--strict): 2") {
		t.Errorf("%d trials, notes %q", len(lines), r.Manifest.Notes)
	}
	// A machine that is never quiet: it ends.
	lines = nil
	r = &engine.Runner{Scenario: valued(func(int, string) float64 { return 1 }, cell("a", 5, 0)), Envs: two,
		Manifest: &results.Manifest{}, Write: written(&lines), Options: asking(request.Request{Strict: true}), Guard: guard(func(int) bool { return true })}
	run(t, context.Background(), r)
	counted := 0
	for _, l := range lines {
		if !l.Repeated {
			counted++
		}
	}
	if counted != 5 || len(lines) != 15 {
		t.Errorf("%d trials, of which %d count", len(lines), counted)
	}
}

// Broken off after any number of trials, a run goes on as if it hadn't been.
func TestResume(t *testing.T) {
	taint := func(lines *[]results.Line) func() func() []string {
		return func() func() []string {
			n := len(*lines)
			return func() []string {
				if n%5 == 3 {
					return []string{"steal"}
				}
				return nil
			}
		}
	}
	for name, x := range map[string]request.Request{"plain": {}, "strict": {Strict: true}, "precise": {Precision: 0.06}} {
		value := func(lines *[]results.Line) func(int, string) float64 {
			return func(int, string) float64 { return 1 + float64(len(*lines)*7919%97)/200 }
		}
		make := func(lines *[]results.Line, done []results.Line) *engine.Runner {
			return &engine.Runner{Scenario: valued(value(lines), cell("a", 9, 2), cell("b", 4, 1)), Envs: two, Seed: 8,
				Manifest: &results.Manifest{}, Write: written(lines), Options: asking(x), Guard: taint(lines), Done: done}
		}
		var whole []results.Line
		run(t, context.Background(), make(&whole, nil))
		if planned := 9 + 4 + 2 + 1; name != "plain" && len(whole) <= planned {
			t.Fatalf("%s: %d trials, no more than planned: nothing is tested", name, len(whole))
		}
		for cut := range len(whole) + 1 {
			if cut%(1+len(whole)/12) != 0 && cut < len(whole)-6 {
				continue
			}
			lines := slices.Clone(whole[:cut])
			r := make(&lines, slices.Clone(lines))
			outcome, _ := run(t, context.Background(), r)
			if outcome != engine.Complete || !slices.Equal(spots(lines), spots(whole)) {
				i := 0
				for i < min(len(lines), len(whole)) && spots(lines)[i] == spots(whole)[i] {
					i++
				}
				t.Fatalf("%s: cut after %d of %d: %s; differs from the %dth trial of %d on\ngot\n%vwant\n%v",
					name, cut, len(whole), outcome, i, len(lines), spots(lines[i:]), spots(whole[i:]))
			}
		}
	}
}

// A failed trial was made, and stays the run's failure.
func TestResumeFailed(t *testing.T) {
	lines := []results.Line{{Env: "a", Trial: 0, Err: "it broke", Last: true}}
	r := &engine.Runner{Scenario: valued(func(int, string) float64 { return 1 }, cell("a", 2, 0)), Envs: two,
		Manifest: &results.Manifest{}, Write: written(&lines), Done: slices.Clone(lines), Before: time.Minute}
	outcome, _ := run(t, context.Background(), r)
	if outcome != engine.Failures || len(lines) != 2 || lines[1].Trial != 1 || lines[1].At < 60 {
		t.Errorf("%s, %+v", outcome, lines)
	}
	if !reflect.DeepEqual(lines[0].Err, "it broke") {
		t.Error("the failed trial was changed")
	}
}

// asking are options of which that is asked.
func asking(r request.Request) bench.Options { return bench.Options{Request: r} }

// What a program inside says can be no number, or have no end. That trial failed, and the
// others are made.
func TestNoMeasurement(t *testing.T) {
	for name, trial := range map[string]func(*bench.T) error{
		"NaN":    func(t *bench.T) error { t.Record("ready", math.NaN()); return nil },
		"Inf":    func(t *bench.T) error { t.Record("ready", 1); t.Record("ready", math.Inf(-1)); return nil },
		"1e300":  func(t *bench.T) error { t.Record("ready", 1e300); return nil },
		"a text": func(t *bench.T) error { t.RecordText("ready", strings.Repeat("é", 1<<20)); return nil },
		"error":  func(t *bench.T) error { return errors.New(strings.Repeat("x", 3<<20)) },
	} {
		n := 0
		sc := valued(nil, cell("a", 3, 0))
		sc.Trial = func(_ context.Context, t *bench.T, _ bench.Cell) error {
			if n++; n == 2 {
				return trial(t)
			}
			t.Record("ready", 1)
			return nil
		}
		var lines []results.Line
		run(t, context.Background(), &engine.Runner{Scenario: sc, Envs: []bench.Environment{&benchtest.Fake{Label: "a"}}, Write: written(&lines)})
		data, err := json.Marshal(lines)
		if n != 3 || err != nil || len(data) > 100_000 || !utf8.Valid(data) {
			t.Errorf("%s: %d trials, %d bytes, %v", name, n, len(data), err)
		}
	}
}
