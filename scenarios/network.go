package scenarios

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"strconv"
	"time"

	"lab/bench"
	"lab/bench/image"
	"lab/bench/probe/line"
	"lab/bench/results"
)

// Network asks what isolation costs on the way of a byte: between a process of
// the host and an instance, and between two instances. The same program is
// client and server everywhere.
func Network() *bench.Scenario {
	return &bench.Scenario{
		Name:     "network",
		Layout:   true,
		Alone:    "a trial has a program at either end, and needs two processors for itself",
		Workload: image.ProbePath,
		Question: "What does isolation cost in throughput, latency and connections?",
		Method: "A trial starts one instance of the lab's probe, the same bytes everywhere, as a server, and a client: a plain process in the testbed's network (from=host), " +
			"or a second instance of the same kind (from=twin); a network that no connection can enter (a guest's net=user) has the client inside and the server outside (from=inside). The client does six things in turn, each for a fixed time: it sends on one TCP stream, on four, " +
			"sends a byte back and forth, makes connections one after the other, reads a TCP stream of the server's, and sends a byte back and forth in datagrams (UDP). It sends in blocks of 128 KiB, in one thread, and what counts is what the server has read. " +
			"What each takes is the client's own figure; the host stamps the beginning and the end of each on its own clock, and where the two lengths differ by more than 1 % the trial is marked (two-clocks). " +
			ownGroupText +
			"The path is proved: the counters of the testbed's devices are read before and after, and a trial whose bytes went another way fails. " +
			"No packet leaves the machine, and no wire slows it: these are figures of the kernel's work, not of a network card's.",
		Cells:    networkCells,
		Trial:    networkTrial,
		Beside:   "host",
		Metrics:  networkMetrics,
		Figures:  networkFigures,
		Findings: networkFindings,
	}
}

// Times for each of the six things. A guest's words take up to some
// milliseconds to the host; where the client is in one, that has to be little
// beside what the client times.
const (
	netSection      = 500 * time.Millisecond
	netSectionQuick = 150 * time.Millisecond
	netSectionGuest = time.Second
)

func netLength(c bench.Cell) time.Duration {
	switch from := c.Variant["from"]; {
	case c.Guest && (from == "twin" || from == "inside") && !c.Quick:
		return netSectionGuest
	case c.Quick && (!c.Guest || from == "host"):
		return netSectionQuick
	}
	return netSection
}

// A networkWay is a row of each environment that can be on a network so: whose settings
// allow its Set, or else its variant, and which hasn't got the setting lacks.
type networkWay struct {
	bench.Cell
	lacks string
}

// networkWays are all of them. An environment without a choice of network, and
// without a kernel of its own, is on the testbed's: chroot, as a control.
var networkWays = []networkWay{
	{bench.Cell{Variant: map[string]string{"net": "host"}}, "nic"},
	{bench.Cell{Variant: map[string]string{"net": "bridge", "from": "host"}, Set: ownNetwork}, ""},
	{bench.Cell{Variant: map[string]string{"net": "bridge", "from": "twin"}, Set: ownNetwork}, ""},
	{bench.Cell{Variant: map[string]string{"net": "bridge", "from": "host"}}, "nic"},
	{bench.Cell{Variant: map[string]string{"net": "bridge", "from": "twin"}}, "nic"},
	{bench.Cell{Variant: map[string]string{"net": "bridge", "nic": "virtio", "from": "host"}, Default: exactClock}, ""},
	{bench.Cell{Variant: map[string]string{"net": "bridge", "nic": "virtio", "from": "twin"}, Default: exactClock}, ""},
	{bench.Cell{Variant: map[string]string{"net": "bridge", "nic": "e1000", "from": "host"}, Default: exactClock}, ""},
	{bench.Cell{Variant: map[string]string{"net": "user", "nic": "virtio", "from": "inside"}, Default: exactClock}, ""},
	// What the emulated card has to be compared with: its driver is in the
	// distribution's full kernel alone. It is left out of a first look.
	{bench.Cell{Variant: map[string]string{"net": "bridge", "nic": "virtio", "from": "host", "kernel": "full"}, Default: exactClock}, ""},
}

