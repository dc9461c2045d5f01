package main

import (
	"fmt"
	"io"
	"strings"

	"lab/cmd/cli"
	"lab/reports/msg"
)

// What is printed for people is in the language of --lang, or else of the environment
// (LC_ALL, LC_MESSAGES, LANG). What programs read is the same in every language.

// speak sets the language, and returns the arguments without --lang: the manifest has
// the command line as it would be typed anywhere. The words of lab exec are its command's.
func speak(args []string) ([]string, error) {
	name := msg.Wanted()
	args = pairedLists(args)
	out := args[:1:1]
	for i := 1; i < len(args); i++ {
		w := args[i]
		if w == "--" || w == "exec" && len(out) == 1 {
			out = append(out, args[i:]...)
			break
		}
		value, ok := strings.CutPrefix(w, "--lang=")
		if w == "--lang" && i+1 < len(args) {
			i++
			value, ok = args[i], true
		}
		if ok {
			name = value
		} else {
			out = append(out, w)
		}
	}
	if err := msg.Speak(name); err != nil {
		msg.Speak(msg.Wanted())
		return out, cli.Unknown("--lang", name, msg.Languages())
	}
	return out, nil
}

// say is fmt.Sprintf in the reader's language, for a format that is in its file.
func say(format string, args ...any) string { return msg.Reader().Sprintf(format, args...) }

// sayTo writes what say says.
func sayTo(w io.Writer, format string, args ...any) error {
	_, err := io.WriteString(w, say(format, args...))
	return err
}

// inLanguage is a text of several lines, each in the reader's language if that has it.
func inLanguage(text string) string {
	lines := strings.Split(text, "\n")
	for i, l := range lines {
		words := strings.TrimLeft(l, " ")
		lines[i] = l[:len(l)-len(words)] + msg.Reader().Text(words)
	}
	return strings.Join(lines, "\n")
}

// note writes a text after the lab's name.
func (a *app) note(text string) { fmt.Fprintln(a.Note, "lab: "+text) }
