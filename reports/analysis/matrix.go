package analysis

import (
	"cmp"
	"math"
	"slices"
	"strconv"

	"lab/bench/results"
	"lab/reports/msg"
)

// A Matrix is what a figure of that kind shows: answers in words, a row for each
// metric and a column for each cell.
type Matrix struct {
	Cells []*Cell
	Rows  []MatrixRow
}

// A MatrixRow is one metric's answers.
type MatrixRow struct {
	Metric  results.Metric
	Answers []Answer // one a cell
}

// An Answer is one cell's to one metric. Level is its word's number, or -1 without
// one; Differs says that trials disagree, and Flips that the figure's base says
// something else.
type Answer struct {
	Level          int
	Word           string
	Differs, Flips bool
}

// Matrix lays out a figure. Without To its columns are the cells without a
// variant, and its rows are in the order of how much of them the cells reach; with
// it they are To's cells, and the rows are those in which one differs from the
// first, in the order of the columns that do.
func (a *Analysis) Matrix(f results.Figure) (out Matrix) {
	for _, c := range a.Cells {
		if c.Counted() > 0 && (f.To == "" && len(c.Variant) == 0 || f.To == c.Env) {
			out.Cells = append(out.Cells, c)
		}
	}
	if f.To != "" { // the plain one first, if there is one
		slices.SortStableFunc(out.Cells, func(x, y *Cell) int { return cmp.Compare(min(1, len(x.Variant)), min(1, len(y.Variant))) })
		if len(out.Cells) < 2 || len(out.Cells[0].Variant) > 0 {
			return Matrix{}
		}
	}
	for _, name := range f.Metrics {
		m, ok := a.Metric(name)
		if !ok || len(m.Words) == 0 {
			continue
		}
		row := MatrixRow{Metric: m}
		flips := false
		for _, c := range out.Cells {
			x := answerOf(c, m)
			if f.To != "" && len(row.Answers) > 0 {
				x.Flips = x.Level != row.Answers[0].Level
			}
			flips = flips || x.Flips
			row.Answers = append(row.Answers, x)
		}
		if f.To == "" || flips {
			out.Rows = append(out.Rows, row)
		}
	}
	slices.SortStableFunc(out.Rows, func(x, y MatrixRow) int {
		if f.To != "" {
			return cmp.Compare(x.flip(), y.flip())
		}
		return cmp.Compare(y.reach(), x.reach())
	})
	return out
}

// flip is the first column with another answer than the first one's.
func (r MatrixRow) flip() int {
	return slices.IndexFunc(r.Answers, func(x Answer) bool { return x.Flips })
}

// reach is how far a row's cells come: first how many have an answer above 0.
func (r MatrixRow) reach() int {
	n := 0
	for _, x := range r.Answers {
		if x.Level > 0 {
			n += 100 + x.Level
		}
	}
	return n
}

func answerOf(c *Cell, m results.Metric) Answer {
	s := c.Samples[m.Name]
	if s == nil {
		return Answer{Level: -1}
	}
	x := Answer{Level: int(s.Median.Hi), Word: m.Word(s.Median.Hi), Differs: s.Median.Lo != s.Median.Hi}
	if x.Word == "" {
		x.Level = -1
	}
	return x
}

// Middle is a sample's median for people: of an answer its word, or both if trials
// differ; of what is counted, a whole number.
func Middle(m results.Metric, s *Sample) string {
	u := msg.ScaleFor(s.Median.Point, m.Unit)
	return middle(m, s, u, u.With)
}

// MiddleIn is Middle in the unit of a column, which its heading names.
func MiddleIn(m results.Metric, s *Sample, u msg.Scale) string { return middle(m, s, u, u.In) }

func middle(m results.Metric, s *Sample, u msg.Scale, write func(float64) string) string {
	if lo, hi := m.Word(s.Median.Lo), m.Word(s.Median.Hi); lo != hi {
		return lo + " / " + hi
	} else if lo != "" {
		return lo
	}
	if v := s.Median.Point; m.Certain() && u.Times == 1 && v == math.Trunc(v) {
		return strconv.Itoa(int(v))
	}
	return write(s.Median.Point)
}
