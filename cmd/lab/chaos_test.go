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
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"lab/bench/cgroup"
	"lab/bench/launch"
	"lab/bench/proc"
)

// TestKilledAtAnyPoint kills lab with SIGKILL at random points of its life, in
// every environment. Within seconds nothing of it may be left, though no other
// command runs. Where its watcher was killed, too, nothing may be left after the
// next command.
//
// LAB_KILLS says how many times; "make chaos" does it a thousand times, one in
// twenty of them with a guest.
func TestKilledAtAnyPoint(t *testing.T) {
	needs(t)
	n := 50
	if s := os.Getenv("LAB_KILLS"); s != "" {
		var err error
		if n, err = strconv.Atoi(s); err != nil {
			t.Fatal("LAB_KILLS: ", err)
		}
	}
	lab := command(t)
	token := fmt.Sprintf("8%07d", rand.IntN(1e7)) // seconds to sleep: nobody else's
	quick := [][]string{
		{"exec", "container", "--memory", "64M", "--", "sleep", token},
		{"exec", "container", "--net", "bridge", "--", "sh", "-c", "sleep " + token + " & sleep " + token},
		{"exec", "container", "--variant", "user=yes,time=yes", "--", "sleep", token},
		{"exec", "chroot", "--pids", "20", "--", "sleep", token},
		{"exec", "host", "--", "sh", "-c", "sleep " + token + " & sleep " + token},
		{"run", "startup", "--env", "host,container", "-r", "3000", "--out"}, // and a folder
	}
	// Images on a file system without idmapped mounts, and older kernels.
	if out, err := exec.Command(lab, "exec", "container", "--variant", "user=yes,time=yes", "--", "true").CombinedOutput(); err != nil && bytes.Contains(out, []byte("unavailable: ")) {
		t.Logf("without user=yes,time=yes: %s", out)
		quick = slices.Delete(quick, 2, 3)
	}
	slow := [][]string{{"exec", "vm", "--net", "bridge", "--", "sleep", token}}
	// As long as a whole life takes here and now, and twice that again.
	window := map[string]time.Duration{}
	for _, args := range [][]string{{"exec", "container", "--net", "bridge", "--", "true"}, {"exec", "vm", "--net", "bridge", "--", "true"}} {
		began := time.Now()
		if out, err := exec.Command(lab, args...).CombinedOutput(); err != nil {
			if args[1] == "vm" && bytes.Contains(out, []byte("unavailable: ")) {
				t.Logf("without vm: %s", out)
				slow = nil
				continue
			}
			t.Fatalf("lab exec: %v\n%s", err, out)
		}
		window[args[1]] = max(3*time.Since(began)/2, 30*time.Millisecond)
	}
	before := left(t, token)
	var points []time.Duration
	for i := range n {
		args, within := quick[i%len(quick)], 2*window["container"]
		if slow != nil && i%20 == 19 {
			args, within = slow[0], window["vm"]
		}
		if args[0] == "run" {
			args = append(slices.Clone(args), filepath.Join(t.TempDir(), "r"))
			within *= 10
		}
		needs(t) // a killed run's worker has the machine's lock until it is dead
		cmd := exec.Command(lab, args...)
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		cmd.WaitDelay = 10 * time.Second // a survivor would hold stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		// From before the program's first instruction to long after the
		// workload's: a start takes some milliseconds.
		at := time.Duration(rand.Int64N(int64(within)))
		points = append(points, at)
		time.Sleep(at)
		// Nobody else knows of a host process what it left in the background.
		all := i%5 == 4 && args[1] != "host"
		if all {
			smiteWatcher(cmd.Process.Pid)
		}
		cmd.Process.Kill()
		cmd.Wait()
		if s := stderr.String(); s != "" && args[0] != "run" {
			t.Errorf("%q, killed after %v, said: %s", args, at, s)
		}
		for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(2 * time.Millisecond) {
			more := without(left(t, token), before)
			if all { // until the next command
				more = slices.DeleteFunc(more, func(s string) bool { return strings.HasPrefix(s, "folder ") })
			}
			if len(more) == 0 {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("%q, killed after %v (and its watcher: %v), left: %q", args, at, all, more)
			}
		}
		if all {
			if out, err := exec.Command(lab, "exec", "host", "--", "true").CombinedOutput(); err != nil {
				t.Errorf("the next command: %v\n%s", err, out)
			}
			if more := without(left(t, token), before); len(more) > 0 {
				t.Errorf("%q, killed after %v with its watcher; left after the next command: %q", args, at, more)
			}
		}
	}
	slices.Sort(points)
	t.Logf("%d kills, after %v to %v", n, points[0], points[len(points)-1])
}

