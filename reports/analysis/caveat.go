package analysis

import (
	"fmt"
	"strings"

	"lab/reports/msg"
)

// mostly is the share of disturbed trials from above which a verdict says so
// beside itself: a reader who takes nothing else along has to take this.
const mostly = 0.5

// MachineEmulated is said of the speed of virtual machines on a machine that is
// itself a program. Its KVM is real, and rests on emulated hardware.
const MachineEmulated = "this machine was itself emulated in software, which is no measure of how fast VMs are"

// caveat says what a verdict may not be quoted without: that most of the trials of
// a row that it rests on were disturbed, that they come in two groups, or that the
// machine was itself emulated; or "".
func caveat(metric string, rests ...*Cell) string {
	disturbed, all, most, unreal := 0, 0, false, ""
	for _, c := range rests {
		n, of := c.disturbedIn(metric)
		disturbed, all = disturbed+n, all+of
		most = most || float64(n) > mostly*float64(of)
		if c.unreal {
			unreal = MachineEmulated
		}
	}
	noisy := ""
	if most {
		noisy = disturbedOf(disturbed, all)
	}
	return strings.Join(msg.NonEmpty(noisy, GroupsNote(metric, rests...), unreal), "; ")
}

// disturbedOf writes "14 of 20 trials were disturbed".
func disturbedOf(n, of int) string {
	verb := "were"
	if n == 1 {
		verb = "was"
	}
	return fmt.Sprintf("%d of %s %s disturbed", n, msg.Plural(of, "trial"), verb)
}

// Beside writes a caveat behind a verdict's outcome.
func Beside(caveat string) string {
	if caveat == "" {
		return ""
	}
	return " (" + caveat + ")"
}
