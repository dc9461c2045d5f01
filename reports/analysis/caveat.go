package analysis

import "lab/reports/msg"

// mostly is the share of disturbed trials from above which a verdict says so
// beside itself: a reader who takes nothing else along has to take this.
const mostly = 0.5

// caveat says what a verdict may not be quoted without: that most of the trials of
// a row that it rests on were disturbed, that they come in two groups, or that the
// machine was itself emulated (its KVM is real, and rests on emulated hardware); or
// nothing.
func caveat(metric string, rests ...*Cell) msg.Message {
	disturbed, all, most := 0, 0, false
	var noisy, unreal msg.Message
	for _, c := range rests {
		n, of := c.disturbedIn(metric)
		disturbed, all = disturbed+n, all+of
		most = most || float64(n) > mostly*float64(of)
		if c.unreal {
			unreal = msg.T("caveat.emulated")
		}
	}
	if most {
		noisy = disturbedOf(disturbed, all)
	}
	return msg.Join("join.semicolon", noisy, GroupsNote(metric, rests...), unreal)
}

// disturbedOf is "14 of 20 trials were disturbed".
func disturbedOf(n, of int) msg.Message { return msg.T("disturbed", n, msg.T("trials", of)) }

// Beside is a verdict's outcome, with its caveat behind it.
func Beside(outcome, caveat msg.Message) msg.Message {
	if caveat.IsZero() {
		return outcome
	}
	return msg.T("caveat.beside", outcome, caveat)
}
