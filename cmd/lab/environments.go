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
func known() []bench.About { return bench.AboutAll(environments()) }

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
