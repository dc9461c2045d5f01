package main

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

func completeScenarios(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	var out []string
	for _, name := range scenarioNames() {
		if !slices.Contains(args, name) {
			out = append(out, name)
		}
	}
	return out, cobra.ShellCompDirectiveNoFileComp
}

// completeFlags completes the values of those of our flags that a command has.
func completeFlags(cmd *cobra.Command) {
	dirs := func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return nil, cobra.ShellCompDirectiveFilterDirs
	}
	for name, f := range map[string]cobra.CompletionFunc{
		"env":     commaList(environmentNames),
		"variant": commaList(settingWords),
		"accel":   cobra.FixedCompletions(accels, cobra.ShellCompDirectiveNoFileComp),
		"image":   dirs,
		"out":     dirs,
		"resume":  dirs,
		"work":    dirs,
	} {
		if cmd.Flags().Lookup(name) != nil {
			cmd.RegisterFlagCompletionFunc(name, f)
		}
	}
}

// commaList completes the last word of "a,b,…".
func commaList(words func() []string) cobra.CompletionFunc {
	return func(_ *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
		done, _ := "", typed
		if i := strings.LastIndexByte(typed, ','); i >= 0 {
			done = typed[:i+1]
		}
		var out []string
		for _, w := range words() {
			if !slices.Contains(strings.Split(done, ","), w) {
				out = append(out, done+w)
			}
		}
		return out, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
	}
}

// settingWords lists each setting with each of its values.
func settingWords() []string {
	var out []string
	for _, e := range environments() {
		for _, s := range e.Settings() {
			for _, v := range s.Values {
				if w := s.Name + "=" + v; !slices.Contains(out, w) {
					out = append(out, w)
				}
			}
		}
	}
	return out
}
