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

// stockCmdline is what a distribution's guest with a serial console boots with.
const stockCmdline = "console=ttyS0 quiet"

// BenchmarkVariants is the table of what each choice buys: the machine, the
// firmware, the form of the kernel, its command line. All are started in turn,
// in a new order each round; "stock" is the machine that virt-install makes,
// with the kernel and the command line as distributed.
func BenchmarkVariants(b *testing.B) {
	tb := benchtest.Testbed(b)
	e := New()
	ctx := context.Background()
	if err := e.Open(ctx, tb); err != nil {
		b.Fatal(err)
	}
	defer e.Close()
	type variant struct {
		name string
		set  string
		took []float64
		boot []float64
	}
	vs := []*variant{{name: "stock", set: "machine=q35,firmware=seabios,boot=bzimage,acpi=on"}}
	for _, m := range []string{"q35", "pc"} {
		for _, f := range []string{"seabios", "qboot"} {
			for _, a := range []string{"on", "off"} {
				if f == "qboot" && a == "off" {
					continue
				}
				set := fmt.Sprintf("machine=%s,firmware=%s,boot=elf,acpi=%s", m, f, a)
				vs = append(vs, &variant{name: set, set: set})
			}
		}
	}
	vs = append(vs, &variant{name: "machine=q35,firmware=seabios,boot=bzimage,acpi=on", set: vs[0].set})
	img := benchtest.Image(b)
	trial := func(v *variant) {
		set := make(map[string]string)
		for kv := range strings.SplitSeq(v.set, ",") {
			k, val, _ := strings.Cut(kv, "=")
			set[k] = val
		}
		settings, err := bench.Resolve(e, set)
		if err != nil {
			b.Fatal(err)
		}
		token := bench.Token()
		p, err := e.Prepare(ctx, bench.Spec{Image: img, Settings: settings, Command: bench.Command{Argv: []string{image.ReadyPath, token}}})
		if err != nil {
			b.Skipf("SKIPPED: %v", err)
		}
		i := p.(*instance)
		defer i.Close()
		if v.name == "stock" {
			i.cfg.Cmdline = stockCmdline + " rdinit=" + image.ReadyPath + " -- " + token
		}
		if err := i.Start(ctx); err != nil {
			b.Fatal(err)
		}
		seen, err := clock.AwaitToken(i.Ready(), []byte(token), time.Minute)
		if err != nil {
			b.Fatalf("%s: %v", v.name, i.Explain(err))
		}
		v.took = append(v.took, seen.At.Sub(i.Started()).Seconds())
		v.boot = append(v.boot, seen.At.Sub(i.Marks()[1].At).Seconds()) // from QEMU's exec on
	}
	trial(vs[0]) // warms up
	vs[0].took, vs[0].boot = nil, nil
	const rounds = 7
	for range rounds {
		rand.Shuffle(len(vs), func(i, j int) { vs[i], vs[j] = vs[j], vs[i] })
		for _, v := range vs {
			trial(v)
		}
	}
	slices.SortFunc(vs, func(x, y *variant) int { return strings.Compare(x.name, y.name) })
	median := func(f []float64) float64 { slices.Sort(f); return f[len(f)/2] }
	stock := vs[slices.IndexFunc(vs, func(v *variant) bool { return v.name == "stock" })]
	s, sb := median(stock.took), median(stock.boot)
	for _, v := range vs {
		m, mb := median(v.took), median(v.boot)
		b.Logf("%-52s ready %.3f s, %.2f × stock; from QEMU's exec %.3f s, %.2f × stock", v.name, m, m/s, mb, mb/sb)
	}
	b.ReportMetric(s, "stock-s")
	b.ReportMetric(0, "ns/op")
}

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
