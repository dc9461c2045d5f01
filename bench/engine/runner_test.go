package engine_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	"lab/bench"
	"lab/bench/benchtest"
	"lab/bench/clock"
	"lab/bench/engine"
	"lab/bench/image"
	"lab/bench/pagecache"
	"lab/bench/request"
	"lab/bench/results"
)

// startup is a small scenario: the time until the token.
func startup(cells ...bench.Cell) *bench.Scenario {
	return &bench.Scenario{
		Name: "startup", Question: "How long does it take?",
		Cells:   func(bench.Options) []bench.Cell { return cells },
		Metrics: []results.Metric{{Name: "ready", Unit: "s", Better: "lower"}},
		Trial: func(ctx context.Context, t *bench.T, _ bench.Cell) error {
			token := bench.Token()
			i, err := t.Prepare(ctx, t.Spec(bench.Command{Argv: []string{"/bin/ready", token}}))
			if err != nil {
				return err
			}
			if err := i.Start(ctx); err != nil {
				return err
			}
			seen, err := clock.AwaitToken(i.Ready(), []byte(token), 5*time.Second)
			if err != nil {
				return bench.Blamed(bench.BlameWorkload, err)
			}
			tr := i.(bench.Tracer)
			t.RecordSince("ready", tr.Started(), seen.At)
			t.RecordPhases("ready", tr.Started(), seen.At, tr.Marks(), "first byte")
			exit, err := i.Wait(ctx)
			if err != nil {
				return err
			}
			if exit.Status() != 0 {
				return bench.Blamed(bench.BlameWorkload, fmt.Errorf("%v", exit))
			}
			return nil
		},
	}
}

func cell(env string, trials, warmup int) bench.Cell {
	return bench.Cell{Env: env, Trials: trials, Warmup: warmup, Timeout: 10 * time.Second}
}

