package stats

import (
	"math"
	"math/rand/v2"
	"testing"
)

// The quality of 63 statistics departments, the example of Hartigan and
// Hartigan 1985, and small samples; the dips are those that R's package
// diptest 0.77 prints.
func TestDip(t *testing.T) {
	for _, c := range []struct {
		xs   []float64
		want float64
	}{
		{[]float64{30, 33, 35, 36, 37, 37, 39, 39, 39, 39, 39, 40, 40, 40, 40, 41, 42, 43, 43, 43, 44, 44,
			45, 45, 46, 46, 47, 47, 48, 48, 48, 49, 50, 50, 51, 52, 52, 53, 53, 53, 53, 53, 54, 54, 57, 57, 59,
			60, 60, 60, 61, 61, 61, 61, 62, 62, 62, 62, 63, 66, 70, 72, 72}, 0.05952381},
		{[]float64{0, 2, 3, 5, 6}, 1.3333333 / 10},
		{[]float64{0, 1, 3, 4, 6}, 1.3333333 / 10},
		{[]float64{1, 1, 2, 2}, 1.0 / 4},
		{[]float64{0, 1, 3, 6}, 1.0 / 8},
		{[]float64{1, 2, 2, 2, 2, 2, 2, 2, 2, 2}, 0.05},
		{[]float64{7}, 0.5},
		{[]float64{7, 7, 7}, 1.0 / 6},
	} {
		got, err := Dip(c.xs)
		if err != nil {
			t.Fatal(err)
		}
		near(t, "dip", got, c.want, 1e-7)
	}
}

// One hump is rarely taken for two, however skewed; two are found.
func TestManyHumps(t *testing.T) {
	rng := rand.New(rand.NewPCG(13, 14))
	count := func(n int, draw func() float64) int {
		found := 0
		for range 200 {
			xs := make([]float64, n)
			for i := range xs {
				xs[i] = draw()
			}
			many, err := ManyHumps(xs)
			if err != nil {
				t.Fatal(err)
			}
			if many {
				found++
			}
		}
		return found
	}
	for _, n := range []int{20, 60, 600} {
		if got := count(n, rng.ExpFloat64); got > 6 {
			t.Errorf("n=%d: %d of 200 exponential samples have many humps", n, got)
		}
		if got := count(n, rng.Float64); got > 9 {
			t.Errorf("n=%d: %d of 200 uniform samples have many humps", n, got)
		}
	}
	two := func() float64 { return 30 + 5*rng.NormFloat64() + 50*float64(rng.IntN(2)) }
	if got := count(60, two); got < 195 {
		t.Errorf("two humps are found in %d of 200", got)
	}
	if many, err := ManyHumps([]float64{1, 1, 1, 9, 9, 9}); err != nil || many {
		t.Errorf("six values: %v, %v", many, err)
	}
}

// Whatever the values, the steps end and the dip lies between its bounds.
func FuzzDip(f *testing.F) {
	f.Add(uint64(1), 10, 3)
	f.Fuzz(func(t *testing.T, seed uint64, n, distinct int) {
		if n < 1 || n > 300 || distinct < 1 {
			return
		}
		rng := rand.New(rand.NewPCG(seed, 0))
		xs := make([]float64, n)
		for i := range xs {
			xs[i] = math.Exp(float64(rng.IntN(distinct)%1400)) / 1e300
		}
		d, err := Dip(xs)
		if err != nil {
			return // what can't be held is refused
		}
		if least := 1 / float64(2*n); !(d >= least*0.999999 && d <= 0.25 || n < 3) {
			t.Errorf("n=%d: dip %v", n, d)
		}
	})
}
