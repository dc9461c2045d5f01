package scenarios

import (
	"context"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"lab/bench"
	"lab/bench/appfile"
	"lab/bench/clock"
	"lab/bench/image/debian"
	"lab/bench/results"
	"lab/bench/usercache"
)

// Provisioning asks how long it takes from nothing to an application that answers, and
// how long a service is away while another takes its place.
func Provisioning() *bench.Scenario {
	p := &provider{first: map[string]string{}}
	return &bench.Scenario{
		Name:     "provisioning",
		Alone:    "two at a time wait for the same image store and the same registry",
		Takes:    []string{"app", "from"},
		Question: "How long does it take from nothing to an application's answer?",
		Method: "from=store: the image is on this machine and was used before. from=registry: it isn't, and is pulled over the loopback device from a registry of the lab's own into a new store: manifest, configuration and layers, each checked by its digest and unpacked. " +
			"The registry has the run's image as one layer that isn't compressed, and no network slows it: a pull from elsewhere takes longer. " +
			"from=packages, if --from asks for it: a Debian and the application's packages are installed into an empty folder, by mmdebstrap, from copies of the packages on this machine's disk, which lab run fetched before. from=disk, likewise: a guest's disk that has the image is copied, and a guest starts from the copy. " +
			"Then the environment makes of the image what it makes once (a view of the folder, a guest's file tree or disk), starts the application (--app), and a client asks it until it answers. " +
			"All of that is the time until the first answer. What the service was made of (a digest) and what it answers are compared with the first trial of the same row. " +
			"In the same trial the service is then replaced, as a careful person without a load balancer does it: a second instance is prepared, the first is ended, the second is started, and the gap is the time from the last answer of the one to the first answer of the other. " +
			"Meanwhile a second client sends a request every 5 milliseconds, each on a connection of its own and whether or not the one before was answered; those that get no answer within a second are the requests lost.",
		Program:  App().Program,
		Cells:    provisioningCells,
		Fits:     provisioningFits,
		Trial:    p.trial,
		Metrics:  provisioningMetrics,
		Figures:  provisioningFigures,
		Findings: provisioningFindings,
	}
}

var (
	provisioningCounts = bench.Counts{Full: bench.Count{Trials: 12, Warmup: 1}, Quick: bench.Count{Trials: 6, Warmup: 1},
		Slow: bench.Count{Trials: 6, Warmup: 1}, SlowQuick: bench.Count{Trials: 2}}

	// installCounts are of from=packages: ten to be compared, of a minute each.
	installCounts = bench.Counts{Full: bench.Count{Trials: 10}, Quick: bench.Count{Trials: 2}, Slow: bench.Count{Trials: 10}, SlowQuick: bench.Count{Trials: 2}}
)

func provisioningCells(o bench.Options) []bench.Cell {
	a, err := FindApp(o.App)
	if err != nil {
		return nil // the command has refused it
	}
	from := o.From
	if len(from) == 0 {
		from = []string{fromStore, fromRegistry}
	}
	var cells []bench.Cell
	for _, e := range o.Chosen() {
		for _, from := range from {
			if from != fromStore && e.HostFiles && !a.Static {
				continue
			}
			counts := provisioningCounts
			if from == fromPackages {
				counts = installCounts
			}
			c := counts.Row(e, o)
			c.Variant = map[string]string{"from": from}
			c.Default = map[string]string{"net": "host"}
			if e.Guest {
				c.Default = map[string]string{"net": "bridge"}
			}
			c.Init, c.Grouped, c.Work, c.Asked = e.Guest, ownGroup(e, o), !e.Guest, &o.Request
			c.Makes = []string{"pressure", "load"}
			c.Expect = 100 * time.Millisecond
			if e.Guest {
				c.Expect = 6 * time.Second // two of them
			}
			switch from {
			case fromPackages:
				c.Expect += 40 * time.Second
				c.Timeout = 10 * time.Minute
			case fromDisk:
				c.Set = map[string]string{"root": "ext4"}
			}
			cells = append(cells, c)
		}
	}
	return cells
}

// provisioningFits says whether a row can begin with what it says.
func provisioningFits(c bench.Cell) error {
	switch c.Variant["from"] {
	case fromDisk:
		if !c.Guest {
			return bench.NotApplicable("only a guest starts from a disk of its own", "--env vm")
		}
	case fromPackages:
		a, err := FindApp(c.Asked.App)
		if err != nil {
			return err
		}
		if len(a.Packages) == 0 {
			return bench.NotApplicable(a.Title+" isn't made of packages", "--app nginx, or another application whose file has the key packages")
		}
		cache, err := usercache.Dir()
		if err == nil && !debian.HasRepository(debian.Repository(cache, a.Packages)) {
			err = bench.Unavailable("the packages weren't fetched", "lab run provisioning --from packages --app NAME")
		}
		if err != nil {
			return err
		}
	}
	return appFits(c)
}

