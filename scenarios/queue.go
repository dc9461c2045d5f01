package scenarios

import (
	"context"
	"fmt"
	"slices"
	"time"

	"lab/bench"
	"lab/bench/image"
	"lab/bench/probe/line"
	"lab/bench/results"
)

// Queue asks what a disk does with many requests at once, and what isolation leaves of it:
// the jobs that comparisons of virtual machines and containers use.
func Queue() *bench.Scenario {
	return &bench.Scenario{
		Name:     "queue",
		Workload: image.ProbePath,
		Question: "How much more does a disk do when many requests are under way at once?",
		Alone:    "a trial has up to 256 requests under way, which take all processors and the whole disk",
		Method: "A trial starts one instance of the lab's probe, the same bytes everywhere, which makes a file, fills it, and then reads and writes it past the page cache (O_DIRECT), each way for a fixed time: " +
			"1 MiB in order with one, two or sixteen requests at once, 4 KiB at random with one, sixteen, 32 and eight times sixteen, and 70 reads to 30 writes with eight times 32. " +
			"So many requests come from as many threads with pread and pwrite: io_uring is forbidden by the filter that containers have. " +
			"Every environment's file is on the work folder's file system, as in scenario disk. " +
			ownGroupText +
			"The host stamps each part's beginning and end on its own clock; where the two lengths differ by more than 1 % the trial is marked (two-clocks).",
		Cells:    queueCells,
		Trial:    queueTrial,
		Metrics:  queueMetrics(),
		Figures:  queueFigures,
		Findings: queueFindings(),
	}
}

// A queueJob is a part of a trial: the probe's section, and the value of it.
type queueJob struct{ section, key, metric, title, help string }

const queueDirect = ", past the page cache (O_DIRECT)."

var queueJobs = []queueJob{
	{"direct-write", "rate", "write-1", "Write in order, 1 at a time", "Bytes a second written over in order, 1 MiB a request, one at a time" + queueDirect},
	{"direct-write16", "rate", "write-16", "Write in order, 16 at once", "The same with sixteen requests at once."},
	{"direct-read", "rate", "read-1", "Read in order, 1 at a time", "Bytes a second read in order, 1 MiB a request, one at a time" + queueDirect},
	{"direct-read2", "rate", "read-2", "Read in order, 2 at once", "The same with two requests at once."},
	{"direct-read16", "rate", "read-16", "Read in order, 16 at once", "The same with sixteen requests at once."},
	{"direct-randwrite1", "ops", "randwrite-1", "Random write, 1 at a time", "Requests of 4 KiB a second written at random, one at a time" + queueDirect},
	{"direct-randwrite16", "ops", "randwrite-16", "Random write, 16 at once", "The same with sixteen requests at once."},
	{"direct-randwrite32", "ops", "randwrite-32", "Random write, 32 at once", "The same with 32 requests at once."},
	{"direct-randwrite128", "ops", "randwrite-128", "Random write, 8 × 16 at once", "The same with eight times sixteen requests at once."},
	{"direct-randread1", "ops", "randread-1", "Random read, 1 at a time", "Requests of 4 KiB a second read at random, one at a time" + queueDirect},
	{"direct-randread16", "ops", "randread-16", "Random read, 16 at once", "The same with sixteen requests at once."},
	{"direct-randread32", "ops", "randread-32", "Random read, 32 at once", "The same with 32 requests at once."},
	{"direct-randread128", "ops", "randread-128", "Random read, 8 × 16 at once", "The same with eight times sixteen requests at once."},
	{"direct-mixed256", "reads", "mixed-reads", "Reads of a mix, 8 × 32 at once", "Reads a second of a mix of 70 reads to 30 writes of 4 KiB at random, eight times 32 at once" + queueDirect},
	{"direct-mixed256", "ops", "mixed", "Reads and writes of a mix, 8 × 32 at once", "Reads and writes a second of the same mix."},
}

// queueSections are the probe's, each once.
func queueSections() (out []string) {
	for _, j := range queueJobs {
		if !slices.Contains(out, j.section) {
			out = append(out, j.section)
		}
	}
	return out
}

func queueMetrics() (out []results.Metric) {
	for _, j := range queueJobs {
		unit := "1/s"
		if j.key == "rate" {
			unit = "B/s"
		}
		out = append(out, results.Metric{Name: j.metric, Title: j.title, Unit: unit, Better: "higher", Help: j.help})
	}
	return out
}

// queueCells are scenario disk's on the machine that both have by default.
func queueCells(o bench.Options) (out []bench.Cell) {
	for _, c := range diskCells(o) {
		if c.Variant["machine"] == "" && c.Variant["cache"] != "writeback" || len(o.Variant["machine"])+len(o.Variant["cache"]) > 0 {
			c.Expect = c.Expect * time.Duration(len(queueSections())) / 15
			out = append(out, c)
		}
	}
	return out
}

func queueTrial(ctx context.Context, t *bench.T, c bench.Cell) error {
	return diskSections(ctx, t, c, queueSections(), func(h bench.Heard) error {
		switch h.Kind {
		case line.Fact:
			return queueFact(t, h)
		case line.End:
			for _, j := range queueJobs {
				if j.section != h.Name {
					continue
				}
				if err := diskRecord(t, h, j.metric, j.key); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// queueFact records what the file system can't do, under the metrics' names.
func queueFact(t *bench.T, h bench.Heard) error {
	why := h.Text("skip")
	if why == "" {
		return diskFact(t, h)
	}
	for _, j := range queueJobs {
		if j.section == h.Name {
			t.RecordText(j.metric, "not applicable: "+why)
		}
	}
	return nil
}

var queueFigures = []results.Figure{
	{Name: "order", Title: "In order, 1 MiB a request", Kind: "panels",
		Metrics: []string{"read-1", "read-2", "read-16", "write-1", "write-16"}, Caption: "The number is how many requests are under way at once."},
	{Name: "random", Title: "At random, 4 KiB a request", Kind: "panels",
		Metrics: []string{"randread-1", "randread-16", "randread-32", "randread-128", "randwrite-1", "randwrite-16", "randwrite-32", "randwrite-128", "mixed"},
		Caption: "The number is how many requests are under way at once; of the mix it is 256.", Log: true},
}

func queueFindings() (out []results.Finding) {
	for _, m := range []struct{ name, metric, what string }{
		{"reads", "randread-128", "128 small reads at once are"}, {"writes", "randwrite-128", "128 small writes at once are"}, {"mix", "mixed", "256 small reads and writes at once are"},
	} {
		for _, x := range []struct {
			env, where, why string
			variant         map[string]string
		}{
			{"container", "in a container's bind mount", "a bind mount is the same file system under another name", map[string]string{"data": "bind"}},
			{"vm", "in a virtual machine", "each request leaves the guest, and one thread of QEMU's takes it", map[string]string{"disk": "virtio", "cache": "none"}},
		} {
			out = append(out, results.Finding{Name: x.env + "-" + m.name, Statement: fmt.Sprintf("%s done as fast %s as on the host.", m.what, x.where),
				Metric: m.metric, Of: x.env, OfVariant: x.variant, To: "host", Compare: "ratio", Op: "within", Threshold: near,
				Reason: "“near native” is less than a twentieth; " + x.why, NeedsKVM: x.env == "vm"})
		}
	}
	return out
}
