package analysis

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"lab/bench/results"
)

// Values lists what by can be in a run, in the order of its rows.
func Values(run *results.Run, by string) []string {
	var out []string
	for _, c := range run.Manifest.Cells {
		if v := value(&Cell{Cell: c}, by); v != "" && !slices.Contains(out, v) {
			out = append(out, v)
		}
	}
	return out
}

// Choices lists what the rows of a run differ in: env, n, variants' names.
func Choices(run *results.Run) []string {
	names := map[string]bool{}
	for _, c := range run.Manifest.Cells {
		for k := range c.Variant {
			names[k] = true
		}
	}
	out := append([]string{"env", "n"}, slices.Sorted(maps.Keys(names))...)
	return slices.DeleteFunc(out, func(by string) bool { return len(Values(run, by)) < 2 })
}

func value(c *Cell, by string) string {
	switch by {
	case "env":
		return c.Env
	case "n":
		return strconv.Itoa(max(c.N, 1))
	}
	return c.Variant[by]
}

// agree reports whether two cells differ in nothing but by. Environments don't
// have the same settings: what only one of them has is no contradiction.
func agree(p, q *Cell, by string) bool {
	if by != "env" && p.Env != q.Env || by != "n" && max(p.N, 1) != max(q.N, 1) {
		return false
	}
	for k, v := range p.Variant {
		if w, ok := q.Variant[k]; k != by && (ok && v != w || !ok && by != "env") {
			return false
		}
	}
	return by == "env" || len(p.Variant) == len(q.Variant)
}

// A Limit is what a contrast may not exceed: "slower:5%".
type Limit struct {
	Word  string  // slower, faster, different
	Share float64 // of a's median, from 0
}

// ParseLimit reads "slower:5%", "slower:0.05" or "slower". Slower means worse
// for metrics that aren't times or rates, and faster better.
func ParseLimit(s string) (Limit, error) {
	name, share, given := strings.Cut(strings.TrimSpace(s), ":")
	l := Limit{Word: name}
	if name != Slower && name != Faster && name != "different" {
		return l, fmt.Errorf("%q: not of the form slower:5%%, faster:5%% or different:5%%", s)
	}
	if !given {
		return l, nil
	}
	number, percent := strings.CutSuffix(share, "%")
	v, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	if percent {
		v /= 100
	} else if v >= 1 { // 5 would be 500 %
		return l, fmt.Errorf("%q: write %s%% for a percentage", s, share)
	}
	if err != nil || !(v >= 0) || math.IsInf(v, 0) {
		return l, fmt.Errorf("%q: %q is no share from 0 up; write 5%%", s, share)
	}
	l.Share = v
	return l, nil
}

func (l Limit) String() string {
	return l.Word + ":" + strconv.FormatFloat(l.Share*100, 'g', 6, 64) + "%"
}

// Exceeds lists the rows that exceed a limit: those in which a difference was
// found, in the limit's direction, and whose ratio of medians lies further from
// 1 than its share. After [Contrast.Together] noise alone trips it once in twenty
// contrasts at the most.
func (c *Contrast) Exceeds(l Limit) []ContrastRow {
	var out []ContrastRow
	for _, r := range c.Rows {
		bad := r.Verdict == Slower || r.Verdict == Worse
		good := r.Verdict == Faster || r.Verdict == Better
		neither := r.Verdict == Lower || r.Verdict == Higher
		switch {
		case l.Word == Slower && !bad, l.Word == Faster && !good, !(bad || good || neither):
			continue
		case r.Ratio != nil && math.Abs(r.Ratio.Point-1) <= l.Share:
			continue
		}
		out = append(out, r)
	}
	return out
}
