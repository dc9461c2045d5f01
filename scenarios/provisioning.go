package scenarios

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"lab/bench"
	"lab/bench/clock"
	"lab/bench/image"
	"lab/bench/image/oci"
	"lab/bench/image/store"
	"lab/bench/results"
)

// Provisioning asks how long it takes from nothing to an application that answers, and
// how long a service is away while another takes its place.
func Provisioning() *bench.Scenario {
	p := &provider{}
	return &bench.Scenario{
		Name:     "provisioning",
		Takes:    []string{"app"},
		Question: "How long does it take from nothing to an application's answer?",
		Method: "from=store: the image is on this machine and was used before. from=registry: it isn't, and is pulled over the loopback device from a registry of the lab's own into a new store: manifest, configuration and layers, each checked by its digest and unpacked. " +
			"The registry has the run's image as one layer that isn't compressed, and no network slows it: a pull from elsewhere takes longer. " +
			"Then the environment makes of the image what it makes once (a view of the folder, a guest's file tree or disk), starts the application (--app), and a client asks it until it answers. " +
			"All of that is the time until the first answer. " +
			"In the same trial the service is then replaced, as a careful person without a load balancer does it: a second instance is prepared, the first is ended, the second is started, and the gap is the time from the last answer of the one to the first answer of the other.",
		Program:  App().Program,
		Cells:    provisioningCells,
		Fits:     appFits,
		Trial:    p.trial,
		Metrics:  provisioningMetrics,
		Figures:  provisioningFigures,
		Findings: provisioningFindings,
	}
}

var provisioningCounts = bench.Counts{Full: bench.Count{Trials: 12, Warmup: 1}, Quick: bench.Count{Trials: 6, Warmup: 1},
	Slow: bench.Count{Trials: 6, Warmup: 1}, SlowQuick: bench.Count{Trials: 2}}

func provisioningCells(o bench.Options) []bench.Cell {
	a, err := FindApp(o.App)
	if err != nil {
		return nil // the command has refused it
	}
	var cells []bench.Cell
	for _, e := range o.Chosen() {
		for _, from := range []string{"store", "registry"} {
			if from == "registry" && e.HostFiles && !a.Static {
				continue
			}
			c := provisioningCounts.Row(e, o)
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
			cells = append(cells, c)
		}
	}
	return cells
}

// A provider has the registry that a run's trials pull from.
type provider struct{ addr string }

// imageName is the image's name in the registry.
const imageName = "/lab/app:1"

// serve makes the registry before the first trial, with the run's image in it. It ends
// with the worker.
func (p *provider) serve(ctx context.Context, t *bench.T) error {
	if p.addr != "" {
		return nil
	}
	dir := filepath.Join(t.Home(), "registry")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	addr, stop, err := oci.Serve(dir)
	if err != nil {
		return err
	}
	err = stored(filepath.Join(t.Home(), "origin"), func(w *store.Writer) error {
		i, err := oci.Import(ctx, w, t.Image().Dir, oci.Options{})
		if err != nil {
			return err
		}
		return oci.Push(ctx, w.Store, i, addr+imageName, oci.Options{Insecure: true})
	})
	if err != nil {
		return errors.Join(fmt.Errorf("registry: %w", err), stop())
	}
	p.addr = addr
	return os.RemoveAll(filepath.Join(t.Home(), "origin"))
}

// stored opens a store in a folder to be changed.
func stored(dir string, change func(*store.Writer) error) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	w, err := store.In(dir).Write()
	if err != nil {
		return err
	}
	return errors.Join(change(w), w.Close())
}

