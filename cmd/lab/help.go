package main

import (
	"embed"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"lab/bench/request"
	"lab/bench/text"
	"lab/cmd/cli"
	"lab/reports/msg"
)

// Help has to fit its reader: first how the command is typed, then the few flags that
// most people need, then the rest. Which are which is a mark on the flag (cli.Further);
// what stands behind a flag is its own usage text. The prose is in help.txt, one
// chapter a command, so that a translation is a file (help.ko.txt) and not a search
// through the source.

// helpTexts says how the texts in it are ordered.
//
//go:embed help.txt help.*.txt
var helpTexts embed.FS

// textOf is a file of texts in the reader's language, or else in English.
func textOf(files embed.FS, name string) string {
	text, err := files.ReadFile(name + "." + msg.Reader().Name + ".txt")
	if err != nil {
		text, _ = files.ReadFile(name + ".txt")
	}
	all, _, _ := strings.Cut(string(text), "\n# Hashes\n") // those are for a test
	return all
}

// describe gives a command, and those below it, their texts in help.txt. What
// only the program knows is put in where the text has a word in braces.
func describe(cmd *cobra.Command) {
	known := strings.NewReplacer("{keys}", strings.Join(request.Keys(), ", "), "{beside}", besideFile(),
		"{environments}", strings.Join(environmentNames(), ", "))
	if _, text, ok := strings.Cut(textOf(helpTexts, "help"), "\n== "+cmd.CommandPath()+"\n"); ok {
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
		sayTo(w, "%s.\n\n", strings.TrimSuffix(cmd.Short, "."))
	}
	sayTo(w, "Usage:\n")
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
		sayTo(w, "\nCommands:\n")
		for _, c := range cmd.Commands() {
			if c.IsAvailableCommand() {
				fmt.Fprintf(w, "  %-11s %s\n", c.Name(), msg.Reader().Text(c.Short))
			}
		}
	}
	printFlags(w, say("Flags"), cmd.Flags(), false)
	printFlags(w, say("More flags"), cmd.Flags(), true)
	if cmd.Example != "" {
		sayTo(w, "\nExamples:\n%s\n", cmd.Example)
	}
	if text != "" {
		fmt.Fprintf(w, "\n%s\n", reflow(text))
	}
	if cmd.HasAvailableSubCommands() {
		sayTo(w, "\n%s COMMAND --help says more about a command.\n", cmd.CommandPath())
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
		words := strings.TrimLeft(line, " ")
		indent, last := len(line)-len(words), len(out)-1
		if words != "" && last >= 0 && out[last] != "" &&
			(indent == 0 && long && out[last][0] != ' ' || indent >= hanging) {
			out[last] += " " + words
		} else {
			out = append(out, line)
		}
		long = text.Columns(line) >= full
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
		text = msg.Reader().Text(text)
		if d := f.DefValue; f.Value.Type() != "bool" && d != "" && d != "0" && d != "0s" && d != "[]" {
			text += say(" (default: %s)", strings.Trim(d, "[]"))
		}
		if len([]rune(name)) > flagColumn-2 {
			fmt.Fprintln(w, name)
			name = ""
		}
		fmt.Fprintf(w, "%-*s%s\n", flagColumn, name, text)
	})
}