// run plans and runs, and gives the trials' lines.
func run(t *testing.T, ctx context.Context, r *engine.Runner) (outcome string, trials [][]results.Line) {
	t.Helper()
	if r.Manifest == nil {
		r.Manifest = &results.Manifest{ID: "feed"}
	}
	if r.Write == nil {
		r.Write = func(l []results.Line) error {
			trials = append(trials, l)
			return nil
		}
	}
	if err := r.Plan(ctx); err != nil {
		t.Fatal(err)
	}
	outcome, err := r.Run(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return outcome, trials
}

func TestRun(t *testing.T) {
	a, b := &benchtest.Fake{Label: "a"}, &benchtest.Fake{Label: "b"}
	var seen []engine.Progress
	r := &engine.Runner{
		Scenario: startup(cell("a", 6, 2), cell("b", 3, 1)), Envs: []bench.Environment{a, b}, Seed: 7,
		Progress: func(p engine.Progress) { seen = append(seen, p) },
	}
	gc := debug.SetGCPercent(100)
	defer debug.SetGCPercent(gc)
	outcome, trials := run(t, context.Background(), r)
	if now := debug.SetGCPercent(100); now != 100 {
		t.Errorf("the collector's setting is %d after the run, want 100", now)
	}
	if outcome != engine.Complete {
		t.Errorf("outcome %s", outcome)
	}
	count := map[string]int{}
	for n, lines := range trials {
		l := lines[0]
		if l.ID != "feed" || l.Scenario != "startup" || l.Trial != n || l.Err != "" || l.Metric != "ready" || l.Unit != "s" || l.Better != "lower" {
			t.Errorf("trial %d: %+v", n, l)
		}
		count[fmt.Sprint(l.Env, l.Warmup)]++
		// The phases sum to the whole.
		sum := 0.0
		for _, p := range lines[1:] {
			if p.PartOf != "ready" {
				t.Errorf("trial %d: %+v is no phase", n, p)
			}
			sum += *p.Value
		}
		if d := sum - *l.Value; d > 1e-9 || d < -1e-9 || len(lines) != 3 {
			t.Errorf("trial %d: %d lines, phases sum to %g of %g", n, len(lines), sum, *l.Value)
		}
	}
	if want := map[string]int{"afalse": 6, "atrue": 2, "bfalse": 3, "btrue": 1}; !reflect.DeepEqual(count, want) {
		t.Errorf("trials %v, want %v", count, want)
	}
	if a.OpenInstances()+b.OpenInstances() != 0 {
		t.Error("instances were left open")
	}
	if n := len(seen); n != 13 || seen[n-1].Done != 12 || seen[n-1].Total != 12 || seen[n-1].Next != "" || seen[n-1].Left != 0 {
		t.Errorf("progress: %+v", seen)
	}
	if !seen[0].Warmup || seen[len(seen)-2].Warmup {
		t.Error("progress doesn't tell warm-ups")
	}
}

func TestRunOrder(t *testing.T) {
	var first []string
	for range 2 {
		r := &engine.Runner{Scenario: startup(cell("a", 8, 1), cell("b", 8, 1)),
			Envs: []bench.Environment{&benchtest.Fake{Label: "a"}, &benchtest.Fake{Label: "b"}}, Seed: 42}
		_, trials := run(t, context.Background(), r)
		var got []string
		for _, l := range trials {
			got = append(got, fmt.Sprint(l[0].Env, l[0].Block, l[0].Pos))
		}
		if first == nil {
			first = got
		} else if !slices.Equal(first, got) {
			t.Errorf("the same seed:\n%v\n%v", first, got)
		}
	}
}

// A failure is recorded with whom it is owed to, and the run goes on.
func TestRunFailures(t *testing.T) {
	broken := errors.New("it broke")
	for name, x := range map[string]struct {
		act   benchtest.Act
		blame bench.Blame
		text  string
	}{
		"prepare":  {benchtest.Act{Prepare: broken}, bench.BlameLab, "prepare: it broke"},
		"start":    {benchtest.Act{Start: bench.Blamed(bench.BlameMachine, broken)}, bench.BlameMachine, "it broke"},
		"close":    {benchtest.Act{Close: broken}, bench.BlameLab, "close: it broke"},
		"silent":   {benchtest.Act{Silent: true}, bench.BlameWorkload, "never wrote its token"},
		"status":   {benchtest.Act{Exit: bench.Exit{Code: 3}}, bench.BlameWorkload, "exit status 3"},
		"deadline": {benchtest.Act{Start: context.DeadlineExceeded}, bench.BlameTime, "deadline"},
	} {
		t.Run(name, func(t *testing.T) {
			f := &benchtest.Fake{Label: "a", Script: func(n int, _ bench.Spec) benchtest.Act {
				if n == 1 {
					return x.act
				}
				return benchtest.Act{}
			}}
			outcome, trials := run(t, context.Background(), &engine.Runner{Scenario: startup(cell("a", 4, 0)), Envs: []bench.Environment{f}})
			if outcome != engine.Failures || len(trials) != 4 {
				t.Fatalf("outcome %s after %d trials, want failures after 4", outcome, len(trials))
			}
			for n, lines := range trials {
				l := lines[0]
				if n != 1 {
					if l.Err != "" || l.Value == nil {
						t.Errorf("trial %d: %+v", n, l)
					}
					continue
				}
				if len(lines) != 1 || l.Value != nil || !strings.Contains(l.Err, x.text) || l.Blame != string(x.blame) {
					t.Errorf("the failed trial: %d lines, err %q, blame %q, value %v; want %q, blame %q", len(lines), l.Err, l.Blame, l.Value, x.text, x.blame)
				}
			}
			if f.OpenInstances() != 0 {
				t.Error("an instance was left open")
			}
		})
	}
}

// A trial that doesn't end is given up, and what it does later harms nobody.
func TestRunStuck(t *testing.T) {
	defer engine.SetGrace(20 * time.Millisecond)()
	hang := make(chan struct{})
	f := &benchtest.Fake{Label: "a", Script: func(n int, _ bench.Spec) benchtest.Act {
		if n == 0 {
			return benchtest.Act{Hang: hang}
		}
		return benchtest.Act{}
	}}
	c := cell("a", 3, 0)
	c.Timeout = 50 * time.Millisecond
	outcome, trials := run(t, context.Background(), &engine.Runner{Scenario: startup(c), Envs: []bench.Environment{f}})
	if outcome != engine.Failures || len(trials) != 3 {
		t.Fatalf("outcome %s after %d trials, want failures after 3", outcome, len(trials))
	}
	if l := trials[0][0]; l.Err == "" || l.Blame != string(bench.BlameLab) || len(trials[0]) != 1 {
		t.Errorf("the stuck trial: %+v", l)
	}
	if trials[1][0].Err != "" || trials[2][0].Err != "" {
		t.Error("the trials after it failed, too")
	}
	close(hang)
}

func TestRunInterrupted(t *testing.T) {
	defer engine.SetGrace(20 * time.Millisecond)()
	for name, hang := range map[string]chan struct{}{"willing": nil, "stuck": make(chan struct{})} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			f := &benchtest.Fake{Label: "a", Script: func(n int, _ bench.Spec) benchtest.Act {
				if n == 2 {
					cancel()
					return benchtest.Act{Hang: hang}
				}
				return benchtest.Act{}
			}}
			outcome, trials := run(t, ctx, &engine.Runner{Scenario: startup(cell("a", 9, 0)), Envs: []bench.Environment{f}})
			if outcome != engine.Interrupted || len(trials) != 2 {
				t.Errorf("outcome %s after %d trials, want interrupted after 2", outcome, len(trials))
			}
			for _, l := range trials {
				if l[0].Err != "" {
					t.Errorf("an interrupted trial was recorded as failed: %s", l[0].Err)
				}
			}
			if hang != nil {
				close(hang)
			}
		})
	}
}

