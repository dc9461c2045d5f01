package reports

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"lab/bench/input"
	"lab/bench/results"
	"lab/reports/plot"
)

// Public is a run as it may be published: what was measured, and nothing that can be drawn
// again, no logs, a command line without places of the machine, and no name that its owner
// gave its kernel or its first process. private are words
// that must be in none of it, such as the machine's name; one that is there is an error
// that names the file.
func Public(dir string, private []string) ([]plot.File, error) {
	run, err := results.Read(dir)
	if err != nil {
		return nil, fmt.Errorf("report: %w", err)
	}
	root, err := input.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("report: %w", err)
	}
	defer root.Close()
	are, err := sums(root)
	if err != nil {
		return nil, err
	}
	machine := run.Machine
	machine.Kernel, machine.Init = kernelNumber.FindString(machine.Kernel), ""
	if kernelName.MatchString(run.Machine.Kernel) {
		machine.Kernel = run.Machine.Kernel
	} else if own := strings.TrimPrefix(run.Machine.Kernel, machine.Kernel); len(own) > 3 {
		private = append(private, own)
	}
	if slices.Contains(inits, run.Machine.Init) {
		machine.Init = run.Machine.Init
	} else if run.Machine.Init != "" {
		private = append(private, run.Machine.Init)
	}
	var out []plot.File
	for name := range are {
		if !results.IsData(name) {
			continue
		}
		data, err := input.ReadIn(root, name, maxFile)
		switch {
		case err != nil:
		case name == results.ManifestFile:
			run.Manifest.Command = withoutPlaces(run.Manifest)
			data, err = indented(run.Manifest)
		case name == results.MachineFile:
			data, err = indented(machine)
		}
		if err != nil {
			return nil, fmt.Errorf("report: %s: %w", name, err)
		}
		words := private
		if home := someonesHome.Find(data); home != nil {
			words = append(slices.Clone(private), string(home))
		}
		for _, word := range words {
			if bytes.Contains(data, []byte(word)) {
				return nil, fmt.Errorf("report: %s of %s has %q, which is a machine's own; fix: measure without it", name, dir, word)
			}
		}
		out = append(out, plot.File{Name: name, Data: data})
	}
	slices.SortFunc(out, func(a, b plot.File) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

// someonesHome finds a user's folder: the results may come from another machine than the
// one that publishes them.
var someonesHome = regexp.MustCompile(`/(home|Users)/[^/"\\\s:]+`)

// A kernel's number, and the names that distributions give theirs; what else follows the
// number is its owner's. Likewise of the first process.
var (
	kernelNumber = regexp.MustCompile(`^[0-9]+(\.[0-9]+)*`)
	kernelName   = regexp.MustCompile(`^[0-9]+(\.[0-9]+)*([-.+_](amd64|arm64|x86_64|aarch64|cloud|generic|aws|azure|gcp|kvm|rt|lts|arch[0-9]*|default|fc[0-9]+|el[0-9_]+|deb[0-9u]+|[0-9]+))*$`)
	inits        = []string{"systemd", "init", "openrc-init", "runit", "s6-svscan", "dinit", "busybox", "tini", "docker-init", "bash", "sh", "lab"}
)

func indented(v any) ([]byte, error) {
	data, err := json.MarshalIndent(v, "", "  ")
	return append(data, '\n'), err
}

// withoutPlaces is a run's command without the flags that name a place of its machine,
// and without how it was shown.
func withoutPlaces(m results.Manifest) (out []string) {
	places := []string{"--out", "--live"}
	for _, f := range new(results.Asked).Fields() {
		if f.Place {
			places = append(places, "--"+f.Flag)
		}
	}
	for i := 0; i < len(m.Command); i++ {
		w := m.Command[i]
		if w == "--" {
			return append(out, m.Command[i:]...)
		}
		flag, _, whole := strings.Cut(w, "=")
		if slices.Contains(places, flag) {
			if !whole && i+1 < len(m.Command) && !strings.HasPrefix(m.Command[i+1], "-") {
				i++
			}
			continue
		}
		out = append(out, w)
	}
	return out
}
