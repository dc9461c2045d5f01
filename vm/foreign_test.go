package vm

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/digitalocean/go-libvirt"
	"libvirt.org/go/libvirtxml"

	"lab/bench"
	"lab/bench/benchtest"
	"lab/bench/clock"
	"lab/bench/crew"
	"lab/bench/image"
	"lab/vm/client"
	"lab/vm/daemon"
	"lab/vm/domain"
	"lab/vm/foreign"
)

// abroad starts a libvirt daemon that isn't the environment's own, with a
// storage pool, and returns how to connect to it.
func abroad(t *testing.T, adjust ...func(*daemon.Mounts)) (d *daemon.Daemon, c *client.Conn) {
	t.Helper()
	own := open(t) // skips where there can be no guest
	own.own.Hold() // the other's QEMUs are orphans of ours, too
	t.Cleanup(own.own.Release)
	m, err := own.own.Mounts()
	if err != nil {
		t.Fatal(err)
	}
	m.Bed = filepath.Join(own.tb.Dir, "abroad")
	t.Cleanup(func() { os.RemoveAll(m.Bed) })
	if err := os.MkdirAll(filepath.Join(m.Bed, "pool"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, f := range adjust {
		f(&m)
	}
	// Somebody's libvirt, which runs QEMU as it likes.
	if m.Files == nil {
		m.Files = make(map[string]string)
	}
	m.Files["/etc/libvirt/qemu.conf"] = daemon.QEMUConf(0)
	log, err := own.tb.Log("abroad.log")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		log.Close()
		if t.Failed() {
			b, _ := os.ReadFile(log.Name())
			t.Logf("abroad.log:\n%s", b)
		}
	})
	if d, err = daemon.Start(within(t, time.Minute), m, log); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Stop() })
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("what its threads do:\n%s", waiting(d.Proc.PID()))
		}
	})
	if c, err = client.Connect(within(t, time.Minute), d.Socket); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(context.Background()) })
	pool := libvirtxml.StoragePool{Type: "dir", Name: "here", Target: &libvirtxml.StoragePoolTarget{Path: daemon.InsideBed + "/pool"}}
	text, err := pool.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Call(within(t, time.Minute), "pool", client.CallTimeout, func(l *libvirt.Libvirt) error {
		_, err := l.StoragePoolCreateXML(text, 0)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return d, c
}

// waiting says of each of a process's threads where in the kernel it is.
func waiting(pid int) string {
	var out strings.Builder
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*", pid))
	for _, dir := range tasks {
		for _, name := range []string{"comm", "wchan", "syscall"} {
			b, _ := os.ReadFile(filepath.Join(dir, name))
			fmt.Fprintf(&out, "%s ", strings.TrimSpace(string(b)))
		}
		out.WriteString("\n")
	}
	return out.String()
}

// openFar opens an environment on a foreign libvirt, over a passage as a worker
// has it.
func openFar(t *testing.T, name string, dial func() (net.Conn, error)) *Env {
	t.Helper()
	theirs, end, err := client.Passage(dial).Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(end)
	through, err := crew.Through(theirs)
	if err != nil {
		t.Fatal(err)
	}
	e := New()
	e.Connect(name, "qemu:///system", through)
	if err := e.Open(within(t, 2*time.Minute), benchtest.Testbed(t)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	if e.unfit != nil {
		t.Fatal(e.unfit)
	}
	return e
}

func TestForeign(t *testing.T) {
	d, c := abroad(t)
	target, err := client.ParseTarget("qemu+unix:///system?socket=" + d.Socket)
	if err != nil {
		t.Fatal(err)
	}

	// Domains that are there: one of somebody else's with a name like ours, one
	// that a dead lab of this machine left, one of another machine's lab.
	for _, x := range []struct {
		name string
		tag  *domain.Tag
	}{
		{"lab-somebody-vm-1", nil},
		{"left", &domain.Tag{ID: "feedbeef", Machine: foreign.Machine()}},
		{"elsewhere", &domain.Tag{ID: "feedbeef", Machine: "00000000"}},
	} {
		def := &libvirtxml.Domain{Type: "qemu", Name: x.name, Memory: &libvirtxml.DomainMemory{Value: 16, Unit: "MiB"},
			OS: &libvirtxml.DomainOS{Type: &libvirtxml.DomainOSType{Type: "hvm", Arch: "x86_64", Machine: "pc"}}}
		if x.tag != nil {
			meta, err := xml.Marshal(x.tag)
			if err != nil {
				t.Fatal(err)
			}
			def.Metadata = &libvirtxml.DomainMetadata{XML: string(meta)}
		}
		text, err := def.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Call(within(t, time.Minute), "create", createTimeout, func(l *libvirt.Libvirt) error {
			_, err := l.DomainCreateXML(text, libvirt.DomainStartPaused)
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	names := func() string {
		var out []string
		if err := c.Call(within(t, time.Minute), "list", client.CallTimeout, func(l *libvirt.Libvirt) error {
			ds, _, err := l.ConnectListAllDomains(1, 0)
			for _, d := range ds {
				out = append(out, d.Name)
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
		return strings.Join(out, " ")
	}
	volume := filepath.Join(d.Bed, "pool", "lab-"+foreign.Machine()+"-feedbeef-1.img")
	other := filepath.Join(d.Bed, "pool", "lab-precious.img")
	writeFile(t, volume, []byte("x"))
	writeFile(t, other, []byte("x"))
	if err := c.Call(within(t, time.Minute), "refresh", client.CallTimeout, func(l *libvirt.Libvirt) error {
		p, err := l.StoragePoolLookupByName("here")
		if err != nil {
			return err
		}
		return l.StoragePoolRefresh(p, 0)
	}); err != nil {
		t.Fatal(err)
	}

	e := openFar(t, target.Name, target.Dial)
	if got := names(); strings.Contains(got, "left") || !strings.Contains(got, "lab-somebody-vm-1") || !strings.Contains(got, "elsewhere") {
		t.Errorf("after the sweep: %s", got)
	}
	if exists(volume) || !exists(other) {
		t.Errorf("volumes: the left one %v, the other %v", exists(volume), exists(other))
	}
	t.Logf("%+v %v", e.accel, e.Versions())

	t.Run("PID 1", func(t *testing.T) {
		token := bench.Token()
		s := spec(t, e, image.ReadyPath, token)
		i := start(t, e, s)
		seen, err := clock.AwaitToken(i.Ready(), []byte(token), 30*time.Second)
		if err != nil {
			t.Fatal(i.Explain(err))
		}
		at := i.Started()
		for _, m := range i.Marks() {
			t.Logf("%-10s %v", m.Name, m.At.Sub(at))
			at = m.At
		}
		t.Logf("ready after %v", seen.At.Sub(i.Started()))
		if exit, err := i.Wait(within(t, 30*time.Second)); err != nil || exit.Status() != 0 {
			t.Errorf("%v, %v", exit, err)
		}
		if r := e.Resolved(s); !strings.HasPrefix(r["libvirt"], "qemu+unix") {
			t.Errorf("resolved %v", r)
		}
		if err := i.Close(); err != nil {
			t.Error(err)
		}
	})
	t.Run("init", func(t *testing.T) {
		s := spec(t, e, "/bin/sh", "-c", "cat; echo end; exit 7")
		s.Init, s.Command.Env = true, []string{"PATH=/bin"}
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		s.Command.Stdin = r
		defer r.Close()
		const size = 300 << 10 // more than a packet of libvirt's
		go func() { w.Write([]byte(strings.Repeat("0123456789abcde\n", size/16))); w.Close() }()
		i := start(t, e, s)
		text, err := io.ReadAll(i.Ready())
		if err != nil || len(text) != size+4 || !strings.HasSuffix(string(text), "\nend\n") {
			t.Errorf("%d bytes, %v", len(text), err)
		}
		if exit, err := i.Wait(within(t, 30*time.Second)); err != nil || exit.Code != 7 {
			t.Errorf("%v, %v", exit, err)
		}
		if x, err := i.Inspect(); err == nil && x["pid"] != "" {
			t.Errorf("it has a process here: %v", x)
		}
		if err := i.Close(); err != nil {
			t.Error(err)
		}
	})
	t.Run("not there", func(t *testing.T) {
		for _, set := range []string{"start=restored", "firmware=qboot"} {
			k, v, _ := strings.Cut(set, "=")
			s := spec(t, e, image.ReadyPath, "token")
			s.Settings[k] = v
			if err := e.Check(within(t, time.Minute), s); !errors.Is(err, bench.ErrNotApplicable) {
				t.Errorf("%s: %v", set, err)
			}
		}
	})
	t.Run("the connection breaks", func(t *testing.T) {
		i := start(t, e, spec(t, e, "/bin/sleep", "1000"))
		c, err := e.far.Connection(within(t, time.Minute))
		if err != nil {
			t.Fatal(err)
		}
		c.GiveUp("", 0)
		began := time.Now()
		_, err = i.Wait(within(t, 10*time.Second))
		says(t, began, 5*time.Second, err, "ended without the end of its PID 1")
		i.Close()
		// That daemon ends the guest when it notices, and nothing tells us when.
		for end := time.Now().Add(5 * time.Second); strings.Contains(names(), i.cfg.Name); time.Sleep(20 * time.Millisecond) {
			if time.Now().After(end) {
				t.Errorf("autodestroy left %s", names())
				break
			}
		}
		works(t, e)
	})
	if err := e.Close(); err != nil {
		t.Error(err)
	}
	if got := names(); got != "lab-somebody-vm-1 elsewhere" && got != "elsewhere lab-somebody-vm-1" {
		t.Errorf("at last: %s", got)
	}
	if left, _ := filepath.Glob(filepath.Join(d.Bed, "pool", "lab-"+foreign.Machine()+"-*")); len(left) != 0 {
		t.Errorf("volumes: %v", left)
	}
}
