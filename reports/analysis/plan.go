package analysis

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"lab/bench/results"
	"lab/bench/stats"
	"lab/reports/msg"
)

// A Plan is what earlier runs of one scenario say of the next one: how many sessions of
// how many trials buy which interval of a metric, and in which time.
type Plan struct {
	Scenario string           `json:"scenario"`
	Metric   string           `json:"metric"`
	Title    string           `json:"-"`
	Unit     string           `json:"unit"`
	Paired   bool             `json:"paired,omitempty"` // of each row's ratio to its partner, and not of its mean
	Sessions int              `json:"sessions"`         // that it rests on
	Begin    *float64         `json:"session_seconds"`  // what a session takes but for its trials that count; null: not known
	Block    *float64         `json:"block_seconds"`    // one trial of each row
	Rows     []PlanRow        `json:"rows"`
	Targets  []PlanTarget     `json:"targets"`
	Grid     []PlanPoint      `json:"grid"` // the widest row's interval for some numbers of sessions and trials
	Without  []msg.Message    `json:"-"`    // rows that say nothing, and why
	forecast []stats.Forecast // of each row
}

// PlanRow is what a row's sessions were. Spreads are shares of its mean (of a ratio: of
// it); Most is what that between sessions may be, with 95 %.
type PlanRow struct {
	Row     string  `json:"row"`
	Mean    float64 `json:"mean"`
	Between float64 `json:"between"`
	Most    float64 `json:"between_most"`
	Within  float64 `json:"within"`
	Trials  int     `json:"trials,omitempty"` // a session that make an interval in the least time, for this row alone; 0: the time isn't known
}

// PlanTarget is the cheapest plan whose intervals are that narrow: half of each, by the
// mean. Sessions is 0 where no plan is.
type PlanTarget struct {
	Half     float64  `json:"half"`
	Sessions int      `json:"sessions"`
	Trials   int      `json:"trials"`
	Row      string   `json:"row"` // that needs most
	Seconds  *float64 `json:"seconds"`
}

// PlanPoint is what one plan buys.
type PlanPoint struct {
	Sessions int      `json:"sessions"`
	Trials   int      `json:"trials"`
	Half     float64  `json:"half"`
	Seconds  *float64 `json:"seconds"`
}

// What plans are tried: no run is larger.
const (
	mostSessions = 1000
	mostTrials   = 1000
)

var (
	planTargets  = []float64{0.1, 0.05, 0.02, 0.01, 0.005}
	planSessions = []int{2, 3, 5, 10, 20, 30}
	planTrials   = []int{5, 10, 20, 50, 100}
)