func TestRunTaints(t *testing.T) {
	n := 0
	r := &engine.Runner{Scenario: startup(cell("a", 3, 0)), Envs: []bench.Environment{&benchtest.Fake{Label: "a"}},
		Guard: func() func() []string {
			n++
			if n == 2 {
				return func() []string { return []string{"load", "steal"} }
			}
			return func() []string { return nil }
		}}
	_, trials := run(t, context.Background(), r)
	// What a cell's trials bring about by themselves is no sign of others.
	own := cell("a", 2, 0)
	own.Makes = []string{"load"}
	r2 := &engine.Runner{Scenario: startup(own), Envs: r.Envs, Guard: r.Guard}
	n = -1 // it is looked at once before the trials
	_, makes := run(t, context.Background(), r2)
	if got := makes[1][0].Taint; !slices.Equal(got, []string{"steal"}) || len(makes[0][0].Taint) > 0 {
		t.Errorf("taints %q and %q", makes[0][0].Taint, got)
	}
	// Where others did so before the first trial, it is nobody's own.
	r3 := &engine.Runner{Scenario: startup(own), Envs: r.Envs, Guard: func() func() []string { return func() []string { return []string{"load"} } }}
	_, crowded := run(t, context.Background(), r3)
	if got := crowded[1][0].Taint; !slices.Equal(got, []string{"load"}) {
		t.Errorf("on a busy machine: taints %q", got)
	}
	for i, lines := range trials {
		for _, l := range lines {
			want := []string{}
			if i == 1 {
				want = []string{"load", "steal"}
			}
			if !reflect.DeepEqual(l.Taint, want) {
				t.Errorf("trial %d: taint %#v, want %#v", i, l.Taint, want)
			}
		}
	}
}

// What can't run is a row with its reason and cure; the others run.
func TestPlan(t *testing.T) {
	set := []bench.Setting{{Name: "net", Values: []string{"none", "bridge"}, Default: "none", Help: "x"}}
	good := &benchtest.Fake{Label: "good", Has: set}
	bad := &benchtest.Fake{Label: "bad", Unfit: bench.Unavailable("no such thing", "get one")}
	c := cell("good", 2, 0)
	c.Variant = map[string]string{"net": "bridge"}
	r := &engine.Runner{Scenario: startup(c, cell("bad", 2, 0)), Envs: []bench.Environment{good, bad}, Manifest: &results.Manifest{}}
	outcome, trials := run(t, context.Background(), r)
	if outcome != engine.Failures || len(trials) != 2 {
		t.Errorf("outcome %s after %d trials", outcome, len(trials))
	}
	cells := r.Manifest.Cells
	if len(cells) != 2 || cells[0].Settings["net"] != "bridge" || cells[0].NotRun != nil || cells[0].N != 1 {
		t.Errorf("cells %+v", cells)
	}
	if nr := cells[1].NotRun; nr == nil || nr.Kind != "unavailable" || nr.Reason != "no such thing" || nr.Cure != "get one" {
		t.Errorf("not run: %+v", nr)
	}
	// Nothing can run.
	r = &engine.Runner{Scenario: startup(cell("bad", 2, 0)), Envs: []bench.Environment{bad}}
	if outcome, trials := run(t, context.Background(), r); outcome != engine.Nothing || len(trials) != 0 {
		t.Errorf("outcome %s after %d trials, want nothing", outcome, len(trials))
	}
	// The user's mistakes.
	r = &engine.Runner{Scenario: startup(cell("nobody", 1, 0)), Manifest: &results.Manifest{}}
	if err := r.Plan(context.Background()); err == nil || !strings.Contains(err.Error(), "nobody") {
		t.Errorf("an environment that there isn't: %v", err)
	}
	r = &engine.Runner{Scenario: startup(cell("good", 1, 0)), Envs: []bench.Environment{good}, Manifest: &results.Manifest{},
		Options: bench.Options{Request: request.Request{Variant: request.Settings{"net": {"pigeon"}, "other": {"x"}}}}}
	if err := r.Plan(context.Background()); err == nil || !strings.Contains(err.Error(), "none, bridge") {
		t.Errorf("a value that isn't allowed: %v", err)
	}
}

