package vm

import (
	"bytes"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"lab/bench"
	"lab/bench/clock"
	"lab/bench/image"
	"lab/vm/client"
	"lab/vm/guest"
)

// restoredSpec is a workload in a guest that is restored.
func restoredSpec(t *testing.T, e *Env, argv ...string) bench.Spec {
	t.Helper()
	s := spec(t, e, argv...)
	s.Settings["start"] = "restored"
	s.Command.Env = []string{"PATH=/bin"}
	return s
}

func TestRestored(t *testing.T) {
	e := open(t)
	for range 2 {
		token := bench.Token()
		i := start(t, e, restoredSpec(t, e, image.ReadyPath, token))
		seen, err := clock.AwaitToken(i.Ready(), []byte(token), 30*time.Second)
		if err != nil {
			t.Fatal(i.Explain(err))
		}
		var names []string
		at := i.Started()
		for _, m := range i.Marks() {
			t.Logf("%-10s %v", m.Name, m.At.Sub(at))
			names, at = append(names, m.Name), m.At
		}
		t.Logf("ready after %v; the clock was set forward by %v", seen.At.Sub(i.Started()), i.session.Jump)
		if got := strings.Join(names, " "); got != "prepare libvirt qemu restore resume exec" {
			t.Errorf("marks %q", got)
		}
		if x, err := i.Inspect(); err != nil || x["clock set forward by"] == "" {
			t.Errorf("%v, %v", x, err)
		}
		exit, err := i.Wait(within(t, 30*time.Second))
		if err != nil || exit.Status() != 0 {
			t.Errorf("%v, %v", exit, err)
		}
		if err := i.Close(); err != nil {
			t.Error(err)
		}
		if left, err := e.domains(); err != nil || len(left["domain"]) != 0 {
			t.Errorf("domains %v, %v", left, err)
		}
	}
	if len(e.states) != 1 {
		t.Errorf("%d saved states, want one", len(e.states))
	}
	// Another machine is another state.
	s := restoredSpec(t, e, "/bin/true")
	s.Limits.Memory = 160 << 20
	start(t, e, s)
	if len(e.states) != 2 {
		t.Errorf("%d saved states, want two", len(e.states))
	}
}

// Two guests of one state, at the same time: each has its own name, clock and
// random numbers.
func TestRestoredTwice(t *testing.T) {
	e := open(t)
	const script = "cat /proc/sys/kernel/random/uuid; head -c 16 /dev/urandom | od -An -tx1; date +%s; exec sleep 1000"
	// A guest takes its time from a clock of whole seconds, and adds half of one:
	// one that was saved just now may be ahead. A second later it is behind.
	b, err := e.Prepare(within(t, time.Minute), restoredSpec(t, e, "/bin/sh", "-c", script))
	if err != nil {
		t.Fatal(err)
	}
	st, err := os.Stat(b.(*instance).saved.path)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	time.Sleep(time.Until(st.ModTime().Add(time.Second)))
	var said [2][]string
	for k := range said {
		before := time.Now()
		i := start(t, e, restoredSpec(t, e, "/bin/sh", "-c", script))
		buf, text := make([]byte, 256), ""
		i.Ready().SetReadDeadline(time.Now().Add(20 * time.Second))
		for strings.Count(text, "\n") < 3 {
			n, err := i.Ready().Read(buf)
			if err != nil {
				t.Fatalf("%q: %v", text, err)
			}
			text += string(buf[:n])
		}
		said[k] = strings.Split(text, "\n")
		sec, err := strconv.ParseInt(said[k][2], 10, 64)
		if d := time.Unix(sec, 0).Sub(before); err != nil || d < -2*time.Second || d > time.Minute {
			t.Errorf("the guest's clock is off by %v, %v", d, err)
		}
		if j := i.session.Jump; j <= 0 || j > time.Minute {
			t.Errorf("the clock was set forward by %v", j)
		}
	}
	if said[0][0] == said[1][0] || said[0][1] == said[1][1] {
		t.Errorf("both drew the same: %q", said)
	}
	if names, err := e.domains(); err != nil || len(names["domain"]) != 2 {
		t.Errorf("domains %v, %v", names, err)
	}
}

// What breaks a restore ends the trial, and the next one works.
func TestRestoreFails(t *testing.T) {
	e := open(t)
	s := restoredSpec(t, e, "/bin/sleep", "1000")
	prepare := func() *instance {
		b, err := e.Prepare(within(t, time.Minute), s)
		if err != nil {
			t.Fatal(err)
		}
		return b.(*instance)
	}
	check := func(i *instance, err error) {
		t.Helper()
		if cerr := i.Close(); cerr != nil {
			t.Error(cerr)
		}
		if names, err := e.domains(); err != nil || len(names["domain"]) != 0 {
			t.Errorf("domains %v, %v", names, err)
		}
	}
	i := prepare()
	whole, err := os.ReadFile(i.saved.path)
	if err != nil {
		t.Fatal(err)
	}
	damaged := *i.saved
	damaged.path = i.file(".damaged")
	b := bytes.Clone(whole)
	for k := damaged.image.Data + 4096; k < damaged.image.Data+8192; k++ {
		b[k] ^= 0x55
	}
	if err := os.WriteFile(damaged.path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	i.saved = &damaged
	began := time.Now()
	err = i.Start(within(t, 20*time.Second))
	says(t, began, 30*time.Second, err, "restore domain")
	check(i, err)

	// The state's end is missing: QEMU waits for it.
	i = prepare()
	cut := damaged
	if err := os.WriteFile(cut.path, whole[:len(whole)/2], 0o600); err != nil {
		t.Fatal(err)
	}
	i.saved = &cut
	began = time.Now()
	err = i.Start(within(t, 3*time.Second))
	says(t, began, 3*time.Second+client.CallGrace+5*time.Second, err, "restore domain", "no answer")
	check(i, err)

	// The daemon is killed while QEMU reads.
	i = prepare()
	d, w := e.own.Now(), guest.WatchOpen(e.emulator)
	go func() {
		<-w.At
		d.Proc.Signal(syscall.SIGKILL)
	}()
	began = time.Now()
	err = i.Start(within(t, 20*time.Second))
	says(t, began, 10*time.Second, err, "restore domain", "daemon ended")
	w.Stop()
	check(i, err)

	// And QEMU, after the guest has gone on.
	i = prepare()
	if err := i.Start(within(t, 20*time.Second)); err != nil {
		t.Fatal(err)
	}
	syscall.Kill(i.pid, syscall.SIGKILL)
	began = time.Now()
	_, err = i.Wait(within(t, 10*time.Second))
	says(t, began, 5*time.Second, err, "init is gone")
	check(i, err)
	works(t, e)
}