// ownNetwork gives a plain process a network namespace.
var ownNetwork = map[string]string{"netns": "own"}

// fits says whether it is a row of an environment.
func (w networkWay) fits(e bench.About) bool {
	if !e.Guest && !e.Has("net") && w.Variant["net"] == "host" {
		return true
	}
	needs := w.Set
	if needs == nil {
		needs = maps.Clone(w.Variant)
		delete(needs, "from")
	}
	return e.Can(needs) && !e.Has(w.lacks)
}

// exactClock gives a guest a timer to set its clock by. Without ACPI's tables it
// has none but the one of 1981, which an emulator under load doesn't serve in
// time; its clock then has ticks of 4 ms, longer than what is measured.
var exactClock = map[string]string{"acpi": "on"}

// networkCells: what a user asks for with --variant leaves out the cells that
// are otherwise.
func networkCells(o bench.Options) []bench.Cell {
	var cells []bench.Cell
	for _, e := range o.Chosen() {
		for _, way := range networkWays {
			if !way.fits(e) || !agrees(way.Cell, o) || o.Quick && way.Variant["kernel"] != "" {
				continue
			}
			c := bench.Usual.Row(e, o)
			c.Variant, c.Set, c.Default = way.Variant, way.Set, way.Default
			c.Init, c.Grouped = e.Guest, ownGroup(e, o)
			c.Expect = 6*netLength(c) + 80*time.Millisecond
			if e.Guest {
				// Its network comes up after its kernel; a second guest boots after
				// the first, and the full kernel has an emulated card to find.
				c.Expect += 1200 * time.Millisecond
				if c.Variant["from"] == "twin" || c.Variant["nic"] == "e1000" {
					c.Expect += 2200 * time.Millisecond
				}
				if c.Variant["from"] == "twin" && o.Quick {
					c.Trials = 2
				}
			}
			cells = append(cells, c)
		}
	}
	return cells
}

// agrees says whether a cell is among those that the user asked for.
func agrees(c bench.Cell, o bench.Options) bool {
	for k, v := range c.Variant {
		if o.Excludes(k, v) {
			return false
		}
	}
	return true
}

// networkTrial starts the server, and the client while the server serves. A
// network that can't be entered from outside (from=inside) has the server on
// the host, and the client in the instance.
func networkTrial(ctx context.Context, t *bench.T, c bench.Cell) error {
	serve := t.Probe
	if c.Variant["from"] == "inside" {
		serve = t.Beside
	}
	return served(ctx, t, serve, func(server netip.AddrPort) error { return networkClient(ctx, t, c, server) })
}

// A runner runs the probe with a subcommand, as [bench.T.Probe] does.
type runner func(ctx context.Context, args []string, on func(bench.Instance, bench.Heard) error) error

// served has the probe serve while a client works, which is told where.
func served(ctx context.Context, t *bench.T, serve runner, client func(server netip.AddrPort) error) error {
	var server netip.AddrPort
	return serve(ctx, []string{"serve"}, func(i bench.Instance, h bench.Heard) error {
		switch {
		case h.Kind == line.Fact && h.Name == "listen":
			port, err := strconv.ParseUint(h.Text("port"), 10, 16)
			if err != nil {
				return bench.Blamed(bench.BlameLab, fmt.Errorf("probe: serve: %w", err))
			}
			at := t.HostAddr()
			if a, ok := i.(bench.Addresser); ok && a.Addr() != "" {
				at = a.Addr()
			}
			addr, err := netip.ParseAddr(at)
			if err != nil {
				return bench.Blamed(bench.BlameLab, err)
			}
			server = netip.AddrPortFrom(addr, uint16(port))
		case h.Kind == line.Begin:
			// The server serves until this returns.
			return client(server)
		}
		return nil
	})
}

