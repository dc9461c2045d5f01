package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"lab/bench/crew"
	"lab/bench/input"
	"lab/bench/results"
	"lab/bench/testbed"
)

// statusMain is status N CMD ARG…: it succeeds where the command's exit status
// is N, and hands signals on to it.
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
	if got := strconv.Itoa(cmd.ProcessState.ExitCode()); got != args[0] {
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
	all, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range all {
		n, _ := strconv.Atoi(filepath.Base(dir))
		if _, f, ok := input.Process(n); !ok || f[1] != strconv.Itoa(pid) {
			continue
		}
		line, _ := os.ReadFile(dir + "/cmdline")
		if is(string(line)) {
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
