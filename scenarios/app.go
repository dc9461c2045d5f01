package scenarios

import (
	"cmp"
	"context"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"lab/bench"
	"lab/bench/appfile"
	"lab/bench/clean"
	"lab/bench/clock"
	"lab/bench/image"
	"lab/bench/request"
	"lab/bench/results"
)

// App asks how an application runs: one that people use, from one image, in each
// environment, and over its own network or the host's.
func App() *bench.Scenario {
	return &bench.Scenario{
		Name:     "app",
		Takes:    []string{"app"},
		Question: "How soon does an application answer, and how much does it serve?",
		Method: "A trial starts one instance of the application (--app) from the run's image, and asks it over TCP, again and again, from the moment at which the start was made, until it answers as its file says it should. " +
			"Then several connections each send requests, one at a time and the next when the answer has come, for a fixed time: a load generator of the host that its file names, if it is installed, else the lab's own; the manifest says which. " +
			"Generators differ, so compare runs that had the same one. Each connection waits for its answer, so a slower application is asked less often, and its latency is that of a load it can take. " +
			"Memory is the share (PSS) of the instance's processes on the host right after the load. The client is in the testbed's network; no packet leaves the machine. " +
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
			cells = append(cells, c)
		}
	}
	return cells
}

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
	load, err := loadOf(a)
	if err != nil {
		return err
	}
	t.Found(map[string]string{"load": load.name})
	s, err := prepareService(ctx, t, c, a, t.Image())
	if err != nil {
		return err
	}
	defer s.close()
	if err := s.begin(ctx, t); err != nil {
		return err
	}
	if tr, ok := s.i.(bench.Tracer); ok {
		t.RecordPhases("answered", s.from, s.at, tr.Marks(), cmp.Or(tr.LastPhase(), "first answer"))
	}
	t.RecordSince("answered", s.from, s.at)
	if err := load.run(ctx, t, s.addr, appLength(c.Quick)); err != nil {
		return s.explain(bench.Blamed(bench.BlameWorkload, fmt.Errorf("load (%s): %w", load.name, err)))
	}
	if err := appMemory(t, s.i); err != nil {
		return err
	}
	if err := t.Close(s.i); err != nil {
		return fmt.Errorf("close: %w", err)
	}
	return nil
}

