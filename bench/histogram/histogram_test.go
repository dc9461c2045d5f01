package histogram

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// Each value lies in its bucket, and buckets follow one another without a gap.
func TestBuckets(t *testing.T) {
	for i := range Last {
		_, to := Bounds(i)
		from, _ := Bounds(i + 1)
		if to != from {
			t.Fatalf("bucket %d ends at %v, and the next begins at %v", i, to, from)
		}
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 100_000 {
		v := r.Int64() >> r.IntN(63)
		from, to := Bounds(index(v))
		if float64(v) < from || float64(v) > to {
			t.Fatalf("%d is in bucket %d, from %v to %v", v, index(v), from, to)
		}
		if v >= PerOctave && (to-from)/from > 1.0/PerOctave {
			t.Fatalf("bucket %d is wider than a %dth of %v", index(v), PerOctave, from)
		}
	}
	if index(-5) != 0 || Last > 4000 {
		t.Errorf("negative: %d; %d buckets", index(-5), Last)
	}
}

// Quantiles are those of the sorted values, but for 0.8 %.
func TestQuantile(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	var h Histogram
	if _, ok := h.Quantile(0.5); ok {
		t.Error("an empty histogram has a median")
	}
	var all []float64
	for range 50_000 {
		v := int64(math.Exp(r.NormFloat64()*2 + 10))
		all = append(all, float64(v))
		h.Add(v)
	}
	slices.Sort(all)
	for _, q := range []float64{0, 0.01, 0.5, 0.9, 0.99, 0.999, 1} {
		want := all[max(0, int(math.Ceil(q*float64(len(all))))-1)]
		got, ok := h.Quantile(q)
		if !ok || math.Abs(got-want) > want*0.008+1 {
			t.Errorf("quantile %v: %v, want %v", q, got, want)
		}
	}
	if h.N() != 50_000 {
		t.Errorf("%d observations", h.N())
	}
	var copied Histogram
	for _, b := range h.Buckets() {
		copied.AddN(b.Index, b.Count)
	}
	a, _ := h.Quantile(0.99)
	b, _ := copied.Quantile(0.99)
	if a != b || copied.N() != h.N() {
		t.Errorf("put together again: p99 %v, %d observations; want %v, %d", b, copied.N(), a, h.N())
	}
	copied.AddN(-1, 1)
	copied.AddN(Last+1, 1)
	copied.AddN(3, -1)
	copied.AddN(3, math.MaxInt64)
	if copied.N() != h.N() {
		t.Error("what isn't a bucket was counted")
	}
}