// TestAnyoneKilled kills a random process of those that a command has started, or
// stops it for a while: worker, daemon, QEMU, workload, watcher. The command ends by
// itself, nothing is left, and what was measured can be read.
func TestAnyoneKilled(t *testing.T) {
	needs(t)
	n := 12
	if s := os.Getenv("LAB_KILLS"); s != "" {
		kills, err := strconv.Atoi(s)
		if err != nil {
			t.Fatal("LAB_KILLS: ", err)
		}
		n = (kills + 4) / 5
	}
	lab := command(t)
	token := fmt.Sprintf("2.8%07d", rand.IntN(1e7))
	commands := [][]string{
		{"exec", "container", "--memory", "64M", "--", "sh", "-c", "sleep " + token + "; sleep " + token},
		{"exec", "host", "--init", "--", "sleep", token},
		{"run", "startup", "--env", "host,container", "-r", "200", "--out"},
	}
	if _, err := exec.Command(lab, "exec", "vm", "--", "true").CombinedOutput(); err == nil {
		commands = append(commands, []string{"exec", "vm", "--", "sleep", token})
	} else {
		t.Log("without vm")
	}
	// An engine's daemons, shim and runtime, and what it keeps running.
	if _, err := exec.LookPath("dockerd"); err == nil {
		commands = append(commands, []string{"exec", "docker", "--", "sh", "-c", "sleep " + token + "; sleep " + token})
	} else {
		t.Log("without docker")
	}
	before, struck := left(t, token), map[string]int{}
	for i := range n {
		args, within := commands[i%len(commands)], 500*time.Millisecond
		out := filepath.Join(t.TempDir(), "r")
		switch args[1] {
		case "startup":
			args, within = append(slices.Clone(args), out), 3*time.Second
		case "vm", "docker":
			within = 4 * time.Second
		}
		needs(t) // a killed run's worker has the machine's lock until it is dead
		cmd := exec.Command(lab, args...)
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		cmd.WaitDelay = 10 * time.Second
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		time.Sleep(time.Duration(rand.Int64N(int64(within))))
		what := "nobody"
		all := descendants(cmd.Process.Pid)
		for end := time.Now().Add(time.Second); len(all) == 0 && time.Now().Before(end); time.Sleep(time.Millisecond) {
			all = descendants(cmd.Process.Pid) // it has just begun, or it has ended
		}
		if len(all) > 0 {
			pid := all[rand.IntN(len(all))]
			name, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
			what = strings.TrimSpace(string(name)) + " killed"
			if i%3 == 2 {
				what = strings.TrimSpace(string(name)) + " stopped"
				unix.Kill(pid, unix.SIGSTOP)
				time.Sleep(300 * time.Millisecond)
				unix.Kill(pid, unix.SIGCONT)
			} else {
				unix.Kill(pid, unix.SIGKILL)
			}
		}
		struck[what]++
		select {
		case <-ended:
		case <-time.After(2 * time.Minute):
			cmd.Process.Kill()
			t.Errorf("%q hangs after %s", args, what)
			<-ended
		}
		if s := stderr.String(); strings.Contains(s, "goroutine ") {
			t.Errorf("%q crashes after %s: %s", args, what, s)
		}
		var more []string
		for end := time.Now().Add(10 * time.Second); ; time.Sleep(2 * time.Millisecond) {
			if more = without(left(t, token), before); len(more) == 0 || time.Now().After(end) {
				break
			}
		}
		if len(more) > 0 {
			t.Errorf("%q, %s; left: %q; it said %s", args, what, more, stderr.String())
		}
		if _, err := os.Stat(out); err == nil {
			if said, err := exec.Command(lab, "report", out).CombinedOutput(); err != nil {
				t.Errorf("after %s its results can't be read: %s", what, said)
			}
		}
	}
	t.Log(struck)
}

