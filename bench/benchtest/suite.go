// Package benchtest is the test of all that calls itself an environment.
//
// [Run] is the conformance suite: what the contract of package bench promises,
// as tests that every environment passes in the same form. What one of them
// can't do it declares as data, with the reason, and the suite skips that
// aloud; nothing is left out in silence.
//
// [Main] gives a package's tests a real testbed to run in. [Fake] is an
// environment whose behaviour is a script, for tests of the Runner.
//
// Tests alone import it.
package benchtest

import (
	"context"
	"slices"
	"testing"
	"time"

	"lab/bench"
	"lab/bench/image"
	"lab/bench/testbed"
)

// A Feature is what an environment may lack, if it says why.
type Feature string

const (
	Stdin      Feature = "stdin"      // a given standard input
	Stdout     Feature = "stdout"     // a given standard output
	Stderr     Feature = "stderr"     // a given standard error, apart from the output
	Status     Feature = "status"     // exit status without an init
	Signals    Feature = "signals"    // signals other than SIGKILL
	Init       Feature = "init"       // Spec.Init
	Users      Feature = "users"      // Command.User
	CPU        Feature = "cpu"        // Limits.CPU
	Memory     Feature = "memory"     // Limits.Memory, and Exit.OOM
	Pids       Feature = "pids"       // Limits.Pids
	ReadOnly   Feature = "read-only"  // what an instance writes doesn't reach the image
	Environ    Feature = "environ"    // Command.Env is the whole environment
	Exec       Feature = "exec"       // bench.Execer
	NotFound   Feature = "not-found"  // a missing program is told from a bad status
	Usage      Feature = "usage"      // Exit.Usage
	Background Feature = "background" // daemons end with the program
	Ports      Feature = "ports"      // Spec.Ports: Check says not applicable
	Meter      Feature = "meter"      // bench.Meter
	Work       Feature = "work"       // Spec.Work, and bench.Placer
	ParentsFDs Feature = "parent-fds" // the workload is a child of the lab, whose descriptors it might inherit
)

// Options say what is particular to an environment.
type Options struct {
	// Lacks are the features that it hasn't, with the reason.
	Lacks map[Feature]string

	Settings map[string]string // changed from their defaults
	Image    image.Ref         // zero: Image(t)

	// Init is set where the exit status is known only with an init before
	// the workload.
	Init bool

	// Slow is set where a start takes seconds: fewer rounds and longer
	// deadlines.
	Slow bool

	// Parts are the tests to run, by name; nil: all. An environment that passed
	// all of them needn't do so again where another setting can't matter.
	Parts []string

	// Objects lists what else an instance is made of, such as domains: names
	// by kind. May be nil.
	Objects func() (map[string][]string, error)
}

// A suite is one environment under test.
type suite struct {
	env     bench.Environment
	opts    Options
	tb      *testbed.Testbed
	image   image.Ref
	timeout time.Duration // of one instance, generous
}

// Run tests that env keeps the contract of package bench. It opens and closes
// it. The package's TestMain must be [Main].
func Run(t *testing.T, env bench.Environment, opts Options) {
	tb := Testbed(t)
	s := &suite{env: env, opts: opts, tb: tb, image: opts.Image, timeout: time.Minute}
	if s.image.Dir == "" {
		s.image = Image(t)
	}
	if opts.Slow {
		s.timeout = 3 * time.Minute
	}
	s.timeout += env.About().Patience
	ctx, cancel := context.WithTimeout(context.Background(), s.timeout)
	defer cancel()
	if err := env.Open(ctx, tb); err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(func() {
		for range 2 {
			if err := env.Close(); err != nil {
				t.Errorf("Environment.Close: %v", err)
			}
		}
	})
	ran := 0
	for _, c := range []struct {
		name string
		test func(*suite, *testing.T)
	}{
		{"Names", (*suite).names},
		{"Ready", (*suite).ready},
		{"Marks", (*suite).marks},
		{"Cold", (*suite).cold},
		{"Status", (*suite).status},
		{"Stdout", (*suite).stdout},
		{"Stderr", (*suite).stderr},
		{"Stdin", (*suite).stdin},
		{"Environ", (*suite).environ},
		{"Argv", (*suite).argv},
		{"Dir", (*suite).dir},
		{"User", (*suite).user},
		{"Umask", (*suite).umask},
		{"NotFound", (*suite).notFound},
		{"Signals", (*suite).signals},
		{"Inherits", (*suite).inherits},
		{"CPU", (*suite).cpu},
		{"Memory", (*suite).memory},
		{"Pids", (*suite).pids},
		{"Meter", (*suite).meter},
		{"Cancel", (*suite).cancel},
		{"Close", (*suite).close},
		{"Order", (*suite).order},
		{"Many", (*suite).many},
		{"Background", (*suite).background},
		{"Exec", (*suite).exec},
		{"Ports", (*suite).ports},
		{"Image", (*suite).readOnly},
		{"Prepare", (*suite).prepare},
		{"Nothing left", (*suite).nothingLeft},
	} {
		if len(opts.Parts) == 0 || slices.Contains(opts.Parts, c.name) {
			t.Run(c.name, func(t *testing.T) { c.test(s, t) })
			ran++
		}
	}
	if n := len(opts.Parts); n > 0 && n != ran {
		t.Errorf("%d of the parts %q are tests of this suite", ran, opts.Parts)
	}
}

// needs skips a test of what the environment lacks.
func (s *suite) needs(t *testing.T, fs ...Feature) {
	t.Helper()
	for _, f := range fs {
		if why, ok := s.opts.Lacks[f]; ok {
			if why == "" {
				t.Errorf("%s lacks %s and doesn't say why", s.env.Name(), f)
			}
			t.Skipf("SKIPPED: %s has no %s: %s", s.env.Name(), f, why)
		}
	}
}
