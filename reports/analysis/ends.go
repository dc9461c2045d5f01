package analysis

import (
	"strconv"

	"lab/bench/stats"
	"lab/reports/msg"
)

// Ends are an interval's two ends and what they are. The ends aren't rounded to
// marks, which they are held against.
func Ends(iv stats.Interval, s msg.Scale, marks ...float64) msg.Message {
	span := s.Join(s.Span(iv.Lo, iv.Hi, marks...))
	switch {
	case disagree(iv):
		return msg.T("ends.differ", span)
	case !iv.Known():
		return msg.T("ends.range", span)
	case iv.Method == stats.Agreed:
		return answersText(iv)
	}
	of := 0.95
	if iv.Method == stats.Ranks { // made for more, where it is one of a family
		of = iv.Confidence
	}
	return msg.T("ends", confidence(of), span)
}

// confidence names an interval by what it was made for: what its order statistics
// attain may be a little more.
func confidence(c float64) string { return strconv.FormatFloat(c*100, 'g', 3, 64) + " %" }

// SpanOf is an interval's two ends, in a scale that isn't named.
func SpanOf(iv stats.Interval, u msg.Scale, marks ...float64) msg.Message {
	return RangeOf(iv, u.Span(iv.Lo, iv.Hi, marks...))
}

// RangeOf marks the ends of what is no interval.
func RangeOf(iv stats.Interval, span msg.Message) msg.Message {
	if iv.Known() {
		return span
	}
	return msg.T("range", span)
}

// disagree says whether these are the ends of trials of which all should have given the
// same: no number of them would make an interval.
func disagree(iv stats.Interval) bool { return !iv.Known() && iv.Needs == 0 }

// answersText says how many trials gave the same.
func answersText(iv stats.Interval) msg.Message {
	if disagree(iv) {
		return msg.T("ends.differ", msg.Bare.Span(iv.Lo, iv.Hi))
	}
	if !iv.Known() {
		return msg.T("ends.range", msg.Bare.Span(iv.Lo, iv.Hi))
	}
	return msg.T("ends.agreed", iv.N)
}
