package main

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"lab/bench/request"
	"lab/cmd/cli"
)

// The shell is offered what the command itself would take, from the same lists, so that
// a new environment, scenario or setting is completed without a line here. What a flag
// takes is known by its placeholder in help: what tells people tells the shell.

// completeFolders completes an argument with the folders of this machine.
var completeFolders = cobra.FixedCompletions(nil, cobra.ShellCompDirectiveFilterDirs)

// someFolders wants results folders as arguments, one at least.
func someFolders(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return cli.Usagef("%s: which results folder? %s", cmd.Name(), strings.TrimSuffix(cmd.CommandPath(), cmd.Name())+cmd.Use)
	}
	return nil
}

// oneFolder wants exactly one.
func oneFolder(cmd *cobra.Command, args []string) error {
	if len(args) > 1 {
		args = nil
	}
	return someFolders(cmd, args)
}

// completeScenarios completes an argument with the scenarios that aren't given yet.
func completeScenarios(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	var out []string
	for _, name := range scenarioNames() {
		if !slices.Contains(args, name) {
			out = append(out, name)
		}
	}
	return out, cobra.ShellCompDirectiveNoFileComp
}

// completeFlags completes the values of a command's flags, by their
// placeholders in help.
func completeFlags(cmd *cobra.Command) {
	of := map[string]cobra.CompletionFunc{"DIR": completeFolders, "ENV,…": commaList(func() []string { return append(environmentNames(), groupNames()...) }), "NAME=VALUE,…": commaList(settingWords)}
	// A flag's placeholder says what it takes, to people and to the shell alike.
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		_, arg, _ := strings.Cut(f.Usage, "`")
		arg, _, _ = strings.Cut(arg, "`")
		complete := of[arg]
		if r, ok := f.Value.(request.Field); ok && r.Words != nil {
			complete = cobra.FixedCompletions(r.Words, cobra.ShellCompDirectiveNoFileComp)
		}
		if complete != nil {
			cmd.RegisterFlagCompletionFunc(f.Name, complete)
		}
	})
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
