package engine_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"lab/bench"
	"lab/bench/benchtest"
	"lab/bench/clock"
	"lab/bench/engine"
	"lab/bench/image"
	"lab/bench/probe/line"
	"lab/bench/results"
)

// play is a program that says these lines, and waits after each begin and end
// as package line wants it; pause is what it does between a begin and an end.
func play(t *testing.T, say string, pause func()) (p *bench.Probe, wrote chan error) {
	t.Helper()
	p, err := bench.NewProbe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	c := p.Command("test")
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close(); w.Close() })
	wrote = make(chan error, 1)
	go func() {
		defer w.Close()
		var b [1]byte
		for l := range strings.Lines(strings.ReplaceAll(say, "TOKEN", c.Argv[1])) {
			if _, err := w.WriteString(l); err != nil {
				wrote <- err
				return
			}
			if strings.Contains(l, " 1 begin ") || strings.Contains(l, " 1 end ") {
				if _, err := c.Stdin.Read(b[:]); err != nil {
					wrote <- err
					return
				}
			}
			if strings.Contains(l, " 1 begin ") && pause != nil {
				pause()
			}
		}
		wrote <- nil
	}()
	p.Listen(r)
	return p, wrote
}

func TestProbeTalk(t *testing.T) {
	const long = 60 * time.Millisecond
	p, wrote := play(t, "SeaBIOS\r\n[ 0.1] Linux TOKEN 1 fact x cpus=2\r\n"+
		"TOKEN 1 begin a\nnoise\nTOKEN 1 end a ns=60300000 value=2.5\n"+
		"TOKEN 1 samples a unit=s b=100:3 b=200:1\n"+
		"TOKEN 1 begin b\nTOKEN 1 end b ns=30000000\nTOKEN 1 bye\n",
		func() { time.Sleep(long) }) // the length that is measured
	var kinds []string
	err := p.Talk(context.Background(), func(h bench.Heard) error {
		kinds = append(kinds, h.Kind+" "+h.Name)
		switch h.Kind + " " + h.Name {
		case "end a":
			if v, err := h.Value("value"); err != nil || v != 2.5 || h.Host < long || h.Own != 60300*time.Microsecond {
				t.Errorf("a: value %v, %v, host %v, own %v", v, err, h.Host, h.Own)
			}
			if _, err := h.Value("none"); bench.Whose(err) != bench.BlameLab {
				t.Errorf("a missing value: %v", err)
			}
		case "end b":
			if !h.Apart() {
				t.Errorf("30 ms by the one clock and %v by the other aren't apart", h.Host)
			}
		case "samples a":
			if s, err := h.Histogram(); err != nil || s.N() != 4 {
				t.Errorf("samples: %v", err)
			}
		}
		return nil
	})
	want := "fact x, begin a, end a, samples a, begin b, end b"
	if got := strings.Join(kinds, ", "); err != nil || got != want {
		t.Errorf("%s, %v; want %s", got, err, want)
	}
	if err := <-wrote; err != nil {
		t.Error(err)
	}
	for _, x := range []struct {
		host, own time.Duration
		apart     bool
	}{
		{time.Second, 991 * time.Millisecond, false}, {time.Second, 989 * time.Millisecond, true},
		{time.Second, 1011 * time.Millisecond, true}, {time.Second, time.Second, false},
	} {
		if h := (bench.Heard{Host: x.host, Own: x.own}); h.Apart() != x.apart {
			t.Errorf("%v and %v: apart %v", x.host, x.own, h.Apart())
		}
	}
}

func TestProbeTalkFails(t *testing.T) {
	for say, x := range map[string]struct {
		want  string
		blame bench.Blame
	}{
		"TOKEN 1 error cpu text=\"no memory\"\n":                         {"no memory", bench.BlameWorkload},
		"TOKEN 1 error disk text=\"write f: no space left on device\"\n": {"no space", bench.BlameMachine},
		"panic: oh":            {"panic: oh", bench.BlameWorkload},
		"TOKEN 2 bye\n":        {"version", bench.BlameWorkload},
		"TOKEN 1 end a ns=3\n": {"without a beginning", bench.BlameLab},
		"TOKEN 1 begin a\nTOKEN 1 end a value=3\n": {"no ns", bench.BlameLab},
		"TOKEN 1 begin stop\n":                     {"enough", bench.BlameLab},
	} {
		p, _ := play(t, say, nil)
		err := p.Talk(context.Background(), func(h bench.Heard) error {
			if h.Name == "stop" {
				return errors.New("enough")
			}
			return nil
		})
		if err == nil || !strings.Contains(err.Error(), x.want) || bench.Whose(err) != x.blame {
			t.Errorf("%q: %v (%v), want %q (%v)", say, err, bench.Whose(err), x.want, x.blame)
		}
	}
	// A silent one has until the context's end.
	p, err := bench.NewProbe()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	if err := p.Talk(ctx, nil); bench.Whose(err) != bench.BlameTime {
		t.Errorf("silent: %v", err)
	}
	if err := errors.Join(p.Close(), p.Close()); err != nil {
		t.Error(err)
	}
	h := bench.Heard{Line: line.Line{Name: "a", Pairs: []line.Pair{{Key: "b", Value: "3"}}}}
	if _, err := h.Histogram(); err == nil {
		t.Error("a bucket without a count is taken")
	}
}