// A row that the scenario adds by itself, and that this machine can't run, is no
// failure as long as its environment has another; one that was asked for is.
func TestOptionalRows(t *testing.T) {
	set := []bench.Setting{{Name: "nic", Values: []string{"virtio", "e1000"}, Default: "virtio", Help: "x"}}
	for _, x := range []struct {
		asked, vary string
		want        string
	}{{"", "", engine.Complete}, {"e1000", "", engine.Nothing}, {"", "nic", engine.Failures}} {
		env := &picky{Fake: &benchtest.Fake{Label: "vm", Has: set}}
		var cells []bench.Cell
		for _, nic := range []string{"virtio", "e1000"} {
			if x.asked == "" || x.asked == nic {
				c := cell("vm", 2, 0)
				c.Variant = map[string]string{"nic": nic}
				cells = append(cells, c)
			}
		}
		r := &engine.Runner{Scenario: startup(cells...), Envs: []bench.Environment{env}, Manifest: &results.Manifest{}}
		r.Options.Variant = request.Settings{}
		if x.asked != "" {
			r.Options.Variant["nic"] = request.Values{x.asked}
		}
		if x.vary != "" {
			r.Options.Variant[x.vary] = request.Values{"virtio", "e1000"}
		}
		if outcome, _ := run(t, context.Background(), r); outcome != x.want {
			t.Errorf("%+v: %s", x, outcome)
		}
	}
}

// An environment that is one more to compare with takes part where the scenario wants
// it: that it can't run is no failure, unless it was asked for.
func TestOptionalEnvironment(t *testing.T) {
	for _, asked := range []bool{false, true} {
		more := &benchtest.Fake{Label: "more", Says: bench.About{Extra: true}, Unfit: bench.Unavailable("not installed", "")}
		r := &engine.Runner{Scenario: startup(cell("host", 2, 0), cell("more", 2, 0)), Envs: []bench.Environment{&benchtest.Fake{Label: "host"}, more}, Manifest: &results.Manifest{}}
		want := engine.Complete
		if asked {
			r.Options.Environments, want = []string{"host", "more"}, engine.Failures
		}
		if outcome, _ := run(t, context.Background(), r); outcome != want {
			t.Errorf("asked for: %v, outcome %s", asked, outcome)
		}
	}
}

// An environment's number, by which it has its colour, is that among all there are,
// whichever of them are run.
func TestNumbers(t *testing.T) {
	fake := &benchtest.Fake{Label: "container"}
	r := &engine.Runner{Scenario: startup(cell("host", 1, 0), cell("container", 1, 0)), Envs: []bench.Environment{&benchtest.Fake{Label: "host"}, fake}, Manifest: &results.Manifest{}}
	r.Options.Known = benchtest.Known
	if err := r.Plan(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := 1 + slices.IndexFunc(benchtest.Known, func(a bench.About) bool { return a.Name == "container" })
	if got := r.Manifest.Environments[1]; got.Number != want || want == 2 {
		t.Errorf("%s has number %d, want %d", got.Name, got.Number, want)
	}
}

// picky is a Fake that lacks an emulated card's driver.
type picky struct{ *benchtest.Fake }

func (p *picky) Check(ctx context.Context, s bench.Spec) error {
	if s.Settings["nic"] == "e1000" {
		return bench.Unavailable("no driver", "make full-kernel")
	}
	return p.Fake.Check(ctx, s)
}

// What the scenario prefers gives way to what the user asks for, and that to what
// makes the cell what it is.
func TestPlanPrecedence(t *testing.T) {
	has := []bench.Setting{{Name: "a", Default: "environment"}, {Name: "b"}, {Name: "c"}, {Name: "d"}, {Name: "e"}}
	c := cell("good", 1, 0)
	c.Default = map[string]string{"a": "scenario", "b": "scenario", "c": "scenario", "d": "scenario", "e": "scenario"}
	c.Variant = map[string]string{"c": "cell"}
	c.Set = map[string]string{"d": "follows"}
	r := &engine.Runner{Scenario: startup(c), Envs: []bench.Environment{&benchtest.Fake{Label: "good", Has: has}}, Manifest: &results.Manifest{},
		Options: bench.Options{Request: request.Request{Variant: request.Settings{"b": {"user"}, "c": {"user"}, "d": {"user"}, "e": {"user"}}}}}
	if err := r.Plan(context.Background()); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"a": "scenario", "b": "user", "c": "cell", "d": "follows", "e": "user"}
	if got := r.Manifest.Cells[0].Settings; !maps.Equal(got, want) {
		t.Errorf("settings %v, want %v", got, want)
	}
}

