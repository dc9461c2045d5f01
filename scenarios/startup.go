package scenarios

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"lab/bench"
	"lab/bench/clock"
	"lab/bench/image"
	"lab/bench/results"
)

// Startup asks how long it takes until a workload runs. The workload is a program
// of less than 200 bytes that writes the instance's own token and exits, so that
// next to nothing of the time is its own.
func Startup() *bench.Scenario {
	return &bench.Scenario{
		Name:     "startup",
		Alone:    "two starts at a time wait for the same locks of the kernel, and the wait would be measured",
		Question: "How long does it take until a workload runs, and until it is gone?",
		Method: "A trial starts one instance of the same program (less than 200 bytes, the same everywhere) " +
			"and blocks until the host reads the first byte of the token that the program writes; the token is another one each time. " +
			"The clock starts when the start is asked for: what later starts of the same image would share is prepared before, " +
			"what exists once an instance is made inside the measured time. Then the instance is taken down, " +
			"and the trial ends when nothing of it is left. All times are the host's own clock.",
		Cells:    startupCells,
		Trial:    startupTrial,
		Metrics:  startupMetrics,
		Figures:  startupFigures,
		Findings: startupFindings,
	}
}

// startupCounts: 60 trials of what takes milliseconds, 20 of a guest, which
// takes seconds under emulation. With 20 values an interval of the median is
// still narrow beside the differences that are looked for; p95 needs 59. Fewer
// than 6 have no interval.
var startupCounts = bench.Counts{Full: bench.Count{Trials: 60, Warmup: 3}, Quick: bench.Count{Trials: 10, Warmup: 1},
	Slow: bench.Count{Trials: 20, Warmup: 1}, SlowQuick: bench.Count{Trials: 6, Warmup: 1}}

func startupCells(o bench.Options) []bench.Cell {
	cells := startupCounts.Rows(o)
	for i := range cells {
		if !cells[i].Guest { // an emulated boot takes some 3 s on an idle machine
			cells[i].Timeout = 20 * time.Second
		}
	}
	return cells
}

// explaining is the time that is kept for finding out why a workload isn't
// ready.
const explaining = 1500 * time.Millisecond

func startupTrial(ctx context.Context, t *bench.T, c bench.Cell) error {
	s, err := start(ctx, t, image.ReadyPath, false)
	if err != nil {
		return err
	}
	s.record(t)
	if !c.Guest { // a guest's kernel doesn't outlive its PID 1
		exit, err := s.i.Wait(ctx)
		if err != nil {
			return err
		}
		if exit.Status() != 0 {
			return bench.Blamed(bench.BlameWorkload, fmt.Errorf("%s wrote its token, then ended with %v", image.ReadyPath, exit))
		}
	}
	if err := t.Close(s.i); err != nil {
		return fmt.Errorf("close: %w", err)
	}
	t.RecordSince("gone", s.from, clock.Now())
	t.FindWithin(ctx)
	return nil
}

// A started instance is one whose program has written its token.
type started struct {
	i        bench.Instance
	from, at clock.Time // the call, and the token's first byte
}

// start starts an instance of a program that writes its first argument, and waits
// until the host sees the first byte of that. account has it account for its processor
// time, if it can.
func start(ctx context.Context, t *bench.T, program string, account bool) (*started, error) {
	token := bench.Token()
	i, err := t.Prepare(ctx, t.Spec(bench.Command{Argv: []string{program, token}}))
	if err != nil {
		return nil, err
	}
	if a, ok := i.(bench.Accountant); ok && account {
		a.Account()
	}
	return begin(ctx, i, token)
}

// begin starts what was prepared.
func begin(ctx context.Context, i bench.Instance, token string) (*started, error) {
	// AwaitToken blocks in the kernel and knows no context: when the trial is
	// given up, the workload is ended, and its channel with it.
	defer context.AfterFunc(ctx, func() { i.Signal(syscall.SIGKILL) })()

	s := &started{i: i, from: clock.Now()}
	if err := i.Start(ctx); err != nil {
		return nil, err
	}
	// A little before the trial's own deadline, while what doesn't get ready
	// can still be looked at.
	deadline, _ := ctx.Deadline()
	seen, err := clock.AwaitToken(i.Ready(), []byte(token), time.Until(deadline)-explaining)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		who := bench.BlameWorkload
		if !errors.Is(err, clock.ErrClosed) {
			who = bench.BlameTime
		}
		return nil, bench.Blamed(who, bench.Explain(i, err))
	}
	if tr, ok := i.(bench.Tracer); ok {
		s.from = tr.Started()
	}
	s.at = seen.At
	return s, nil
}

// record records how long it took, and what that was made of.
func (s *started) record(t *bench.T) {
	if tr, ok := s.i.(bench.Tracer); ok {
		t.RecordPhases("ready", s.from, s.at, tr.Marks(), cmp.Or(tr.LastPhase(), "first byte"))
	}
	t.RecordSince("ready", s.from, s.at)
}

