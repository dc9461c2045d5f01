//go:build !lean

package main

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"lab/bench/experiment"
	"lab/scenarios"
)

// besideFile are the flags that lab run -f takes: they say where things lie and
// what is printed. What is measured is the file's alone, so that a results
// folder with an experiment file was made by it, and by nothing else.
var besideFile = []string{"file", "out", "json", "live", "image", "kernel", "work", "predict", "wait"}

// fromFile takes what the experiment file says over into the flags, as if it
// had been typed, and returns the scenarios. Its errors are the user's, and
// say where in the file.
func (f *runFlags) fromFile(cmd *cobra.Command, args []string) ([]string, error) {
	fl := cmd.Flags()
	if len(args) > 0 {
		return nil, usagef("run: %s was given as well as -f %s, which names the scenarios; fix: leave one of them out", strings.Join(args, " "), f.file)
	}
	var wrong string
	fl.Visit(func(x *pflag.Flag) {
		if !slices.Contains(besideFile, x.Name) {
			wrong = x.Name
		}
	})
	if wrong != "" {
		return nil, usagef("--%s can't be given with -f %s, which says what is measured; fix: write it into the file\n     with -f these can be given: --%s",
			wrong, f.file, strings.Join(besideFile[1:], ", --"))
	}
	x, err := experiment.Read(f.file)
	if err != nil {
		var u *experiment.UnknownKey
		var where *experiment.Error
		if errors.As(err, &u) && errors.As(err, &where) {
			where.Err = unknown("key", u.Key, u.Known)
		}
		return nil, usagef("%w", err)
	}
	if err := knownWords(x); err != nil {
		return nil, err
	}
	for _, place := range []struct {
		flag, named string
		to          *string
	}{{"image", x.Image, &f.image}, {"kernel", x.Kernel, &f.kernel}} {
		switch {
		case place.named == "":
		case fl.Changed(place.flag):
			return nil, &statusError{statusUsage, x.At(place.flag, fmt.Errorf("the file names its %s, and --%s another; leave one of the two out", place.flag, place.flag))}
		default:
			*place.to = x.Path(place.named)
		}
	}
	// The same flags, so that the same comes of them.
	for _, s := range typed(x) {
		if err := fl.Set(s.flag, s.value); err != nil {
			return nil, usagef("%w", x.At(s.key, err))
		}
	}
	f.experiment = x
	return x.Scenarios, nil
}

// typed is what an experiment comes to on a command line.
func typed(x *experiment.File) []struct{ key, flag, value string } {
	var out []struct{ key, flag, value string }
	add := func(key, flag, value string) {
		if x.Has(key) {
			out = append(out, struct{ key, flag, value string }{key, flag, value})
		}
	}
	add("environments", "env", strings.Join(x.Environments, ","))
	var set []string
	for _, k := range slices.Sorted(maps.Keys(x.Variant)) {
		for _, v := range x.Variant[k] {
			set = append(set, k+"="+v)
		}
	}
	if set != nil {
		add("variant", "variant", strings.Join(set, ","))
	}
	add("accel", "accel", x.Accel)
	add("cpus", "cpus", x.CPUs)
	add("trials", "runs", strconv.Itoa(x.Trials))
	add("warmup", "warmup", strconv.Itoa(x.Warmup))
	add("sessions", "sessions", strconv.Itoa(x.Sessions))
	add("seed", "seed", strconv.FormatUint(x.Seed, 10))
	add("precision", "precision", x.Precision)
	add("max_time", "max-time", x.MaxTime)
	add("strict", "strict", strconv.FormatBool(x.Strict))
	add("quick", "quick", strconv.FormatBool(x.Quick))
	return out
}

// knownWords checks the names that an experiment has.
func knownWords(x *experiment.File) error {
	at := func(key string, err error) error { return usagef("%w", x.At(key, err)) }
	for i, name := range x.Scenarios {
		if !slices.Contains(scenarioNames(), name) || scenarios.Find(name) == nil {
			return at(fmt.Sprintf("scenarios.%d", i), unknown("scenario", name, scenarioNames()))
		}
	}
	envs := environments(x.Environments...)
	asked := envs
	for i, name := range x.Environments {
		if i == 0 {
			asked = nil
		}
		group, _ := members([]string{name})
		for _, name := range group {
			e, err := environment(envs, name)
			if err != nil {
				return at(fmt.Sprintf("environments.%d", i), err)
			}
			asked = append(asked, e)
		}
	}
	for _, k := range slices.Sorted(maps.Keys(x.Variant)) {
		for i, v := range x.Variant[k] {
			if err := checkSetting(k+"="+v, k, v, asked); err != nil {
				return at(fmt.Sprintf("variant.%s.%d", k, i), err)
			}
		}
	}
	return nil
}

// rightImage refuses another image than the experiment's.
func (f *runFlags) rightImage(digest string) error {
	x := f.experiment
	if x == nil || x.ImageDigest == "" || x.ImageDigest == digest {
		return nil
	}
	return x.At("image_digest", fmt.Errorf("the experiment is about another image than %s; name its folder with --image", digest))
}
