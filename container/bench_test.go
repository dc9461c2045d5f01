package container

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"lab/bench"
	"lab/bench/benchtest"
	"lab/bench/cgroup"
	"lab/bench/clock"
	"lab/bench/image"
	"lab/bench/launch"
	"lab/bench/stats"
	"lab/bench/testbed"
)

// rig is what the benchmarks start containers with.
type rig struct {
	env   *Env
	tb    *testbed.Testbed
	image image.Ref
	dir   string // for files
}

func newRig(b *testing.B) *rig {
	b.Helper()
	if os.Geteuid() != 0 {
		b.Skip("SKIP: containers need root; fix: sudo make bench")
	}
	dir := b.TempDir()
	tb, err := testbed.Local(dir, &cgroup.Options{Controllers: true}, nil)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := tb.Close(); err != nil {
			b.Error(err)
		}
	})
	img, err := image.MakeDefault(dir, 0, 0)
	if err != nil {
		b.Skip("SKIP: ", err, "; fix: make setup")
	}
	env := New()
	if err := env.Open(b.Context(), tb); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { env.Close() })
	return &rig{env, tb, img, dir}
}

// start starts one container, and returns the seconds until its first byte and
// until nothing was left of it.
func (r *rig) start(b testing.TB, settings map[string]string) (ready, gone float64) {
	set, err := bench.Resolve(r.env, settings)
	if err != nil {
		b.Fatal(err)
	}
	ctx := context.Background()
	token := bench.Token()
	i, err := r.env.Prepare(ctx, bench.Spec{Image: r.image, Settings: set,
		Command: bench.Command{Argv: []string{image.ReadyPath, token}}})
	if err != nil {
		b.Fatal(err)
	}
	begin := clock.Now()
	if err := i.Start(ctx); err != nil {
		b.Fatal(err)
	}
	seen, err := clock.AwaitToken(i.Ready(), []byte(token), 10*time.Second)
	if err != nil {
		b.Fatal(err)
	}
	if x, err := i.Wait(ctx); err != nil || x.Status() != 0 {
		b.Fatal(x, err)
	}
	if err := i.Close(); err != nil {
		b.Fatal(err)
	}
	return seen.At.Sub(begin).Seconds(), clock.Now().Sub(begin).Seconds()
}

// floor runs testdata/floor.c: what the kernel itself takes.
func (r *rig) floor(b *testing.B, flags, filterFile string) func() (ready, gone float64) {
	b.Helper()
	scratch := filepath.Join(r.dir, "scratch")
	if err := os.MkdirAll(scratch, 0o755); err != nil {
		b.Fatal(err)
	}
	args := []string{r.image.Dir, scratch, flags, filterFile}
	l, err := cgroup.Read()
	if err != nil {
		b.Fatal(err)
	}
	for _, dir := range r.tb.Cgroups.Dirs() {
		if l.V2 != "" && strings.HasPrefix(dir, l.V2+"/") {
			dir = "2:" + dir
		}
		args = append(args, dir)
	}
	in, out := benchtest.Reference(b, "testdata/floor.c", append(args, "--", image.ReadyPath, bench.Token())...)
	lines := bufio.NewReader(out)
	return func() (float64, float64) {
		fmt.Fprintln(in)
		line, err := lines.ReadString('\n')
		if err != nil {
			b.Fatal("floor: ", err)
		}
		var ready, gone int64
		if _, err := fmt.Sscan(line, &ready, &gone); err != nil {
			b.Fatal("floor: ", err)
		}
		return time.Duration(ready).Seconds(), time.Duration(gone).Seconds()
	}
}

// pairs alternates between contenders in an order shuffled anew in each round,
// and returns each one's values. Two rounds before count as warm-up.
func pairs(n int, run []func() float64) [][]float64 {
	out := make([][]float64, len(run))
	for i := range n + 2 {
		for _, k := range rand.Perm(len(run)) {
			v := run[k]()
			if i >= 2 {
				out[k] = append(out[k], v)
			}
		}
	}
	return out
}

// tell prints a contender's median and its ratio to the first one's, and
// reports the ratio as a metric.
func tell(b *testing.B, name string, x, reference []float64, against string) {
	m, err := stats.MedianInterval(x)
	if err != nil {
		b.Fatal(err)
	}
	line := fmt.Sprintf("%-44s %7.3f ms (%.3f to %.3f)", name, m.Point*1e3, m.Lo*1e3, m.Hi*1e3)
	if reference != nil {
		c, err := stats.Compare(x, reference, 1)
		if err != nil || c.Ratio == nil {
			b.Fatalf("no ratio: %v", err)
		}
		r := c.Ratio
		line += fmt.Sprintf("   %.2f × %s (%.2f to %.2f)", r.Point, against, r.Lo, r.Hi)
		b.ReportMetric(r.Point, "×"+against+"/"+strings.ReplaceAll(strings.Fields(name)[0], ",", ""))
	}
	fmt.Println(line)
}

