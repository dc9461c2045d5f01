package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// usagef is an error of the user's typing.
func usagef(format string, args ...any) error {
	return &statusError{statusUsage, fmt.Errorf(format, args...)}
}

// unknown says that there is no such thing, which one was probably meant, and
// which there are.
func unknown(kind, word string, known []string) error {
	text := fmt.Sprintf("unknown %s %q", kind, word)
	if n := nearest(word, known); n != "" {
		text += fmt.Sprintf(": did you mean %q?", n)
	}
	return usagef("%s\n     there are: %s", text, strings.Join(known, ", "))
}

// noArgs refuses arguments where a command takes none.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usagef("%s takes no argument, and %q is one", cmd.Name(), args[0])
	}
	return nil
}

// flagError gives a wrong flag the same form as any other wrong word.
func flagError(cmd *cobra.Command, err error) error {
	var no *pflag.NotExistError
	var bad *pflag.InvalidValueError
	switch {
	case errors.As(err, &bad) && bad.GetFlag().Value.Type() == "duration":
		return usagef("--%s %q: not a time such as 5m or 90s", bad.GetFlag().Name, bad.GetValue())
	case errors.As(err, &bad) && bad.GetFlag().Value.Type() != "bool":
		return usagef("--%s %q: not a number; see lab %s --help", bad.GetFlag().Name, bad.GetValue(), cmd.Name())
	case !errors.As(err, &no):
		return usagef("%s: %w; see lab %s --help", cmd.Name(), err, cmd.Name())
	}
	var known []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			known = append(known, "--"+f.Name)
		}
	})
	name := "--" + no.GetSpecifiedName()
	if s := no.GetSpecifiedShortnames(); s != "" {
		name = "-" + no.GetSpecifiedName()
	}
	return unknown("flag", name, known)
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

// split takes "a,b" apart, without what is empty or there twice.
func split(words []string) []string {
	var out []string
	for _, w := range words {
		for _, s := range strings.Split(w, ",") {
			if s = strings.TrimSpace(s); s != "" && !slices.Contains(out, s) {
				out = append(out, s)
			}
		}
	}
	return out
}
