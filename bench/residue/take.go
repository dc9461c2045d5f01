package residue

import (
	"cmp"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"lab/bench/cgroup"
)

// Options say where to look.
type Options struct {
	Root string // file tree of the machine: "" for the one that we run on
	Run  string // the folder of run folders; "" is /run/lab
	Dev  string // the folder of device files; "" is /dev

	Kinds []Kind   // to look for; nil: all
	Cache string   // the lab's; "" is none
	Work  []string // where work folders are made

	// Tree is a process all of whose descendants count as the lab's; 0: none does
	// for that reason. It should be a subreaper (prctl(2)), so that those stay its
	// descendants whose parents have ended.
	Tree int
}

// Take looks at the machine. What needs root and can't be seen without is named in
// Unseen.
func Take(o Options) Snapshot {
	o.Run, o.Dev = cmp.Or(o.Run, "/run/lab"), cmp.Or(o.Dev, "/dev")
	s := Snapshot{Unseen: map[Kind]string{}}
	for _, look := range []struct {
		kinds []Kind
		at    func(Options) ([]Item, error)
	}{
		{[]Kind{Process, Namespace}, processes},
		{[]Kind{Mount}, mounts},
		{[]Kind{Link, Address}, links},
		{[]Kind{Table}, tables},
		{[]Kind{Sysctl}, sysctls},
		{[]Kind{Cgroup}, cgroups},
		{[]Kind{Domain, Network}, domains},
		{[]Kind{Loop}, loops},
		{[]Kind{Shared}, shared},
		{[]Kind{File}, files},
		{[]Kind{Device}, devices},
	} {
		if len(o.Kinds) > 0 && !slices.ContainsFunc(look.kinds, func(k Kind) bool { return slices.Contains(o.Kinds, k) }) {
			continue
		}
		items, err := look.at(o)
		if err != nil {
			for _, k := range look.kinds {
				s.Unseen[k] = err.Error()
			}
			continue
		}
		s.Items = append(s.Items, items...)
	}
	slices.SortStableFunc(s.Items, func(a, b Item) int {
		return cmp.Or(strings.Compare(string(a.Kind), string(b.Kind)), strings.Compare(a.Name, b.Name))
	})
	return s
}

// name is one that the lab gives: lab-<ID>, maybe with more behind it, as a part
// of a path or an argument.
var name = regexp.MustCompile(`(?:^|[/,=: \n])lab-([0-9a-f]{8})(?:$|[-/,. \n])`)

// named says whether a text has such a name in it, and whether that testbed lives.
func named(o Options, text string) (ours, used bool) {
	m := name.FindStringSubmatch(text)
	return m != nil, m != nil && cgroup.Owned(filepath.Join(o.Run, m[1]))
}

// marked is named, and also knows a run folder by its path.
func marked(o Options, path string) (ours, used bool) {
	if rest, ok := strings.CutPrefix(path, o.Run+"/"); ok {
		id, _, _ := strings.Cut(rest, "/")
		return true, cgroup.Owned(filepath.Join(o.Run, id))
	}
	return named(o, path)
}

// contents reads a small file of the kernel's, without its last newline.
func contents(name string) string {
	b, _ := os.ReadFile(name)
	return strings.TrimSuffix(string(b), "\n")
}

func glob(elem ...string) []string {
	names, _ := filepath.Glob(filepath.Join(elem...)) // patterns are ours
	return names
}

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
