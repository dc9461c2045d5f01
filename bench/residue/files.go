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
		add(HalfMade(o.Cache), any, nobody)
	}
	return out, nil
}

// HalfMade lists what a lab is making in its cache, or was when it was killed:
// what is in it appears whole, by a change of its name.
func HalfMade(cache string) (out []string) {
	for _, pattern := range []string{"image/.new-*", "image/*/.new-*", "initramfs/new-*", "rootdisk/new-*", "kernel-elf/new-*", "acceleration.json.new"} {
		for _, f := range glob(cache, pattern) {
			// A random number follows: a cache may lie where somebody has things of
			// his own.
			if _, n, ok := strings.Cut(filepath.Base(f), "new-"); !ok || strings.Trim(n, "0123456789") == "" {
				out = append(out, f)
			}
		}
	}
	return out
}
