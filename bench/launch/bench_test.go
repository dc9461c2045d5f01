package launch_test

import (
	"context"
	"encoding/binary"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"lab/bench"
	"lab/bench/benchtest"
	"lab/bench/clock"
	"lab/bench/image"
	"lab/bench/launch"
)

// BenchmarkHost is a host process, from Start to its token's first byte, beside
// a C program that makes the same system calls, and one that makes as few as
// it can: what Go adds to the baseline that everything else is compared with.
// The three take turns, in a shuffled order.
func BenchmarkHost(b *testing.B) {
	dir := benchtest.Image(b).Dir
	prog := filepath.Join(dir, image.ReadyPath)
	reference := vfork(b, prog)
	plan := launch.Plan{Command: bench.Command{Dir: "/"},
		Find: func(bench.Command) []string { return []string{prog} }}
	var ready, gone [3][]float64
	var handoff []float64
	ways := []int{0, 1, 2}
	const warmup = 20
	for n := range b.N + warmup {
		rand.Shuffle(len(ways), func(i, j int) { ways[i], ways[j] = ways[j], ways[i] })
		for _, w := range ways {
			var r, g, h float64
			if w == 0 {
				r, g, h = host(b, plan)
			} else {
				r, g = reference(w == 1)
			}
			if n < warmup {
				continue
			}
			ready[w], gone[w] = append(ready[w], r), append(gone[w], g)
			if w == 0 {
				handoff = append(handoff, h)
			}
		}
	}
	for w, name := range []string{"host", "c-same", "c-bare"} {
		b.ReportMetric(median(ready[w]), name+"-ready-µs")
		b.ReportMetric(median(gone[w]), name+"-gone-µs")
	}
	b.ReportMetric(median(handoff), "host-handoff-µs")
	b.ReportMetric(median(ready[0])/median(ready[1]), "ready-ratio")
	b.ReportMetric(median(ready[0])-median(ready[1]), "go-adds-µs")
	b.ReportMetric(0, "ns/op") // a mean over all three says nothing
}

// host starts the program once: microseconds until ready, until it was closed,
// and until the disposable thread began.
func host(b *testing.B, plan launch.Plan) (ready, gone, handoff float64) {
	token := bench.Token()
	plan.Command.Argv = []string{image.ReadyPath, token}
	launch.Ready(1)
	p := launch.New(plan)
	ctx := context.Background()
	if err := p.Start(ctx); err != nil {
		b.Fatal(err)
	}
	seen, err := clock.AwaitToken(p.Ready(), []byte(token), 10*time.Second)
	if err != nil {
		b.Fatal(err)
	}
	if exit, err := p.Wait(ctx); err != nil || exit.Status() != 0 {
		b.Fatal(exit, err)
	}
	if err := p.Close(); err != nil {
		b.Fatal(err)
	}
	end := clock.Now()
	µs := func(t clock.Time) float64 { return float64(t.Sub(p.Started())) / 1e3 }
	return µs(seen.At), µs(end), µs(p.Marks()[0].At)
}

// vfork starts the C program, which starts prog each time that the function is
// called.
func vfork(b *testing.B, prog string) func(same bool) (ready, gone float64) {
	in, out := benchtest.Reference(b, "testdata/vfork.c", prog, bench.Token())
	return func(same bool) (float64, float64) {
		mode := "b"
		if same {
			mode = "s"
		}
		if _, err := io.WriteString(in, mode); err != nil {
			b.Fatal(err)
		}
		var ns [2]int64
		if err := binary.Read(out, binary.NativeEndian, &ns); err != nil {
			b.Fatal(err)
		}
		return float64(ns[0]) / 1e3, float64(ns[1]) / 1e3
	}
}

func median(xs []float64) float64 {
	slices.Sort(xs)
	return (xs[len(xs)/2] + xs[(len(xs)-1)/2]) / 2
}

// A watcher that nobody needed: what each command pays for it.
func BenchmarkWatcher(b *testing.B) {
	for b.Loop() {
		w, err := launch.Undertaker(os.Args[0])("/nowhere")
		if err != nil {
			b.Fatal(err)
		}
		w.Close()
	}
}
