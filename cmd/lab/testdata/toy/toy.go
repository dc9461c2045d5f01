// Package toy is an environment of the tests: all that a new one needs, in one
// folder. A line in the command's list makes it known to every command.
package toy

import (
	"context"
	"os"
	"path/filepath"

	"lab/bench"
	"lab/bench/launch"
	"lab/bench/machine"
	"lab/bench/testbed"
)

// Broken is the variable that makes its own check fail.
const Broken = "LAB_TEST_TOY_BROKEN"

// An Env is the environment toy.
type Env struct{}

// New returns it.
func New() *Env { return &Env{} }

// Name is "toy".
func (*Env) Name() string { return "toy" }

// About says what it is.
func (*Env) About() bench.About {
	a := bench.About{Needs: "root and a box of bricks", Rests: bench.RestsOn("root")}
	a.Is, a.Caveat, a.WholeCommand = "a plain process that plays", "a toy of the tests", true
	return a
}

// Checks is the box.
func (*Env) Checks(context.Context) []machine.Check {
	c := machine.Check{Name: "bricks", Result: machine.OK, Detail: "in the box", Why: "a toy is made of them"}
	if os.Getenv(Broken) != "" {
		c.Result, c.Detail, c.Cure = machine.Fail, "on the floor", "tidy up"
	}
	return []machine.Check{c}
}

// Settings are its colours.
func (*Env) Settings() []bench.Setting {
	return []bench.Setting{{Name: "colour", Values: []string{"red", "blue"}, Default: "red", Help: "what the bricks look like"}, bench.PageCache}
}

// Open does nothing.
func (*Env) Open(context.Context, *testbed.Testbed) error { return nil }

// Close does nothing.
func (*Env) Close() error { return nil }

// Check has nothing to say.
func (*Env) Check(context.Context, bench.Spec) error { return nil }

// Prepare says where the program is: in the image, else on the machine.
func (*Env) Prepare(_ context.Context, s bench.Spec) (bench.Instance, error) {
	return launch.New(launch.Plan{Command: s.Command, Find: func(c bench.Command) []string {
		return []string{filepath.Join(s.Image.Dir, c.Argv[0]), filepath.Join(s.Image.Dir, "bin", c.Argv[0])}
	}}), nil
}