// cached makes a folder with a file that is in the page cache, and could be out
// of it.
func cached(t *testing.T) (dir, name string) {
	t.Helper()
	dir = t.TempDir()
	name = filepath.Join(dir, "program")
	if err := os.WriteFile(name, make([]byte, 1<<16), 0o644); err != nil {
		t.Fatal(err)
	}
	if pagecache.Drop(name) != nil {
		t.Skip("SKIPPED: temporary files are in RAM here; fix: TMPDIR=a folder on a disk make test")
	}
	if _, err := os.ReadFile(name); err != nil {
		t.Fatal(err)
	}
	return dir, name
}

// With pagecache=cold a trial's first instance finds the image's files out of
// the page cache, and its further ones as they are.
func TestPrepareCold(t *testing.T) {
	dir, name := cached(t)
	sc := startup(cell("a", 1, 0))
	var found []int64
	sc.Trial = func(ctx context.Context, t *bench.T, _ bench.Cell) error {
		t.RecordText("ready", "not asked")
		for range 2 {
			if _, err := t.Prepare(ctx, t.Spec(bench.Command{})); err != nil {
				return err
			}
			f, err := os.Open(name)
			if err != nil {
				return err
			}
			n, _, err := pagecache.Resident(f)
			io.Copy(io.Discard, f)
			if err := errors.Join(err, f.Close()); err != nil {
				return err
			}
			found = append(found, n)
		}
		return nil
	}
	r := &engine.Runner{Scenario: sc, Image: image.Ref{Dir: dir}, Envs: []bench.Environment{&benchtest.Fake{Label: "a", Has: []bench.Setting{bench.PageCache}}},
		Options: bench.Options{Request: request.Request{Variant: request.Settings{bench.PageCache.Name: {"warm", "cold"}}}}}
	outcome, trials := run(t, context.Background(), r)
	if outcome != engine.Complete || len(trials) != 2 {
		t.Fatalf("%s: %v", outcome, trials)
	}
	for i, lines := range trials {
		// Before the first one, and before the second.
		want := []int64{1 << 16, 1 << 16}
		if lines[0].Variant[bench.PageCache.Name] == "cold" {
			want[0] = 0
		}
		if got := found[2*i : 2*i+2]; !slices.Equal(got, want) {
			t.Errorf("%v: %d bytes in the page cache, want %d", lines[0].Variant, got, want)
		}
	}
}

// Something beside the cell, which is started before it, leaves the cell's files
// to be driven out all the same.
func TestPrepareColdBeside(t *testing.T) {
	dir, name := cached(t)
	sc := startup(cell("a", 1, 0))
	var found int64
	sc.Trial = func(ctx context.Context, t *bench.T, _ bench.Cell) error {
		t.RecordText("ready", "not asked")
		warm := t.Spec(bench.Command{})
		warm.Settings[bench.PageCache.Name] = "warm"
		for _, s := range []bench.Spec{warm, t.Spec(bench.Command{})} {
			if _, err := t.Prepare(ctx, s); err != nil {
				return err
			}
		}
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		found, _, err = pagecache.Resident(f)
		return errors.Join(err, f.Close())
	}
	r := &engine.Runner{Scenario: sc, Image: image.Ref{Dir: dir}, Envs: []bench.Environment{&benchtest.Fake{Label: "a", Has: []bench.Setting{bench.PageCache}}},
		Options: bench.Options{Request: request.Request{Variant: request.Settings{bench.PageCache.Name: {"cold"}}}}}
	if outcome, trials := run(t, context.Background(), r); outcome != engine.Complete || found != 0 {
		t.Errorf("%s, %v: %d bytes in the page cache", outcome, trials, found)
	}
}

