package engine

import (
	"cmp"
	"context"
	"math/rand/v2"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"lab/bench"

	"lab/bench/clock"
	"lab/bench/results"
)

// Run makes the planned trials, and as many more as were asked for; those in
// Done it takes as made. A failed trial is written and the run goes on; the run
// ends early when ctx does. It returns one of the outcomes; an error means that
// results could no longer be written.
func (r *Runner) Run(ctx context.Context) (outcome string, err error) {
	m := r.Manifest
	s := &session{r: r, tally: newTally(m), eta: newEstimate(m.Cells), metric: map[string]results.Metric{},
		next: r.FirstTrial,
		plan: plan{seed: r.Seed, first: r.FirstBlock, group: r.Scenario.Grouped}, have: map[place]*made{}, ends: map[int]int{}}
	for i, c := range m.Cells {
		if c.NotRun == nil {
			s.run = append(s.run, i)
			s.plan.trials = append(s.plan.trials, c.Trials)
			s.plan.warmup = append(s.plan.warmup, c.Warmup)
		}
	}
	s.pairUp()
	if len(s.run) == 0 {
		return Nothing, nil
	}
	s.bad = slices.ContainsFunc(m.Cells, func(c results.Cell) bool { return c.NotRun != nil && !c.NotRun.Optional })
	for _, x := range m.Metrics {
		s.metric[x.Name] = x
	}
	for _, at := range s.plan.slots() {
		s.expect(at)
	}
	s.takeOver(r.Done)

	// A collection inside a trial would be measured as part of it. Between
	// trials it is made by hand.
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	s.crowd = s.others()
	s.began = clock.Now()
	ended, err := s.blocks(ctx)
	switch {
	case err != nil:
		return Failures, err
	case !ended:
		return Interrupted, nil
	}
	s.p.Next, s.p.Left, s.p.Total = "", 0, s.p.Done
	r.report(s.p)
	if s.bad {
		return Failures, nil
	}
	return Complete, nil
}

// A session is a Run while it goes on.
type session struct {
	r      *Runner
	run    []int // cells that can run, by their place in the manifest
	plan   plan
	metric map[string]results.Metric
	tally  *tally
	eta    *estimate
	p      Progress
	began  clock.Time
	have   map[place]*made // what an earlier session made
	ends   map[int]int     // by block: the place after its last trial there
	next   int             // number of the next trial
	bad    bool            // something failed, or couldn't run
	crowd  []string        // taints that the machine had before anything was started
}

// A place is a cell in a block.
type place struct{ block, cell int }

// blocks makes one block after the other; ended is false where ctx ended
// first. How long it goes on is decided between blocks alone.
func (s *session) blocks(ctx context.Context) (ended bool, err error) {
	x, m := &s.r.Options.Request, s.r.Manifest
	warm, all := s.plan.blocks()
	late, b := false, 0
	for ; ; b++ {
		begun := s.ends[b] > 0 // by an earlier session, which would have gone on with it
		if b >= all {
			if !begun && (x.Precision == 0 || b-warm >= maxBlocks || len(s.tally.wide(m, float64(x.Precision))) == 0) {
				break
			}
			for _, at := range s.plan.block(b) {
				s.expect(at)
			}
		}
		if late = !begun && b > warm && s.tally.over(time.Duration(x.MaxTime), s.elapsed()); late {
			break
		}
		start := clock.Now()
		n, ended, err := s.block(ctx, b)
		if !ended || err != nil {
			return ended, err
		}
		if n > 0 && b >= warm {
			s.tally.blocks++
			s.tally.spent += clock.Now().Sub(start)
		}
	}
	m.Notes = append(m.Notes, s.tally.notes(m, x, late, b-warm, all-warm)...)
	if b != all {
		for _, c := range s.run { // those planned weren't enough, or too many
			m.Cells[c].Trials = s.tally.counted[c]
		}
	}
	return true, nil
}

// block makes a block's trials, but for those that there are already; what is
// to be repeated comes at its end, after as many others as may be.
func (s *session) block(ctx context.Context, b int) (trials int, ended bool, err error) {
	queue, again := s.rest(b)
	end := s.ends[b]
	for _, at := range s.plan.block(b) {
		end = max(end, at.pos+at.trials())
	}
	// the place of the next one that is repeated
	for len(queue) > 0 {
		at := queue[0]
		queue = queue[1:]
		if again[at.cell] > 0 {
			at.pos, end = end, end+at.trials()
		}
		may := s.r.Options.Strict && again[at.cell] < MaxRepeats
		lines, err := s.trial(ctx, at, may)
		if lines == nil || err != nil {
			return trials, false, err
		}
		trials += at.trials()
		if lines[0].Repeated {
			again[at.cell]++
			s.expect(at)
			queue = append(queue, at)
		}
	}
	return trials, true, nil
}

