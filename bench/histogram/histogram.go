// Package histogram keeps many observations of a time in little room: a count
// for each of a fixed set of buckets, whose widths grow with the value.
//
// Whole nanoseconds up to 2^6 have a bucket each. Above, each power of two is
// cut into 64 buckets of equal width, so that a bucket is nowhere wider than
// 1/64 of its value: a quantile that is read from it is wrong by less than 0.8 %.
// The scheme is that of HdrHistogram (G. Tene), with its numbers as constants, so
// that two histograms can always be added, whoever made them.
//
// It is a leaf that the programs inside an instance link, too: it imports next
// to nothing.
package histogram

import (
	"math"
	"math/bits"
)

// PerOctave is how many buckets a power of two has.
const (
	shift     = 6
	PerOctave = 1 << shift
)

// A Histogram counts observations by bucket. The zero value is empty.
type Histogram struct {
	count []int64 // by bucket; nil as long as it is empty
	n     int64
}

// A Bucket is how many observations fell between two bounds.
type Bucket struct {
	Index int
	Count int64
}

// index is the bucket of a value.
func index(ns int64) int {
	if ns < 0 {
		ns = 0
	}
	if ns < PerOctave {
		return int(ns)
	}
	octave := bits.Len64(uint64(ns)) - 1 - shift // 0 for 64..127
	return (octave+1)<<shift + int(ns>>octave) - PerOctave
}

// Bounds are the least value in nanoseconds that a bucket holds, and the least
// one of the bucket above it.
func Bounds(index int) (from, to float64) {
	if index < PerOctave {
		return float64(index), float64(index + 1)
	}
	octave := index>>shift - 1
	low := float64(int64(PerOctave+index&(PerOctave-1)) << octave)
	return low, low + float64(int64(1)<<octave)
}

// Last is the highest index that a bucket can have.
var Last = index(1<<63 - 1)

// Add counts an observation, in nanoseconds. Negative ones count as 0.
func (h *Histogram) Add(ns int64) { h.AddN(index(ns), 1) }

// AddN counts n observations in a bucket; what isn't a bucket is left out, and so is
// what would make more of them than can be counted.
func (h *Histogram) AddN(index int, n int64) {
	if n <= 0 || index < 0 || index > Last || n > math.MaxInt64-h.n {
		return
	}
	if h.count == nil {
		h.count = make([]int64, Last+1)
	}
	h.count[index] += n
	h.n += n
}

// N is how many observations there are.
func (h *Histogram) N() int64 { return h.n }

// Buckets are those that hold something, from the lowest on.
func (h *Histogram) Buckets() []Bucket {
	var out []Bucket
	for i, n := range h.count {
		if n > 0 {
			out = append(out, Bucket{i, n})
		}
	}
	return out
}

// Quantile is the value below which a share q of the observations lie, in
// nanoseconds: the middle of the bucket that holds it. ok is false where there
// are none.
func (h *Histogram) Quantile(q float64) (ns float64, ok bool) {
	if h.n == 0 {
		return 0, false
	}
	// The observation of rank ceil(q·n), counted from 1.
	rank := int64(q * float64(h.n))
	if float64(rank) < q*float64(h.n) {
		rank++
	}
	rank = max(1, min(rank, h.n))
	for _, b := range h.Buckets() {
		if rank -= b.Count; rank <= 0 {
			from, to := Bounds(b.Index)
			if b.Index < PerOctave {
				return from, true // one value
			}
			return (from + to) / 2, true
		}
	}
	return 0, false
}