// TestKilledWithEngine kills lab at random points of its life, while somebody else's
// engine or runtime makes a container for it, or keeps one: some seconds later no process
// is left, and after the next command nothing else. Where its watcher was killed, too, a
// runtime's half-made container may live until then: its first process asks to die with
// the runtime (PR_SET_PDEATHSIG) a moment after it began. There are a fifth as many of
// these kills as LAB_KILLS says.
func TestKilledWithEngine(t *testing.T) {
	needs(t)
	n := 200
	if s := os.Getenv("LAB_KILLS"); s != "" {
		kills, err := strconv.Atoi(s)
		if err != nil {
			t.Fatal("LAB_KILLS: ", err)
		}
		n = (kills + 4) / 5
	} else if os.Getenv("LAB_LONG") == "" {
		t.Skip("SKIPPED: takes 10 minutes; fix: LAB_LONG=1")
	}
	lab := command(t)
	token := fmt.Sprintf("7%07d", rand.IntN(1e7))
	// What outlives the lab falls to this process.
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		t.Fatal(err)
	}
	defer unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)
	type victim struct {
		args   []string
		window time.Duration
	}
	var victims []victim
	for _, env := range [][]string{{"docker"}, {"docker", "--net", "bridge"}, {"docker", "--variant", "client=docker"}, {"containerd"}, {"podman"}, {"crun"}, {"runc"}, {"lxc"}, {"nspawn"}} {
		args := append(append([]string{"exec"}, env...), "--")
		began := time.Now()
		if out, err := exec.Command(lab, append(args, "true")...).CombinedOutput(); err != nil {
			if !bytes.Contains(out, []byte("fix: ")) {
				t.Fatalf("lab exec %s: %v\n%s", env, err, out)
			}
			t.Logf("without %s: %s", env, out)
			continue
		}
		victims = append(victims, victim{append(args, "sleep", token), max(3*time.Since(began)/2, 50*time.Millisecond)})
	}
	if len(victims) == 0 {
		t.Skip("SKIPPED: no engine is installed; fix: make setup-tests")
	}
	last := victims[0]
	victims = append(victims, victim{[]string{"run", "startup", "--env", last.args[1], "-r", "1000", "--out"}, 3 * last.window})
	survivors := func() (out []string) {
		for _, pid := range descendants(os.Getpid()) {
			if s, ok := proc.Read(pid); ok && s.State != 'Z' {
				out = append(out, fmt.Sprintf("process %d %s", pid, s.Name))
			} else {
				unix.Wait4(pid, nil, unix.WNOHANG, nil)
			}
		}
		return out
	}
	before := append(left(t, token), survivors()...)
	kills, outlived := map[string]int{}, map[string]int{}
	for i := range n {
		v := victims[i%len(victims)]
		args := v.args
		if args[0] == "run" {
			args = append(slices.Clone(args), filepath.Join(t.TempDir(), "r"))
		}
		needs(t) // a killed run's worker has the machine's lock until it is dead
		cmd := exec.Command(lab, args...)
		cmd.WaitDelay = 10 * time.Second
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		at := time.Duration(rand.Int64N(int64(v.window)))
		time.Sleep(at)
		all := i%5 == 4
		if all {
			smiteWatcher(cmd.Process.Pid)
		}
		cmd.Process.Kill()
		cmd.Wait()
		kills[strings.Join(args[:2], " ")]++
		for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(2 * time.Millisecond) {
			more := without(append(left(t, token), survivors()...), before)
			if all { // until the next command: folders, and what a runtime was making when it died
				more = slices.DeleteFunc(more, func(s string) bool { return strings.HasPrefix(s, "folder ") })
				if oneProcess(more) && time.Until(deadline) < 8*time.Second {
					outlived[args[1]]++
					break
				}
			}
			if len(more) == 0 {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("%q, killed after %v (and its watcher: %v), left: %q", args, at, all, more)
			}
		}
		if out, err := exec.Command(lab, "exec", "host", "--", "true").CombinedOutput(); err != nil {
			t.Errorf("the next command: %v\n%s", err, out)
		}
		var more []string
		for deadline := time.Now().Add(2 * time.Second); ; time.Sleep(2 * time.Millisecond) { // its own watcher ends
			if more = without(append(left(t, token), survivors()...), before); len(more) == 0 || time.Now().After(deadline) {
				break
			}
		}
		if len(more) > 0 {
			t.Errorf("%q, killed after %v (and its watcher: %v); left after the next command: %q", args, at, all, more)
		}
	}
	t.Logf("%d kills: %v; without a watcher, a process lived on until the next command: %v", n, kills, outlived)
}

