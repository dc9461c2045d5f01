package export

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"strings"

	"lab/bench/histogram"
	"lab/bench/results"
)

// ticks are how many percentiles stand between one and that half as far from 100 %:
// HdrHistogram's own choice.
const ticks = 5

// Histograms are the distributions of a run's latencies, all trials of a row but
// warm-ups together, a file a metric and row. Values are in milliseconds. A damaged file
// of samples/ is left out: lab check names it.
func Histograms(run *results.Run) (out []File) {
	type key struct{ metric, row string }
	all := map[key]*histogram.Histogram{}
	var order []key
	_ = run.Samples(func(s results.Sample) {
		if s.Warmup || s.Unit != "s" {
			return
		}
		k := key{s.Metric, results.Label(s.Env, s.Variant, s.N)}
		if all[k] == nil {
			all[k] = &histogram.Histogram{}
			order = append(order, k)
		}
		for _, b := range s.Buckets {
			all[k].AddN(int(b[0]), b[1])
		}
	})
	seen := map[string]bool{}
	for _, k := range order {
		name := "hgrm/" + fileName(k.metric+"-"+k.row) + ".hgrm"
		if h := all[k]; h.N() > 0 && !seen[name] {
			seen[name] = true
			out = append(out, File{Name: name, Data: hgrm(h)})
		}
	}
	return out
}

// fileName is a row's label as a file may be called anywhere.
func fileName(label string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '_'
		case r == '×':
			return 'x'
		case r < 128 && (r == '-' || r == '.' || r == '=' || r == '+' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'):
			return r
		}
		return '-'
	}, label[:min(len(label), 200)])
}

// hgrm writes a histogram as HdrHistogram's outputPercentileDistribution does: for
// rising percentiles the largest value of the bucket in which they lie.
func hgrm(h *histogram.Histogram) []byte {
	const ms = 1e6 // of ns
	type step struct {
		value  float64
		middle float64
		n, sum int64
	}
	var steps []step
	var sum int64
	var mean float64
	for _, b := range h.Buckets() {
		sum += b.Count
		from, to := histogram.Bounds(b.Index)
		s := step{(to - 1) / ms, (from + to - 1) / 2 / ms, b.Count, sum}
		steps = append(steps, s)
		mean += s.middle * float64(s.n)
	}
	mean /= float64(sum)
	var square float64
	for _, s := range steps {
		square += (s.middle - mean) * (s.middle - mean) * float64(s.n)
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "%12s %14s %10s %14s\n\n", "Value", "Percentile", "TotalCount", "1/(1-Percentile)")
	at := func(p float64) step {
		i, _ := slices.BinarySearchFunc(steps, p, func(s step, p float64) int {
			if float64(s.sum)/float64(sum)*100 < p {
				return -1
			}
			return 1
		})
		return steps[min(i, len(steps)-1)]
	}
	last := steps[len(steps)-1]
	for p := 0.0; ; {
		s := at(p)
		fmt.Fprintf(&b, "%12.6f %2.12f %10d %14.2f\n", s.value, p/100, s.sum, 1/(1-p/100))
		half := math.Pow(2, math.Floor(math.Log2(100/(100-p)))+1)
		next := p + 100/(ticks*half)
		if s.sum == sum || next == p { // the rest is less than a number can tell from 100 %
			break
		}
		p = next
	}
	fmt.Fprintf(&b, "%12.6f %2.12f %10d\n", last.value, 1.0, sum)
	fmt.Fprintf(&b, "#[Mean    = %12.6f, StdDeviation   = %12.6f]\n", mean, math.Sqrt(square/float64(sum)))
	fmt.Fprintf(&b, "#[Max     = %12.6f, Total count    = %12d]\n", last.value, sum)
	fmt.Fprintf(&b, "#[Buckets = %12d, SubBuckets     = %12d]\n", len(steps), histogram.PerOctave)
	return b.Bytes()
}