// networkClient runs the client's half, and looks at the devices around each of
// its sections.
func networkClient(ctx context.Context, t *bench.T, c bench.Cell, server netip.AddrPort) error {
	run := t.Beside
	if from := c.Variant["from"]; from == "twin" || from == "inside" {
		run = t.Probe
	}
	args := []string{"net", "to=" + server.String(), "ms=" + strconv.FormatInt(netLength(c).Milliseconds(), 10)}
	way := wayOf(c)
	var before passage
	var busy time.Duration
	return run(ctx, args, func(_ bench.Instance, h bench.Heard) (err error) {
		switch h.Kind {
		case line.Begin:
			if before, err = carried(t); err == nil {
				busy, err = t.ProcessorTime()
			}
			return err
		case line.End:
			v, err := h.Value("value")
			if err != nil {
				return err
			}
			bytes, err := h.Value("bytes")
			if err != nil {
				return err
			}
			now, err := t.ProcessorTime()
			if err != nil {
				return err
			}
			after, err := carried(t)
			if err != nil {
				return err
			}
			took := after.since(before)
			if err := way.prove(took, bytes); err != nil {
				return bench.Blamed(bench.BlameLab, fmt.Errorf("network: %s: %w", h.Name, err))
			}
			if h.Name == "latency" || h.Name == "udp" { // the samples have it
				return nil
			}
			if h.Name == "stream" {
				if spent := now - busy; spent < fewTicks*bench.Tick {
					t.RecordText("stream-cpu", "not applicable: the stream took less processor time than the kernel's clock can tell")
				} else {
					t.Record("stream-cpu", spent.Seconds()/(bytes/1e6))
				}
				t.Found(way.found(t, after))
				t.Record("port", took.share())
			}
			t.Record(h.Name, v)
		case line.Samples:
			return t.RecordSamples(h.Name, h)
		}
		return nil
	})
}

// fewTicks is of how many ticks a time of processors has to be, so that one more or less is
// no more than a twelfth.
const fewTicks = 12

var networkMetrics = []results.Metric{
	{Name: "stream", Title: "One stream", Unit: "B/s", Better: "higher",
		Help: "Bytes a second that the server has read from one TCP stream, from the client's first write to the server's count of the last byte; the beginning, in which TCP tries how much it may send, is part of it."},
	{Name: "streams", Title: "Four streams", Unit: "B/s", Better: "higher",
		Help: "The same on four streams together. Client and server have one thread each, so that this shows what more buffers and acknowledgements do, not more processors."},
	{Name: "latency", Title: "Round trip", Unit: "s", Better: "lower",
		Help: "Time in which one byte goes to the server and comes back, on an open TCP connection without delay. p50 and p99 are of all round trips of a trial; samples/ has all of them."},
	{Name: "connect", Title: "Connections", Unit: "1/s", Better: "higher",
		Help: "Connections a second, one after the other: each is opened, carries a byte there and one back, and is reset."},
	{Name: "receive", Title: "One stream back", Unit: "B/s", Better: "higher",
		Help: "Bytes a second that the client reads from one TCP stream that the server sends, from the request on: the other direction than the first stream."},
	{Name: "udp", Title: "Round trip, UDP", Unit: "s", Better: "lower",
		Help: "Time in which a datagram of one byte goes to the server and another comes back. p50 and p99 are of all round trips of a trial; samples/ has all of them. One that is lost is sent again after a second."},
	{Name: "stream-cpu", Title: "Processor time a megabyte", Unit: "s", Better: "lower",
		Help: "For how long the machine's processors were busy during the first stream, divided by the million bytes that came: of sender, receiver, kernel, hypervisor and whatever else ran. The kernel counts it in ticks of 10 ms."},
	{Name: "port", Title: "Share on its own port", Unit: "1",
		Help: "Of the bytes that the testbed's devices counted during the stream, those on the instance's own port of the bridge, by those on its port and on loopback: 1 with its own interface, 0 without."},
}

