package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"lab/bench/crew"
	"lab/bench/histogram"
	"lab/bench/results"
	"lab/bench/testbed"
)

// statusMain is status N|… CMD ARG…: it succeeds where the command's exit status
// is N, or one of these, and hands signals on to it.
func statusMain(args []string) int {
	sigs := make(chan os.Signal, 8)
	signal.Notify(sigs, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGUSR1)
	cmd := exec.Command(args[1], args[2:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	if err := cmd.Start(); err != nil {
		fmt.Fprintln(os.Stderr, "status:", err)
		return 1
	}
	go func() {
		for s := range sigs {
			cmd.Process.Signal(s)
		}
	}()
	cmd.Wait()
	if got := strconv.Itoa(cmd.ProcessState.ExitCode()); !slices.Contains(strings.Split(args[0], "|"), got) {
		fmt.Fprintf(os.Stderr, "status: %s, want %s\n", got, args[0])
		return 1
	}
	return 0
}

// trialsMain is trials DIR: a line for each value that isn't a phase.
func trialsMain(args []string) int {
	run, err := results.Read(args[0])
	if err != nil {
		fmt.Fprintln(os.Stderr, "trials:", err)
		return 1
	}
	for _, l := range run.Lines {
		kind := "counted"
		if l.Warmup {
			kind = "warm-up"
		}
		if l.PartOf == "" {
			fmt.Println(l.Trial, l.Block, l.Pos, l.Label(), kind, l.Metric, "err="+l.Err)
		}
	}
	return 0
}

// tailsMain is tails DIR METRIC: a line for each distribution of the metric, with how
// many observations it has, three quantiles in seconds, and whether trials.jsonl has
// the same two for p50 and p99.
func tailsMain(args []string) int {
	run, err := results.Read(args[0])
	if err != nil {
		fmt.Fprintln(os.Stderr, "tails:", err)
		return 1
	}
	said := map[string]float64{}
	for _, l := range run.Lines {
		if l.Metric == args[1] && l.Value != nil {
			said[fmt.Sprint(l.Trial, l.Stat)] = *l.Value
		}
	}
	f, err := os.Open(filepath.Join(args[0], results.SamplesDir, args[1]+".jsonl"))
	if err != nil {
		fmt.Fprintln(os.Stderr, "tails:", err)
		return 1
	}
	defer f.Close()
	for d := json.NewDecoder(f); d.More(); {
		var s results.Sample
		if err := d.Decode(&s); err != nil {
			fmt.Fprintln(os.Stderr, "tails:", err)
			return 1
		}
		var h histogram.Histogram
		for _, b := range s.Buckets {
			h.AddN(int(b[0]), b[1])
		}
		q := func(q float64) float64 { ns, _ := h.Quantile(q); return ns / 1e9 }
		same := "as in trials.jsonl"
		for name, v := range map[string]float64{"p50": q(0.5), "p99": q(0.99)} {
			if was := said[fmt.Sprint(s.Trial, name)]; math.Abs(v-was) > 0.02*was {
				same = fmt.Sprintf("but %s is %g in trials.jsonl", name, was)
			}
		}
		fmt.Printf("%s n=%d %.3g %.3g %.3g %s\n", results.Label(s.Env, s.Variant, s.N), h.N(), q(0.5), q(0.99), q(0.999), same)
	}
	return 0
}

// awaitMain is await FILE N: it waits until the file has N lines, or is there.
func awaitMain(args []string) int {
	n, _ := strconv.Atoi(args[1])
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		b, err := os.ReadFile(args[0])
		if err == nil && strings.Count(string(b), "\n") >= n {
			return 0
		}
	}
	fmt.Fprintf(os.Stderr, "await: %s never had %d lines\n", args[0], n)
	return 1
}

// smiteMain is smite supervisor|worker: it kills a process of the run that holds
// the machine's lock, and returns when all that lived in its testbed is gone.
func smiteMain(args []string) int {
	_, err := testbed.Acquire(true)
	var busy *testbed.BusyError
	if !errors.As(err, &busy) || busy.PID == 0 {
		fmt.Fprintln(os.Stderr, "smite: nobody is measuring:", err)
		return 1
	}
	worker := childOf(busy.PID, isWorker)
	if worker == 0 {
		fmt.Fprintln(os.Stderr, "smite: PID", busy.PID, "has no worker")
		return 1
	}
	ns := pidNamespace(worker)
	victim := busy.PID
	if args[0] == "worker" {
		victim = worker
	}
	if err := unix.Kill(victim, unix.SIGKILL); err != nil {
		fmt.Fprintln(os.Stderr, "smite:", err)
		return 1
	}
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if !inhabited(ns) {
			return 0
		}
	}
	fmt.Fprintln(os.Stderr, "smite: processes of the testbed outlived it")
	return 1
}

// childOf finds a process by its parent's PID and its command line.
func childOf(pid int, is func(line string) bool) int {
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, name := range stats {
		b, _ := os.ReadFile(name)
		_, rest, _ := strings.Cut(string(b), ") ")
		f := strings.Fields(rest)
		if len(f) < 2 || f[1] != strconv.Itoa(pid) {
			continue
		}
		line, _ := os.ReadFile(filepath.Dir(name) + "/cmdline")
		if is(string(line)) {
			n, _ := strconv.Atoi(filepath.Base(filepath.Dir(name)))
			return n
		}
	}
	return 0
}

func isWorker(line string) bool { return strings.Contains(line, crew.Arg) }

func pidNamespace(pid int) string {
	ns, _ := os.Readlink("/proc/" + strconv.Itoa(pid) + "/ns/pid")
	return ns
}

func inhabited(ns string) bool {
	all, _ := filepath.Glob("/proc/[0-9]*/ns/pid")
	for _, name := range all {
		if n, _ := os.Readlink(name); n == ns {
			return true
		}
	}
	return false
}