func (p *provider) trial(ctx context.Context, t *bench.T, c bench.Cell) error {
	a, err := FindApp(c.Asked.App)
	if err != nil {
		return err
	}
	ref, from := t.Image(), clock.Now()
	var marks []clock.Mark
	if c.Variant["from"] == "registry" {
		if err := p.serve(ctx, t); err != nil {
			return err
		}
		dir, err := os.MkdirTemp(t.Home(), "provisioning-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		from = clock.Now()
		if ref, err = pull(ctx, dir, p.addr+imageName); err != nil {
			return err
		}
		marks = append(marks, clock.Mark{Name: "pull", At: clock.Now()})
	}
	s, err := prepareService(ctx, t, c, a, ref)
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
	gap, err := replace(ctx, t, c, s, ref)
	if err == nil {
		t.Record("gap", gap.Seconds())
	}
	return err
}

// pull brings an image into a new store.
func pull(ctx context.Context, dir, name string) (ref image.Ref, err error) {
	err = stored(dir, func(w *store.Writer) error {
		i, err := oci.Pull(ctx, w, name, oci.Options{Insecure: true, Name: "app"})
		if err == nil {
			ref = w.Ref(i)
		}
		return err
	})
	return ref, err
}

// replace puts a second instance in the place of one that serves: the time in which
// none did.
func replace(ctx context.Context, t *bench.T, c bench.Cell, s *service, ref image.Ref) (time.Duration, error) {
	next, err := prepareService(ctx, t, c, s.app, ref)
	if err != nil {
		return 0, err
	}
	defer next.close()
	if _, err := exchange(ctx, s.addr, s.app); err != nil {
		return 0, s.explain(bench.Blamed(bench.BlameWorkload, err))
	}
	last := clock.Now()
	if err := t.Close(s.i); err != nil {
		return 0, fmt.Errorf("close: %w", err)
	}
	if err := next.begin(ctx, t); err != nil {
		return 0, err
	}
	if err := t.Close(next.i); err != nil {
		return 0, fmt.Errorf("close: %w", err)
	}
	return next.at.Sub(last), nil
}

var provisioningMetrics = []results.Metric{
	{Name: "answered", Title: "Time from nothing to the first answer", Unit: "s", Better: "lower", Start: true,
		Help: "From the moment at which it is decided to have the application to the answer to its first request: the image is pulled (from=registry), made ready, an instance of it started, and asked."},
	{Name: "gap", Title: "Time without an answer", Unit: "s", Better: "lower", Start: true,
		Help: "A running service is replaced by a second instance of it, which is prepared before: from the last answer of the one to the first answer of the other. What a client asks meanwhile is refused: requests lost are the gap times requests a second."},
}

var provisioningFigures = []results.Figure{
	{Name: "phases", Title: "From nothing to the first answer", Kind: "phases", Metrics: []string{"answered"},
		Caption: "from=registry: the image is pulled over loopback first. from=store: it is there."},
	{Name: "answered", Title: "Time from nothing to the first answer", Kind: "distribution", Metrics: []string{"answered"}, Log: true,
		Caption: "Every point is one trial."},
	{Name: "gap", Title: "Time without an answer while a service is replaced", Kind: "distribution", Metrics: []string{"gap"}, Log: true,
		Caption: "Every point is one trial: the first instance is ended, then the second, which was prepared before, is started."},
}

var (
	fromStore    = map[string]string{"from": "store"}
	fromRegistry = map[string]string{"from": "registry"}
)

var provisioningFindings = []results.Finding{
	{Name: "pull", Statement: "Most of the time until a new application in a container answers is the pull of its image.",
		Metric: "answered", Of: "container", OfVariant: fromRegistry, Compare: "share", Part: "pull", Op: "above", Threshold: 0.5,
		Reason: "most is more than half; a registry that is further away than loopback takes longer"},
	{Name: "at-hand", Statement: "With its image at hand an application in a container answers within half a second.",
		Metric: "answered", Of: "container", OfVariant: fromStore, Compare: "value", Op: "below", Threshold: 0.5,
		Reason: "half a second is what a person notices as a pause; the application's own start is part of it"},
	{Name: "replaced", Statement: "A service in a container is replaced within a tenth of a second.",
		Metric: "gap", Of: "container", OfVariant: fromStore, Compare: "value", Op: "below", Threshold: 0.1,
		Reason: "a tenth of a second is what people take for immediate"},
	{Name: "vm-replaced", Statement: "A service in a virtual machine is away at least ten times as long as in a container while it is replaced.",
		Metric: "gap", Of: "vm", OfVariant: fromStore, To: "container", ToVariant: fromStore, Compare: "ratio", Op: "above", Threshold: 10,
		Reason: "a boot against a start: ten times is what is said of it", NeedsKVM: true},
}