// PlanOf looks at the sessions of runs: those of a run of several, and a run that has one
// is one. metric is "" for the first.
func PlanOf(runs []*results.Run, metric string) (*Plan, error) {
	first := runs[0]
	p := &Plan{Scenario: first.Manifest.Scenario, Paired: first.Manifest.Paired != nil}
	var order []string
	rows := map[string][][]float64{}
	var begin, block []float64
	seen := map[string]string{} // by run: its folder
	for _, run := range runs {
		if err := planTogether(first, run); err != nil {
			return nil, err
		}
		if id := run.Manifest.ID; id != "" { // an early lab gave none
			if dir, twice := seen[id]; twice {
				return nil, fmt.Errorf("plan: %s and %s are the same run, and sessions that are copies would seem not to differ; fix: name each run once", dir, run.Dir)
			}
			seen[id] = run.Dir
		}
		a := Of(run)
		m, err := p.choose(a, metric)
		if err != nil {
			return nil, err
		}
		metric = m.Name
		for _, c := range a.Cells {
			name := c.Cell.Label()
			if c.NotRun != nil || p.Paired && c.With == "" {
				continue
			}
			if !slices.Contains(order, name) {
				order = append(order, name)
			}
			rows[name] = append(rows[name], sessionsOf(a, c, metric)...)
		}
		x, y, ok := timesOf(run)
		if ok {
			begin, block = append(begin, x), append(block, y)
		}
	}
	for _, name := range order {
		groups := slices.DeleteFunc(rows[name], func(g []float64) bool { return len(g) < 2 })
		p.Sessions = max(p.Sessions, len(groups))
		f, err := stats.ForecastOf(groups)
		switch {
		case err != nil && len(groups) < 2:
			p.Without = append(p.Without, msg.T("plan.one-session", name))
			continue
		case err != nil:
			p.Without = append(p.Without, msg.T("join.colon", name, err.Error()))
			continue
		}
		r, by := PlanRow{Row: name, Mean: f.Mean}, math.Abs(f.Mean)
		if p.Paired {
			r.Mean, by = math.Exp(f.Mean), 1 // a difference of logarithms is a share already
		}
		if by == 0 {
			p.Without = append(p.Without, msg.T("plan.zero", name))
			continue
		}
		f.Mean, f.Between, f.Within, f.Most = f.Mean/by, f.Between/by, f.Within/by, f.Most/by
		r.Between, r.Within, r.Most = f.Between, f.Within, f.Most
		p.Rows, p.forecast = append(p.Rows, r), append(p.forecast, f)
	}
	if len(p.Rows) == 0 {
		return nil, fmt.Errorf("plan: how sessions differ can't be seen in one of them, or without two trials in each; fix: lab run %s --sessions 5, or name the folders of several runs", p.Scenario)
	}
	if len(begin) == len(runs) {
		b, t := stats.Median(begin), stats.Median(block)
		p.Begin, p.Block = &b, &t
		for i, f := range p.forecast {
			p.Rows[i].Trials = f.Trials(b, t, mostTrials)
		}
	}
	for _, half := range planTargets {
		p.Targets = append(p.Targets, p.cheapest(half))
	}
	for _, s := range planSessions {
		for _, t := range planTrials {
			half, _ := p.half(s, t)
			p.Grid = append(p.Grid, PlanPoint{s, t, half, p.seconds(s, t)})
		}
	}
	return p, nil
}

// planTogether is an error where the sessions of two runs aren't of one kind.
func planTogether(a, b *results.Run) error {
	m, n := a.Manifest, b.Manifest
	for _, x := range []struct{ what, was, is string }{
		{"scenarios", m.Scenario, n.Scenario}, {"machines", a.Machine.ID, b.Machine.ID}, {"images", m.Image.Digest, n.Image.Digest},
		{"workloads", m.Workload.Digest, n.Workload.Digest}, {"processors for pairs", pairedOn(m), pairedOn(n)}, {"lengths (--quick)", fmt.Sprint(m.Quick), fmt.Sprint(n.Quick)},
		{"kernels", a.Machine.Kernel, b.Machine.Kernel}, {"applications", m.App(), n.App()},
	} {
		if x.was != x.is {
			return fmt.Errorf("plan: %s and %s have different %s, so what differs between them isn't chance; fix: name runs of one kind", a.Dir, b.Dir, x.what)
		}
	}
	return nil
}

// choose finds the metric in a run.
func (p *Plan) choose(a *Analysis, name string) (results.Metric, error) {
	var names []string
	for _, m := range a.Metrics {
		if m.Certain() {
			continue
		}
		if name == "" || m.Name == name {
			p.Metric, p.Title, p.Unit = m.Name, m.Title, m.Unit
			return m, nil
		}
		names = append(names, m.Name)
	}
	if names == nil {
		return results.Metric{}, fmt.Errorf("plan: %s has no values that vary", a.Run.Dir)
	}
	return results.Metric{}, &NoMetricError{a.Run.Dir, name, names}
}

// A NoMetricError is that a run has no metric of that name.
type NoMetricError struct {
	Dir, Name string
	Known     []string
}

func (e *NoMetricError) Error() string {
	return fmt.Sprintf("plan: %s has no metric %s; it has: %v", e.Dir, e.Name, e.Known)
}

// sessionsOf are a row's values by session; in a run of pairs the logarithms of its
// ratios to its partner.
func sessionsOf(a *Analysis, c *Cell, metric string) [][]float64 {
	partner := map[int]float64{}
	for _, b := range a.Cells {
		if c.With != "" && b.Cell.Label() == c.With {
			for _, t := range b.Made {
				if v, ok := t.Values[metric]; ok && t.Counts() {
					partner[t.pair] = v
				}
			}
		}
	}
	groups := map[int][]float64{}
	var order []int
	for _, t := range c.Made {
		v, ok := t.Values[metric]
		if !ok || !t.Counts() {
			continue
		}
		if c.With != "" {
			w := partner[t.pair]
			if v <= 0 || w <= 0 {
				continue
			}
			v = math.Log(v / w)
		}
		if groups[t.session] == nil {
			order = append(order, t.session)
		}
		groups[t.session] = append(groups[t.session], v)
	}
	var out [][]float64
	for _, s := range order {
		out = append(out, groups[s])
	}
	return out
}

