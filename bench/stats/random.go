package stats

import (
	"math"
	"math/rand/v2"
)

// beta draws from the beta distribution with whole parameters of at least 1,
// by way of two gamma numbers.
func beta(a, b float64, rng *rand.Rand) float64 {
	x, y := gamma(a, rng), gamma(b, rng)
	return x / (x + y)
}

// gamma draws from the gamma distribution with shape a ≥ 1.
//
// Source: G. Marsaglia, W. W. Tsang, A simple method for generating gamma
// variables, ACM Transactions on Mathematical Software 26 (2000) 363-372.
// (gonum's generators want math/rand's old source; this one is six lines.)
func gamma(a float64, rng *rand.Rand) float64 {
	d := a - 1.0/3
	c := 1 / math.Sqrt(9*d)
	for {
		z := rng.NormFloat64()
		v := 1 + c*z
		if v <= 0 {
			continue
		}
		v = v * v * v
		if math.Log(1-rng.Float64()) < z*z/2+d-d*v+d*math.Log(v) {
			return d * v
		}
	}
}
