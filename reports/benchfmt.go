package reports

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"lab/reports/analysis"
	"lab/reports/msg"
)

// benchText is the run in the Go benchmark format, one line a counted trial,
// which stock benchstat reads:
//
//	benchstat bench.txt                 each cell's medians
//	benchstat -col /env bench.txt       environments side by side
//	benchstat old/bench.txt new/bench.txt
//
// Warm-ups, failures and phases are left out; disturbed trials are in. What
// ran under TCG comes last, bears accel=tcg in its name and stands under a
// configuration line of its own: benchstat makes another table of it, and
// neither compares nor averages it with the rest.
// The configuration lines hold only what must be equal where two files are
// compared: benchstat keeps files that differ in one of them apart.
//
// Source: golang.org/design/14313-benchmark-format.
func benchText(a *analysis.Analysis) []byte {
	var b bytes.Buffer
	m := a.Run.Manifest
	fmt.Fprintf(&b, "goos: linux\n")
	if a.Run.Machine.Arch != "" {
		fmt.Fprintf(&b, "goarch: %s\n", a.Run.Machine.Arch)
	}
	if a.Run.Machine.CPU != "" {
		fmt.Fprintf(&b, "cpu: %s\n", msg.OneLine(a.Run.Machine.CPU))
	}
	fmt.Fprintf(&b, "scenario: %s\n", benchWord(m.Scenario))
	for _, x := range a.Metrics {
		if x.Better == "lower" || x.Better == "higher" {
			fmt.Fprintf(&b, "Unit %s better=%s\n", benchUnit(x.Name, x.Unit), x.Better)
		}
	}
	for _, c := range a.Cells {
		if !c.TCG {
			benchCell(a, &b, c)
		}
	}
	if a.AnyTCG() {
		b.WriteString("accel: tcg\n")
	}
	for _, c := range a.Cells {
		if c.TCG {
			benchCell(a, &b, c)
		}
	}
	return b.Bytes()
}

func benchCell(a *analysis.Analysis, b *bytes.Buffer, c *analysis.Cell) {
	name := benchName(a.Run.Manifest.Scenario, c, a.Run.Machine.CPUs)
	for _, t := range c.Made {
		if !t.Counts() {
			continue
		}
		var values []string
		for _, x := range a.Metrics {
			if v, ok := t.Values[x.Name]; ok {
				values = append(values, exact(v)+" "+benchUnit(x.Name, x.Unit))
			}
		}
		if len(values) > 0 {
			fmt.Fprintf(b, "%s 1 %s\n", name, strings.Join(values, " "))
		}
	}
}

// benchName is "BenchmarkStartup/env=container/net=bridge-2". The last number
// is the machine's, and always there: without it, one that ends a variant's
// value would be taken for it.
func benchName(scenario string, c *analysis.Cell, cpus int) string {
	name := "Benchmark" + msg.Capital(benchWord(scenario)) + "/env=" + benchWord(c.Env)
	for _, k := range slices.Sorted(maps.Keys(c.Variant)) {
		name += "/" + benchWord(k) + "=" + benchWord(c.Variant[k])
	}
	if accel := c.Settings["accel"]; accel != "" && c.Variant["accel"] == "" {
		name += "/accel=" + benchWord(accel)
	}
	if c.N > 1 {
		name += "/n=" + strconv.Itoa(c.N)
	}
	return name + "-" + strconv.Itoa(max(cpus, 1))
}

// benchWord keeps a value from ending a name or a part of one.
func benchWord(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '/' || r == '=' || r <= ' ' {
			return '_'
		}
		return r
	}, s)
}

// benchUnit names a metric's unit as benchstat reads it: a trailing "sec" or
// "B" is scaled for people.
func benchUnit(metric, unit string) string {
	u := map[string]string{"s": "sec", "B": "B", "B/s": "B/s", "1/s": "/sec", "1": "x"}[unit]
	if u == "" {
		u = benchWord(unit)
	}
	return benchWord(metric) + "-" + u
}
