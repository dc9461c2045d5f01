package main

import (
	"errors"

	"github.com/spf13/cobra"

	"lab/bench/results"
	"lab/cmd/cli"
	"lab/reports"
	"lab/reports/analysis"
	"lab/reports/page"
)

// planCommand is lab plan, which measures nothing: the two spreads that a plan rests on,
// between sessions and between trials, are in the folders.
func (a *app) planCommand() *cobra.Command {
	var metric string
	var asJSON bool
	cmd := &cobra.Command{
		Use: "plan DIR…",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cli.Usagef("plan: which results folders? One run of several sessions, or several runs")
			}
			return nil
		},
		ValidArgsFunction: completeFolders,
		RunE: func(_ *cobra.Command, dirs []string) error {
			var runs []*results.Run
			for _, dir := range dirs {
				run, err := reports.Read(dir)
				if err != nil {
					return err
				}
				runs = append(runs, run)
			}
			p, err := analysis.PlanOf(runs, metric)
			var none *analysis.NoMetricError
			if errors.As(err, &none) {
				return cli.Unknown("--metric", none.Name, none.Known)
			}
			if err != nil {
				return cli.Exit(cli.StatusNothing, err)
			}
			if !asJSON {
				return reports.Plan(p).Terminal(a.Page, page.OptionsFor(a.Stdout.File))
			}
			data, err := reports.PlanJSON(p)
			if err == nil {
				_, err = a.Stdout.Write(data)
			}
			return err
		},
	}
	fl := cmd.Flags()
	fl.StringVar(&metric, "metric", "", "`NAME` what is to be known so closely (default: the scenario's first metric)")
	fl.BoolVar(&asJSON, "json", false, "print JSON instead of the tables")
	return cmd
}
