package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"lab/bench"
	"lab/bench/machine"
	"lab/bench/text"
	"lab/cmd/cli"
	"lab/reports/msg"
	"lab/scenarios"
)

// The list answers two questions at once: what is there, and what of it can this
// machine run. The second is taken from the checks that lab doctor makes, leaving out
// those that take a second: an environment names what it rests on, and a check that
// fails names what to type. Nothing here knows any environment, so that a new one shows
// up by itself.

// What lab list --json prints.
type (
	listing struct {
		Scenarios    []listedScenario    `json:"scenarios"`
		Environments []listedEnvironment `json:"environments"`
	}
	listedScenario struct {
		Name         string   `json:"name"`
		Question     string   `json:"question"`
		Environments []string `json:"environments"` // by default
	}
	listedEnvironment struct {
		Name     string          `json:"name"`
		About    string          `json:"about"`
		Needs    string          `json:"needs"`
		Runs     bool            `json:"runs"` // as root, on this machine, as far as can be told without trying
		Missing  []machine.Check `json:"missing"`
		Settings []listedSetting `json:"settings"`
		Groups   []string        `json:"groups,omitempty"` // names that --env takes for it and others
	}
	listedSetting struct {
		Name    string   `json:"name"`
		Values  []string `json:"values"`
		Default string   `json:"default"`
		Help    string   `json:"help"`
	}
)

// listCommand is lab list: what there is to measure and where, and what is missing on
// this machine. It tries nothing that takes a second, such as KVM: that is lab
// doctor's.
func (a *app) listCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:       "list [scenarios|environments]",
		ValidArgs: []string{"scenarios", "environments"},
		RunE: func(cmd *cobra.Command, args []string) error {
			print := map[string]func(listing, io.Writer){"": listing.print,
				"scenarios": listing.printScenarios, "environments": listing.printEnvironments}
			what := strings.Join(args, " ")
			if print[what] == nil {
				return cli.Unknown("list", what, cmd.ValidArgs)
			}
			checks, err := checks(cmd.Context(), false)
			if err != nil {
				return err
			}
			l := listed(checks)
			if asJSON {
				return a.printJSON(l)
			}
			print[what](l, a.Page)
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// listed puts together what scenarios and environments say of themselves, and which
// checks stand in an environment's way.
func listed(checks []machine.Check) listing {
	var l listing
	for _, s := range scenarios.All() {
		x := listedScenario{Name: s.Name, Question: s.Question}
		for _, c := range s.Cells(bench.Options{Known: known()}) {
			if !slices.Contains(x.Environments, c.Env) {
				x.Environments = append(x.Environments, c.Env)
			}
		}
		l.Scenarios = append(l.Scenarios, x)
	}
	for _, e := range environments() {
		a := e.About()
		x := listedEnvironment{Name: e.Name(), About: a.Is, Needs: a.Needs,
			Groups: a.Groups, Missing: []machine.Check{}, Settings: []listedSetting{}}
		for _, c := range checks {
			// That we aren't root here says nothing about the machine.
			if c.Name != "root" && slices.Contains(c.Blocks, e.Name()) {
				x.Missing = append(x.Missing, c)
			}
		}
		x.Runs = len(x.Missing) == 0
		for _, s := range e.Settings() {
			x.Settings = append(x.Settings, listedSetting{s.Name, s.Values, s.Default, s.Help})
		}
		l.Environments = append(l.Environments, x)
	}
	return l
}

// print fits a screen of 80 columns and 24 lines: of the scenarios those with which
// people begin, of other people's programs the names.
func (list listing) print(w io.Writer) {
	sayTo(w, "Scenarios: sudo lab run NAME\n")
	var more []string
	for n, s := range list.Scenarios {
		if n < listFirst {
			s.row(w)
		} else {
			more = append(more, s.Name)
		}
	}
	listNames(w, say("also"), more, "")
	list.head(w)
	var runs, lacks []string
	for _, e := range list.Environments {
		switch {
		case !slices.Contains(e.Groups, "engines"):
			e.row(w)
		case e.Runs:
			runs = append(runs, e.Name)
		default:
			lacks = append(lacks, e.Name)
		}
	}
	listNames(w, say("engines"), runs, say("yes"))
	listNames(w, "", lacks, say("no"))
	sayTo(w, "More: lab list scenarios, lab list environments, lab explain NAME, lab doctor\n")
}

// printScenarios has each with its question.
func (list listing) printScenarios(w io.Writer) {
	sayTo(w, "Scenarios: sudo lab run NAME\n")
	for _, s := range list.Scenarios {
		s.row(w)
	}
}

// printEnvironments has each with what it is, and with the reasons for which it can't
// run here.
func (list listing) printEnvironments(w io.Writer) {
	list.head(w)
	for _, e := range list.Environments {
		e.row(w)
		for _, x := range e.why() {
			fmt.Fprintln(w, "             "+x)
		}
	}
}

// What a line has room for beside a name and "no", and how many scenarios the overview
// tells of.
const (
	listWidth = 60
	listFirst = 7
)

func (list listing) head(w io.Writer) {
	fmt.Fprintf(w, "\n%s %s\n", text.Pad(say("Environments: --env NAME,…"), 56), say("this machine can run it"))
}

func (s listedScenario) row(w io.Writer) {
	fmt.Fprintf(w, "  %s %s\n", text.Pad(s.Name, 10), msg.Reader().Text(s.Question))
}

func (e listedEnvironment) row(w io.Writer) {
	can := map[bool]string{true: say("yes"), false: say("no")}[e.Runs]
	listRow(w, e.Name, msg.Reader().Text(e.About), can)
}

// listRow is a name, a text, and at the right edge whether it can be run.
func listRow(w io.Writer, name, what, can string) {
	line := "  " + text.Pad(name, 10) + " " + text.Pad(what, 67-text.Columns(can)) + can
	fmt.Fprintln(w, strings.TrimRight(line, " "))
}

// listNames is a row of names, in as many lines as they need.
func listNames(w io.Writer, name string, names []string, can string) {
	for len(names) > 0 {
		width := listWidth
		if can == "" { // nothing stands behind them
			width = 67
		}
		n, line := 1, names[0]
		for n < len(names) && text.Columns(line+", "+names[n]) < width {
			line += ", " + names[n]
			n++
		}
		if names = names[n:]; len(names) > 0 {
			line += ","
		}
		listRow(w, name, line, can)
		name, can = "", ""
	}
}

// why are the reasons for which an environment can't run here.
func (e listedEnvironment) why() (out []string) {
	l := msg.Reader()
	for _, c := range e.Missing {
		x := c.Name + ": " + l.Text(c.Detail)
		if c.Name == e.Name {
			x = l.Text(c.Detail)
		}
		if c.Cure != "" {
			x += say("; fix: %s", l.Text(c.Cure))
		}
		out = append(out, x)
	}
	return out
}
