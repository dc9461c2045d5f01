package scenarios

import (
	"fmt"
	"slices"

	"lab/bench/results"
)

// near is what "near native" means in every scenario: the whole interval of the
// ratio within 1 ± 0.05.
const near = 0.05

// cpuFindings take "next to no performance is lost" apart: a statement for each
// thing that a program does, the same for a container and for a guest.
func cpuFindings() []results.Finding {
	says := map[string]string{
		"integer": "Computing with integers is as fast %s as on the host.",
		"float":   "Computing with floating point is as fast %s as on the host.",
		"triad":   "Memory in order is as fast %s as on the host.",
		"chase":   "Memory at random is as fast %s as on the host.",
		"syscall": "System calls are as fast %s as on the host.",
		"fault":   "Page faults are as fast %s as on the host.",
		"switch":  "Processes are switched as fast %s as on the host.",
		"exec":    "Programs are started as fast %s as on the host.",
		"ipi":     "Processes are woken on another CPU as fast %s as on the host.",
	}
	why := map[string]string{
		"container": "“near native” is less than a twentieth; a container's instructions are the host's own, but its kernel filters system calls",
		"vm":        "“near native” is less than a twentieth; a guest's instructions are the processor's own under KVM, but pages have two tables, and interrupts leave the guest",
	}
	var out []results.Finding
	for _, m := range cpuMetrics {
		text, ok := says[m.Name]
		if !ok {
			continue
		}
		for _, env := range []string{"container", "vm"} {
			// A guest's kernel does system calls and switches by itself; of
			// what may need the host, each is judged.
			if env == "vm" && slices.Contains([]string{"syscall", "switch", "triad"}, m.Name) || env == "container" && m.Name == "ipi" {
				continue
			}
			where := map[string]string{"container": "in a container", "vm": "in a virtual machine"}[env]
			out = append(out, results.Finding{
				Name: env + "-" + m.Name, Claim: 5, Statement: fmt.Sprintf(text, where),
				Metric: m.Name, Of: env, To: "host", Compare: "ratio", Op: "within", Threshold: near,
				Reason: why[env], NeedsKVM: env == "vm",
			})
		}
	}
	// What is said of virtual machines the other way round.
	for _, x := range []struct {
		metric, says string
		claim        int
	}{
		{"integer", "Computing in a virtual machine takes a quarter longer than on the host.", 18},
		{"exec", "Starting programs in a virtual machine takes a quarter longer than on the host.", 18},
		{"chase", "Memory at random takes a quarter longer in a virtual machine than on the host.", 40},
		{"fault", "Page faults take a quarter longer in a virtual machine than on the host.", 40},
	} {
		out = append(out, results.Finding{Name: "vm-much-" + x.metric, Claim: x.claim, Statement: x.says,
			Metric: x.metric, Of: "vm", To: "host", Compare: "ratio", Op: "above", Threshold: 1.25,
			Reason: "a quarter is the least that anybody would call large, or much faster", NeedsKVM: true})
	}
	return out
}
