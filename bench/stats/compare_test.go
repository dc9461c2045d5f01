package stats

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// The shortcut that draws a median at once must have the distribution of
// medians of samples drawn value by value.
func TestResampledMedian(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for _, n := range []int{6, 7, 20, 21} {
		s := make([]float64, n)
		for i := range s {
			s[i] = float64(i * i)
		}
		const draws = 40_000
		quick, slow := make([]float64, draws), make([]float64, draws)
		sample := make([]float64, n)
		for i := range draws {
			quick[i] = resampledMedian(s, rng)
			for j := range sample {
				sample[j] = s[rng.IntN(n)]
			}
			slow[i] = Median(sample)
		}
		slices.Sort(quick)
		slices.Sort(slow)
		// Kolmogorov-Smirnov at the 0.1 % level: 1.95·√(2/draws).
		worst := 0.0
		for _, v := range slow {
			at := func(d []float64) float64 {
				i, _ := slices.BinarySearch(d, v+1e-9)
				return float64(i) / draws
			}
			worst = max(worst, math.Abs(at(quick)-at(slow)))
		}
		if worst > 1.95*math.Sqrt(2.0/draws) {
			t.Errorf("n=%d: the distributions are %.4f apart", n, worst)
		}
	}
}

// An identical pair of samples is called different in at most 5 of 100 rounds,
// and a shifted pair is found.
func TestDifferenceOfMediansCovers(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	missed := 0
	const rounds = 300
	for i := range rounds {
		x, y := make([]float64, 30), make([]float64, 30)
		for j := range x {
			x[j], y[j] = 1+rng.ExpFloat64(), rng.ExpFloat64()
		}
		iv, err := DifferenceOfMedians(x, y, uint64(i))
		if err != nil {
			t.Fatal(err)
		}
		if iv.Lo > 1 || iv.Hi < 1 {
			missed++
		}
	}
	if missed > rounds*8/100 {
		t.Errorf("missed the true difference in %d of %d rounds", missed, rounds)
	}
}

func TestRatioOfMedians(t *testing.T) {
	x := []float64{2, 4, 6, 8, 10, 12}
	y := []float64{1, 2, 3, 4, 5, 6}
	iv, err := RatioOfMedians(x, y, 7)
	if err != nil || iv.Point != 2 || iv.Lo > 2 || iv.Hi < 2 || iv.Method != Bootstrap {
		t.Errorf("got %+v, %v", iv, err)
	}
	again, _ := RatioOfMedians(x, y, 7)
	if again.Lo != iv.Lo || again.Hi != iv.Hi {
		t.Errorf("the same seed gave another interval")
	}
	for _, bad := range [][2][]float64{{x, {0, 1}}, {x, {-1}}, {{-1}, y}} {
		if _, err := RatioOfMedians(bad[0], bad[1], 1); !errors.Is(err, ErrNotPositive) {
			t.Errorf("%v: %v, want ErrNotPositive", bad, err)
		}
	}
}

func TestEffectSize(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	for range 50 {
		x, y := make([]float64, 1+rng.IntN(20)), make([]float64, 1+rng.IntN(20))
		for i := range x {
			x[i] = float64(rng.IntN(6))
		}
		for i := range y {
			y[i] = float64(rng.IntN(6))
		}
		// By its definition, pair by pair.
		delta := 0.0
		for _, a := range x {
			for _, b := range y {
				switch {
				case a > b:
					delta++
				case a < b:
					delta--
				}
			}
		}
		delta /= float64(len(x) * len(y))
		e, err := EffectSize(x, y)
		if err != nil {
			t.Fatal(err)
		}
		near(t, "delta", e.Delta, delta, 1e-12)
		near(t, "A12", e.A12, (delta+1)/2, 1e-12)
	}
	for delta, want := range map[float64]string{0: "negligible", -0.2: "small", 0.4: "medium", -1: "large"} {
		if got := (Effect{Delta: delta}).Size(); got != want {
			t.Errorf("%v is %s, want %s", delta, got, want)
		}
	}
}
