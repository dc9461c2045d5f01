package cli

import (
	"cmp"
	"slices"

	"lab/bench"
	"lab/bench/request"
	"lab/chroot"
	"lab/container"
)

// Local are the environments of which an instance is a process that the lab
// starts by itself. Whoever knows others lists them behind these.
func Local(...string) []bench.Environment {
	return []bench.Environment{chroot.Host(), chroot.Chroot(), container.New()}
}

// Names lists environments in the order in which they are explained: from the
// least to the most isolation.
func Names(envs []bench.Environment) (out []string) {
	for _, e := range envs {
		out = append(out, e.Name())
	}
	return out
}

// Environment finds one by its name; an unknown one is the user's error.
func Environment(envs []bench.Environment, name string) (bench.Environment, error) {
	for _, e := range envs {
		if e.Name() == name {
			return e, nil
		}
	}
	return nil, Unknown("environment", name, Names(envs))
}

// parseVariant reads "k=v,…" and checks it against the settings of the
// environments that it will be used for: a name that none of them has, and a
// value that isn't allowed, are the user's errors. as has how a word was typed if
// not with --variant.
func parseVariant(words []string, envs []bench.Environment, as map[string]string) (map[string]string, error) {
	out := map[string]string{}
	for _, word := range words {
		pairs, err := request.Pairs(word)
		if err != nil {
			return nil, Usagef("--variant %q: %w", word, err)
		}
		for _, p := range pairs {
			w := p.Name + "=" + p.Value
			if _, twice := out[p.Name]; twice {
				return nil, Usagef("--variant: %s is given twice, and one command has one value of it", p.Name)
			}
			if err := CheckSetting(cmp.Or(as[w], "--variant "+w), p.Name, p.Value, envs); err != nil {
				return nil, err
			}
			out[p.Name] = p.Value
		}
	}
	return out, nil
}

// CheckSetting checks that one of the environments has the setting k, and those that
// have it the value v. An error begins with typed.
func CheckSetting(typed, k, v string, envs []bench.Environment) error {
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
				return NoSuch(typed+": "+e.Name()+" has no such value of "+k, v, s.Values)
			}
		}
	}
	if !slices.Contains(names, k) {
		who := "no environment has a setting "
		if len(envs) == 1 {
			who = envs[0].Name() + " has no setting "
		}
		return NoSuch(typed+": "+who+k, k, names)
	}
	return nil
}
