package main

import (
	"embed"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"lab/bench"
	"lab/bench/machine"
	"lab/bench/results"
	"lab/bench/text"
	"lab/cmd/cli"
	"lab/reports/msg"
	"lab/reports/page"
	"lab/scenarios"
)

// Nothing is explained twice in this lab. Scenarios, metrics, settings and environments
// carry their own sentences, which reports print as well; words of the field and names
// of parts are in words.txt, which the course has its glossary from. This file gathers
// them under one command. A name that a plot shows and that nobody explains fails a
// test.

// An explained is a name with what is known of it. It is made of the data that
// measures and reports are made of, so that it can't say anything else.
type explained struct {
	Name string `json:"name"`
	Kind string `json:"kind"` // scenario, environment, metric, setting, taint, word, part
	Text string `json:"text"` // paragraphs
}

// explainCommand is lab explain. Words of the field have texts of their own; all else
// that it prints is what scenarios, environments and settings say about themselves, so
// that it can't be wrong about them, and a new one explains itself.
func (a *app) explainCommand() *cobra.Command {
	var asJSON, live bool
	cmd := &cobra.Command{
		Use: "explain NAME",
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return explainedNames(everything()), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(_ *cobra.Command, args []string) error {
			all := everything()
			if len(args) == 0 {
				if asJSON {
					return a.printJSON(all)
				}
				listExplained(a.Page, all)
				return nil
			}
			// Several may have the name: all of them are explained.
			name := strings.Join(args, " ") // "full virtualization"
			found := slices.DeleteFunc(slices.Clone(all), func(x explained) bool { return !strings.EqualFold(x.Name, name) })
			if len(found) == 0 {
				return cli.UnknownOfMany("name", name, explainedNames(all), "lab explain")
			}
			if live {
				return a.explainLive(name, asJSON)
			}
			if asJSON {
				return a.printJSON(found)
			}
			for i, x := range found { // a word may be a scenario and a metric
				if i > 0 {
					fmt.Fprintln(a.Page)
				}
				p := &page.Page{}
				p.Title(x.Name + ", " + say(article(x.Kind)))
				for _, text := range strings.Split(x.Text, "\n\n") {
					p.Gap()
					p.Text(text)
				}
				p.Terminal(a.Page, page.OptionsFor(a.Stdout.File))
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.Flags().BoolVar(&live, "live", false, "start one, and show what the kernel has of it")
	a.WaitFlag(cmd.Flags())
	return cmd
}

// article puts "a" or "an" before the kind of a thing.
func article(kind string) string {
	if strings.ContainsRune("aeiou", rune(kind[0])) {
		return "an " + kind
	}
	return "a " + kind
}

// explainedNames are all names that there are, each once: a word may be a scenario
// and a metric.
func explainedNames(all []explained) []string {
	var out []string
	for _, x := range all {
		if !slices.Contains(out, x.Name) {
			out = append(out, x.Name)
		}
	}
	return out
}

// listExplained prints the names by kind, a line a kind, of many that begin alike one.
func listExplained(w io.Writer, all []explained) {
	var kinds []string
	names := map[string][]string{}
	for _, x := range all {
		if names[x.Kind] == nil {
			kinds = append(kinds, x.Kind)
		}
		names[x.Kind] = append(names[x.Kind], x.Name)
	}
	for _, k := range kinds {
		fmt.Fprintf(w, "%s  %s\n", text.Pad(say(k+"s"), 12), strings.Join(families(names[k]), ", "))
	}
}

// families puts one name in place of many that begin alike.
func families(names []string) (out []string) {
	const many = 12
	of := map[string]int{}
	first := func(name string) string { head, _, _ := strings.Cut(name, "-"); return head }
	for _, n := range names {
		of[first(n)]++
	}
	for _, n := range names {
		head := first(n)
		if of[head] > many {
			out, of[head] = append(out, say("%s and %d more %s-…", n, of[head]-1, head)), -1
		} else if of[head] > 0 {
			out = append(out, n)
		}
	}
	return out
}

// everything lists all that there is to explain.
func everything() []explained {
	var out []explained
	l := msg.Reader()
	for _, s := range scenarios.All() {
		out = append(out, explained{s.Name, "scenario", explainScenario(s)})
	}
	for _, e := range environments() {
		a := e.About()
		text := say("%s. It needs %s.", msg.Capital(l.Text(a.Is)), l.Text(a.Needs))
		for _, more := range msg.NonEmpty(strings.Split(a.More, "\n\n")...) {
			text += "\n\n" + l.Text(more)
		}
		if len(e.Settings()) > 0 {
			text += "\n\n" + say("Settings, for --variant:")
		}
		for _, s := range e.Settings() {
			text += "\n\n" + settingText(s)
		}
		out = append(out, explained{e.Name(), "environment", text})
	}
	// Names that several have (a metric of two scenarios, a setting of two environments)
	// are explained once.
	out = append(out, explainMetrics()...)
	out = append(out, explainSettings()...)
	// The taint that isn't the machine's: two clocks disagree only where a program times
	// itself.
	taints := append(slices.Clone(machine.Explained), struct{ Name, Means string }{bench.TwoClocks,
		"the program inside and the host's clock disagreed by more than 1 % on how long it ran"})
	for _, t := range taints {
		out = append(out, explained{t.Name, "taint", say("Marks a trial during which %s. The trial is kept, counted, and drawn hollow; --strict repeats it.", l.Text(t.Means))})
	}
	return append(out, defined(textOf(wordsTexts, "words"))...)
}

// wordsTexts are what the field's words mean, and the parts of plots, by language.
//
//go:embed words.txt words.*.txt
var wordsTexts embed.FS

// defined reads that: a line for each name, under the heading of its kind; what is
// indented goes on with the line before.
func defined(text string) (out []explained) {
	kind := ""
	for line := range strings.Lines(text) {
		switch words := strings.TrimSpace(line); {
		case words == "" || words[0] == '#':
		case words[0] == '[':
			kind = strings.Trim(words, "[]")
		case line[0] == ' ':
			out[len(out)-1].Text += " " + words
		default:
			name, means, _ := strings.Cut(words, ": ")
			out = append(out, explained{name, kind, means})
		}
	}
	return out
}

// explainScenario is a scenario as a text: its question, its method, what it measures
// in which rows, and the statements that it judges, whose thresholds stand there
// before anything was measured.
func explainScenario(s *bench.Scenario) string {
	l := msg.Reader()
	var metrics, answers, envs []string
	for _, m := range s.Metrics {
		if len(m.Words) > 0 {
			answers = append(answers, l.Text(m.Title)+" ("+m.Name+")")
			continue
		}
		metrics = append(metrics, m.Name)
	}
	for _, c := range s.Cells(bench.Options{Known: known()}) {
		if l := results.Label(c.Env, c.Variant, c.N); !slices.Contains(envs, l) {
			envs = append(envs, l)
		}
	}
	text := l.Text(s.Question) + "\n\n" + l.Text(s.Method) + "\n\n" + say("It measures %s. Its rows: %s.", strings.Join(metrics, ", "), strings.Join(envs, "; "))
	if len(answers) > 0 {
		text += "\n\n" + say("Its answers in words are about: %s.", strings.Join(answers, "; "))
	}
	if len(s.Findings) > 0 {
		text += "\n\n" + say("It judges these statements, by thresholds that were set before any result:")
	}
	for _, f := range s.Findings {
		text += "\n\n" + say("“%s” %s.", l.Text(f.Statement), msg.Capital(l.Text(f.Reason)))
	}
	return text
}

// explainMetrics lists each metric once, with the scenarios that give it.
func explainMetrics() []explained {
	var out []explained
	l := msg.Reader()
	by := map[string][]string{}
	for _, s := range scenarios.All() {
		for _, m := range s.Metrics {
			if m.Help == "" {
				continue
			}
			// A metric of several scenarios is explained by the first; the others are named at
			// the end.
			if by[m.Name] == nil {
				better := ""
				if m.Better != "" {
					better = " " + say(msg.Capital(m.Better)+" is better.")
				}
				unit := m.Unit
				if unit == "1" {
					unit = say("none")
				}
				out = append(out, explained{m.Name, "metric", say("%s (unit: %s). %s", l.Text(m.Title), unit, l.Text(m.Help)) + better})
			}
			by[m.Name] = append(by[m.Name], s.Name)
		}
	}
	for i := range out {
		out[i].Text += " " + say("Given by: %s.", strings.Join(by[out[i].Name], ", "))
	}
	return out
}

// explainSettings lists each setting once, with each of its meanings and the
// environments in which it has that.
func explainSettings() []explained {
	var names []string
	texts := map[string][]string{} // by setting: its meanings
	who := map[string][]string{}   // by meaning
	for _, e := range environments() {
		for _, s := range e.Settings() {
			if texts[s.Name] == nil {
				names = append(names, s.Name)
			}
			text := settingText(s)
			if !slices.Contains(texts[s.Name], text) {
				texts[s.Name] = append(texts[s.Name], text)
			}
			who[text] = append(who[text], e.Name())
		}
	}
	var out []explained
	for _, n := range names {
		all := say("--variant %s=… changes an environment.", n)
		for _, t := range texts[n] {
			all += "\n\n" + strings.Join(who[t], ", ") + ": " + t
		}
		out = append(out, explained{n, "setting", all})
	}
	return out
}

// settingText is a setting as it is typed, with its values and what it does.
func settingText(s bench.Setting) string {
	values := strings.Join(s.Values, "|")
	if values == "" {
		values = "…"
	}
	if s.Default != "" {
		values += say(" (default %s)", s.Default)
	}
	return s.Name + "=" + values + ": " + msg.Reader().Text(s.Help) + "."
}
