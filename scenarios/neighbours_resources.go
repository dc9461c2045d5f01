package scenarios

import (
	"context"
	"fmt"
	"net/netip"
	"strconv"
	"time"

	"lab/bench"
	"lab/bench/probe/line"
	"lab/bench/results"
)

// A victim of a resource waits for a device rather than for a processor: its neighbour
// is a storm on the same device. Which rows there are of each, limits by limits.
var neighboursResources = []struct {
	victim string
	limits []string
}{
	{"disk", []string{"none", "throttle"}},
	{"network", []string{"none", "shares"}},
}

// neighboursThrottle is what the disk's neighbour may write in a second.
const neighboursThrottle = 4 << 20

// resourceLength is how long such a victim works: a storm makes each of its writes
// late, and a 99th percentile needs a hundred of them.
func resourceLength(quick bool) time.Duration { return 2 * neighboursLength(quick) }

// resourceCells are the rows of an environment. A guest's are left out of a first look:
// each is two guests, or four.
func resourceCells(e bench.About, o bench.Options) (cells []bench.Cell) {
	for _, r := range neighboursResources {
		set, ok := map[string]string(nil), true
		if r.victim == "network" {
			set, ok = bridged(e)
		}
		if !ok || !e.HostFiles && !e.Has("net") || (e.Guest || e.WholeCommand) && o.Quick {
			continue
		}
		for n, limits := range append([]string{"none"}, r.limits...) {
			if limits != "none" && (e.Guest || !ownGroup(e, o) || o.Quick && e.HostFiles) {
				continue // of a plain process the first look has the storm alone
			}
			beside := r.victim
			if n == 0 {
				beside = "nobody"
			}
			c := neighboursCell(e, o, r.victim, beside, limits)
			c.Set, c.Work = set, r.victim == "disk"
			if c.Work {
				c.Disk = neighboursDisk + 32<<20
			}
			if e.Guest && r.victim == "network" {
				c.Default = exactClock
			}
			cells = append(cells, c)
		}
	}
	return cells
}

// bridged are the settings that give an environment's instance a port of the testbed's
// bridge.
func bridged(e bench.About) (set map[string]string, ok bool) {
	for _, set := range []map[string]string{{"net": "bridge"}, ownNetwork} {
		if e.Can(set) {
			return set, true
		}
	}
	return nil, false
}

// throttled holds a neighbour's writes back, on the disk that the work folder is on.
func throttled(t *bench.T, l *bench.Limits) error {
	disk, err := t.HomeDisk()
	if err != nil {
		return bench.NotApplicable("the work folder isn't on a disk whose writes can be limited", "--work with a folder on one")
	}
	l.IO.Device, l.IO.WriteBytes = disk, neighboursThrottle
	return nil
}

// networkVictim sends a byte to a server of its own kind and back, over the testbed's
// bridge; the neighbour, if there is one, a stream to another.
func networkVictim(ctx context.Context, t *bench.T, c bench.Cell, mine, theirs bench.Spec) error {
	as := func(s bench.Spec) runner {
		return func(ctx context.Context, args []string, on func(bench.Instance, bench.Heard) error) error {
			return t.ProbeOf(ctx, s, args, on)
		}
	}
	return served(ctx, t, as(mine), func(server netip.AddrPort) error {
		victim := func() error {
			args := []string{"net", "only=latency", "to=" + server.String(), "ms=" + strconv.FormatInt(resourceLength(c.Quick).Milliseconds(), 10)}
			return resourceVictim(ctx, t, mine, args, "network", func(round float64) float64 { return 1 / round })
		}
		if c.Variant["beside"] == "nobody" {
			return victim()
		}
		return served(ctx, t, as(theirs), func(sink netip.AddrPort) error {
			return disturbed(ctx, t, c, theirs, []string{"to=" + sink.String()}, victim)
		})
	})
}

// diskVictim writes 4 KiB at a time, each safe on the disk before the next.
func diskVictim(ctx context.Context, t *bench.T, c bench.Cell, mine, theirs bench.Spec) error {
	place, err := t.Place(ctx)
	if err != nil {
		return err
	}
	victim := func() error {
		args := []string{"victim", "what=disk", "dir=" + place, "ms=" + strconv.FormatInt(resourceLength(c.Quick).Milliseconds(), 10)}
		return resourceVictim(ctx, t, mine, args, "disk", func(rate float64) float64 { return rate })
	}
	if c.Variant["beside"] == "nobody" {
		return victim()
	}
	return disturbed(ctx, t, c, theirs, []string{"dir=" + place, fmt.Sprint("to=", neighboursDisk)}, victim)
}

