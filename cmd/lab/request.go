package main

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"lab/bench"
	"lab/bench/cgroup"
	"lab/bench/experiment"
	"lab/bench/image/store"
	"lab/bench/request"
	"lab/bench/runs"
	"lab/cmd/cli"
	"lab/scenarios"
	"lab/vm/client"
)

// One struct says what may be asked of a run (bench/request): here its fields become
// flags, in package experiment keys of a file, in the manifest what was asked. What is
// left to this file is what depends on this lab and this machine: which environments
// there are, which of them a scenario can use, whether a file that was named is there.
// All of it is judged before a lock is taken or a folder made, so that a typing error
// costs nothing.

// requestFlags makes flags of the wishes of a request: of those named, or of all.
func requestFlags(fl *pflag.FlagSet, r *request.Request, only ...string) {
	for _, f := range r.Fields() {
		if f.Flag == "" || only != nil && !slices.Contains(only, f.Flag) {
			continue
		}
		usage := f.Help
		if f.Arg != "" {
			usage = "`" + f.Arg + "` " + usage
		}
		flag := fl.VarPF(f, f.Flag, f.Short, usage)
		if f.Type() == "bool" {
			flag.NoOptDefVal = "true"
		}
		if f.More {
			cli.Further(fl, f.Flag)
		}
	}
}

// flagsOf lists the flags of a request that say where something is, or the others.
func flagsOf(place bool) (out []string) {
	for _, f := range new(request.Request).Fields() {
		if f.Flag != "" && f.Place == place {
			out = append(out, f.Flag)
		}
	}
	return out
}

// besideFile lists the flags that lab run -f takes: those that aren't part of the
// request, and those that say where something is. What is measured is the file's
// alone, so that a results folder with an experiment file was made by it, and by
// nothing else.
func besideFile() string {
	return "--" + strings.Join(append(flagsOf(true), "export-csv", "export-json", "export-markdown", "guess", "json", "live", "no-shell", "only", "out", "predict", "wait"), ", --")
}

// changing finds a flag that was typed and changes what is measured, or is among
// more; "" is none.
func changing(cmd *cobra.Command, more ...string) string {
	more = append(more, flagsOf(false)...)
	if i := slices.IndexFunc(more, cmd.Flags().Changed); i >= 0 {
		return more[i]
	}
	return ""
}

// fromFile makes the request that the experiment file says, with the places that
// were typed. Its errors are the user's, and say where in the file.
func (f *runFlags) fromFile(cmd *cobra.Command) error {
	if len(f.Scenarios) > 0 {
		return cli.Usagef("run: %s was given as well as -f %s, which names the scenarios; fix: leave one of them out", strings.Join(f.Scenarios, " "), f.file)
	}
	if wrong := changing(cmd); wrong != "" {
		return cli.Usagef("--%s can't be given with -f %s, which says what is measured; fix: write it into the file\n     with -f these can be given: %s",
			wrong, f.file, besideFile())
	}
	x, err := experiment.Read(f.file, &f.Request)
	if err != nil {
		return userError(err)
	}
	f.experiment = x
	for _, p := range f.Fields() {
		to, _ := p.At.(*string)
		switch {
		case !p.Place || !x.Has(p.Key):
		case cmd.Flags().Changed(p.Flag):
			return userError(x.At(&request.Error{At: []any{p.Key}, Err: fmt.Errorf("the file names its %s, and --%s another; fix: leave one of the two out", p.Key, p.Flag)}))
		case p.Key == "image" && store.IsDigest(*to), p.Key == "image" && store.CheckName(*to) == nil && !isFolder(x.Path(*to)):
			// of the store
		case p.Key != "connect":
			*to = x.Path(*to)
		}
	}
	return nil
}

// isFolder says whether there is a folder of that name.
func isFolder(name string) bool {
	st, err := os.Stat(name)
	return err == nil && st.IsDir()
}

// userError is an error about a request as the user's, who typed a flag or wrote a file.
func userError(err error) error {
	var u *request.UnknownError
	var in *experiment.Error
	var e *request.Error
	var done *cli.StatusError // it says itself what was typed
	inFile := errors.As(err, &in)
	switch {
	case errors.As(err, &u):
		if err = cli.Unknown(u.What, u.Word, u.Known); inFile {
			in.Err, err = err, in
		}
	case errors.As(err, &done) && inFile:
		in.Err = done
	case done != nil:
		err = done
	// The error names a key of the request; whoever typed a flag is told the flag.
	case !inFile && errors.As(err, &e):
		for _, f := range new(request.Request).Fields() {
			if f.Key == e.At[0] && f.Flag != "" {
				err = fmt.Errorf("--%s: %w", f.Flag, e.Err)
			}
		}
	}
	return cli.Usagef("%w", err)
}

