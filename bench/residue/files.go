package residue

import (
	"path/filepath"
	"strings"

	"lab/bench/cgroup"
)

// files are those of the lab's own that are there for a time: run folders, work
// folders, and what is half made in its cache. What a cache is for stays in it.
func files(o Options) ([]Item, error) {
	var out []Item
	add := func(names []string, fits func(string) bool, used func(string) bool) {
		for _, f := range names {
			if fits(filepath.Base(f)) {
				out = append(out, Item{Kind: File, Name: f, Ours: true, Used: used(f)})
			}
		}
	}
	any, nobody := func(string) bool { return true }, func(string) bool { return false }
	add(glob(o.Run, "*"), any, cgroup.Owned)
	for _, dir := range o.Work {
		add(glob(dir, "lab-*"), name.MatchString, cgroup.Owned)
	}
	if o.Cache != "" {
		half := func(name string) bool { return begins(name, ".new-", "new-") || strings.HasSuffix(name, ".new") }
		add(append(glob(o.Cache, "*"), append(glob(o.Cache, ".*"), append(glob(o.Cache, "*/*"), glob(o.Cache, "*/.*")...)...)...), half, nobody)
	}
	if o.Temp != "" {
		add(glob(o.Temp, "lab-*"), func(name string) bool { return begins(name, "lab-probe-", "lab-guestinit-", "lab-cold-") }, nobody)
	}
	return out, nil
}