// resourceVictim runs the probe, and records how often a second it came round, which
// rate makes of its value, and how long each round took.
func resourceVictim(ctx context.Context, t *bench.T, s bench.Spec, args []string, resource string, rate func(value float64) float64) error {
	return t.ProbeOf(ctx, s, args, func(_ bench.Instance, h bench.Heard) error {
		switch h.Kind {
		case line.End:
			v, err := h.Value("value")
			if err != nil {
				return err
			}
			t.Record(resource+"-rate", rate(v))
		case line.Samples:
			return t.RecordSamples(resource+"-latency", h)
		}
		return nil
	})
}

var resourceMetrics = []results.Metric{
	{Name: "disk-rate", Title: "The victim's safe writes", Unit: "1/s", Better: "higher",
		Help: "Writes of 4 KiB in a second at random places of a file of 16 MiB, one after another, each safe on the disk (fdatasync) before the next."},
	{Name: "disk-latency", Title: "How long a safe write takes", Unit: "s", Better: "lower",
		Help: "From the call that writes 4 KiB to the return of fdatasync. p50 and p99 are of all writes of a trial; a 99th percentile needs a hundred."},
	{Name: "network-rate", Title: "The victim's round trips", Unit: "1/s", Better: "higher",
		Help: "How often in a second a byte goes to a second instance of the victim's kind and comes back, over the testbed's bridge on one TCP connection."},
	{Name: "network-latency", Title: "How long a round trip takes", Unit: "s", Better: "lower",
		Help: "The time in which the byte goes there and comes back. p50 and p99 are of all round trips of a trial."},
}

var resourceFigures = []results.Figure{
	{Name: "disk", Title: "The disk: a victim that writes, next to a storm of writes", Kind: "panels", Log: true, Metrics: []string{"disk-rate", "disk-latency p50", "disk-latency p99"},
		Caption: "Every point is one trial. The neighbour writes a MiB at a time, each with an fsync; limits=throttle: at most 4 MiB a second."},
	{Name: "network", Title: "The network: a victim's round trips, next to a stream that takes all it gets", Kind: "panels", Log: true,
		Metrics: []string{"network-rate", "network-latency p50", "network-latency p99"},
		Caption: "Every point is one trial. Victim and neighbour each have a second instance of their kind at the other end, and all are on one bridge: no wire is between them, and what they share is the kernel's work and the processors."},
}

// resourceFindings compare such a victim with the same one alone.
func resourceFindings() (out []results.Finding) {
	for _, x := range []struct {
		claim             int
		victim, limits    string
		metric, statement string
		op                string
		threshold         float64
		reason            string
	}{
		{7, "disk", "none", "disk-latency p50", "Without limits a container's safe writes take less than half as long again next to one that writes all it can.", "below", 1.5,
			"half as long again is what a database's user would notice; published for containers are eight times, for VMs two (Sharma 2016)"},
		{7, "network", "none", "network-latency p50", "Without limits a container's round trips take less than half as long again next to one that sends all it can.", "below", 1.5,
			"half as long again is what one would notice who waits for several of them"},
		{25, "disk", "throttle", "disk-latency p50", "With a limit on its neighbour's writes a container's own take less than half as long again.", "below", 1.5,
			"4 MiB a second leave the disk idle most of the time; half as long again is what one would notice"},
		{25, "network", "shares", "network-latency p50", "With a hundred times the CPU weight a container's round trips take less than half as long again next to a stream.", "below", 1.5,
			"on one machine the network is the processors' work, which the weights share out; half as long again is what one would notice"},
	} {
		out = append(out, results.Finding{Name: "container-" + x.victim + "-" + x.victim + "-" + x.limits, Claim: x.claim, Statement: x.statement,
			Metric: x.metric, Of: "container", OfVariant: map[string]string{"victim": x.victim, "beside": x.victim, "limits": x.limits},
			To: "container", ToVariant: map[string]string{"victim": x.victim, "beside": "nobody"}, Compare: "ratio", Op: x.op, Threshold: x.threshold, Reason: x.reason})
	}
	return out
}
