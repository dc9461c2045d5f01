package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"lab/bench"
	"lab/bench/runs"
	"lab/cmd/cli"
	"lab/scenarios"
)

// used refuses what says where instances write, and how much, where none of the
// cells that were asked for does: whoever names a disk believes that it is
// measured. Of several scenarios one is enough.
func (f *runFlags) used(names []string, j *runs.Job) error {
	for _, x := range []struct {
		flag  string
		given bool
		says  string
		uses  func(bench.Cell) bool
	}{
		{"work", f.work != "", "where instances write", func(c bench.Cell) bool { return c.Work }},
		{"disk-budget", f.budget != "", "how much instances may write to the disk", func(c bench.Cell) bool { return c.Disk > 0 }},
	} {
		var using []string
		for _, sc := range scenarios.All() {
			if slices.ContainsFunc(sc.Cells(j.Options), x.uses) {
				using = append(using, sc.Name)
			}
		}
		if !x.given || slices.ContainsFunc(names, func(name string) bool { return slices.Contains(using, name) }) {
			continue
		}
		what := strings.Join(names, ", ")
		if len(j.Options.Envs) > 0 {
			what += " --env " + strings.Join(j.Options.Envs, ",")
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