var startupMetrics = []results.Metric{
	{Name: "ready", Title: "Time until ready", Unit: "s", Better: "lower", Start: true,
		Help: "From the call that starts an instance to the moment at which the host reads the first byte that the workload wrote."},
	{Name: "gone", Title: "Time until gone", Unit: "s", Better: "lower", Start: true,
		Help: "From the same call to the moment at which nothing of the instance is left: no process, mount, cgroup, device or domain."},
}

var startupFigures = []results.Figure{
	{Name: "ready", Title: "Time until the workload's first byte", Kind: "distribution",
		Metrics: []string{"ready"}, Log: true,
		Caption: "Every point is one start. "},
	{Name: "phases", Title: "What a start is made of", Kind: "phases",
		Metrics: []string{"ready"},
		Caption: "The parts of the time until ready, each from the end of the one before it, on the host's clock."},
	{Name: "gone", Title: "Time until nothing of the instance is left", Kind: "distribution",
		Metrics: []string{"gone"}, Log: true,
		Caption: "Every point is one start with what follows it: the workload's end and the removal of all that was made for it."},
}

// startupFindings are what people say about starting, taken apart into
// statements that one metric can answer. Thresholds are written down here,
// before any result.
var startupFindings = []results.Finding{
	{Name: "container-seconds", Claim: 1, Statement: "Starting a container takes a second or two.",
		Metric: "ready", Of: "container", Compare: "value", Op: "above", Threshold: 1,
		Reason: "“a second or two” is one second at the least; the container is measured without an engine and its client"},
	{Name: "vm-near-container", Claim: 1, Statement: "No virtual machine comes near a container's start.",
		Metric: "ready", Of: "vm", To: "container", Compare: "ratio", Op: "above", Threshold: 2,
		Reason: "what takes less than twice as long would be called near", NeedsKVM: true},
	{Name: "vm-own-kernel", Claim: 2, Statement: "A virtual machine is slow to start because it boots its own kernel.",
		Metric: "ready", Of: "vm", OfExcept: map[string]string{"start": "restored"}, Compare: "share", Part: "kernel", Op: "above", Threshold: 0.5,
		Reason: "the reason is what takes more than half of the time; emulation can't tell, as it slows the guest's kernel and not what starts it", NeedsKVM: true},
	{Name: "vm-restored", Statement: "A virtual machine that was saved starts in a third of the time.",
		Metric: "ready", Of: "vm", OfVariant: map[string]string{"start": "restored"},
		To: "vm", ToVariant: map[string]string{"start": "cold"}, Compare: "ratio", Op: "below", Threshold: 1. / 3,
		Reason: "to be worth a file as large as the guest's memory it has to save most of the time", NeedsKVM: true},
	{Name: "chroot-part", Claim: 15, Statement: "Of what makes a container, the changed root folder costs next to nothing.",
		Metric: "ready", Of: "chroot", To: "host", Compare: "difference", Op: "below", Threshold: 0.0001,
		Reason: "a tenth of a millisecond is less than a plain process takes to start"},
	{Name: "kernel-part", Claim: 15, Statement: "Namespaces, mounts and cgroups are made within a hundredth of a second.",
		Metric: "ready", Of: "container", To: "chroot", Compare: "difference", Op: "below", Threshold: 0.01,
		Reason: "where this holds, “a second or two” is owed to the engine on top: image store, network, client"},
	{Name: "container-gone", Claim: 26, Statement: "Containers stop quickly.",
		Metric: "gone", Of: "container", Compare: "value", Op: "below", Threshold: 0.1,
		Reason: "a tenth of a second is what people take for immediate; the start is part of it, and the workload ends by itself"},
	{Name: "engine-adds", Claim: 20, Statement: "Docker's engine adds more to a start than the runtime takes that it calls.",
		Metric: "ready", Of: "docker", To: "runc", Compare: "ratio", Op: "above", Threshold: 2,
		Reason: "with twice the runtime's time the engine's part is as long as all of the runtime's; both are whole calls"},
	{Name: "client-share", Claim: 37, Statement: "Of a container's start Docker's client is the small part, and its engine the large one.",
		Metric: "ready", Of: "docker", OfVariant: map[string]string{"client": "docker"}, To: "docker", ToVariant: map[string]string{"client": "lab"}, Compare: "ratio", Op: "below", Threshold: 1.25,
		Reason: "the lab makes the client's calls itself, so that what the command docker run takes beyond is the client's own; a fifth of the whole is small"},
	{Name: "over-tcp", Claim: 37, Statement: "Docker's engine starts a container as fast when it is asked over TCP as by its socket.",
		Metric: "ready", Of: "docker", OfVariant: map[string]string{"engine": "tcp"}, To: "docker", ToVariant: map[string]string{"engine": "private"}, Compare: "ratio", Op: "within", Threshold: near,
		Reason: "the engine and its work are the same; over a real network the round trips of four calls are added"},
	{Name: "engine-in-vm", Claim: 41, Statement: "A container starts about as fast with Docker's engine in a virtual machine that runs as with the engine on the host.",
		Metric: "ready", Of: "docker-vm", To: "docker", Compare: "ratio", Op: "below", Threshold: 1.25,
		Reason: "a quarter more is what somebody who starts containers all day wouldn't notice; the virtual machine is started before, as where Docker comes with one", NeedsKVM: true},
}
