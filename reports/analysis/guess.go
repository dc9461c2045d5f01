package analysis

import (
	"maps"
	"slices"
	"strconv"

	"lab/bench/results"
	"lab/bench/stats"
	"lab/reports/msg"
)

// CloseBy is the factor within which a guess counts as close.
const CloseBy = 2

// Guesses are what was expected of a run, next to what it measured.
type Guesses struct {
	Metric results.Metric
	Base   msg.Message
	Rows   []Guessed   // in the order of the run's rows
	Worst  msg.Message // which row was guessed to come off worst
	Is     msg.Message // which did; nothing if it can't be told
	Right  bool        // they are the same
}

// Guessed is one row's guess.
type Guessed struct {
	Name  msg.Message
	Cell  *Cell // nil: the run has no such row
	Guess float64
	Ratio *stats.Interval // what was measured; nil: Why not
	Why   msg.Message
	Close bool // the two are within a factor of CloseBy
}

// Off is by which factor the guess is too high or too low, from 1 on.
func (g Guessed) Off() float64 { return max(g.Guess/g.Ratio.Point, g.Ratio.Point/g.Guess) }

// Guesses sets the run's guess beside its results; nil if there is none.
func (a *Analysis) Guesses() *Guesses {
	g := a.Run.Guess
	if g == nil {
		return nil
	}
	m, ok := a.Metric(g.Metric)
	if !ok {
		m, _ = a.described(g.Metric)
		m.Name = g.Metric
	}
	out := &Guesses{Metric: m, Base: msg.Verbatim(g.Base)}
	for _, name := range slices.Sorted(maps.Keys(g.Ratios)) {
		x := Guessed{Name: msg.Verbatim(name), Guess: g.Ratios[name], Cell: a.guessedRow(name, m)}
		switch c := x.Cell; {
		case c == nil:
			x.Why = msg.T("guess.no-row")
		case c.NotRun != nil:
			x.Name, x.Why = c.Name, NotRun(c)
		case c.TCG:
			x.Name, x.Why = c.Name, msg.T("guess.emulated")
		default:
			x.Name = c.Name
			if s := c.Samples[m.Name]; s != nil && s.Against != nil && s.Against.Ratio != nil && s.Against.Ratio.Point > 0 && c.Base != nil && c.Base.Env == g.Base {
				x.Ratio = s.Against.Ratio
				x.Close = x.Off() <= CloseBy
			} else {
				x.Why = msg.T("cell.no-values")
			}
		}
		out.Rows = append(out.Rows, x)
	}
	at := func(x Guessed) int { // what isn't there comes last
		if x.Cell == nil {
			return len(a.Cells)
		}
		return slices.Index(a.Cells, x.Cell)
	}
	slices.SortStableFunc(out.Rows, func(x, y Guessed) int { return at(x) - at(y) })
	if g.Worst == "" {
		return out
	}
	out.Worst = msg.Verbatim(g.Worst)
	guessed := a.guessedRow(g.Worst, m)
	if worst := a.worst(m); worst != nil && guessed != nil && guessed.NotRun == nil && !guessed.TCG {
		out.Worst, out.Is, out.Right = guessed.Name, worst.Name, guessed.Env == worst.Env
	}
	return out
}

// Close is how many guesses are close, and of how many that could be judged.
func (g *Guesses) Close() (n, of int) {
	for _, x := range g.Rows {
		if x.Ratio != nil {
			of++
			if x.Close {
				n++
			}
		}
	}
	return n, of
}

// guessedRow is the row that a guess names: by its label, or by its environment, of
// which it then is the first one that has values of the metric.
func (a *Analysis) guessedRow(name string, m results.Metric) (row *Cell) {
	for _, c := range a.Cells {
		if c.Cell.Label() == name && (c.Samples[m.Name] != nil || len(c.Variant) > 0) {
			return c
		}
		if c.Env == name && (row == nil || row.Samples[m.Name] == nil && c.Samples[m.Name] != nil) {
			row = c
		}
	}
	return row
}

// worst is the row with the worst median of those that are compared; nil without two.
func (a *Analysis) worst(m results.Metric) (row *Cell) {
	n := 0
	for _, c := range a.Cells {
		s := c.Samples[m.Name]
		if s == nil || c.TCG || c.NotRun != nil || max(c.N, 1) > 1 || c.Whole {
			continue
		}
		n++
		if row == nil || m.Better == "higher" && s.Median.Point < row.Samples[m.Name].Median.Point || m.Better != "higher" && s.Median.Point > row.Samples[m.Name].Median.Point {
			row = c
		}
	}
	if n < 2 {
		return nil
	}
	return row
}

// KindOf is what kind of machine a run was made on, as far as its figures depend on it:
// machines of several kinds aren't compared.
func KindOf(run *results.Run) msg.Message {
	a := &Analysis{Run: run}
	where := conditionsOf(a, NewCell(results.Cell{})).where()
	switch run.Machine.Acceleration.Use {
	case "kvm":
		return msg.T("join.comma", where, "KVM")
	case "tcg":
		return msg.T("join.comma", where, TCGMark)
	}
	return msg.T("join.comma", where, msg.T("kind.no-guests"))
}

// A ClassGuess is what several runs' guesses of a row come to, on one kind of machine.
type ClassGuess struct {
	Kind            msg.Message
	Row             string
	Guesses, Ratios []float64 // by run, of those that have both
	Close           int
}

// Guesses gathers the runs' guesses by kind of machine and row, and says of each kind
// how many of its runs named the row that came off worst.
func (m *Machines) Guesses() (rows []*ClassGuess, worst []msg.Message) {
	type key struct{ kind, row string }
	have := map[key]*ClassGuess{}
	type score struct {
		kind      msg.Message
		right, of int
	}
	scores := map[string]*score{}
	var kinds []string
	for _, k := range m.Machines {
		for _, a := range k.Runs {
			g := a.Guesses()
			if g == nil {
				continue
			}
			kind := KindOf(a.Run)
			name := kind.String()
			if scores[name] == nil {
				scores[name] = &score{kind: kind}
				kinds = append(kinds, name)
			}
			if !g.Is.IsZero() {
				scores[name].of++
				if g.Right {
					scores[name].right++
				}
			}
			for _, x := range g.Rows {
				if x.Ratio == nil {
					continue
				}
				at := key{name, x.Cell.Label()}
				if have[at] == nil {
					have[at] = &ClassGuess{Kind: kind, Row: at.row}
					rows = append(rows, have[at])
				}
				c := have[at]
				c.Guesses, c.Ratios = append(c.Guesses, x.Guess), append(c.Ratios, x.Ratio.Point)
				if x.Close {
					c.Close++
				}
			}
		}
	}
	slices.SortStableFunc(rows, func(x, y *ClassGuess) int {
		return slices.Index(kinds, x.Kind.String()) - slices.Index(kinds, y.Kind.String())
	})
	for _, name := range kinds {
		if s := scores[name]; s.of > 0 {
			worst = append(worst, msg.T("guess.class-worst", s.kind, strconv.Itoa(s.right), strconv.Itoa(s.of)))
		}
	}
	return rows, worst
}
