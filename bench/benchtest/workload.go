package benchtest

import (
	"context"
	"io"
	"os"
	"strings"
	"testing"

	"lab/bench"
	"lab/bench/clock"
	"lab/bench/image"
)

// spec is the workload cmd in the suite's image.
func (s *suite) spec(t *testing.T, cmd bench.Command) bench.Spec {
	t.Helper()
	settings, err := bench.Resolve(s.env, s.opts.Settings)
	if err != nil {
		t.Fatal(err)
	}
	return bench.Spec{Image: s.image, Command: cmd, Settings: settings, Init: s.opts.Init}
}

// sh is a shell's command. Its own name and path are the image's.
func sh(script string, args ...string) bench.Command {
	return bench.Command{Argv: append([]string{"/bin/sh", "-c", script, "sh"}, args...),
		Env: []string{"PATH=/bin"}}
}

// context bounds one instance's life.
func (s *suite) context(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), s.timeout)
	t.Cleanup(cancel)
	return ctx
}

// prepareOne checks and prepares; the instance is closed with the test.
func (s *suite) prepareOne(t *testing.T, spec bench.Spec) bench.Instance {
	t.Helper()
	ctx := s.context(t)
	if err := s.env.Check(ctx, spec); err != nil {
		t.Fatalf("Check: %v (what the environment lacks is declared in Options.Lacks)", err)
	}
	i, err := s.env.Prepare(ctx, spec)
	if err != nil {
		t.Fatalf("Prepare: %v", err)
	}
	t.Cleanup(func() {
		if err := i.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return i
}

// start prepares and starts.
func (s *suite) start(t *testing.T, spec bench.Spec) bench.Instance {
	t.Helper()
	i := s.prepareOne(t, spec)
	if err := i.Start(s.context(t)); err != nil {
		t.Fatalf("Start: %v", err)
	}
	return i
}

// running starts a shell script that writes a token of its own first, and
// returns when that was seen.
func (s *suite) running(t *testing.T, script string, change ...func(*bench.Spec)) bench.Instance {
	t.Helper()
	token := bench.Token()
	spec := s.spec(t, sh("printf %s "+token+"; "+script))
	for _, f := range change {
		f(&spec)
	}
	i := s.start(t, spec)
	s.await(t, i, token)
	return i
}

// await waits for an instance's token.
func (s *suite) await(t *testing.T, i bench.Instance, token string) clock.Seen {
	t.Helper()
	seen, err := clock.AwaitToken(i.Ready(), []byte(token), s.timeout)
	if err != nil {
		t.Fatalf("token: %v", err)
	}
	return seen
}

// wait waits for an instance's end.
func (s *suite) wait(t *testing.T, i bench.Instance) bench.Exit {
	t.Helper()
	exit, err := i.Wait(s.context(t))
	if err != nil {
		t.Fatalf("Wait: %v", err)
	}
	return exit
}

// output is what a program wrote, and how it ended.
type output struct {
	text string
	exit bench.Exit
}

// run runs a shell script to its end. Its output is what it wrote itself: a
// console's other texts are left out, and its carriage returns.
func (s *suite) run(t *testing.T, script string, args []string, change ...func(*bench.Spec)) output {
	t.Helper()
	begin, end := bench.Token(), bench.Token()
	spec := s.spec(t, sh("printf %s "+begin+"; ("+script+"\n); r=$?; printf %s "+end+"; exit $r", args...))
	for _, f := range change {
		f(&spec)
	}
	text, exit := s.collect(t, spec)
	_, text, ok := strings.Cut(text, begin)
	if !ok {
		t.Fatalf("the script never began; %v, output %q", exit, text)
	}
	before, _, ok := strings.Cut(text, end)
	if !ok {
		t.Fatalf("the script never ended; %v, output %q", exit, text)
	}
	return output{before, exit}
}

// collect runs a workload to its end and returns all that came through Ready,
// or, where the environment takes one, through a given Stdout.
func (s *suite) collect(t *testing.T, spec bench.Spec) (string, bench.Exit) {
	t.Helper()
	if _, lacks := s.opts.Lacks[Stdout]; lacks {
		i := s.start(t, spec)
		text := gather(i.Ready())
		exit := s.wait(t, i)
		// After Close nothing more can come: the reader sees the end.
		if err := i.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		return clean(<-text), exit
	}
	r, w := pipe(t)
	spec.Command.Stdout = w
	text := gather(r)
	i := s.start(t, spec)
	if i.Ready() != nil {
		t.Errorf("Ready isn't nil, though Stdout is given")
	}
	exit := s.wait(t, i)
	if err := i.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	w.Close()
	return clean(<-text), exit
}

// gather reads a stream to its end.
func gather(r *os.File) <-chan string {
	out := make(chan string, 1)
	go func() {
		b, _ := io.ReadAll(r)
		out <- string(b)
	}()
	return out
}

// clean undoes what a terminal makes of a line's end.
func clean(s string) string { return strings.ReplaceAll(s, "\r\n", "\n") }

func pipe(t *testing.T) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close(); w.Close() })
	return r, w
}

// readyPath is the startup scenario's workload; see package image.
const readyPath = image.ReadyPath