// trial makes one trial, or one pair of them, and writes it; without lines ctx ended.
// Where it may be repeated and is disturbed, its lines say that it will be.
func (s *session) trial(ctx context.Context, at slot, may bool) ([]results.Line, error) {
	r := s.r
	cells := []int{s.run[at.cell]} // by their place in the manifest
	s.p.Next, s.p.Warmup, s.p.Left = r.Manifest.Cells[cells[0]].Label(), at.warmup, s.eta.time()
	var duet *bench.Duet
	if at.pair {
		cells = append(cells, s.run[at.partner])
		duet = bench.NewDuet()
	}
	began := clock.Now() // what comes between trials takes as long as a short one
	r.report(s.p)
	runtime.GC()
	start := clock.Now()
	lines, samples := make([][]results.Line, len(cells)), make([][]results.Sample, len(cells))
	make1 := func(k int) {
		p := s.trialPlan(at, cells[k], k, start)
		p.Duet, p.Side = duet, k
		lines[k], samples[k] = runTrial(ctx, r.Scenario, p, s.metric)
	}
	var settled func() []string
	if r.Guard != nil {
		settled = r.Guard()
	}
	if duet == nil {
		make1(0)
	} else {
		var both sync.WaitGroup
		for k := range cells {
			both.Go(func() {
				defer duet.Leave()
				make1(k)
			})
		}
		both.Wait()
	}
	var taints []string
	if settled != nil {
		taints = settled()
	}
	for k, i := range cells {
		if lines[k] == nil {
			return nil, nil
		}
		own := r.cells[i].Makes
		taints = slices.DeleteFunc(taints, func(name string) bool { return slices.Contains(own, name) && !slices.Contains(s.crowd, name) })
	}
	for _, of := range lines {
		for j := range of {
			for _, name := range taints {
				if !slices.Contains(of[j].Taint, name) {
					// A new slice: the lines share the empty one.
					of[j].Taint = append(slices.Clone(of[j].Taint), name)
				}
			}
			of[j].Repeated = may && !at.warmup && len(taints) > 0
		}
	}
	all := slices.Concat(lines...)
	if err := r.Write(all); err != nil {
		return nil, err
	}
	if samples := slices.Concat(samples...); r.Samples != nil && len(samples) > 0 {
		if err := r.Samples(samples); err != nil {
			return nil, err
		}
	}
	s.p.Err = ""
	took := clock.Now().Sub(began) / time.Duration(len(cells))
	for k, i := range cells {
		s.count(i, lines[k])
		s.eta.add(i, took)
		s.p.Err = cmp.Or(s.p.Err, lines[k][0].Err)
	}
	return all, nil
}

// others are taints of which cells say that their own trials make them, and which others
// made before the first of these: while this thread alone computes for a moment. On such a
// machine they are nobody's own.
func (s *session) others() []string {
	var own []string
	for _, i := range s.run {
		own = append(own, s.r.cells[i].Makes...)
	}
	if s.r.Guard == nil || len(own) == 0 {
		return nil
	}
	const moment = 100 * time.Millisecond
	settled := s.r.Guard()
	for began := clock.Now(); clock.Now().Sub(began) < moment; {
	}
	return slices.DeleteFunc(settled(), func(name string) bool { return !slices.Contains(own, name) })
}

// pairUp finds which of the cells that run is made with which.
func (s *session) pairUp() {
	if s.r.Manifest.Paired == nil {
		return
	}
	s.plan.partner = make([]int, len(s.run))
	for c, i := range s.run {
		s.plan.partner[c] = -1
		if with := s.r.Manifest.Cells[i].With; with != "" {
			s.plan.partner[c] = slices.IndexFunc(s.run, func(i int) bool { return s.r.Manifest.Cells[i].Label() == with })
		}
	}
	for _, c := range s.plan.partner {
		if c >= 0 {
			s.plan.trials[c], s.plan.warmup[c] = 0, 0 // none but with others
		}
	}
}

// partner is the place of a cell's partner among those that run.
func (s *session) partner(c int) int {
	if s.plan.partner == nil {
		return -1
	}
	return s.plan.partner[c]
}

// trialPlan is the plan of the k-th trial of a slot, of the i-th cell of the manifest.
func (s *session) trialPlan(at slot, i, k int, start clock.Time) bench.TrialPlan {
	r := s.r
	cell := &r.Manifest.Cells[i]
	p := bench.TrialPlan{
		Env: r.env(cell.Env), Other: r.env(r.Scenario.Beside), Cell: cell, Asked: r.cells[i], Image: r.Image, Limits: r.limits(r.cells[i]), Home: r.Home,
		Line: results.Line{
			ID: r.Manifest.ID, Scenario: r.Manifest.Scenario, Env: cell.Env, Variant: cell.Variant, N: cell.N,
			Session: r.Session, Block: r.FirstBlock + at.block, Pos: at.pos + k, Trial: s.next + k, Warmup: at.warmup,
			Taint: []string{}, At: (r.Before + start.Sub(s.began)).Seconds(),
		},
	}
	if at.pair {
		p.Line.Pair, p.Line.CPUs = s.next+1, r.Manifest.Paired.CPUs[(at.side+k)%2]
		p.Limits.CPUSet = p.Line.CPUs
	}
	if l := r.Manifest.Layout; l != nil {
		// Of the trial's number alone, as a run that is gone on with has the same ones.
		rng := rand.New(rand.NewPCG(r.Seed, layoutOf+uint64(p.Line.Trial)))
		p.Layout, p.Line.EnvPad, p.Line.ArgvPad = true, rng.IntN(l.Env+1), rng.IntN(l.Argv+1)
	}
	return p
}

// layoutOf begins the streams of random numbers that layouts are drawn from, far from
// those of the blocks' order.
const layoutOf = 1 << 32

// expect takes a planned slot into what is still to do.
func (s *session) expect(at slot) {
	s.p.Total += at.trials()
	s.eta.left[s.run[at.cell]]++
	if at.pair {
		s.eta.left[s.run[at.partner]]++
	}
}

func (s *session) elapsed() time.Duration { return s.r.Before + clock.Now().Sub(s.began) }

// count takes a trial into the tallies, whenever it was made.
func (s *session) count(cell int, lines []results.Line) {
	s.tally.add(cell, lines)
	s.next = max(s.next, lines[0].Trial+1)
	if lines[0].Err != "" {
		s.p.Failed++
		s.bad = true
	}
	s.p.Done++
	s.eta.left[cell]--
}
