package main

import (
	"os"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// A flag's text reads on its own: help prints the placeholder behind the name, and
// not once more before the text.
func TestFlagHelp(t *testing.T) {
	seen := 0
	var look func(cmd *cobra.Command)
	look = func(cmd *cobra.Command) {
		if cmd.Short == "" {
			t.Errorf("%s has no text in help.txt", cmd.CommandPath())
		}
		cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
			seen++
			text := f.Usage
			if strings.HasPrefix(text, "`") {
				_, text, _ = strings.Cut(text[1:], "`")
			}
			text, ok := strings.CutPrefix(text, " ")
			if strings.HasPrefix(f.Usage, "`") && !ok || strings.Contains(text, "`") {
				t.Errorf("lab %s --%s: %q: want \"`PLACEHOLDER` text\"", cmd.Name(), f.Name, f.Usage)
			}
			for _, torn := range []string{"of ", "that ", "which ", "to ", "for the "} {
				if strings.HasPrefix(f.Usage, "`") && strings.HasPrefix(text, torn) {
					t.Errorf("lab %s --%s: %q doesn't read on its own", cmd.Name(), f.Name, text)
				}
			}
		})
		for _, c := range cmd.Commands() {
			if c.Name() != "completion" && c.Name() != "help" {
				look(c)
			}
		}
	}
	look(newApp([]string{"lab"}, os.Stdin, os.Stdout, os.Stderr).root())
	if seen < 60 {
		t.Errorf("only %d flags were seen", seen)
	}
}