// BenchmarkFloor: create → ready and create → gone, in process, beside the
// kernel's floor with the same namespaces, mounts, cgroups, capabilities and
// filter.
func BenchmarkFloor(b *testing.B) {
	r := newRig(b)
	var buf bytes.Buffer
	binary.Write(&buf, binary.NativeEndian, filter())
	file := filepath.Join(r.dir, "filter")
	if err := os.WriteFile(file, buf.Bytes(), 0o644); err != nil {
		b.Fatal(err)
	}
	ref := r.floor(b, "n", file)
	var oursGone, floorGone []float64
	run := []func() float64{
		func() float64 {
			x, g := ref()
			floorGone = append(floorGone, g)
			return x
		},
		func() float64 {
			x, g := r.start(b, nil)
			oursGone = append(oursGone, g)
			return x
		},
	}
	for b.Loop() {
		v := pairs(300, run)
		fmt.Println()
		tell(b, "floor, ready (C, one process)", v[0], nil, "")
		tell(b, "container, ready (in process)", v[1], v[0], "floor")
		tell(b, "floor, gone", floorGone, nil, "")
		tell(b, "container-gone", oursGone, floorGone, "floor")
	}
}

// BenchmarkHundred: 100 containers one after another, and 100 as 8 at a time.
func BenchmarkHundred(b *testing.B) {
	r := newRig(b)
	hundred := func(at int) float64 {
		begin := clock.Now()
		var wg sync.WaitGroup
		for k := range at {
			wg.Add(1)
			go func() {
				defer wg.Done()
				for i := k; i < 100; i += at {
					r.start(b, nil)
				}
			}()
		}
		wg.Wait()
		return clock.Now().Sub(begin).Seconds()
	}
	for b.Loop() {
		v := pairs(7, []func() float64{func() float64 { return hundred(1) }, func() float64 { return hundred(8) }})
		fmt.Println()
		tell(b, "100 one after another", v[0], nil, "")
		tell(b, "8 at a time: the same 100", v[1], v[0], "sequential")
	}
}

// BenchmarkPumps: what it costs a command that its standard descriptors aren't
// its caller's: a whole life in process, from before Start until all that it
// wrote is where it should be, with the caller's descriptors handed in and with
// pipes of its own (launch.Pump), as lab exec does.
func BenchmarkPumps(b *testing.B) {
	r := newRig(b)
	in, w, err := os.Pipe()
	if err != nil {
		b.Fatal(err)
	}
	defer w.Close()
	out, err := os.CreateTemp(r.dir, "out")
	if err != nil {
		b.Fatal(err)
	}
	set, err := bench.Resolve(r.env, nil)
	if err != nil {
		b.Fatal(err)
	}
	life := func(pumped bool, argv ...string) float64 {
		s := bench.Spec{Image: r.image, Settings: set, Command: bench.Command{Argv: argv, Stdin: in, Stdout: out, Stderr: out}}
		begin := clock.Now()
		var pumps *launch.Pumps
		if pumped {
			if pumps, err = launch.Pump(&s.Command, in, out, out); err != nil {
				b.Fatal(err)
			}
		}
		i, err := r.env.Prepare(b.Context(), s)
		if err != nil {
			b.Fatal(err)
		}
		if err := i.Start(b.Context()); err != nil {
			b.Fatal(err)
		}
		if pumped {
			pumps.Begin()
		}
		if x, err := i.Wait(b.Context()); err != nil || x.Status() != 0 {
			b.Fatal(x, err)
		}
		if pumped {
			if _, err := pumps.End(nil); err != nil {
				b.Fatal(err)
			}
		}
		took := clock.Now().Sub(begin).Seconds()
		if err := errors.Join(i.Close(), out.Truncate(0)); err != nil {
			b.Fatal(err)
		}
		return took
	}
	const much = "64" // MiB
	pour := []string{"/bin/dd", "if=/dev/zero", "bs=65536", "count=1024"}
	for b.Loop() {
		fmt.Println()
		v := pairs(200, []func() float64{
			func() float64 { return life(false, image.ReadyPath, "token") },
			func() float64 { return life(true, image.ReadyPath, "token") },
		})
		tell(b, "direct: start, one line, end", v[0], nil, "")
		tell(b, "pumped, the same", v[1], v[0], "direct")
		v = pairs(15, []func() float64{
			func() float64 { return life(false, pour...) },
			func() float64 { return life(true, pour...) },
		})
		tell(b, "direct: "+much+" MiB of output into a file", v[0], nil, "")
		tell(b, "pumped/"+much+"MiB, the same", v[1], v[0], "direct")
	}
}
