package vm

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"lab/bench"
	"lab/bench/benchtest"
	"lab/bench/clock"
	"lab/bench/image"
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
