package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"lab/bench/request"
	"lab/bench/results"
	"lab/cmd/cli"
	"lab/reports"
	"lab/reports/analysis"
	"lab/reports/msg"
	"lab/reports/page"
)

// To compare is to judge, and so most of what is here keeps a reader from judging too much:
// a ratio never stands without its interval, rows that can't be compared say why, and
// --fail-if, on which a program may act, treats all rows as one question.

// compareFlags are what lab compare was told: which rows of one folder, how to print,
// and which differences are a failure.
type compareFlags struct {
	by, format string
	failIf     []string
}

// formats are those of --format. The table is for people, Markdown for a report, CSV
// for other programs, with all numbers in base units.
var formats = []string{"table", "markdown", "csv"}

// compareCommand is lab compare, which measures nothing: the numbers are in the
// folders, and package analysis compares them.
func (a *app) compareCommand() *cobra.Command {
	var f compareFlags
	cmd := &cobra.Command{
		Use: "compare A B | compare DIR --by NAME=A,B",
		Args: func(_ *cobra.Command, args []string) error {
			want := 2
			if f.by != "" {
				want = 1
			}
			if len(args) != want {
				return cli.Usagef("compare: two results folders, or one and --by NAME=A,B; not %d", len(args))
			}
			return nil
		},
		ValidArgsFunction: completeFolders,
		RunE:              func(_ *cobra.Command, dirs []string) error { return a.compare(dirs, f) },
	}
	fl := cmd.Flags()
	fl.StringVar(&f.by, "by", "", "`NAME=A,B` compare rows of one folder that differ only in NAME (env, n or a setting): B against A")
	fl.StringVar(&f.format, "format", "table", "`KIND` "+strings.Join(formats, ", "))
	fl.StringSliceVar(&f.failIf, "fail-if", nil, "`slower:5%,…` exit with 1 if a difference was found and is larger; also faster, different")
	cmd.RegisterFlagCompletionFunc("format", cobra.FixedCompletions(formats, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// compare reads the folders, compares, prints, and comes to an exit status. With
// --fail-if all rows are one family of comparisons: who asks whether anything at all
// became slower asks one question many times, and the more often it is asked, the
// sooner chance answers (see stats.Compare on families).
func (a *app) compare(dirs []string, f compareFlags) error {
	if !slices.Contains(formats, f.format) {
		return cli.Unknown("--format", f.format, formats)
	}
	// First all that was typed, then the folders: reading these may take a while.
	var limits []analysis.Limit
	for _, word := range request.Split(f.failIf...) {
		l, err := analysis.ParseLimit(word)
		if err != nil {
			return cli.Usagef("--fail-if %w", err)
		}
		limits = append(limits, l)
	}
	var runs []*results.Run
	for _, dir := range dirs {
		run, err := reports.Read(dir)
		if err != nil {
			return fmt.Errorf("compare: %w", err)
		}
		runs = append(runs, run)
	}
	c, err := contrast(runs, f.by)
	if err != nil {
		return err
	}
	if len(limits) > 0 { // one question to all rows
		c.Together()
	}
	switch f.format {
	case "markdown":
		_, err = a.Stdout.Write(reports.Contrast(c).Markdown(msg.Reader()))
	case "csv":
		err = reports.ContrastCSV(c, a.Stdout)
	default:
		err = reports.Contrast(c).Terminal(a.Page, page.OptionsFor(a.Stdout.File))
	}
	return errors.Join(err, beyond(c, limits))
}

// contrast is of two runs, or of two rows of one.
func contrast(runs []*results.Run, by string) (*analysis.Contrast, error) {
	if by == "" {
		return analysis.Compare(runs[0], runs[1])
	}
	// Two rows of one run: it is its own A and B, and its blocks make pairs.
	name, values, _ := strings.Cut(by, "=")
	have := analysis.Values(runs[0], name)
	if len(have) == 0 {
		return nil, cli.Unknown("--by", name, analysis.Choices(runs[0]))
	}
	// Where there are just two values, --by NAME is enough.
	two := request.Split(values)
	if values == "" && len(have) == 2 {
		two = have
	}
	for _, v := range two {
		if !slices.Contains(have, v) {
			return nil, cli.Unknown(name, v, have)
		}
	}
	if len(two) != 2 {
		return nil, cli.Usagef("--by %s: which two? write --by %s=A,B; there are: %s", by, name, strings.Join(have, ", "))
	}
	return analysis.CompareBy(runs[0], name, two[0], two[1])
}

// beyond is the error of a contrast that exceeds a limit.
func beyond(c *analysis.Contrast, limits []analysis.Limit) error {
	if len(limits) > 0 && c.Told() == 0 {
		return cli.Exit(cli.StatusNothing, errors.New("compare: no row could have been found different, so --fail-if can't be answered; the reasons are above"))
	}
	// All that is beyond a limit is listed, not the first alone: this is read in a log
	// of CI.
	var said []string
	for _, l := range limits {
		for _, r := range c.Exceeds(l) {
			by := "a difference from zero"
			if r.Ratio != nil {
				by = say("%.3g times the median", r.Ratio.Point)
			}
			said = append(said, say("%s of %s is %s: %s, beyond %s", r.Metric.Name, r.Cell, r.Verdict, by, l))
		}
	}
	if said == nil {
		return nil
	}
	return cli.Exit(cli.StatusFailed, errors.New("compare: "+strings.Join(said, "\n     ")))
}
