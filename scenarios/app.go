package scenarios

import (
	"cmp"
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"lab/bench"
	"lab/bench/appfile"
	"lab/bench/request"
	"lab/bench/results"
)

// App asks how an application runs: one that people use, from one image, in each
// environment, and over its own network or the host's.
func App() *bench.Scenario {
	return &bench.Scenario{
		Name:     "app",
		Alone:    "a trial has a server and its clients, and needs more than one processor for itself",
		Takes:    []string{"app"},
		Question: "How soon does an application answer, and how much does it serve?",
		Method: "A trial starts one instance of the application (--app) from the run's image, and asks it over TCP, again and again, from the moment at which the start was made, until it answers as its file says it should. " +
			"Then several connections each send requests, one at a time and the next when the answer has come, for a fixed time: a load generator of the host that its file names, if it is installed, else the lab's own; the manifest says which. redis-benchmark sends a fixed number of requests instead, 1,000 for each second. " +
			"Generators differ, so compare runs that had the same one. Each connection waits for its answer, so a slower application is asked less often, and its latency is that of a load it can take. " +
			"An application of two parts (its file has the key behind) runs as two processes of one instance (parts=together) and in an instance for each (parts=apart); the second part is started first. " +
			"Memory is the share (PSS) of the instances' processes on the host right after the load. The client is in the testbed's network; no packet leaves the machine. " +
			ownGroupText +
			"A plain process is a row only if the program needs nothing but itself: else it would run with this machine's libraries and files, and not the image's. A chroot is what comes next.",
		Program: func(r *request.Request) string {
			if a, err := FindApp(r.App); err == nil {
				return a.Command[0]
			}
			return ""
		},
		Cells:    appCells,
		Fits:     appFits,
		Trial:    appTrial,
		Metrics:  appMetrics,
		Figures:  appFigures,
		Findings: appFindings,
	}
}

// DefaultApp is the application that the lab's own image has.
const DefaultApp = "httpd"

//go:embed apps/*.yaml
var apps embed.FS

// Apps are the names of the applications that the lab has files of.
func Apps() (out []string) {
	files, _ := fs.Glob(apps, "apps/*.yaml") // the pattern is right
	for _, f := range files {
		out = append(out, strings.TrimSuffix(path.Base(f), ".yaml"))
	}
	return out
}

// FindApp is the application with a name, "" being [DefaultApp]; or the one that the
// text itself describes, if it has several lines or begins with a brace.
func FindApp(text string) (*appfile.App, error) {
	if strings.ContainsAny(text, "\n{") {
		return appfile.Parse("app", []byte(text))
	}
	name := cmp.Or(text, DefaultApp)
	data, err := apps.ReadFile("apps/" + name + ".yaml")
	if err != nil {
		return nil, &request.UnknownError{What: "application", Word: name, Known: Apps()}
	}
	a, err := appfile.Parse(name+".yaml", data)
	if err == nil && a.Image == "" && len(a.Packages) > 0 {
		a.Image = name
	}
	return a, err
}

// appCounts: a trial takes seconds of load.
var appCounts = bench.Counts{Full: bench.Count{Trials: 20, Warmup: 1}, Quick: bench.Count{Trials: 6},
	Slow: bench.Count{Trials: 10, Warmup: 1}, SlowQuick: bench.Count{Trials: 3}}

// How long there is load.
const (
	appLoad      = 2 * time.Second
	appLoadQuick = time.Second // wrk counts in seconds
)

func appLength(quick bool) time.Duration {
	if quick {
		return appLoadQuick
	}
	return appLoad
}

// appWays are the networks that an application can be on: see networkWay.
var appWays = []networkWay{
	{Cell: bench.Cell{Variant: onHost}},
	{Cell: bench.Cell{Variant: map[string]string{"net": "bridge"}, Set: ownNetwork}},
	{Cell: bench.Cell{Variant: map[string]string{"net": "bridge"}}},
}

func appCells(o bench.Options) []bench.Cell {
	a, err := FindApp(o.App)
	if err != nil {
		return nil // the command has refused it
	}
	var cells []bench.Cell
	for _, e := range o.Chosen() {
		for _, way := range appWays {
			if !way.fits(e) || !agrees(way.Cell, o) || e.HostFiles && !a.Static && way.Set != nil {
				continue // one row says why a plain process has none
			}
			c := appCounts.Row(e, o)
			c.Variant, c.Set = way.Variant, way.Set
			c.Init, c.Grouped, c.Work, c.Asked = e.Guest, ownGroup(e, o), a.Writes && a.Static == e.HostFiles && !e.Guest, &o.Request
			c.Makes = []string{"pressure", "load"}
			c.Expect = appLength(o.Quick) + 200*time.Millisecond
			if e.Guest {
				c.Expect += 2 * time.Second
			}
			for _, x := range inParts(a, c) {
				cells = append(cells, swept(a, x)...)
			}
		}
	}
	return cells
}

