//go:build !lean

package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"lab/bench/cgroup"
)

// TestKilledAtAnyPoint kills lab exec with SIGKILL at random points of a
// container's life. Within seconds nothing of it may be left but empty cgroup
// folders and an empty run folder, and after the next command not even these.
//
// LAB_KILLS says how many times; "make chaos" does it a thousand times.
func TestKilledAtAnyPoint(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED: containers need root; fix: sudo make test")
	}
	n := 50
	if s := os.Getenv("LAB_KILLS"); s != "" {
		var err error
		if n, err = strconv.Atoi(s); err != nil {
			t.Fatal("LAB_KILLS: ", err)
		}
	}
	lab := command(t)
	// As long as a whole life takes here and now, and twice that again.
	began := time.Now()
	if out, err := exec.Command(lab, "exec", "container", "--net", "bridge", "--", "true").CombinedOutput(); err != nil {
		t.Fatalf("lab exec: %v\n%s", err, out)
	}
	window := max(3*time.Since(began), 15*time.Millisecond)
	before := state(t)
	token := fmt.Sprintf("8%07d", rand.IntN(1e7)) // seconds to sleep: nobody else's
	args := [][]string{
		{"exec", "container", "--memory", "64M", "--", "sleep", token},
		{"exec", "container", "--net", "bridge", "--", "sh", "-c", "sleep " + token + " & sleep " + token},
		{"exec", "container", "--variant", "user=yes,time=yes", "--", "sleep", token},
		{"exec", "chroot", "--pids", "20", "--", "sleep", token},
	}
	// Images on a file system without idmapped mounts, and older kernels.
	if out, err := exec.Command(lab, "exec", "container", "--variant", "user=yes,time=yes", "--", "true").CombinedOutput(); err != nil && bytes.Contains(out, []byte("unavailable: ")) {
		t.Logf("without user=yes,time=yes: %s", out)
		args = slices.Delete(args, 2, 3)
	}
	var points []time.Duration
	for i := range n {
		cmd := exec.Command(lab, args[i%len(args)]...)
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		cmd.WaitDelay = 10 * time.Second // a survivor would hold stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		// From before the program's first instruction to long after the
		// workload's: a start takes some milliseconds.
		at := time.Duration(rand.Int64N(int64(window)))
		points = append(points, at)
		time.Sleep(at)
		cmd.Process.Kill()
		cmd.Wait()
		if s := stderr.String(); s != "" {
			t.Errorf("killed after %v, it said: %s", at, s)
		}
		for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(2 * time.Millisecond) {
			left := append(without(state(t), before), processes(t, token)...)
			if len(left) == 0 {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("killed after %v (%s), left: %q", at, strings.Join(args[i%len(args)], " "), left)
			}
		}
		for id, dirs := range owners(t) {
			for _, dir := range dirs {
				if procs, err := os.ReadFile(filepath.Join(dir, "cgroup.procs")); err == nil && len(procs) > 0 {
					t.Errorf("testbed %s: processes %q in %s", id, procs, dir)
				}
			}
		}
	}
	// The next command sweeps.
	if out, err := exec.Command(lab, "clean").CombinedOutput(); err != nil {
		t.Errorf("lab clean: %v\n%s", err, out)
	}
	if o := owners(t); len(o) > 0 {
		t.Errorf("cgroup folders left: %v", o)
	}
	// By name, too: whatever its tag, no folder of ours may be there.
	var named []string
	filepath.WalkDir("/sys/fs/cgroup", func(dir string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && strings.HasPrefix(d.Name(), "lab-") {
			named = append(named, dir)
		}
		return nil
	})
	for _, dir := range named {
		if !cgroup.Owned(dir) && !alive(filepath.Join("/run/lab", strings.TrimPrefix(filepath.Base(dir), "lab-"))) {
			t.Errorf("left: %s", dir)
		}
	}
	left, _ := filepath.Glob("/run/lab/*")
	for _, dir := range left {
		if !alive(dir) {
			t.Errorf("left: %s", dir)
		}
	}
	slices.Sort(points)
	t.Logf("%d kills, after %v to %v", n, points[0], points[len(points)-1])
}

// state is what a container is made of, outside of it.
func state(t *testing.T) []string {
	t.Helper()
	b, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	out := strings.Split(strings.TrimSpace(string(b)), "\n")
	links, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range links {
		out = append(out, "link "+l.Name)
	}
	return out
}

func without(have, known []string) []string {
	return slices.DeleteFunc(have, func(s string) bool { return slices.Contains(known, s) })
}

// processes are those whose arguments have the token.
func processes(t *testing.T, token string) (out []string) {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if b, err := os.ReadFile(f); err == nil && bytes.Contains(b, []byte(token)) {
			out = append(out, f+" "+string(bytes.ReplaceAll(b, []byte{0}, []byte{' '})))
		}
	}
	return out
}

// owners are the testbeds whose cgroup folders are there and that no live lab
// owns: others may run on this machine at the same time.
func owners(t *testing.T) map[string][]string {
	t.Helper()
	l, err := cgroup.Read()
	if err != nil {
		t.Fatal(err)
	}
	out := l.Owners()
	for id, dirs := range out {
		if slices.ContainsFunc(dirs, cgroup.Owned) || alive(filepath.Join("/run/lab", id)) {
			delete(out, id)
		}
	}
	return out
}

// alive says whether a lab holds the lock on its run folder.
func alive(dir string) bool {
	f, err := os.Open(dir)
	if err != nil {
		return false
	}
	defer f.Close()
	return unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) != nil
}