// check refuses what this lab or this machine doesn't have, and makes paths
// absolute. Errors about a wish are [*request.Error].
func (f *runFlags) check() error {
	r := &f.Request
	wrong := func(err error, at ...any) error { return &request.Error{At: at, Err: err} }
	for i, name := range r.Scenarios {
		if scenarios.Find(name) == nil {
			if slices.Contains(environmentNames(), name) { // behind a blank, or without --env
				return wrong(cli.Usagef("%s is an environment, and no scenario; fix: --env with a comma between several, such as --env host,%s", name, name), "scenarios", i)
			}
			return wrong(cli.Unknown("scenario", name, scenarioNames()), "scenarios", i)
		}
	}
	if r.Paired {
		for _, name := range r.Scenarios {
			if why := scenarios.Find(name).Alone; why != "" {
				return wrong(fmt.Errorf("scenario %s can't be measured in pairs: %s; fix: leave it out (scenarios that can be: %s)", name, why, strings.Join(inPairs(), ", ")), "paired")
			}
		}
	}
	if err := f.application(); err != nil {
		return err
	}
	if err := takes(r); err != nil {
		return err
	}
	// A group's name stands for its environments. Each of them is looked at for itself,
	// so that an error names the word that was typed.
	names, some := members(r.Environments)
	envs := environments(names...)
	asked := envs
	for i, name := range r.Environments {
		if i == 0 {
			asked = nil
		}
		group, _ := members([]string{name})
		for _, name := range group {
			e, err := cli.Environment(envs, name)
			if err != nil {
				return wrong(err, "environments", i)
			}
			asked = append(asked, e)
		}
	}
	// A setting must be known to one of the environments at least; to those that don't
	// have it, it says nothing.
	r.Environments, f.some = names, append(f.some, some...) // to those of a run that claims need
	for _, k := range slices.Sorted(maps.Keys(r.Variant)) {
		for i, v := range r.Variant[k] {
			typed := k + "=" + v
			if f.experiment == nil {
				typed = "--variant " + typed
			}
			if err := cli.CheckSetting(typed, k, v, asked); err != nil {
				return wrong(err, "variant", k, i)
			}
		}
	}
	for name := range r.Parameters {
		if slices.ContainsFunc(envs, func(e bench.Environment) bool {
			return slices.ContainsFunc(e.Settings(), func(s bench.Setting) bool { return s.Name == name })
		}) {
			return wrong(errors.New("an environment has a setting of that name; fix: another name"), "parameters", name)
		}
	}
	if r.Connect != "" {
		if _, err := client.ParseTarget(r.Connect); err != nil {
			return wrong(cli.Usagef("--%w", err), "connect")
		}
	}
	if r.CPUs != "" {
		if err := cgroup.CheckCPUSet(string(r.CPUs)); err != nil {
			return wrong(err, "cpus")
		}
	}
	if r.Memory != 0 && r.Memory < bench.LeastMemory {
		return wrong(fmt.Errorf("no program starts in that; the least that works is %dM", bench.LeastMemory>>20), "memory")
	}
	if err := f.places(); err != nil {
		return err
	}
	for i, name := range r.Variant["kernel"] {
		if !strings.Contains(name, "/") { // one of the cache
			continue
		}
		file, err := kernelFile(name)
		if err != nil {
			return wrong(fmt.Errorf("kernel=%s: no such file", name), "variant", "kernel", i)
		}
		r.Variant["kernel"][i] = file
	}
	return r.Check()
}

// inPairs are the scenarios that can be measured in pairs of trials.
func inPairs() (names []string) {
	for _, s := range scenarios.All() {
		if s.Alone == "" {
			names = append(names, s.Name)
		}
	}
	return names
}

// takes refuses what is a scenario's alone without that scenario, and such a
// scenario without what it needs.
func takes(r *request.Request) error {
	fields := r.Fields()
	for _, sc := range scenarios.All() {
		for i, key := range sc.Takes {
			asked := slices.ContainsFunc(r.Scenarios, func(name string) bool { return slices.Contains(scenarios.Find(name).Takes, key) })
			given := fields[slices.IndexFunc(fields, func(f request.Field) bool { return f.Key == key })].String() != ""
			var err error
			switch {
			case given && !asked:
				err = fmt.Errorf("it is for scenario %s; fix: leave it out, or lab run %s", sc.Name, sc.Name)
			case asked && i == 0 && !given:
				err = fmt.Errorf("scenario %s needs one; fix: lab run %s [flags] -- CMD [ARG…], or the key %s of an experiment file", sc.Name, sc.Name, key)
			default:
				continue
			}
			return &request.Error{At: []any{key}, Err: err}
		}
	}
	return nil
}