// appMemory records what an instance's processes have. A server may have made some for
// the last requests that end just now.
func appMemory(t *bench.T, i bench.Instance) error {
	m, ok := i.(bench.Meter)
	if !ok {
		t.RecordText("memory", "not applicable: it can't tell what it costs")
		return nil
	}
	for left := 50; ; left-- {
		cost, err := m.Meter()
		if err == nil {
			pss, _ := cost.PSS()
			t.Record("memory", float64(pss))
			return nil
		}
		if left == 0 || !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, unix.ESRCH) {
			return err
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// A service is an application that is started, or will be.
type service struct {
	i        bench.Instance
	app      *appfile.App
	prepared clock.Time // all that later starts share is there
	from, at clock.Time // the call, and the first answer
	started  clock.Time // the instance is made, and the client begins to ask
	addr     string
	out      clean.Tail // what the program said last
	to       *os.File
}

// prepareService prepares an application in an image.
func prepareService(ctx context.Context, t *bench.T, c bench.Cell, a *appfile.App, ref image.Ref) (*service, error) {
	from, to, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	s := &service{app: a, out: clean.Tail{Most: mostOutput}, to: to}
	go func() { // a program whose output nobody reads would stop
		defer from.Close()
		io.Copy(&s.out, from)
	}()
	spec := t.Spec(appCommand(c, a, ref, to))
	spec.Image, spec.Work = ref, a.Writes && c.Work
	if s.i, err = t.Prepare(ctx, spec); err != nil {
		s.close()
		return nil, err
	}
	s.prepared = clock.Now()
	at := "127.0.0.1"
	if x, ok := s.i.(bench.Addresser); ok && x.Addr() != "" {
		at = x.Addr()
	}
	s.addr = net.JoinHostPort(at, strconv.Itoa(int(a.Port)))
	return s, nil
}

// begin starts it, and asks it until it answers.
func (s *service) begin(ctx context.Context, t *bench.T) error {
	// An address that nobody has yet is asked for once a second by default.
	if err := t.AskNeighbours(10 * time.Millisecond); err != nil {
		return err
	}
	s.from = clock.Now()
	if err := s.i.Start(ctx); err != nil {
		return err
	}
	s.started = clock.Now()
	if tr, ok := s.i.(bench.Tracer); ok {
		s.from = tr.Started()
	}
	ended := make(chan bench.Exit, 1)
	go func() { // Close ends it
		if exit, err := s.i.Wait(ctx); err == nil {
			ended <- exit
		}
	}()
	var err error
	if s.at, err = firstAnswer(ctx, s.addr, s.app, ended); err != nil {
		return s.explain(err)
	}
	return t.AskNeighbours(0)
}

// appCommand is the command that starts an application.
func appCommand(c bench.Cell, a *appfile.App, ref image.Ref, out *os.File) bench.Command {
	root := ""
	if c.HostFiles {
		root = ref.Dir
	}
	argv := slices.Clone(a.Command)
	for i := range argv {
		argv[i] = strings.ReplaceAll(argv[i], "{root}", root)
	}
	return bench.Command{Argv: argv, Env: append(slices.Clone(commandEnv), a.Env...), Stdout: out, Stderr: out}
}

// close ends the reading of the program's output.
func (s *service) close() { s.to.Close() }

// explain adds to an error what became of the instance, and what its program said.
func (s *service) explain(err error) error {
	if e, ok := s.i.(bench.Explainer); ok {
		return bench.Blamed(bench.Whose(err), e.Explain(err))
	}
	return fmt.Errorf("%w%s", err, quoted(&s.out))
}

// firstAnswer asks until the answer is there: some milliseconds are between two
// attempts that are refused at once. An application that ends, ended says how, won't.
func firstAnswer(ctx context.Context, addr string, a *appfile.App, ended <-chan bench.Exit) (clock.Time, error) {
	until, _ := ctx.Deadline()
	until = until.Add(-explaining)
	var last error
	for time.Now().Before(until) && ctx.Err() == nil {
		got, err := exchange(ctx, addr, a)
		if err == nil {
			return clock.Now(), nil
		}
		if last = err; len(got) > 0 {
			last = fmt.Errorf("%w: %q", err, got[:min(len(got), 200)])
		}
		select {
		case exit := <-ended:
			time.Sleep(10 * time.Millisecond) // what it said last is being read
			return 0, bench.Blamed(bench.BlameWorkload, fmt.Errorf("the application ended early, with %v", exit))
		case <-time.After(time.Millisecond):
		}
	}
	if ctx.Err() != nil {
		return 0, ctx.Err()
	}
	return 0, bench.Blamed(bench.BlameTime, fmt.Errorf("%s didn't answer in time: %w", addr, last))
}

// exchange is one connection with one request, and what came.
func exchange(ctx context.Context, addr string, a *appfile.App) ([]byte, error) {
	conn, err := (&net.Dialer{Timeout: 200 * time.Millisecond}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := io.WriteString(conn, a.Ask); err != nil {
		return nil, err
	}
	var got []byte
	buf := make([]byte, 4096)
	for len(got) < 1<<20 {
		n, err := conn.Read(buf)
		if got = append(got, buf[:n]...); a.Answered(got) {
			return got, nil
		}
		if err != nil {
			return got, errors.Join(errors.New("not the answer that was expected"), err)
		}
	}
	return got, errors.New("an answer without end")
}

var appMetrics = []results.Metric{
	{Name: "answered", Title: "Time until the first answer", Unit: "s", Better: "lower", Start: true,
		Help: "From the call that starts an instance to the moment at which a client has the answer to its first request. The client begins to ask when the start has been made, and asks again a millisecond after each refusal."},
	{Name: "rate", Title: "Requests per second", Unit: "1/s", Better: "higher",
		Help: "Answers that came, divided by the time: each of several connections sends a request when the answer to the one before has come."},
	{Name: "latency", Title: "Time of a request", Unit: "s", Better: "lower",
		Help: "From a request to the end of its answer, under that load; where each request makes a new connection, with that. p50 and p99 are of all requests of a trial."},
	{Name: "memory", Title: "Memory", Unit: "B", Better: "lower",
		Help: "Proportional set size of the instance's processes on the host, right after the load; a guest's is QEMU's, with the guest's RAM."},
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
}
