package reports

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"lab/bench/input"
	"lab/bench/results"
	"lab/reports/plot"
)

// Public is a run as it may be published: what was measured, and nothing that can be drawn
// again, no logs, and a command line without places of the machine. private are words
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
	var out []plot.File
	for name := range are {
		if !IsData(name) {
			continue
		}
		data, err := input.ReadIn(root, name, maxFile)
		if err == nil && name == results.ManifestFile {
			run.Manifest.Command = withoutPlaces(run.Manifest)
			data, err = json.MarshalIndent(run.Manifest, "", "  ")
			data = append(data, '\n')
		}
		if err != nil {
			return nil, fmt.Errorf("report: %s: %w", name, err)
		}
		for _, word := range private {
			if bytes.Contains(data, []byte(word)) {
				return nil, fmt.Errorf("report: %s of %s has %q, which is this machine's own; fix: measure without it", name, dir, word)
			}
		}
		out = append(out, plot.File{Name: name, Data: data})
	}
	slices.SortFunc(out, func(a, b plot.File) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
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
