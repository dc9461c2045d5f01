package analysis

import (
	"cmp"

	"lab/bench/stats"
)

// A MachineFigure picks one figure of a run's row; ok is false where it has
// none.
type MachineFigure func(MachineEntry) (iv stats.Interval, ok bool)

func figureOf(metric string, pick func(*Sample) *stats.Interval) MachineFigure {
	return func(e MachineEntry) (stats.Interval, bool) {
		if s := e.Cell.Samples[metric]; s != nil {
			if iv := pick(s); iv != nil {
				return *iv, true
			}
		}
		return stats.Interval{}, false
	}
}

// MedianOf is a metric's median.
func MedianOf(metric string) MachineFigure {
	return figureOf(metric, func(s *Sample) *stats.Interval { return &s.Median })
}

// RatioOf is its ratio to the host's.
func RatioOf(metric string) MachineFigure {
	return figureOf(metric, func(s *Sample) *stats.Interval { return cmp.Or(s.Against, &stats.Comparison{}).Ratio })
}

// DifferenceOf is what it has more than the host's.
func DifferenceOf(metric string) MachineFigure {
	return figureOf(metric, func(s *Sample) *stats.Interval {
		if s.Against == nil {
			return nil
		}
		return &s.Against.Difference
	})
}
