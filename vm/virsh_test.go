package vm

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/digitalocean/go-libvirt"

	"lab/bench"
	"lab/bench/benchtest"
	"lab/bench/clock"
	"lab/bench/image"
	"lab/vm/domain"
)

// BenchmarkVirshCreate sets the lab's start of a guest beside "virsh create" of
// the same definition, on the same daemon, in a shuffled order: what people
// type, with nothing around it. The part before QEMU is executed and the part
// until its CPU runs are libvirt's share, and stand apart.
func BenchmarkVirshCreate(b *testing.B) {
	virsh, err := exec.LookPath("virsh")
	if err != nil {
		b.Skip("SKIPPED: virsh isn't installed; fix: apt-get install libvirt-clients")
	}
	e := New()
	ctx := context.Background()
	if err := e.Open(ctx, benchtest.Testbed(b)); err != nil {
		b.Fatal(err)
	}
	defer e.Close()
	img := benchtest.Image(b)
	type way struct {
		name                 string
		virsh                bool
		ready, before, until []float64 // s: all; QEMU's exec; its CPU running
	}
	ways := []*way{{name: "lab"}, {name: "virsh create", virsh: true}}
	trial := func(w *way) {
		token := bench.Token()
		settings, err := bench.Resolve(e, nil)
		if err != nil {
			b.Fatal(err)
		}
		p, err := e.Prepare(ctx, bench.Spec{Image: img, Settings: settings, Command: bench.Command{Argv: []string{image.ReadyPath, token}}})
		if err != nil {
			b.Skipf("SKIPPED: %v", err)
		}
		i := p.(*instance)
		defer i.Close()
		start := i.Start
		if w.virsh {
			start = func(ctx context.Context) error { return i.startBy(ctx, virsh) }
		}
		if err := start(ctx); err != nil {
			b.Fatalf("%s: %v", w.name, err)
		}
		seen, err := clock.AwaitToken(i.Ready(), []byte(token), time.Minute)
		if err != nil {
			b.Fatalf("%s: %v", w.name, i.Explain(err))
		}
		w.ready = append(w.ready, seen.At.Sub(i.began).Seconds())
		for _, m := range i.marks {
			switch m.Name {
			case "libvirt":
				w.before = append(w.before, m.At.Sub(i.began).Seconds())
			case "configure":
				w.until = append(w.until, m.At.Sub(i.began).Seconds())
			}
		}
	}
	for _, w := range ways {
		trial(w) // warms up
		w.ready, w.before, w.until = nil, nil, nil
	}
	const rounds = 15
	for range rounds {
		rand.Shuffle(len(ways), func(i, j int) { ways[i], ways[j] = ways[j], ways[i] })
		for _, w := range ways {
			trial(w)
		}
	}
	median := func(f []float64) float64 { f = slices.Sorted(slices.Values(f)); return f[len(f)/2] }
	slices.SortFunc(ways, func(x, y *way) int { return strings.Compare(x.name, y.name) })
	for _, w := range ways {
		b.Logf("%-12s ready %.3f s; QEMU executed after %.3f s, its CPU runs after %.3f s",
			w.name, median(w.ready), median(w.before), median(w.until))
	}
	b.ReportMetric(median(ways[0].ready), "lab-s")
	b.ReportMetric(median(ways[0].ready)/median(ways[1].ready), "of-virsh")
	b.ReportMetric(median(ways[0].until)/median(ways[1].until), "of-virsh-until-cpu")
	b.ReportMetric(0, "ns/op")
}

// startBy is start, with virsh in the place of the lab's own call.
func (i *instance) startBy(ctx context.Context, virsh string) (err error) {
	i.began, i.started, i.cancel = clock.Now(), true, func() {}
	defer close(i.tried)
	_, err = i.startHere(ctx, func(ctx context.Context) error {
		text, err := domain.XML(i.cfg)
		if err != nil {
			return err
		}
		file := i.file(".xml")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			return err
		}
		defer os.Remove(file)
		return i.create(ctx, "virsh create", "configure", func(*libvirt.Libvirt) error {
			out, err := exec.CommandContext(ctx, virsh, "-q", "-c", "qemu+unix:///system?socket="+i.env.own.Now().Socket, "create", file).CombinedOutput()
			if err != nil {
				return errors.Join(err, fmt.Errorf("%s", out))
			}
			return nil
		})
	})
	i.ran = err == nil
	return err
}
