package stats

import (
	"fmt"

	"gonum.org/v1/gonum/stat/distuv"
)

// Share returns k of n with its exact 95 % interval, which never promises too
// much.
//
// Source: C. J. Clopper, E. S. Pearson, The use of confidence or fiducial
// limits illustrated in the case of the binomial, Biometrika 26 (1934)
// 404-413; the ends as quantiles of the beta distribution after A. Agresti,
// B. A. Coull, The American Statistician 52 (1998) 119-126.
func Share(k, n int) (Interval, error) {
	if n < 1 || k < 0 || k > n {
		return Interval{}, fmt.Errorf("share: %d of %d", k, n)
	}
	iv := Interval{Point: float64(k) / float64(n), Lo: 0, Hi: 1, Confidence: 0.95, Method: "Clopper-Pearson", N: n}
	if k > 0 {
		iv.Lo = distuv.Beta{Alpha: float64(k), Beta: float64(n - k + 1)}.Quantile(0.025)
	}
	if k < n {
		iv.Hi = distuv.Beta{Alpha: float64(k + 1), Beta: float64(n - k)}.Quantile(0.975)
	}
	return iv, nil
}