// narrow leaves one of a request's scenarios, without what is asked of the others alone.
func narrow(r *request.Request, name string) {
	all := r.Scenarios
	r.Scenarios = []string{name}
	for _, f := range r.Fields() {
		takes := func(name string) bool {
			s := scenarios.Find(name)
			return s != nil && slices.Contains(s.Takes, f.Key)
		}
		if slices.ContainsFunc(all, takes) && !takes(name) {
			reflect.ValueOf(f.At).Elem().SetZero()
		}
	}
}

// places makes the paths absolute that a run will open; what isn't there is the
// user's error.
func (f *runFlags) places() (err error) {
	if f.Work, err = workDir(f.Work); err == nil {
		f.Kernel, err = kernelFile(f.Kernel)
	}
	return err
}

// rightImage refuses another image than the experiment's.
func (f *runFlags) rightImage(digest string) error {
	want := string(f.ImageDigest)
	if want == "" || want == digest {
		return nil
	}
	return f.experiment.At(&request.Error{At: []any{"image_digest"},
		Err: fmt.Errorf("the experiment is about another image than %s; name its folder with --image", digest)})
}

// connect makes a job's guests another libvirt's. Its address isn't the worker's
// to know, nor the manifest's.
func connect(j *runs.Job, t *client.Target) {
	j.Connect, j.Options.Connect = &runs.Connection{Name: t.Name, Driver: t.Driver}, t.Name
}

// limited refuses a limit where rows of a scenario have one of their own.
func limited(o bench.Options) error {
	for _, x := range []struct {
		flag  string
		given bool
		own   func(bench.Cell) bool
	}{
		{"cpu-limit", o.CPULimit > 0, func(c bench.Cell) bool { return c.CPU > 0 }},
		{"memory", o.Memory > 0, func(c bench.Cell) bool { return c.Memory > 0 }},
		{"pids", o.Pids > 0, func(c bench.Cell) bool { return c.Pids > 0 }},
	} {
		for _, name := range o.Scenarios {
			if x.given && slices.ContainsFunc(scenarios.Find(name).Cells(o), x.own) {
				return cli.Usagef("--%s: scenario %s sets this limit itself; fix: leave it out", x.flag, name)
			}
		}
	}
	return nil
}

// refuseUnused refuses what says where instances write, and how much, where none of the
// rows that were asked for does: whoever names a disk believes that it is
// measured. Of several scenarios one is enough.
func refuseUnused(o bench.Options) error {
	if err := limited(o); err != nil {
		return err
	}
	for _, x := range []struct {
		flag  string
		given bool
		says  string
		uses  func(bench.Cell) bool
	}{
		{"work", o.Work != "", "where instances write", func(c bench.Cell) bool { return c.Work }},
		{"disk-budget", o.DiskBudget > 0, "how much instances may write to the disk", func(c bench.Cell) bool { return c.Disk > 0 }},
	} {
		if !x.given {
			continue
		}
		var using []string
		for _, sc := range scenarios.All() {
			if slices.ContainsFunc(sc.Cells(o), x.uses) {
				using = append(using, sc.Name)
			}
		}
		// One scenario of several that writes is enough: the flag isn't in vain.
		if slices.ContainsFunc(o.Scenarios, func(name string) bool { return slices.Contains(using, name) }) {
			continue
		}
		what := strings.Join(o.Scenarios, ", ")
		if len(o.Environments) > 0 {
			what += " --env " + strings.Join(o.Environments, ",")
		}
		return cli.Usagef("--%s says %s, and nothing of %s does; fix: leave it out (scenarios that use it: %s)",
			x.flag, x.says, what, strings.Join(using, ", "))
	}
	return nil
}

// workDir is the folder that the user named with --work, as an absolute path;
// "" is none.
func workDir(named string) (string, error) {
	if named == "" {
		return "", nil
	}
	if st, err := os.Stat(named); err != nil {
		return "", cli.Usagef("--work: %w", err)
	} else if !st.IsDir() {
		return "", cli.Usagef("--work %s: not a folder", named)
	}
	return filepath.Abs(named)
}