func (p *provider) trial(ctx context.Context, t *bench.T, c bench.Cell) error {
	a, err := FindApp(c.Asked.App)
	if err != nil {
		return err
	}
	if err := p.ready(ctx, t, c.Variant["from"]); err != nil {
		return err
	}
	dir, err := os.MkdirTemp(t.Home(), "provisioning-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	from := clock.Now()
	in, by, err := p.provide(ctx, t, a, c.Variant["from"], dir)
	if err != nil {
		return err
	}
	marks := marked(by, clock.Now())
	if in.disk != "" { // its bytes go, though somebody's mount may keep its name
		defer os.Truncate(in.disk, 0)
	}
	s, err := prepareService(ctx, t, c, a, in)
	if err != nil {
		return err
	}
	defer s.close()
	if err := s.begin(ctx, t); err != nil {
		return err
	}
	marks = append(marks, clock.Mark{Name: "make ready", At: s.prepared}, clock.Mark{Name: "start", At: s.started})
	t.RecordPhases("answered", from, s.at, marks, "first answer")
	t.RecordSince("answered", from, s.at)
	if err := p.alike(ctx, t, c, s, in); err != nil {
		return err
	}
	return replace(ctx, t, c, s, in)
}

// replace puts a second instance in the place of one that serves, and records the time
// in which none did, and the requests that were lost.
func replace(ctx context.Context, t *bench.T, c bench.Cell, s *service, in content) error {
	next, err := prepareService(ctx, t, c, s.app, in)
	if err != nil {
		return err
	}
	defer next.close()
	asking, stop := context.WithCancel(ctx)
	lost := make(chan int)
	go func() { lost <- lostRequests(asking, ctx, s.addr, s.app) }()
	last, err := exchanged(ctx, t, s, next)
	stop()
	if n := <-lost; err == nil {
		t.Record("gap", next.at.Sub(last).Seconds())
		t.Record("lost", float64(n))
		err = next.end(t)
	}
	return err
}

// exchanged ends one service and starts the next: the last answer of the one.
func exchanged(ctx context.Context, t *bench.T, s, next *service) (last clock.Time, err error) {
	if _, err := exchange(ctx, s.addr, s.app); err != nil {
		return 0, s.explain(bench.Blamed(bench.BlameWorkload, err))
	}
	last = clock.Now()
	if err := s.end(t); err != nil {
		return 0, err
	}
	return last, next.begin(ctx, t)
}

const (
	lostEvery = 5 * time.Millisecond
	lostAfter = time.Second // without an answer
)

// lostRequests sends requests at a steady rate until asking ends, and counts those that
// were lost.
func lostRequests(asking, ctx context.Context, addr string, a *appfile.App) int {
	var lost atomic.Int64
	var wait sync.WaitGroup
	tick := time.NewTicker(lostEvery)
	defer tick.Stop()
	for {
		select {
		case <-asking.Done():
			wait.Wait()
			return int(lost.Load())
		case <-tick.C:
			wait.Go(func() {
				ctx, end := context.WithTimeout(ctx, lostAfter)
				defer end()
				if _, err := exchange(ctx, addr, a); err != nil {
					lost.Add(1)
				}
			})
		}
	}
}

var provisioningMetrics = []results.Metric{
	{Name: "answered", Title: "Time from nothing to the first answer", Unit: "s", Better: "lower", Start: true,
		Help: "From the moment at which it is decided to have the application to the answer to its first request: its content is brought (pulled, installed or copied), made ready, an instance of it started, and asked."},
	{Name: "gap", Title: "Time without an answer", Unit: "s", Better: "lower", Start: true,
		Help: "A running service is replaced by a second instance of it, which is prepared before: from the last answer of the one to the first answer of the other. "},
	{Name: "lost", Title: "Requests lost", Unit: "1", Better: "lower",
		Help: "Of a client that sends one every 5 milliseconds while a service is replaced: those that were refused, cut short, or not answered within a second."},
	{Name: "same", Title: "The same as the first", Unit: "1", Better: "higher", Fact: true, Words: []string{"no", "yes"},
		Help: "Whether what the service was made of has the digest, and what it answers the bytes, that the first trial of the row had. A disk's digest is that of all its bytes, another one's of its file tree."},
}

var provisioningFigures = []results.Figure{
	{Name: "phases", Title: "From nothing to the first answer", Kind: "phases", Metrics: []string{"answered"},
		Caption: "from=registry: the image is pulled over loopback first. from=store: it is there. from=packages: a Debian and packages are installed. from=disk: a guest's disk is copied."},
	{Name: "answered", Title: "Time from nothing to the first answer", Kind: "distribution", Metrics: []string{"answered"}, Log: true,
		Caption: "Every point is one trial."},
	{Name: "lost", Title: "Requests lost while a service is replaced", Kind: "distribution", Metrics: []string{"lost"},
		Caption: "Every point is one trial, with a request every 5 milliseconds."},
	{Name: "gap", Title: "Time without an answer while a service is replaced", Kind: "distribution", Metrics: []string{"gap"}, Log: true,
		Caption: "Every point is one trial: the first instance is ended, then the second, which was prepared before, is started."},
}

var (
	ofStore    = map[string]string{"from": fromStore}
	ofRegistry = map[string]string{"from": fromRegistry}
	ofPackages = map[string]string{"from": fromPackages}
	ofDisk     = map[string]string{"from": fromDisk}
)

// lostFew is how many requests may be lost at the most for a replacement to be called
// immediate: those of a tenth of a second.
const lostFew = float64(100 * time.Millisecond / lostEvery)

var provisioningFindings = []results.Finding{
	{Name: "pull", Statement: "Most of the time until a new application in a container answers is the pull of its image.",
		Metric: "answered", Of: "container", OfVariant: ofRegistry, Compare: "share", Part: "pull", Op: "above", Threshold: 0.5,
		Reason: "most is more than half; a registry that is further away than loopback takes longer"},
	{Name: "at-hand", Statement: "With its image at hand an application in a container answers within half a second.",
		Metric: "answered", Of: "container", OfVariant: ofStore, Compare: "value", Op: "below", Threshold: 0.5,
		Reason: "half a second is what a person notices as a pause; the application's own start is part of it"},
	{Name: "by-packages", Claim: 34, Statement: "From an image a new application answers ten times as soon as by installing its packages.",
		Metric: "answered", Of: "container", OfVariant: ofPackages, To: "container", ToVariant: ofRegistry, Compare: "ratio", Op: "above", Threshold: 10,
		Reason: "“slow” is said of another order of magnitude; both come from this machine's own disk, without a network"},
	{Name: "by-disk", Statement: "From a copied disk a new virtual machine takes at least ten times as long to answer as a new container from a registry.",
		Metric: "answered", Of: "vm", OfVariant: ofDisk, To: "container", ToVariant: ofRegistry, Compare: "ratio", Op: "above", Threshold: 10,
		Reason: "another order of magnitude; the guest is one that was made for measuring, and its disk has nothing but the image", NeedsKVM: true},
	{Name: "image-alike", Claim: 34, Statement: "From an image every server is the same.",
		Metric: "same", Of: "container", OfVariant: ofRegistry, Compare: "value", Op: "above", Threshold: 0.5,
		Reason: "the same digest and the same answer as the first"},
	{Name: "packages-alike", Claim: 34, Statement: "Servers that are set up by installing packages differ from one another.",
		Metric: "same", Of: "container", OfVariant: ofPackages, Compare: "value", Op: "below", Threshold: 0.5,
		Reason: "another digest or another answer than the first; the same packages were installed, without logs, caches and times"},
	{Name: "replaced", Claim: 35, Statement: "A service in a container is replaced within a tenth of a second.",
		Metric: "gap", Of: "container", OfVariant: ofStore, Compare: "value", Op: "below", Threshold: 0.1,
		Reason: "a tenth of a second is what people take for immediate"},
	{Name: "few-lost", Claim: 35, Statement: "Few requests are lost while a service in a container is replaced.",
		Metric: "lost", Of: "container", OfVariant: ofStore, Compare: "value", Op: "below", Threshold: lostFew,
		Reason: "a tenth of a second's of a client that asks every 5 milliseconds; nothing keeps them for the next instance"},
	{Name: "vm-replaced", Statement: "A service in a virtual machine is away at least ten times as long as in a container while it is replaced.",
		Metric: "gap", Of: "vm", OfVariant: ofStore, To: "container", ToVariant: ofStore, Compare: "ratio", Op: "above", Threshold: 10,
		Reason: "a boot against a start: ten times is what is said of it", NeedsKVM: true},
}