// A setting with several values makes a cell of each, where the environment has
// it and the scenario doesn't set it itself.
func TestPlanVaries(t *testing.T) {
	has := []bench.Setting{{Name: "net", Default: "none", Help: "x"}, {Name: "size", Default: "1", Help: "x"}}
	own := cell("a", 1, 0)
	own.Variant = map[string]string{"net": "own"}
	sc := startup(cell("a", 1, 0), own, cell("b", 1, 0))
	sc.Findings = []results.Finding{
		{Name: "asked", Of: "a", OfVariant: map[string]string{"net": "x"}, To: "b"},
		{Name: "not asked", Of: "a", OfVariant: map[string]string{"net": "z"}, To: "b"},
	}
	r := &engine.Runner{Scenario: sc, Manifest: &results.Manifest{},
		Envs:    []bench.Environment{&benchtest.Fake{Label: "a", Has: has}, &benchtest.Fake{Label: "b"}},
		Options: bench.Options{Request: request.Request{Variant: request.Settings{"net": {"x", "y"}, "size": {"1", "2"}}}}}
	outcome, trials := run(t, context.Background(), r)
	var got []string
	for _, c := range r.Manifest.Cells {
		got = append(got, c.Label()+" net="+c.Settings["net"]+" size="+c.Settings["size"])
	}
	want := []string{
		"a net=x size=1 net=x size=1", "a net=x size=2 net=x size=2", "a net=y size=1 net=y size=1", "a net=y size=2 net=y size=2",
		"a net=own size=1 net=own size=1", "a net=own size=2 net=own size=2", "b net= size=",
	}
	if !slices.Equal(got, want) {
		t.Errorf("cells %q, want %q", got, want)
	}
	if outcome != engine.Complete || len(trials) != 7 {
		t.Errorf("outcome %s after %d trials", outcome, len(trials))
	}
	if f := r.Manifest.Findings; len(f) != 1 || f[0].Name != "asked" {
		t.Errorf("findings %+v", f)
	}
}

// A full disk ends the run.
func TestRunWriteFails(t *testing.T) {
	full := errors.New("no space left on device")
	r := &engine.Runner{Scenario: startup(cell("a", 3, 0)), Envs: []bench.Environment{&benchtest.Fake{Label: "a"}},
		Manifest: &results.Manifest{}, Write: func([]results.Line) error { return full }}
	if err := r.Plan(context.Background()); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Run(context.Background()); !errors.Is(err, full) {
		t.Errorf("Run: %v, want %v", err, full)
	}
}

func TestWhose(t *testing.T) {
	for _, x := range []struct {
		err  error
		want bench.Blame
	}{
		{errors.New("x"), bench.BlameLab},
		{fmt.Errorf("x: %w", context.DeadlineExceeded), bench.BlameTime},
		{fmt.Errorf("x: %w", bench.Unavailable("a", "b")), bench.BlameMachine},
		{fmt.Errorf("x: %w", bench.Blamed(bench.BlameWorkload, os.ErrNotExist)), bench.BlameWorkload},
	} {
		if got := bench.Whose(x.err); got != x.want {
			t.Errorf("Whose(%v) = %s, want %s", x.err, got, x.want)
		}
	}
	if bench.Blamed(bench.BlameLab, nil) != nil {
		t.Error("Blamed of no error is one")
	}
}

// What is left of a run of short trials has in it what comes between them.
func TestLeftBetweenTrials(t *testing.T) {
	var last time.Duration
	r := &engine.Runner{
		Scenario: startup(cell("a", 6, 1)), Envs: []bench.Environment{&benchtest.Fake{Label: "a"}}, Seed: 7,
		Progress: func(p engine.Progress) {
			time.Sleep(20 * time.Millisecond)
			if p.Left > 0 {
				last = p.Left
			}
		},
	}
	run(t, context.Background(), r)
	if last < 20*time.Millisecond {
		t.Errorf("%v left before the last trial, of which each comes 20 ms after the one before", last)
	}
}
