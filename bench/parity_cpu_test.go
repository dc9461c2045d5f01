package bench_test

import (
	"errors"
	"os/exec"
	"regexp"
	"strconv"
	"testing"

	"lab/bench"
	"lab/bench/probe/line"
)

// A cpuParity is one of the probe's sections, and how sysbench is told to do the
// same: one of its events is one of the section's rounds.
type cpuParity struct {
	section string
	unit    string
	event   float64 // units in an event
	apart   float64 // how far both may be from one another, as a share
	args    []string
}

// The time ends sysbench, never its limit of bytes.
var cpuParities = []cpuParity{
	{"primes", "1/s", 1, parityApart, []string{"cpu", "--cpu-max-prime=10000"}},
	// sysbench works each word out from its address, with three instructions more,
	// and isn't bound by the cache alone as the probe is.
	{"words-write", "B/s", 1 << 20, 0.25, []string{"memory", "--memory-block-size=1M", "--memory-total-size=100T", "--memory-oper=write", "--memory-access-mode=seq"}},
	{"words-read", "B/s", 1 << 20, parityApart, []string{"memory", "--memory-block-size=1M", "--memory-total-size=100T", "--memory-oper=read", "--memory-access-mode=seq"}},
}

// TestParityCPU divides, writes and reads in the same loops with the lab's probe
// and with sysbench, one thread for one second each.
func TestParityCPU(t *testing.T) {
	rounds := parityRounds(t)
	sysbench, err := exec.LookPath("sysbench")
	if err != nil {
		t.Skip("SKIPPED: no sysbench; fix: apt-get install sysbench")
	}
	program := probeProgram(t)
	rate, effort := make([]figures, len(cpuParities)), make([]figures, len(cpuParities))
	beside(rounds, len(cpuParities), func(i int, ours bool) {
		p, did := cpuParities[i], counted{}
		if ours {
			did = probeCPU(t, program, p.section)
		} else {
			did = sysbenchCPU(t, sysbench, p.args)
		}
		if did.events <= 0 || did.seconds <= 0 || did.cpu <= 0 {
			t.Fatalf("%s: %+v", p.section, did)
		}
		rate[i].add(ours, did.events*p.event/did.seconds)
		effort[i].add(ours, did.events*p.event/did.cpu)
	})
	for i, p := range cpuParities {
		what := "cpu, " + p.section
		// As with the network: what else runs takes processors from the one
		// or the other, and the second line is without that.
		even := parity(t, what+", by CPU time", "sysbench", p.unit, effort[i], p.apart)
		if !parity(t, what, "sysbench", p.unit, rate[i], p.apart) && !even {
			t.Errorf("%s: neither the figure nor the figure by CPU time is within %g %% of sysbench's", what, 100*p.apart)
		}
	}
}

// counted is how often something was done, in how many seconds, and in how many
// of CPU time.
type counted struct{ events, seconds, cpu float64 }

// probeCPU is a section of the lab's probe: all its rounds in all its time, as
// sysbench counts. The section's own value is that of its middle batch.
func probeCPU(t *testing.T, program, section string) (did counted) {
	t.Helper()
	converse(t, program, []string{"cpu", "ms=1000", "only=" + section}, func(h bench.Heard) error {
		if h.Kind != line.End {
			return nil
		}
		rounds, err := h.Value("rounds")
		cpu, cerr := h.Value("cpu")
		did = counted{rounds, h.Own.Seconds(), cpu / 1e9}
		return errors.Join(err, cerr)
	})
	return did
}

var (
	sysbenchTime   = regexp.MustCompile(`total time: +([0-9.]+)s`)
	sysbenchEvents = regexp.MustCompile(`total number of events: +([0-9]+)`)
)

// sysbenchCPU is the same by sysbench. Its CPU time has its start in it, some
// milliseconds.
func sysbenchCPU(t *testing.T, sysbench string, args []string) counted {
	t.Helper()
	cmd := exec.Command(sysbench, append(args[:len(args):len(args)], "--threads=1", "--time=1", "--events=0", "run")...)
	ownSession(cmd)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %v: %s", cmd.Args, err, out)
	}
	figure := func(of *regexp.Regexp) float64 {
		said := of.FindSubmatch(out)
		if said == nil {
			t.Fatalf("%v: no %v in: %s", cmd.Args, of, out)
		}
		v, err := strconv.ParseFloat(string(said[1]), 64)
		if err != nil {
			t.Fatalf("%v: %v", cmd.Args, err)
		}
		return v
	}
	return counted{figure(sysbenchEvents), figure(sysbenchTime), spent(cmd).Seconds()}
}