var networkFigures = []results.Figure{
	{Name: "throughput", Title: "How much gets through", Kind: "panels",
		Metrics: []string{"stream", "streams", "connect"},
		Caption: "net=host: over loopback, as between two processes of one machine. net=bridge: its own network, over a virtual cable and the testbed's bridge. from=host: the client is a process of the host; from=twin: in a second instance; from=inside: in the instance, and the server on the host."},
	{Name: "latency", Title: "How long a byte takes there and back", Kind: "panels", Log: true,
		Metrics: []string{"latency p50", "latency p99"},
		Caption: "p50 is what half of a trial's round trips stay below, p99 what all but one in a hundred do. net= and from= as in the figure of throughput."},
	{Name: "datagrams", Title: "How long a datagram takes there and back", Kind: "panels", Log: true,
		Metrics: []string{"udp p50", "udp p99"},
		Caption: "The same over UDP, which asks for no acknowledgement. net= and from= as in the figure of throughput."},
	{Name: "effort", Title: "The other direction, and what a megabyte costs in processor time", Kind: "panels",
		Metrics: []string{"receive", "stream-cpu"},
		Caption: "The time is that of all of the machine's processors together, while the first stream is sent. net= and from= as in the figure of throughput."},
	{Name: "loopback", Title: "What each costs compared with two host processes over loopback", Kind: "ratios", To: "host", ToVariant: onHost,
		Metrics: []string{"stream", "streams", "latency p50", "connect"},
		Caption: "The bridge's cost and the isolation's, together. A diamond is the ratio of medians, its bar the 95 % interval; on the line at 1 it costs nothing."},
	{Name: "same-network", Title: "What the isolation alone costs, on the same network", Kind: "ratios",
		Metrics: []string{"stream", "streams", "latency p50", "connect"},
		Caption: "Each row compared with the plain host process whose bytes take the same path: net=host with net=host, net=bridge with net=bridge, each with the same from=."},
}

// little is what "a little" means of a cost: a tenth at the most.
const little = 0.1

var (
	onHost   = map[string]string{"net": "host"}
	onBridge = map[string]string{"net": "bridge", "from": "host"}
	onTwin   = map[string]string{"net": "bridge", "from": "twin"}
)

