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
		Use:  "list",
		Args: cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			checks, err := checks(cmd.Context(), false)
			if err != nil {
				return err
			}
			l := listed(checks)
			if asJSON {
				return a.printJSON(l)
			}
			l.print(a.Page)
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

// print fits a screen of 80 columns and 24 lines; lab explain says more.
func (list listing) print(w io.Writer) {
	l, can := msg.Reader(), map[bool]string{true: say("yes"), false: say("no")}
	tell(w, "Scenarios: sudo lab run NAME\n")
	for _, s := range list.Scenarios {
		fmt.Fprintf(w, "  %-10s %s\n", s.Name, l.Text(s.Question))
	}
	fmt.Fprintf(w, "\n%s %s\n", text.Pad(say("Environments: --env NAME,…"), 56), say("this machine can run it"))
	var others, lacking []string
	row := func(name, what string, runs bool) {
		fmt.Fprintf(w, "  %s %s %s\n", text.Pad(name, 10), text.Pad(what, listWidth-4), strings.Repeat(" ", max(0, 3-text.Columns(can[runs])))+can[runs])
	}
	for _, e := range list.Environments {
		if slices.Contains(e.Groups, "engines") {
			if e.Runs {
				others = append(others, e.Name)
			} else {
				lacking = append(lacking, e.Name+" ("+e.why()[0]+")")
			}
			continue
		}
		what, why := l.Text(e.About), e.why()
		// The reason takes the place of the description where it fits: a line is all that
		// there is.
		if len(why) == 1 && text.Columns(why[0]) <= listWidth-4 {
			what, why = why[0], nil
		}
		row(e.Name, what, e.Runs)
		for _, x := range why {
			fmt.Fprintln(w, "             "+x)
		}
	}
	if len(others) > 0 {
		row(say("engines"), strings.Join(others, ", "), true)
	}
	for _, x := range lacking {
		row("", x, false)
	}
	tell(w, "More: lab explain NAME (what it is, its settings), lab doctor (this machine)\n")
}

// listWidth is the room for a line's text, beside a name.
const listWidth = 67

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
