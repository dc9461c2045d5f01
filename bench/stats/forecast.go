package stats

import (
	"fmt"
	"math"
	"sync"

	"gonum.org/v1/gonum/stat/distuv"
)

// A Forecast is what the sessions of earlier runs say of later ones: by how much
// sessions will differ from one another, and trials within one, and so how wide the
// interval of their mean will be. Spreads are standard deviations, in the values' unit.
//
// Source: T. Kalibera, R. Jones, Rigorous benchmarking in reasonable time, ISMM 2013,
// pages 63-74, with two levels: sessions, and trials within one.
type Forecast struct {
	Spread
	Mean float64 // of the sessions' means

	// Most is what the spread between sessions is at the most, with 95 %: the upper end of
	// the exact interval of its ratio to the spread within (S. R. Searle, G. Casella, C. E.
	// McCulloch, Variance Components, Wiley 1992, section 3.6), which for groups of
	// different sizes is an approximation.
	Most float64
}

// ForecastOf takes the values of each session. The errors are [SpreadOf]'s.
func ForecastOf(sessions [][]float64) (Forecast, error) {
	s, err := SpreadOf(sessions)
	if err != nil {
		return Forecast{}, err
	}
	f, n := Forecast{Spread: s}, 0
	for _, g := range sessions {
		own := 0.0
		for _, x := range g {
			own += x / float64(len(g))
		}
		f.Mean += own / float64(len(sessions))
		n += len(g)
	}
	if s.Within == 0 {
		f.Most = s.Between // nothing to set it against
		return f, nil
	}
	// The 5 % quantile of F with these degrees of freedom, by way of the beta distribution.
	between, within := float64(len(sessions)-1), float64(n-len(sessions))
	b := distuv.Beta{Alpha: between / 2, Beta: within / 2}.Quantile(Alpha)
	least := within * b / (between * (1 - b))
	f.Most = s.Within * math.Sqrt(max(0, (s.F/least-1)/s.Size))
	if !finite(f.Mean, f.Most) {
		return f, fmt.Errorf("forecast: %w", ErrNotFinite)
	}
	return f, nil
}

// Half is half of the 95 % interval of the mean of so many sessions' means, each of so many
// trials: Student's, with a degree of freedom for each session but one. With fewer
// than two sessions it is infinite.
func (f Forecast) Half(sessions, trials int) float64 {
	if sessions < 2 || trials < 1 {
		return math.Inf(1)
	}
	variance := (f.Between*f.Between + f.Within*f.Within/float64(trials)) / float64(sessions)
	return student(sessions-1) * math.Sqrt(variance)
}

// students keeps quantiles, which take long to find, by degrees of freedom.
var students sync.Map

// student is the 97.5 % quantile of Student's distribution.
func student(freedom int) float64 {
	if t, ok := students.Load(freedom); ok {
		return t.(float64)
	}
	t := distuv.StudentsT{Mu: 0, Sigma: 1, Nu: float64(freedom)}.Quantile(1 - Alpha/2)
	students.Store(freedom, t)
	return t
}

// Sessions is the least number of sessions, of so many trials each, with which Half
// is no more than half; 0 if it is more than most.
func (f Forecast) Sessions(half float64, trials, most int) int {
	lo, hi := 2, most // it only falls with the sessions
	if !(f.Half(hi, trials) <= half) {
		return 0
	}
	for lo < hi {
		if n := (lo + hi) / 2; f.Half(n, trials) <= half {
			hi = n
		} else {
			lo = n + 1
		}
	}
	return lo
}

// Trials is the number of trials in a session that makes an interval of one width in the
// least time, where a session takes so long to begin, and each trial so long. Where
// sessions don't differ it is most, and where trials don't it is one.
func (f Forecast) Trials(begin, trial float64, most int) int {
	if f.Within == 0 {
		return 1
	}
	n := math.Ceil(math.Sqrt(begin/trial) * f.Within / f.Between)
	if math.IsNaN(n) || n > float64(most) {
		return most
	}
	return max(1, int(n))
}
