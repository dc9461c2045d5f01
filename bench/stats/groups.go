package stats

// TwoGroups cuts a sample that has more than one hump (see [ManyHumps]) into two,
// where the values lie closest around the two groups' means: nothing lies between
// the groups that would belong to neither. Both have at least one value; of fewer
// than two there is no second group.
//
// Source: W. D. Fisher, On grouping for maximum homogeneity, Journal of the
// American Statistical Association 53 (1958) 789-798.
func TwoGroups(xs []float64) (low, high []float64) {
	s, err := sorted(xs)
	if err != nil || len(s) < 2 {
		return s, nil
	}
	all := 0.0
	for _, x := range s {
		all += x - s[0]
	}
	cut, most, sum, n := 1, -1.0, 0.0, float64(len(s))
	for i := 1; i < len(s); i++ {
		sum += s[i-1] - s[0]
		k := float64(i)
		d := sum/k - (all-sum)/(n-k) // between the means: their distance, weighted, is what the cut explains
		if explains := d * d * k * (n - k); explains > most {
			cut, most = i, explains
		}
	}
	return s[:cut], s[cut:]
}