// ofProcess finds in what was left whose it is.
var ofProcess = regexp.MustCompile(`^(?:process |/proc/)([0-9]+)[ /]`)

// oneProcess says whether what was left is one process, and nothing else.
func oneProcess(left []string) bool {
	pids := map[string]bool{}
	for _, s := range left {
		m := ofProcess.FindStringSubmatch(s)
		if m == nil {
			return false
		}
		pids[m[1]] = true
	}
	return len(pids) == 1
}

// descendants are the processes below one, without itself.
func descendants(pid int) (out []int) {
	for _, n := range proc.Children(pid) {
		out = append(append(out, n), descendants(n)...)
	}
	return out
}

// smiteWatcher kills what would clean up after a process.
func smiteWatcher(pid int) {
	for _, n := range proc.Children(pid) {
		if s, _ := proc.Read(n); s.Name == launch.WatcherName {
			unix.Kill(n, unix.SIGKILL)
		}
	}
}

// left is all that a lab that is dead may have left here: its folders, what a
// container is made of as seen from outside, and processes whose arguments have
// the token.
func left(t *testing.T, token string) []string {
	t.Helper()
	out := append(state(t), processes(t, token)...)
	for _, dirs := range owners(t) {
		for _, dir := range dirs {
			out = append(out, "folder "+dir)
		}
	}
	// By name, too: whatever its tag, no folder of ours may be there.
	named := map[string][]string{}
	filepath.WalkDir("/sys/fs/cgroup", func(dir string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && strings.HasPrefix(d.Name(), "lab-") {
			named[d.Name()] = append(named[d.Name()], dir)
		}
		return nil
	})
	for name, dirs := range named {
		// A lab that lives may have a /run of its own.
		if slices.ContainsFunc(dirs, cgroup.Owned) || alive(filepath.Join("/run/lab", strings.TrimPrefix(name, "lab-"))) {
			continue
		}
		for _, dir := range dirs {
			out = append(out, "folder "+dir)
		}
	}
	run, _ := filepath.Glob("/run/lab/*")
	for _, dir := range run {
		if !alive(dir) {
			out = append(out, "folder "+dir)
		}
	}
	return out
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
		if b, err := os.ReadFile(f); err == nil && token != "" && bytes.Contains(b, []byte(token)) {
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

// Who kills others can be killed as well: the life that it has begun, whose workload would
// sleep for an hour, ends with it.
func TestKillerKilled(t *testing.T) {
	needs(t)
	lab := filepath.Join(programsBuilt(t), "lab") // it starts itself anew
	for _, env := range []string{"host", "chroot", "container"} {
		cmd := exec.Command(lab, "chaos", "--env", env, "--kill", "client", "-n", "50")
		var said bytes.Buffer
		cmd.Stderr = &said
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		var there []int
		for began := time.Now(); len(there) == 0 && time.Since(began) < time.Minute; time.Sleep(time.Millisecond) {
			for _, pid := range descendants(cmd.Process.Pid) {
				if b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)); bytes.HasPrefix(b, []byte("sleep\x003600\x00")) {
					there = append(there, pid)
				}
			}
		}
		all := descendants(cmd.Process.Pid)
		cmd.Process.Kill()
		cmd.Wait()
		if len(there) == 0 {
			t.Fatalf("%s: nothing was started: %s", env, &said)
		}
		for began := time.Now(); ; time.Sleep(10 * time.Millisecond) {
			left := slices.DeleteFunc(slices.Clone(all), func(pid int) bool { s, ok := proc.Read(pid); return !ok || s.State == 'Z' })
			if len(left) == 0 {
				break
			}
			if time.Since(began) > 10*time.Second {
				t.Errorf("%s: left: %d", env, left)
				for _, pid := range left {
					unix.Kill(pid, unix.SIGKILL)
				}
				break
			}
		}
	}
}