// networkFindings take apart what people say about containers' networks:
// "near native", "a bridge costs a little", "use host networking for what
// depends on the network", "each has its own interface". Each speaks of
// throughput, of latency and of connections, which need not agree.
var networkFindings = []results.Finding{
	{Name: "container-host-stream", Claim: 6, Statement: "With host networking a container's throughput is as on the host.",
		Metric: "stream", Of: "container", OfVariant: onHost, To: "host", ToVariant: onHost, Compare: "ratio", Op: "within", Threshold: near,
		Reason: "“near native” is less than a twentieth; its bytes take the same way through the same kernel"},
	{Name: "container-host-latency", Claim: 6, Statement: "With host networking a byte takes as long as on the host.",
		Metric: "latency p50", Of: "container", OfVariant: onHost, To: "host", ToVariant: onHost, Compare: "ratio", Op: "within", Threshold: near,
		Reason: "“near native” is less than a twentieth; only the filter of system calls is added"},
	{Name: "container-host-connect", Claim: 6, Statement: "With host networking connections are made as fast as on the host.",
		Metric: "connect", Of: "container", OfVariant: onHost, To: "host", ToVariant: onHost, Compare: "ratio", Op: "within", Threshold: near,
		Reason: "“near native” is less than a twentieth"},
	{Name: "bridge-stream", Claim: 6, Statement: "A bridge costs a container a little throughput.",
		Metric: "stream", Of: "container", OfVariant: onBridge, To: "host", ToVariant: onHost, Compare: "ratio", Op: "above", Threshold: 1 - little,
		Reason: "“a little” is a tenth at the most; compared with loopback between two host processes"},
	{Name: "bridge-latency", Claim: 6, Statement: "A bridge makes a byte's way a little longer.",
		Metric: "latency p50", Of: "container", OfVariant: onBridge, To: "host", ToVariant: onHost, Compare: "ratio", Op: "below", Threshold: 1 + little,
		Reason: "“a little” is a tenth at the most; compared with loopback between two host processes"},
	{Name: "bridge-connect", Claim: 6, Statement: "A bridge costs a container few connections.",
		Metric: "connect", Of: "container", OfVariant: onBridge, To: "host", ToVariant: onHost, Compare: "ratio", Op: "above", Threshold: 1 - little,
		Reason: "“few” is a tenth at the most; compared with loopback between two host processes"},
	{Name: "container-stream", Claim: 5, Statement: "On the same bridge a container's throughput is a plain process's.",
		Metric: "stream", Of: "container", OfVariant: onBridge, To: "host", ToVariant: onBridge, Compare: "ratio", Op: "within", Threshold: near,
		Reason: "“near native” is less than a twentieth; what the bridge costs is left out, and the rest of the container remains"},
	{Name: "container-latency", Claim: 5, Statement: "On the same bridge a byte takes as long to a container as to a plain process.",
		Metric: "latency p50", Of: "container", OfVariant: onBridge, To: "host", ToVariant: onBridge, Compare: "ratio", Op: "within", Threshold: near,
		Reason: "“near native” is less than a twentieth; what the bridge costs is left out, and the rest of the container remains"},
	{Name: "container-connect", Claim: 5, Statement: "On the same bridge connections to a container are made as fast as to a plain process.",
		Metric: "connect", Of: "container", OfVariant: onBridge, To: "host", ToVariant: onBridge, Compare: "ratio", Op: "within", Threshold: near,
		Reason: "“near native” is less than a twentieth; what the bridge costs is left out, and the rest of the container remains"},
	{Name: "vm-stream", Statement: "On the same bridge a virtual machine's throughput is a plain process's.",
		Metric: "stream", Of: "vm", OfVariant: onBridge, To: "host", ToVariant: onBridge, Compare: "ratio", Op: "within", Threshold: near,
		Reason: "“near native” is less than a twentieth; a guest's packets pass a second kernel and a device that is a program", NeedsKVM: true},
	{Name: "vm-latency", Statement: "On the same bridge a byte takes as long to a virtual machine as to a plain process.",
		Metric: "latency p50", Of: "vm", OfVariant: onBridge, To: "host", ToVariant: onBridge, Compare: "ratio", Op: "within", Threshold: near,
		Reason: "“near native” is less than a twentieth; each packet leaves the guest and interrupts it", NeedsKVM: true},
	{Name: "vm-much-latency", Claim: 40, Statement: "On the same bridge a byte takes a quarter longer to a virtual machine than to a plain process.",
		Metric: "latency p50", Of: "vm", OfVariant: map[string]string{"net": "bridge", "nic": "virtio", "from": "host"}, To: "host", ToVariant: onBridge, Compare: "ratio", Op: "above", Threshold: 1.25,
		Reason: "a quarter is the least that anybody would call large, or much faster", NeedsKVM: true},
	{Name: "twins-stream", Claim: 6, Statement: "Two containers on a bridge talk as fast as two processes over loopback.",
		Metric: "stream", Of: "container", OfVariant: onTwin, To: "host", ToVariant: onHost, Compare: "ratio", Op: "within", Threshold: near,
		Reason: "“as fast” is less than a twentieth"},
	{Name: "own-port", Claim: 28, Statement: "A container on a bridge has its own interface.",
		Metric: "port", Of: "container", OfVariant: onBridge, Compare: "value", Op: "above", Threshold: 0.99,
		Reason: "all but the neighbours' talk must have passed its own port, by the device's counters"},
	{Name: "no-port", Claim: 28, Statement: "A container with host networking has its own interface.",
		Metric: "port", Of: "container", OfVariant: onHost, Compare: "value", Op: "above", Threshold: 0.99,
		Reason: "all but the neighbours' talk must have passed its own port, by the device's counters"},
}