// timesOf is what a session of the run took but for the trials that count, and what a
// block did, in seconds.
func timesOf(run *results.Run) (begin, block float64, ok bool) {
	m := run.Manifest
	if m.Started.IsZero() || !m.Ended.After(m.Started) || len(m.Resumed) > 0 {
		return 0, 0, false
	}
	spent := run.Spent()
	counted, seen, sessions := map[string]int{}, map[int]bool{}, map[int]bool{}
	for _, l := range run.Lines {
		sessions[l.Session] = true
		if !l.Warmup && !seen[l.Trial] {
			seen[l.Trial] = true
			counted[l.Label()]++
		}
	}
	most := 0
	for _, n := range counted {
		most = max(most, n)
	}
	trials := 0.0
	for label, n := range counted {
		if len(spent[label]) == 0 {
			return 0, 0, false
		}
		trials += stats.Median(spent[label]) * float64(n)
	}
	// A row with fewer trials than others isn't in each block. The partner of a run of pairs
	// is in one more than once, and its trials are part of the rows'.
	blocks := most
	for _, c := range m.Cells {
		if c.With != "" {
			blocks = min(blocks, counted[c.Label()])
		}
	}
	if blocks == 0 || len(sessions) == 0 {
		return 0, 0, false
	}
	begin = (m.Ended.Sub(m.Started).Seconds() - trials) / float64(len(sessions))
	return max(begin, 0.001), trials / float64(blocks), true
}

// half is the widest row's half interval under a plan, and which row that is.
func (p *Plan) half(sessions, trials int) (half float64, row int) {
	for i, f := range p.forecast {
		if h := f.Half(sessions, trials); h > half || i == 0 {
			half, row = h, i
		}
	}
	return half, row
}

// seconds is how long a plan takes, if that is known.
func (p *Plan) seconds(sessions, trials int) *float64 {
	if p.Begin == nil {
		return nil
	}
	s := float64(sessions) * (*p.Begin + float64(trials)**p.Block)
	return &s
}

// cheapest is the plan that takes the least time, or where no times are known the fewest
// trials.
func (p *Plan) cheapest(half float64) PlanTarget {
	out := PlanTarget{Half: half}
	least := math.Inf(1)
	for trials := 2; trials <= mostTrials; trials++ {
		sessions, row := 2, 0
		for i, f := range p.forecast {
			n := f.Sessions(half, trials, mostSessions)
			if n == 0 {
				sessions = 0
				break
			}
			if n > sessions || i == 0 {
				sessions, row = max(n, sessions), i
			}
		}
		if sessions == 0 {
			continue
		}
		cost := float64(sessions * trials)
		s := p.seconds(sessions, trials)
		if s != nil {
			cost = *s
		}
		if cost < least {
			least = cost
			out.Sessions, out.Trials, out.Row, out.Seconds = sessions, trials, p.Rows[row].Row, s
		}
	}
	return out
}

// Unsure says what the plan rests on, where that is little.
func (p *Plan) Unsure() []msg.Message {
	out := slices.Clone(p.Without)
	if p.Sessions < enoughSessions {
		out = append(out, msg.T("plan.few-sessions", p.Sessions))
	}
	i := slices.IndexFunc(p.Rows, func(r PlanRow) bool {
		return r.Most == slices.MaxFunc(p.Rows, func(a, b PlanRow) int { return cmp.Compare(a.Most, b.Most) }).Most
	})
	return append(out, msg.T("plan.most", p.Rows[i].Row, msg.Percent(p.Rows[i].Most), msg.Percent(p.Rows[i].Between)))
}

// enoughSessions is how many sessions tell how much sessions differ, to within a factor of
// about two.
const enoughSessions = 5
