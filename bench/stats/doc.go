// Package stats turns samples into statements that hold: medians with their
// intervals, comparisons whose one interval is the verdict and holds for a whole
// family of them, effect sizes, a rank test.
//
// It assumes no distribution. Start-up times are skewed, bounded below and
// often have two humps, so that means and standard deviations describe them
// badly. No value is ever thrown away.
//
// A value is a float64 in whatever unit the caller has; results are in the
// same unit. NaN and ±Inf aren't measurements: functions that return an error
// refuse them with [ErrNotFinite].
//
// What is doubtful about a result travels with it as numbers: an interval that is
// none says how many values it takes. Nothing here is worded, printed or logged.
//
// Everything is deterministic: what draws random numbers takes a seed.
package stats