// A samples line becomes values, with how many observations they stand for, and
// the distribution itself; one that is damaged fails the trial.
func TestRecordSamples(t *testing.T) {
	said := func(b ...string) bench.Heard {
		h := bench.Heard{Line: line.Line{Kind: line.Samples, Name: "a"}}
		for _, v := range b {
			h.Pairs = append(h.Pairs, line.Pair{Key: "b", Value: v})
		}
		return h
	}
	for name, x := range map[string]struct {
		line    bench.Heard
		tail    bool
		want    string
		samples int
	}{
		"both":    {said("10:99", "50:1"), false, "p50 1e-08 100, p99 1e-08 100, ", 1},
		"tail":    {said("10:90", "50:10"), true, "p99 5e-08 100, ", 1},
		"few":     {said("10:98", "50:1"), false, "p50 1e-08 99, p99: 99 of the 100 samples that a 99th percentile needs, ", 1},
		"nothing": {said(), true, "recorded nothing", 0},
		"damaged": {said("10"), false, "bad bucket", 0},
	} {
		s := startup(cell("host", 1, 0))
		s.Trial = func(_ context.Context, t *bench.T, _ bench.Cell) error {
			if x.tail {
				return t.RecordTail("ready", x.line)
			}
			return t.RecordSamples("ready", x.line)
		}
		kept := 0
		r := &engine.Runner{Scenario: s, Envs: []bench.Environment{&benchtest.Fake{Label: "host"}},
			Samples: func(l []results.Sample) error { kept += len(l); return nil }}
		_, trials := run(t, context.Background(), r)
		got := ""
		for _, l := range trials[0] {
			if l.Err != "" {
				got = l.Err
				continue
			}
			if l.Value == nil {
				got += l.Stat + ": " + l.Text + ", "
				continue
			}
			got += fmt.Sprintf("%s %.3g %d, ", l.Stat, *l.Value, l.Samples)
		}
		if !strings.Contains(got, x.want) || kept != x.samples {
			t.Errorf("%s: %q and %d samples, want %q and %d", name, got, kept, x.want, x.samples)
		}
	}
}

// The real program, as a child of this test: it says what it should, and both
// clocks agree.
func TestProbeProgram(t *testing.T) {
	program := t.TempDir() + "/probe"
	build := exec.Command("go", "build", "-o", program, "lab/bench/probe/program")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	p, err := bench.NewProbe()
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	c := p.Command("cpu", "ms=200", "only=integer,timer")
	cmd := exec.Command(program, c.Argv[1:]...)
	cmd.Stdin = c.Stdin
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	cmd.Stdout = w
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	defer cmd.Wait()
	p.Listen(r)
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	var said []string
	began := clock.Now()
	err = p.Talk(ctx, func(h bench.Heard) error {
		said = append(said, h.Kind+" "+h.Name)
		if h.Kind == line.End {
			v, err := h.Value("value")
			if err != nil || v <= 0 || h.Own < 190*time.Millisecond || h.Host > clock.Now().Sub(began) {
				t.Errorf("%s: %v, %v, own %v, host %v", h.Name, v, err, h.Own, h.Host)
			}
			// A busy machine may delay a line, never by as much as this.
			if d := (h.Host - h.Own).Abs(); d > time.Second {
				t.Errorf("%s: the clocks are %v apart", h.Name, d)
			}
		}
		return nil
	})
	want := "begin integer, end integer, begin timer, end timer, samples timer"
	if got := strings.Join(said, ", "); err != nil || got != want {
		t.Errorf("%s, %v; want %s", got, err, want)
	}
}

// An image without the probe fails the trial with the cure, before anything is
// started; one that has it goes on.
func TestNoProbe(t *testing.T) {
	for _, has := range []bool{false, true} {
		dir := t.TempDir()
		if has {
			if err := os.MkdirAll(filepath.Join(dir, "bin"), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, image.ProbePath), nil, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		env := &benchtest.Fake{Label: "a"}
		s := startup(cell("a", 1, 0))
		s.Trial = func(ctx context.Context, x *bench.T, _ bench.Cell) error {
			_, err := x.Prepare(ctx, x.Spec(bench.Command{Argv: []string{image.ProbePath, "token", "cpu"}}))
			if err == nil {
				x.Record("ready", 1)
			}
			return err
		}
		_, trials := run(t, context.Background(), &engine.Runner{Scenario: s, Envs: []bench.Environment{env}, Image: image.Ref{Dir: dir}})
		l := trials[0][0]
		if has != (l.Err == "") || !has && (!strings.Contains(l.Err, "has no /bin/probe") || !strings.Contains(l.Err, "make build") || l.Blame != "machine") {
			t.Errorf("has it %v: %q, %q", has, l.Err, l.Blame)
		}
	}
}

// explained is a Fake whose instances know what their kernel said.
type explained struct{ *benchtest.Fake }

func (e explained) Prepare(ctx context.Context, s bench.Spec) (bench.Instance, error) {
	i, err := e.Fake.Prepare(ctx, s)
	return explainer{i}, err
}

type explainer struct{ bench.Instance }

func (explainer) Explain(err error) error { return fmt.Errorf("%w; the guest says: soft lockup", err) }

// A program that is silent until the trial's end fails it with what its kernel
// said meanwhile; it is the time that is to blame.
func TestProbeSilent(t *testing.T) {
	c := cell("a", 1, 0)
	c.Timeout = 50 * time.Millisecond
	s := startup(c)
	s.Trial = func(ctx context.Context, t *bench.T, _ bench.Cell) error {
		return t.Probe(ctx, nil, func(bench.Instance, bench.Heard) error { return nil })
	}
	fake := &benchtest.Fake{Label: "a", Script: func(int, bench.Spec) benchtest.Act { return benchtest.Act{Silent: true, After: time.Second} }}
	r := &engine.Runner{Scenario: s, Envs: []bench.Environment{explained{fake}}}
	_, trials := run(t, context.Background(), r)
	if l := trials[0][0]; !strings.Contains(l.Err, "deadline exceeded; the guest says: soft lockup") || l.Blame != string(bench.BlameTime) {
		t.Errorf("%q, blamed on %s", l.Err, l.Blame)
	}
}
