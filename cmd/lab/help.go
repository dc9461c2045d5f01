package main

import (
	_ "embed"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"lab/bench/request"
	"lab/cmd/cli"
)

// helpTexts says how the texts in it are ordered.
//
//go:embed help.txt
var helpTexts string

// describe gives a command, and those below it, their texts in help.txt. What
// only the program knows is put in where the text has a word in braces.
func describe(cmd *cobra.Command) {
	known := strings.NewReplacer("{keys}", strings.Join(request.Keys(), ", "), "{beside}", besideFile(),
		"{environments}", strings.Join(environmentNames(), ", "))
	if _, text, ok := strings.Cut(helpTexts, "\n== "+cmd.CommandPath()+"\n"); ok {
		text, _, _ = strings.Cut(text, "\n== ")
		text, cmd.Example, _ = strings.Cut(text, "\nExamples:\n")
		cmd.Short, cmd.Long, _ = strings.Cut(text, "\n")
		cmd.Long, cmd.Example = known.Replace(cmd.Long), strings.TrimRight(cmd.Example, "\n")
	}
	for _, c := range cmd.Commands() {
		describe(c)
	}
}

// help prints a command's help: how it is typed, the flags that people need, the
// other ones, examples, and what more there is to say.
func (a *app) help(cmd *cobra.Command, _ []string) {
	w := a.Page
	text := strings.TrimSpace(cmd.Long)
	if !cmd.HasParent() {
		fmt.Fprintf(w, "%s\n\n", text)
		text = ""
	} else if cmd.Short != "" {
		fmt.Fprintf(w, "%s.\n\n", cmd.Short)
	}
	fmt.Fprintln(w, "Usage:")
	path := ""
	if cmd.HasParent() {
		path = cmd.Parent().CommandPath() + " "
	}
	uses := strings.Split(cmd.Use, " | ")
	// A command that can be typed in several ways has them all in its Use.
	for _, use := range uses {
		if cmd.HasAvailableSubCommands() && len(uses) == 1 {
			use += " [command]"
		}
		fmt.Fprintf(w, "  %s%s\n", path, use)
	}
	if cmd.HasAvailableSubCommands() {
		fmt.Fprintln(w, "\nCommands:")
		for _, c := range cmd.Commands() {
			if c.IsAvailableCommand() {
				fmt.Fprintf(w, "  %-11s %s\n", c.Name(), c.Short)
			}
		}
	}
	printFlags(w, "Flags", cmd.Flags(), false)
	printFlags(w, "More flags", cmd.Flags(), true)
	if cmd.Example != "" {
		fmt.Fprintf(w, "\nExamples:\n%s\n", cmd.Example)
	}
	if text != "" {
		fmt.Fprintf(w, "\n%s\n", reflow(text))
	}
	if cmd.HasAvailableSubCommands() {
		fmt.Fprintf(w, "\n%s COMMAND --help says more about a command.\n", cmd.CommandPath())
	}
}

// reflow joins the lines that the source broke for its own width, so that the
// page breaks them for the terminal's. A line ends where it is short, and where
// the next one is indented as a new line of a list.
func reflow(s string) string {
	const full, hanging = 60, 8
	var out []string
	long := false // the line before was full
	for _, line := range strings.Split(s, "\n") {
		text := strings.TrimLeft(line, " ")
		indent, last := len(line)-len(text), len(out)-1
		if text != "" && last >= 0 && out[last] != "" &&
			(indent == 0 && long && out[last][0] != ' ' || indent >= hanging) {
			out[last] += " " + text
		} else {
			out = append(out, line)
		}
		long = utf8.RuneCountInString(line) >= full
	}
	return strings.Join(out, "\n")
}

// flagColumn is where the text of a flag begins.
const flagColumn = 22

// printFlags lists those flags of a command that are among its further ones, or
// those that aren't.
func printFlags(w io.Writer, title string, fl *pflag.FlagSet, further bool) {
	// In the order in which they were made, the important ones first.
	fl.SortFlags = false
	fl.VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Annotations[cli.FurtherFlag] != nil != further {
			return
		}
		if title != "" {
			fmt.Fprintf(w, "\n%s:\n", title)
			title = ""
		}
		name := "      --" + f.Name
		if f.Shorthand != "" {
			name = "  -" + f.Shorthand + ", --" + f.Name
		}
		// `DIR` at the beginning of the text is what stands behind the name.
		text := f.Usage
		if value, rest, ok := strings.Cut(strings.TrimPrefix(text, "`"), "` "); ok && text[0] == '`' {
			name, text = name+" "+value, rest
		}
		if d := f.DefValue; f.Value.Type() != "bool" && d != "" && d != "0" && d != "0s" && d != "[]" {
			text += " (default: " + strings.Trim(d, "[]") + ")"
		}
		if len([]rune(name)) > flagColumn-2 {
			fmt.Fprintln(w, name)
			name = ""
		}
		fmt.Fprintf(w, "%-*s%s\n", flagColumn, name, text)
	})
}
