package results

import (
	"regexp"
	"sync"
)

// A Sample is the distribution of one metric in one trial, a line of
// samples/METRIC.jsonl. Trials in which it stands for what trials.jsonl has as
// p50 and p99 have the same number there.
type Sample struct {
	Trial    int               `json:"trial"`
	Env      string            `json:"env"`
	Variant  map[string]string `json:"variant"`
	N        int               `json:"n"`
	Instance int               `json:"instance"`
	Warmup   bool              `json:"warmup"`
	Metric   string            `json:"metric"`
	Unit     string            `json:"unit"` // s: the buckets are of nanoseconds

	// Buckets are [index, count], from the lowest on: bench/histogram says
	// which values an index stands for.
	Buckets [][2]int64 `json:"buckets"`
}

// safeMetric keeps a metric's name from leading out of the folder.
var safeMetric = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[a-z0-9][a-zA-Z0-9_.-]*$`) })
