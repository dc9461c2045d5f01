package export

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"strings"

	"lab/bench/clean"
	"lab/reports/analysis"
)

// code is the notebook's, cell by cell: a line "# %%" begins one.
//
//go:embed notebook.py
var code string

// Notebook is analysis.ipynb: it reads the trials.csv of its folder with pandas, and
// draws the first figure's metric with Matplotlib.
func Notebook(a *analysis.Analysis) ([]byte, error) {
	m := a.Run.Manifest
	metric, title, unit, log := "", "", "", false
	if len(a.Metrics) > 0 {
		metric, title, unit = a.Metrics[0].Name, a.Metrics[0].Title, a.Metrics[0].Unit
	}
	for _, f := range m.Figures {
		for _, name := range f.Metrics {
			if x, ok := a.Metric(name); ok && f.Kind != analysis.KindMatrix {
				metric, title, unit, log = x.Name, x.Title, x.Unit, f.Log
				break
			}
		}
		if metric != "" {
			break
		}
	}
	name, stat, _ := strings.Cut(metric, " ")
	type cell struct {
		Type     string         `json:"cell_type"`
		ID       string         `json:"id"`
		Metadata map[string]any `json:"metadata"`
		Source   []string       `json:"source"`
	}
	type codeCell struct {
		cell
		Count   *int  `json:"execution_count"`
		Outputs []any `json:"outputs"`
	}
	intro := fmt.Sprintf("# lab run %s\n\n%s\n\nRun %s, with lab %s. It reads `trials.csv` in this folder: a row for each value of a trial, in base units. `report.md` says what may be concluded.",
		clean.Markdown(m.Scenario), clean.Markdown(m.Question), clean.Markdown(m.ID), clean.Markdown(m.Lab))
	cells := []any{cell{"markdown", "intro", map[string]any{}, lines(intro)}}
	text := strings.NewReplacer("{metric}", quoted(name), "{stat}", quoted(stat), "{title}", quoted(title), "{unit}", quoted(unit), "{log}", map[bool]string{true: "True", false: "False"}[log]).Replace(code)
	for i, part := range strings.Split(text, "# %%\n")[1:] {
		cells = append(cells, codeCell{cell{"code", fmt.Sprintf("code-%d", i+1), map[string]any{}, lines(strings.TrimSpace(part))}, nil, []any{}})
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", " ")
	err := enc.Encode(map[string]any{"nbformat": 4, "nbformat_minor": 5, "cells": cells, "metadata": map[string]any{
		"kernelspec":    map[string]any{"display_name": "Python 3", "language": "python", "name": "python3"},
		"language_info": map[string]any{"name": "python"}}})
	return b.Bytes(), err
}

// quoted is a text as Python writes it: JSON's form is one of Python's.
func quoted(s string) string {
	data, _ := json.Marshal(clean.Line(s))
	return string(data)
}

// lines are a text's, as a notebook has them: each but the last with its end.
func lines(s string) []string { return strings.SplitAfter(s, "\n") }
