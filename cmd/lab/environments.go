package main

import (
	"cmp"
	"slices"
	"strings"

	"lab/bench"
)

// environmentNames lists them in the order in which they are explained: from
// the least to the most isolation.
func environmentNames() []string {
	var out []string
	for _, e := range environments() {
		out = append(out, e.Name())
	}
	return out
}

// known is what they say about themselves.
func known(also ...string) []bench.About { return bench.AboutAll(environments(also...)) }

// allName stands for every environment, as their groups' names do for some.
const allName = "all"

// members puts environments in place of the names of groups, each once; some are those
// that came by such a name: it is no failure if one of them can't run here.
func members(names []string) (out, some []string) {
	add := func(name string) bool {
		if slices.Contains(out, name) {
			return false
		}
		out = append(out, name)
		return true
	}
	about := known()
	for _, name := range names {
		found := false
		for _, a := range about {
			if name == allName || slices.Contains(a.Groups, name) {
				if found = true; add(a.Name) && !slices.Contains(names, a.Name) {
					some = append(some, a.Name)
				}
			}
		}
		if !found {
			add(name)
		}
	}
	return out, some
}

// groupNames lists the names that stand for several environments.
func groupNames() []string {
	out := []string{allName}
	for _, a := range known() {
		for _, g := range a.Groups {
			if !slices.Contains(out, g) {
				out = append(out, g)
			}
		}
	}
	return out
}

// environment finds one by its name; an unknown one is the user's error.
func environment(envs []bench.Environment, name string) (bench.Environment, error) {
	var names []string
	for _, e := range envs {
		if e.Name() == name {
			return e, nil
		}
		names = append(names, e.Name())
	}
	return nil, unknown("environment", name, names)
}

// parseVariant reads "k=v,…" and checks it against the settings of the
// environments that it will be used for: a name that none of them has, and a
// value that isn't allowed, are the user's errors. as has how a word was typed if
// not with --variant.
func parseVariant(words []string, envs []bench.Environment, as map[string]string) (map[string]string, error) {
	all, err := parseVariants(words, envs, as)
	out := map[string]string{}
	for k, vs := range all {
		if len(vs) > 1 {
			return nil, usagef("--variant: %s is given twice, and one command has one value of it", k)
		}
		out[k] = vs[0]
	}
	return out, err
}

// parseVariants is parseVariant where a name may have several values:
// "k=v,k=w".
func parseVariants(words []string, envs []bench.Environment, as map[string]string) (map[string][]string, error) {
	out := map[string][]string{}
	for _, w := range split(words) {
		k, v, ok := strings.Cut(w, "=")
		if !ok || k == "" {
			return nil, usagef("--variant %q: not of the form name=value", w)
		}
		if err := checkSetting(cmp.Or(as[w], "--variant "+w), k, v, envs); err != nil {
			return nil, err
		}
		out[k] = append(out[k], v)
	}
	return out, nil
}

// checkSetting checks that one of the environments has the setting k, and those that
// have it the value v. An error begins with typed.
func checkSetting(typed, k, v string, envs []bench.Environment) error {
	var names []string
	for _, e := range envs {
		for _, s := range e.Settings() {
			if !slices.Contains(names, s.Name) {
				names = append(names, s.Name)
			}
			if s.Name != k {
				continue
			}
			if len(s.Values) > 0 && !slices.Contains(s.Values, v) {
				return noSuch(typed+": "+e.Name()+" has no such value of "+k, v, s.Values)
			}
		}
	}
	if !slices.Contains(names, k) {
		who := "no environment has a setting "
		if len(envs) == 1 {
			who = envs[0].Name() + " has no setting "
		}
		return noSuch(typed+": "+who+k, k, names)
	}
	return nil
}
