package scenarios

import (
	"fmt"

	"lab/bench"
	"lab/bench/image"
	"lab/bench/results"
)

// HPCC asks what isolation costs programs that compute: the kernels of the HPC Challenge
// that comparisons of virtual machines and containers report.
func HPCC() *bench.Scenario {
	return &bench.Scenario{
		Name:     "hpcc",
		Workload: image.ProbePath,
		Question: "What does isolation cost programs that compute: Linpack, STREAM, RandomAccess?",
		Alone:    "a trial takes all processors",
		Method: "A trial starts one instance of the lab's probe, the same bytes everywhere, which does six things in turn, each for a fixed time: it solves systems of 400 linear equations with a library (dgesv of gonum, on all of its processors), " +
			"goes over arrays of 16 MiB in STREAM's four ways, and changes words of a table of 128 MiB at random. Each is checked after its time: the residual, the sums, the table. " +
			"What each takes is the program's own figure, the middle one of some dozens of batches; the host stamps the beginning and the end of each on its own clock, " +
			"and where the two lengths differ by more than 1 % the trial is marked (two-clocks). " + ownGroupText +
			"The sizes are small, so that a trial takes seconds: the figures are no machine's best, the ratios between environments are sound.",
		Cells:    func(o bench.Options) []bench.Cell { return probeCells(o, len(hpccMetrics)) },
		Trial:    probeTrial(hpccMetrics),
		Metrics:  hpccMetrics,
		Figures:  hpccFigures,
		Findings: hpccFindings(),
	}
}

var hpccMetrics = []results.Metric{
	{Name: "linpack", Title: "Linpack", Unit: "1/s", Better: "higher",
		Help: "Operations a second while systems of 400 linear equations are solved by a library (LAPACK's dgesv in gonum, which uses vector units of 128 bits and all processors); 2/3 n³ + 2 n² a system, as LINPACK counts."},
	{Name: "stream-copy", Title: "STREAM copy", Unit: "B/s", Better: "higher", Help: "Bytes a second of c = a over arrays of 16 MiB, by STREAM's count of two numbers an element. Go uses no vector unit."},
	{Name: "stream-scale", Title: "STREAM scale", Unit: "B/s", Better: "higher", Help: "The same for b = s·c."},
	{Name: "stream-add", Title: "STREAM add", Unit: "B/s", Better: "higher", Help: "The same for c = a + b, by STREAM's count of three numbers an element."},
	{Name: "triad", Title: "STREAM triad", Unit: "B/s", Better: "higher", Help: "The same for a = b + s·c; scenario cpu has it, too."},
	{Name: "updates", Title: "RandomAccess", Unit: "1/s", Better: "higher",
		Help: "Changes a second of words of a table of 128 MiB, at places in an order that can't be foreseen, each independent of the one before. A billion a second are one GUPS."},
}

var hpccFigures = []results.Figure{
	{Name: "ratios", Title: "How many times as long it takes as on the host", Kind: "ratios",
		Metrics: []string{"linpack", "stream-copy", "stream-scale", "stream-add", "triad", "updates"},
		Caption: "A diamond is the ratio of medians, its bar the 95 % interval; on the line at 1 it costs nothing."},
}

func hpccFindings() (out []results.Finding) {
	for _, x := range []struct{ metric, says string }{
		{"linpack", "A library's linear algebra is as fast %s as on the host."},
		{"updates", "Memory is changed at random as fast %s as on the host."},
	} {
		for _, e := range []struct{ env, where, why string }{
			{"container", "in a container", "“near native” is less than a twentieth; a container's instructions are the host's own"},
			{"vm", "in a virtual machine", "“near native” is less than a twentieth; a guest's instructions are the processor's own under KVM, but an address is looked up in two tables"},
		} {
			out = append(out, results.Finding{Name: e.env + "-" + x.metric, Statement: fmt.Sprintf(x.says, e.where),
				Metric: x.metric, Of: e.env, To: "host", Compare: "ratio", Op: "within", Threshold: near, Reason: e.why, NeedsKVM: e.env == "vm"})
		}
	}
	return out
}
