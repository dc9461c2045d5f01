package cli

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"lab/bench/request"
)

// FurtherFlag marks a flag that few people need: help lists it below the others.
const FurtherFlag = "lab_further"

// Further marks flags of these names.
func Further(fl *pflag.FlagSet, names ...string) {
	for _, n := range names {
		fl.SetAnnotation(n, FurtherFlag, []string{})
	}
}

// Usagef is an error of the user's typing.
func Usagef(format string, args ...any) error {
	return &StatusError{StatusUsage, fmt.Errorf(format, args...)}
}

// Unknown says that there is no such thing, which one was probably meant, and
// which there are.
func Unknown(kind, word string, known []string) error {
	return NoSuch(fmt.Sprintf("unknown %s %q", kind, word), word, known)
}

// NoSuch says with text that there is no word, and what unknown says of it.
func NoSuch(text, word string, known []string) error {
	if n := nearest(word, known); n != "" {
		text += fmt.Sprintf(": did you mean %q?", n)
	}
	return Usagef("%s\n     there are: %s", text, strings.Join(known, ", "))
}

// UnknownOfMany is [Unknown] where there are too many to be listed: the few that
// come near, and list, the command that has them all.
func UnknownOfMany(kind, word string, known []string, list string) error {
	text := fmt.Sprintf("unknown %s %q", kind, word)
	near := fewNearest(word, known, 5)
	if len(near) > 0 {
		text += fmt.Sprintf(": did you mean %q?", near[0])
	}
	if len(near) > 1 {
		text += "\n     also near: " + strings.Join(near[1:], ", ")
	}
	return Usagef("%s\n     %s lists all", text, list)
}

// FlagError gives a command's wrong flag the same form as any other wrong word.
func FlagError(command string, fl *pflag.FlagSet, err error) error {
	var no *pflag.NotExistError
	var bad *pflag.InvalidValueError
	switch {
	case errors.As(err, &bad) && bad.GetFlag().Value.Type() == "request":
		var u *request.UnknownError
		if errors.As(err, &u) {
			return Unknown("--"+bad.GetFlag().Name, u.Word, u.Known)
		}
		err = bad.Unwrap()
		if e, ok := err.(*request.Error); ok {
			err = e.Err
		}
		return Usagef("--%s %q: %w", bad.GetFlag().Name, bad.GetValue(), err)
	case errors.As(err, &bad) && bad.GetFlag().Value.Type() == "duration":
		return Usagef("--%s %q: not a time such as 5m or 90s", bad.GetFlag().Name, bad.GetValue())
	case errors.As(err, &bad) && bad.GetFlag().Value.Type() != "bool":
		return Usagef("--%s %q: not a number; see lab %s --help", bad.GetFlag().Name, bad.GetValue(), command)
	case !errors.As(err, &no):
		return Usagef("%s: %w; see lab %s --help", command, err, command)
	}
	var known []string
	fl.VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			known = append(known, "--"+f.Name)
		}
	})
	name := "--" + no.GetSpecifiedName()
	if s := no.GetSpecifiedShortnames(); s != "" {
		name = "-" + no.GetSpecifiedName()
	}
	if x := otherwise(no.GetSpecifiedName(), known); x != "" {
		return Usagef("unknown flag %q: did you mean %q?", name, x)
	}
	return Unknown("flag", name, known)
}

// otherWords are what people and other tools call what a flag of ours says; of
// several flags the first that a command has is meant.
var otherWords = [...]struct{ flag, words string }{
	{"--runs", "trials trial repeat repeats repetitions iterations count n number samples times rounds"},
	{"--warmup", "warmups warm-up warm-ups burn-in"},
	{"--sessions", "session replications"},
	{"--env", "envs environment environments e"},
	{"--env-var", "env envvar"},
	{"--variant", "variants set setting settings option options vary"},
	{"--out", "output output-dir outdir results o"},
	{"--work", "workdir work-dir dir folder scratch"},
	{"--disk-budget", "budget max-disk disk-limit"},
	{"--predict", "dry-run dryrun plan estimate"},
	{"--max-time", "maxtime timeout time time-limit duration limit"},
	{"--precision", "accuracy confidence interval"},
	{"--quick", "fast short brief q"},
	{"--file", "config experiment"},
	{"--cpus", "cpu cpuset cpuset-cpus pin affinity"},
	{"--cpuset", "cpuset-cpus pin affinity"},
	{"--accel", "acceleration accelerator kvm tcg"},
	{"--connect", "uri libvirt"},
	{"--resume", "continue"},
	{"--volume", "mount bind"},
	{"--publish", "port ports expose"},
	{"--net", "network"},
	{"--read-only", "readonly ro"},
}

// otherwise is the flag, of those that there are, that somebody calls word; one
// that is spelled nearly so comes after a flag of that spelling.
func otherwise(word string, known []string) string {
	var words, means []string
	for _, x := range otherWords {
		if slices.Contains(known, x.flag) {
			for _, w := range strings.Fields(x.words) {
				words, means = append(words, w), append(means, x.flag)
			}
		}
	}
	n := slices.Index(words, word)
	if n < 0 && len(word) > 2 && nearest("--"+word, known) == "" {
		n = slices.Index(words, nearest(word, words))
	}
	if n < 0 {
		return ""
	}
	return means[n]
}

// nearest picks the known word that is nearest to word, or "" when none is
// near enough to be meant: one letter in four may be wrong, and one more.
func nearest(word string, known []string) string {
	best, least := "", min(len(word), 2+len(word)/4)
	for _, k := range known {
		if strings.HasPrefix(k, word) && len(word) > 1 {
			return k
		}
		if d := distance(strings.ToLower(word), k); d < least {
			best, least = k, d
		}
	}
	return best
}

// fewNearest lists the known words that may have been meant, at most n of them:
// nearest's first, then what has word in it, then what is nearly as near.
func fewNearest(word string, known []string, n int) []string {
	first := nearest(word, known)
	word = strings.ToLower(word)
	far := map[string]int{}
	var near []string
	for _, k := range known {
		d := distance(word, k)
		switch {
		case k == first:
			d = -2
		case len(word) > 2 && strings.Contains(k, word):
			d = -1
		case d > 1+len(word)/4 || d >= len(word):
			continue
		}
		far[k] = d
		near = append(near, k)
	}
	slices.SortStableFunc(near, func(a, b string) int { return far[a] - far[b] })
	return near[:min(n, len(near))]
}

// distance is how many letters must be put in, taken out, changed or swapped
// with their neighbour to make b of a (optimal string alignment).
func distance(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			change := 1
			if a[i-1] == b[j-1] {
				change = 0
			}
			d := min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+change)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				d = min(d, rows[i-2][j-2]+1)
			}
			rows[i][j] = d
		}
	}
	return rows[len(a)][len(b)]
}
