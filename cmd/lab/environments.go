package main

import (
	"slices"
	"strings"

	"lab/bench"
	"lab/bench/request"
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
// value that isn't allowed, are the user's errors.
func parseVariant(words []string, envs []bench.Environment) (map[string]string, error) {
	all, err := parseVariants(words, envs)
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
func parseVariants(words []string, envs []bench.Environment) (map[string][]string, error) {
	out := map[string][]string{}
	for _, w := range request.Split(words...) {
		k, v, ok := strings.Cut(w, "=")
		if !ok || k == "" {
			return nil, usagef("--variant %q: not of the form name=value", w)
		}
		if err := checkSetting(k, v, envs); err != nil {
			return nil, err
		}
		out[k] = append(out[k], v)
	}
	return out, nil
}

func checkSetting(k, v string, envs []bench.Environment) error {
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
				return unknown("value of "+k+" for "+e.Name(), v, s.Values)
			}
		}
	}
	if !slices.Contains(names, k) {
		what := "variant"
		if len(envs) == 1 {
			what += " of " + envs[0].Name()
		}
		return unknown(what, k, names)
	}
	return nil
}
