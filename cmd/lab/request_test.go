package main

import (
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"lab/bench/request"
	"lab/bench/results"
	"lab/bench/runs"
)

// notAsked are flags of lab run that aren't part of what is asked of the run, each
// with the reason: no experiment file has them, nor a manifest.
var notAsked = map[string]string{
	"out":        "where the results go, which a file can't know for whoever runs it",
	"guess":      "what is expected of it",
	"export-csv": "a copy of what the folder has", "export-json": "likewise", "export-markdown": "likewise",
	"no-shell": "it is always so",
	"json":     "how the result is printed",
	"live":     "how the run is watched",
	"predict":  "nothing is run",
	"resume":   "the folder says what was asked",
	"file":     "the file itself",
	"only":     "which of the file's scenarios lab fleet is at",
	"wait":     "what else the machine does is not the experiment's",
}

// What a group's name stands for may be missing, in the run and when it is resumed or
// reproduced; what was asked for by its own name may not. Completion offers both.
func TestGroups(t *testing.T) {
	f := runFlags{Request: request.Request{Scenarios: []string{"startup"}, Environments: []string{"crun", "runtimes"}}}
	j, err := f.job()
	if err != nil {
		t.Fatal(err)
	}
	j.Begin(parts, "startup")
	again, err := new(runFlags).jobOf(&results.Run{Manifest: j.Manifest})
	if err != nil {
		t.Fatal(err)
	}
	for _, j := range []*runs.Job{j, again} {
		if o := j.Options; !slices.Equal(o.Environments, []string{"crun", "runc", "runsc"}) || !slices.Equal(o.Some, []string{"runc", "runsc"}) {
			t.Errorf("environments %q, of which some may be missing: %q", o.Environments, o.Some)
		}
	}
	cmd := newApp([]string{"lab"}, os.Stdin, os.Stdout, os.Stderr).runCommand()
	complete, _ := cmd.GetFlagCompletionFunc("env")
	if words, _ := complete(cmd, nil, "host,"); !slices.Contains(words, "host,engines") || !slices.Contains(words, "host,vm") || slices.Contains(words, "host,host") {
		t.Errorf("completed: %q", words)
	}
}

// Every wish of a request is a flag of lab run, and every other flag is named, with
// its reason; with -f and --resume only those can be given that leave what is
// measured as it is.
func TestRequestFlags(t *testing.T) {
	cmd, _, err := newApp([]string{"lab"}, os.Stdin, os.Stdout, os.Stderr).root().Find([]string{"run"})
	if err != nil {
		t.Fatal(err)
	}
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
	exec := newApp([]string{"lab"}, os.Stdin, os.Stdout, os.Stderr).execCommand()
	if got, want := exec.Flags().Lookup("connect").Usage, fl.Lookup("connect").Usage; got != want {
		t.Errorf("lab exec's --connect: %q, and lab run's: %q", got, want)
	}
	for name, want := range map[string]string{"work": "", "json": "", "runs": "runs", "strict": "strict"} {
		cmd := newApp([]string{"lab"}, os.Stdin, os.Stdout, os.Stderr).runCommand()
		if err := cmd.Flags().Set(name, "1"); err != nil || changing(cmd) != want {
			t.Errorf("--%s: %v, changes %q", name, err, changing(cmd))
		}
	}
}

// One scenario of a file that has several is asked without what the others alone take.
func TestNarrow(t *testing.T) {
	for name, want := range map[string]request.Request{
		"startup": {Scenarios: []string{"startup"}, Pids: 7},
		"command": {Scenarios: []string{"command"}, Pids: 7, Command: []string{"/bin/true"}},
		"app":     {Scenarios: []string{"app"}, Pids: 7, App: "nginx"},
	} {
		r := request.Request{Scenarios: []string{"startup", "command", "app", "nothing"}, Pids: 7, Command: []string{"/bin/true"}, App: "nginx"}
		if narrow(&r, name); !reflect.DeepEqual(r, want) {
			t.Errorf("%s: %+v, want %+v", name, r, want)
		}
		if err := takes(&r); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
