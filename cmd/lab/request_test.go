//go:build !lean

package main

import (
	"os"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"lab/bench/request"
)

// notAsked are flags of lab run that aren't part of what is asked of the run, each
// with the reason: no experiment file has them, nor a manifest.
var notAsked = map[string]string{
	"out":     "where the results go, which a file can't know for whoever runs it",
	"json":    "how the result is printed",
	"live":    "how the run is watched",
	"predict": "nothing is run",
	"resume":  "the folder says what was asked",
	"file":    "the file itself",
	"wait":    "what else the machine does is not the experiment's",
}

// Every wish of a request is a flag of lab run, and every other flag is named, with
// its reason; with -f and --resume only those can be given that leave what is
// measured as it is.
func TestRequestFlags(t *testing.T) {
	cmd := newApp([]string{"lab"}, os.Stdin, os.Stdout, os.Stderr).runCommand()
	fl := cmd.Flags()
	keys := map[string]request.Field{}
	for _, f := range new(request.Request).Fields() {
		if f.Flag != "" {
			keys[f.Flag] = f
		}
		if !strings.Contains(cmd.Long, f.Key) {
			t.Errorf("help doesn't list the key %s", f.Key)
		}
	}
	fl.VisitAll(func(x *pflag.Flag) {
		f, asked := keys[x.Name]
		if _, named := notAsked[x.Name]; named == asked {
			t.Errorf("--%s: wants a field of request.Request, or a reason in notAsked", x.Name)
		}
		if beside := strings.Contains(besideFile()+",", "--"+x.Name+","); asked && beside != f.Place || !asked && beside == (x.Name == "resume" || x.Name == "file") {
			t.Errorf("--%s: beside a file %v, a place %v", x.Name, beside, f.Place)
		}
		delete(keys, x.Name)
	})
	for name := range keys {
		t.Errorf("lab run has no --%s", name)
	}
	for name, want := range map[string]string{"work": "", "json": "", "runs": "runs", "strict": "strict"} {
		cmd := newApp([]string{"lab"}, os.Stdin, os.Stdout, os.Stderr).runCommand()
		if err := cmd.Flags().Set(name, "1"); err != nil || changing(cmd) != want {
			t.Errorf("--%s: %v, changes %q", name, err, changing(cmd))
		}
	}
}
