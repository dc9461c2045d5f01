package stats

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"
)

// Yields of dyestuff from six batches of an intermediate, five preparations each: O. L.
// Davies, P. L. Goldsmith, Statistical Methods in Research and Production, 4th ed., Oliver
// and Boyd 1972. Its components are in every text on them: 1764.05 between batches and
// 2451.25 within (R, lme4 1.1: lmer(Yield ~ 1|Batch, Dyestuff)), mean 1527.5, whose
// standard error is 19.383.
var dyestuff = [][]float64{
	{1545, 1440, 1440, 1520, 1580}, {1540, 1555, 1490, 1560, 1495}, {1595, 1550, 1605, 1510, 1560},
	{1445, 1440, 1595, 1465, 1545}, {1595, 1630, 1515, 1635, 1625}, {1520, 1455, 1450, 1480, 1445},
}

func TestForecastPublished(t *testing.T) {
	f, err := ForecastOf(dyestuff)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "between", f.Between*f.Between, 1764.05, 0.005)
	near(t, "within", f.Within*f.Within, 2451.25, 0.005)
	near(t, "mean", f.Mean, 1527.5, 1e-9)
	// F is 4.598 with 5 and 24 degrees of freedom.
	near(t, "F", f.F, 4.598, 0.0005)
	// The interval of the mean that six batches of five have: 2.5706 standard errors.
	near(t, "half", f.Half(6, 5), 2.5706*19.383, 0.01)
	// A batch that costs 16 preparations' time has sqrt(16 · 2451.25/1764.05) of them.
	if n := f.Trials(16, 1, 100); n != 5 {
		t.Errorf("%d trials, want 5: ceil(4.715)", n)
	}
	if f.Most <= f.Between || f.Most > 6*f.Between {
		t.Errorf("between is at the most %v", f.Most)
	}
}

// sessionsOf are made-up sessions with known spreads.
func sessionsOf(rng *rand.Rand, sessions, trials int, between, within float64) (out [][]float64) {
	for range sessions {
		middle := 100 + between*rng.NormFloat64()
		var g []float64
		for range trials {
			g = append(g, middle+within*rng.NormFloat64())
		}
		out = append(out, g)
	}
	return out
}

// The intervals that a forecast promises are those that later runs have, and these cover
// the true mean as often as they say.
func TestForecastHolds(t *testing.T) {
	rng := rand.New(rand.NewPCG(41, 42))
	f, err := ForecastOf(sessionsOf(rng, 400, 30, 2, 4))
	if err != nil {
		t.Fatal(err)
	}
	const rounds = 2000
	for _, x := range []struct{ sessions, trials int }{{5, 10}, {12, 3}, {30, 20}} {
		covered, width, most := 0, 0.0, 0
		for range rounds {
			g := sessionsOf(rng, x.sessions, x.trials, 2, 4)
			later, err := ForecastOf(g)
			if err != nil {
				t.Fatal(err)
			}
			if most++; later.Most < 2 {
				most--
			}
			var means []float64
			for _, s := range g {
				sum := 0.0
				for _, v := range s {
					sum += v
				}
				means = append(means, sum/float64(len(s)))
			}
			// The later run's own interval, from its sessions' means alone.
			mean, ss := 0.0, 0.0
			for _, v := range means {
				mean += v / float64(len(means))
			}
			for _, v := range means {
				ss += (v - mean) * (v - mean)
			}
			half := f.Half(x.sessions, x.trials) / math.Sqrt((f.Between*f.Between+f.Within*f.Within/float64(x.trials))/float64(x.sessions)) *
				math.Sqrt(ss/float64(len(means)-1)/float64(len(means)))
			width += half / rounds
			if math.Abs(mean-100) <= half {
				covered++
			}
		}
		if covered < rounds*93/100 || covered > rounds*97/100 {
			t.Errorf("%+v: %d of %d covered", x, covered, rounds)
		}
		if most < rounds*93/100 || most > rounds*97/100 {
			t.Errorf("%+v: the spread between is below its bound in %d of %d", x, most, rounds)
		}
		if want := f.Half(x.sessions, x.trials); math.Abs(width/want-1) > 0.1 {
			t.Errorf("%+v: half %v was promised, and is %v", x, want, width)
		}
	}
}

// No other split of the same time gives a narrower interval than the one advised, and the
// least number of sessions is just that.
func TestForecastAdvises(t *testing.T) {
	f := Forecast{Mean: 100, Spread: Spread{Between: 2, Within: 4}}
	const begin, trial, all = 30.0, 1.0, 10_000.0
	variance := func(trials int) float64 {
		sessions := all / (begin + float64(trials)*trial) // as many as the time has room for
		return (f.Between*f.Between + f.Within*f.Within/float64(trials)) / sessions
	}
	best := f.Trials(begin, trial, 1000)
	for n := 1; n <= 1000; n++ {
		if variance(n) < variance(best)*0.995 {
			t.Errorf("%d trials give %v, and the %d advised %v", n, variance(n), best, variance(best))
		}
	}
	n := f.Sessions(1, best, 10_000)
	if f.Half(n, best) > 1 || f.Half(n-1, best) <= 1 {
		t.Errorf("%d sessions give %v, and one less %v", n, f.Half(n, best), f.Half(n-1, best))
	}
	if n := f.Sessions(1e-9, best, 1000); n != 0 {
		t.Errorf("%d sessions for what can't be had", n)
	}
	if n := (Forecast{Spread: Spread{Within: 1}}).Trials(1, 1, 77); n != 77 {
		t.Errorf("sessions that don't differ: %d trials", n)
	}
	if !math.IsInf(f.Half(1, 5), 1) {
		t.Error("one session has an interval")
	}
	if _, err := ForecastOf([][]float64{{1, 2}}); !errors.Is(err, ErrFewGroups) {
		t.Error(err)
	}
	if g, err := ForecastOf([][]float64{{1, 1}, {2, 2}}); err != nil || g.Most != g.Between || g.Between == 0 {
		t.Errorf("without a spread within: %+v, %v", g, err)
	}
}

// Values that never differ need one trial in a session, and no interval is wider than
// nothing; a spread within sessions alone is worth as many trials as there may be.
func TestForecastWithoutSpread(t *testing.T) {
	f, err := ForecastOf([][]float64{{3, 3, 3}, {3, 3}})
	if err != nil || f.Mean != 3 || f.Most != 0 || f.Half(2, 1) != 0 || f.Sessions(0.001, 1, 100) != 2 || f.Trials(10, 1, 1000) != 1 {
		t.Errorf("%+v, %v, %d trials", f, err, f.Trials(10, 1, 1000))
	}
	if f, err = ForecastOf([][]float64{{3, 3}, {4, 4}, {5, 5}}); err != nil || f.Between != 1 || f.Most != 1 || f.Trials(10, 1, 1000) != 1 {
		t.Errorf("%+v, %v", f, err)
	}
	if f, err = ForecastOf([][]float64{{2, 4}, {2, 4}}); err != nil || f.Between != 0 || f.Trials(10, 1, 1000) != 1000 {
		t.Errorf("%+v, %v", f, err)
	}
}
