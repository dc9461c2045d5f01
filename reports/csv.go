package reports

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"lab/bench/clean"
	"lab/bench/stats"
	"lab/reports/analysis"
)

// trialsCSV is trials.jsonl as one tidy table: a row a value, a column a
// variable, each variant's setting in a column of its own. pandas.read_csv and
// R's read.csv take it as it is; a value that is missing is an empty field.
func trialsCSV(a *analysis.Analysis) ([]byte, error) {
	settings := map[string]bool{}
	labels := map[string]*analysis.Cell{}
	for _, c := range a.Cells {
		labels[c.Cell.Label()] = c
	}
	for _, l := range a.Run.Lines {
		for k := range l.Variant {
			settings[k] = true
		}
	}
	keys := slices.Sorted(maps.Keys(settings))
	header := []string{"id", "scenario", "env", "cell", "accel"}
	for _, k := range keys {
		header = append(header, "variant_"+k)
	}
	header = append(header, "n", "session", "block", "pos", "trial", "warmup", "repeated", "metric", "value", "unit", "better", "stat",
		"samples", "part_of", "seq", "instance", "text", "err", "blame", "taint", "at", "pair", "cpus", "env_pad", "argv_pad")

	var b bytes.Buffer
	w := csv.NewWriter(&b)
	w.Write(clean.Fields(header)) // an error stays until it is asked for
	for _, l := range a.Run.Lines {
		accel := l.Variant["accel"]
		if c := labels[l.Label()]; accel == "" && c != nil {
			accel = c.Settings["accel"]
		}
		row := []string{l.ID, l.Scenario, l.Env, l.Label(), accel}
		for _, k := range keys {
			row = append(row, l.Variant[k])
		}
		value := ""
		if l.Value != nil {
			value = exact(*l.Value)
		}
		row = append(row, strconv.Itoa(l.N), strconv.Itoa(l.Session), strconv.Itoa(l.Block), strconv.Itoa(l.Pos), strconv.Itoa(l.Trial),
			strconv.FormatBool(l.Warmup), strconv.FormatBool(l.Repeated), l.Metric, value, l.Unit, l.Better, l.Stat, strconv.Itoa(l.Samples),
			l.PartOf, strconv.Itoa(l.Seq), strconv.Itoa(l.Instance), l.Text, l.Err, l.Blame,
			strings.Join(l.Taint, ";"), exact(l.At), strconv.Itoa(l.Pair), l.CPUs, strconv.Itoa(l.EnvPad), strconv.Itoa(l.ArgvPad))
		w.Write(clean.Fields(row))
	}
	w.Flush()
	if err := w.Error(); err != nil {
		return nil, fmt.Errorf("trials.csv: %w", err)
	}
	return b.Bytes(), nil
}

// exact writes a number with all its digits.
func exact(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }

// ends are an interval's middle and ends as fields, empty where there is none.
func ends(iv stats.Interval, ok bool) []string {
	if !ok {
		return []string{"", "", ""}
	}
	return []string{exact(iv.Point), exact(iv.Lo), exact(iv.Hi)}
}