// How the parts of an application of two are run: as processes of one instance, or in
// an instance each.
const (
	partsTogether = "together"
	partsApart    = "apart"
)

// inParts makes of an application's row one for each way to run its parts.
func inParts(a *appfile.App, c bench.Cell) (out []bench.Cell) {
	if len(a.Behind) == 0 || c.HostFiles {
		return []bench.Cell{c}
	}
	for _, parts := range []string{partsTogether, partsApart} {
		x := c
		x.Variant = maps.Clone(c.Variant)
		x.Variant["parts"] = parts
		if parts == partsApart && c.Guest {
			x.Expect += 2 * time.Second
		}
		out = append(out, x)
	}
	return out
}

// swept makes of an application's row one for each number of connections, if the
// application has several.
func swept(a *appfile.App, c bench.Cell) (out []bench.Cell) {
	if len(a.Load.Sweep) == 0 {
		return []bench.Cell{c}
	}
	for _, n := range a.Load.Sweep {
		x := c
		x.Variant = maps.Clone(c.Variant)
		x.Variant[connectionsOf] = strconv.Itoa(n)
		out = append(out, x)
	}
	return out
}

// connectionsOf is the part of such a row's variant.
const connectionsOf = "connections"

// appFits says whether an application can run in a row's environment.
func appFits(c bench.Cell) error {
	a, err := FindApp(c.Asked.App)
	if err == nil && c.HostFiles && !a.Static {
		err = bench.NotApplicable("a plain process would run this machine's libraries and files, not the image's: other bytes than the other rows'", "--env chroot, which adds the image's root folder and nothing else")
	}
	return err
}

func appTrial(ctx context.Context, t *bench.T, c bench.Cell) error {
	a, err := FindApp(c.Asked.App)
	if err != nil {
		return err
	}
	if n, err := strconv.Atoi(c.Variant[connectionsOf]); err == nil {
		a.Load.Connections = n
	}
	load := loadOf(a)
	t.Found(map[string]string{"load": load.name})
	s, err := prepareService(ctx, t, c, a, content{Ref: t.Image()})
	if err != nil {
		return err
	}
	defer s.close()
	if err := s.begin(ctx, t); err != nil {
		return err
	}
	if tr, ok := s.i.(bench.Tracer); ok {
		t.RecordPhases("answered", s.from, s.at, append(s.marks, tr.Marks()...), cmp.Or(tr.LastPhase(), "first answer"))
	}
	t.RecordSince("answered", s.from, s.at)
	if err := load.run(ctx, t, s.addr, appLength(c.Quick)); err != nil {
		return s.explain(bench.Blamed(bench.BlameWorkload, fmt.Errorf("load (%s): %w", load.name, err)))
	}
	if err := appMemory(t, s.instances()); err != nil {
		return err
	}
	return s.end(t)
}

// appMemory records what some instances' processes have together.
func appMemory(t *bench.T, all []bench.Instance) error {
	var sum int64
	for _, i := range all {
		m, ok := i.(bench.Meter)
		if !ok {
			t.RecordText("memory", "not applicable: it can't tell what it costs")
			return nil
		}
		pss, err := settledMemory(m)
		if err != nil {
			return err
		}
		sum += pss
	}
	t.Record("memory", float64(sum))
	return nil
}

// settledMemory is the share of an instance's processes, in bytes. A server may have
// made some for the last requests that end just now.
func settledMemory(m bench.Meter) (int64, error) {
	for left := 50; ; left-- {
		cost, err := m.Meter()
		if err == nil {
			pss, _ := cost.PSS()
			return pss, nil
		}
		if left == 0 || !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, unix.ESRCH) {
			return 0, err
		}
		time.Sleep(10 * time.Millisecond)
	}
}

var appMetrics = []results.Metric{
	{Name: "answered", Title: "Time until the first answer", Unit: "s", Better: "lower", Start: true,
		Help: "From the call that starts an instance to the moment at which a client has the answer to its first request. The client begins to ask when the start has been made, and asks again a millisecond after each refusal."},
	{Name: "rate", Title: "Requests per second", Unit: "1/s", Better: "higher",
		Help: "Answers that came, divided by the time: each of several connections sends a request when the answer to the one before has come."},
	{Name: "latency", Title: "Time of a request", Unit: "s", Better: "lower",
		Help: "From a request to the end of its answer, under that load; where each request makes a new connection, with that. p50 and p99 are of all requests of a trial."},
	{Name: "memory", Title: "Memory", Unit: "B", Better: "lower",
		Help: "Proportional set size of the instance's processes on the host, right after the load; a guest's is QEMU's, with the guest's RAM. Of two instances (parts=apart) it is the sum."},
}

var appFigures = []results.Figure{
	{Name: "app", Title: "An application: when it answers, what it serves, what it takes", Kind: "panels", Log: true,
		Metrics: []string{"answered", "rate", "latency p99", "memory"},
		Caption: "The same application from the same image in each row. net=host: over loopback. net=bridge: its own network, over a virtual cable and the testbed's bridge. The client is a process of the host."},
	{Name: "phases", Title: "What the time until the first answer is made of", Kind: "phases", Metrics: []string{"answered"},
		Caption: "The parts of a start, each from the end of the one before it; the last is the application's own."},
	{Name: "network", Title: "What the isolation costs on the same network", Kind: "ratios", To: "chroot", ToVariant: onHost,
		Metrics: []string{"rate", "latency p50", "latency p99"},
		Caption: "Each row compared with the chroot, which has the same files, the host's network and no other isolation. A diamond is the ratio of medians, its bar the 95 % interval; on the line at 1 it costs nothing."},
}

// ownBridge is a row on its own network.
var ownBridge = map[string]string{"net": "bridge"}

// How an application of two parts is run on a network of its own.
var (
	bridgeTogether = map[string]string{"net": "bridge", "parts": partsTogether}
	bridgeApart    = map[string]string{"net": "bridge", "parts": partsApart}
)

// appFindings are said of the application that was run.
var appFindings = []results.Finding{
	{Name: "container-answers", Statement: "An application in a container answers within 50 ms of when it would without one.",
		Metric: "answered", Of: "container", OfVariant: onHost, To: "chroot", ToVariant: onHost, Compare: "difference", Op: "below", Threshold: 0.05,
		Reason: "a twentieth of a second is too short for people to notice"},
	{Name: "container-serves", Statement: "With host networking an application in a container serves as many requests as without one.",
		Metric: "rate", Of: "container", OfVariant: onHost, To: "chroot", ToVariant: onHost, Compare: "ratio", Op: "within", Threshold: near,
		Reason: "“near native” is less than a twentieth; both have the same files and the same network"},
	{Name: "bridge-serves", Statement: "A bridge costs an application in a container few requests.",
		Metric: "rate", Of: "container", OfVariant: ownBridge, To: "container", ToVariant: onHost, Compare: "ratio", Op: "above", Threshold: 1 - little,
		Reason: "“few” is a tenth at the most"},
	{Name: "bridge-latency", Statement: "A bridge makes the slowest hundredth of an application's requests a little slower.",
		Metric: "latency p99", Of: "container", OfVariant: ownBridge, To: "container", ToVariant: onHost, Compare: "ratio", Op: "below", Threshold: 1 + little,
		Reason: "“a little” is a tenth at the most"},
	{Name: "vm-serves", Statement: "On a bridge an application in a virtual machine serves as many requests as in a container.",
		Metric: "rate", Of: "vm", OfVariant: ownBridge, To: "container", ToVariant: ownBridge, Compare: "ratio", Op: "within", Threshold: near,
		Reason: "“near native” is less than a twentieth; a guest's packets pass a second kernel and a device that is a program", NeedsKVM: true},
	{Name: "vm-answers", Statement: "An application in a virtual machine takes at least twice as long to answer as in a container.",
		Metric: "answered", Of: "vm", OfVariant: ownBridge, To: "container", ToVariant: ownBridge, Compare: "ratio", Op: "above", Threshold: 2,
		Reason: "what takes less than twice as long would be called near; the application's own start is part of both", NeedsKVM: true},
	{Name: "parts-answer", Claim: 36, Statement: "An application of two parts answers from two containers within 50 ms of when it does from one.",
		Metric: "answered", Of: "container", OfVariant: bridgeApart, To: "container", ToVariant: bridgeTogether, Compare: "difference", Op: "below", Threshold: 0.05,
		Reason: "a twentieth of a second is too short for people to notice"},
	{Name: "parts-serve", Claim: 36, Statement: "Two containers serve as much of an application of two parts as one container with both processes.",
		Metric: "rate", Of: "container", OfVariant: bridgeApart, To: "container", ToVariant: bridgeTogether, Compare: "ratio", Op: "above", Threshold: 1 - little,
		Reason: "“as much” is a tenth less at the most: what the parts say to each other passes the bridge"},
	{Name: "parts-memory", Claim: 36, Statement: "Two containers take little more memory than one container with both processes.",
		Metric: "memory", Of: "container", OfVariant: bridgeApart, To: "container", ToVariant: bridgeTogether, Compare: "ratio", Op: "below", Threshold: 1 + little,
		Reason: "“little” is a tenth at the most; the processes are the same but for a shell"},
	{Name: "parts-guests", Statement: "With virtual machines in place of containers a machine for each part takes at least half as much memory again.",
		Metric: "memory", Of: "vm", OfVariant: bridgeApart, To: "vm", ToVariant: bridgeTogether, Compare: "ratio", Op: "above", Threshold: 1.5,
		Reason: "a second guest has a second kernel and QEMU; a half more is what would make one put both parts into one", NeedsKVM: true},
}
