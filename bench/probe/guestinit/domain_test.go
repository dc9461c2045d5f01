package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"golang.org/x/sys/unix"

	"lab/bench/probe/guestinit/wire"
)

// frame is a frame's bytes.
func frame(t *testing.T, k wire.Kind, body string) []byte {
	t.Helper()
	b, err := wire.Append(nil, wire.Frame{Kind: k, ID: 1, Payload: []byte(body)})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Frames go to the host, and what the kernel says between them to the console, however the
// line cuts them.
func TestCarry(t *testing.T) {
	var said strings.Builder
	was := say
	defer func() { say = was }()
	say = func(s string) { said.WriteString(s) }
	hello := frame(t, wire.Hello, `{"version":3,"Began":2000}`)
	rest := slices.Concat(frame(t, wire.Started, ""), frame(t, wire.Output, "\x00out\x00"))
	line := slices.Concat([]byte("[ 0.1] early\r\n"), hello, rest[:9], []byte("[ 9.1] Kernel panic\r\n"), rest[9:], []byte("[ 9.2] bye\r\n"))
	for name, r := range map[string]io.Reader{"whole": bytes.NewReader(line), "by byte": iotest.OneByteReader(bytes.NewReader(line))} {
		said.Reset()
		var port bytes.Buffer
		err := carry(io.MultiReader(r, iotest.ErrReader(unix.EIO)), &port, moments{5, 6}, []time.Duration{1, 2, 3})
		if err == nil || err.Error() != "its console was closed" {
			t.Errorf("%s: ended with %v", name, err)
		}
		f, err := wire.Read(&port)
		var h wire.HelloBody
		if err := errors.Join(err, f.Body(&h)); err != nil || f.Kind != wire.Hello || f.ID != 1 || len(h.Ago) != 7 {
			t.Fatalf("%s: %+v, %+v, %v", name, f, h, err)
		}
		for n, want := range []time.Duration{1, 2, 3, 5, 6} {
			if at := h.Ago[0] - h.Ago[n+1]; at != want {
				t.Errorf("%s: part %d began at %v, want %v", name, n, at, want)
			}
		}
		if h.Ago[6] != 2000 {
			t.Errorf("%s: the guest's init began %v before its word", name, h.Ago[6])
		}
		if !bytes.Equal(port.Bytes(), rest) {
			t.Errorf("%s: frames %q, want %q", name, port.Bytes(), rest)
		}
		if want := "[ 0.1] early\r\n[ 9.1] Kernel panic\r\n[ 9.2] bye\r\n"; said.String() != want {
			t.Errorf("%s: the console has %q, want %q", name, said.String(), want)
		}
	}
}

// The host's words come through, and none of their bytes is the console's own key.
func TestHand(t *testing.T) {
	words := []byte("\x00\x0f\x10 in\x0f")
	var line bytes.Buffer
	if err := hand(bytes.NewReader(words), &line); err != io.EOF || bytes.IndexByte(line.Bytes(), 0x0f) >= 0 {
		t.Errorf("the line has %q, %v", line.Bytes(), err)
	}
	if got, err := io.ReadAll(wire.Unescape(&line)); err != nil || !bytes.Equal(got, words) {
		t.Errorf("%q came, %v, want %q", got, err, words)
	}
}

// A line that ends within a frame, a host that is gone, a hello that isn't one.
func TestCarryEnds(t *testing.T) {
	closed, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	defer w.Close()
	hello := frame(t, wire.Hello, `{}`)
	for name, c := range map[string]struct {
		line []byte
		port io.Writer
		want string
	}{
		"cut":     {hello[:10], io.Discard, "unexpected EOF"},
		"no host": {hello, w, "pipe"},
		"no JSON": {frame(t, wire.Hello, "x"), io.Discard, "frame"},
		"long":    {[]byte{0, 255, 255, 255, 1, 0, 0, 0, 0}, io.Discard, "frame"},
	} {
		if err := carry(bytes.NewReader(c.line), c.port, moments{}, nil); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want an error that says %q", name, err, c.want)
		}
	}
}

// Without the times of dom0's start none are told: the guest's alone would be taken for them.
func TestGreetWithout(t *testing.T) {
	f, err := greet(wire.Frame{Kind: wire.Hello, Payload: []byte(`{"version":3,"kernel":"6.1"}`)}, 9, moments{1, 2}, nil)
	var h wire.HelloBody
	if err := errors.Join(err, json.Unmarshal(f.Payload, &h)); err != nil || h.Ago != nil || h.Kernel != "6.1" {
		t.Errorf("%+v, %v", h, err)
	}
}

func TestUnpackDomain(t *testing.T) {
	dir := t.TempDir()
	from := filepath.Join(dir, "init")
	if err := os.WriteFile(from, []byte("ELFcfgkernelinitrd"), 0o600); err != nil {
		t.Fatal(err)
	}
	to := filepath.Join(dir, "to")
	if err := unpackDomain(wire.Domain{Type: "pv", At: 3, Config: 3, Kernel: 6}, from, to); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"xl.cfg": "cfg", "kernel": "kernel", "initrd": "initrd"} {
		if b, err := os.ReadFile(filepath.Join(to, name)); err != nil || string(b) != want {
			t.Errorf("%s: %q, %v, want %q", name, b, err, want)
		}
	}
	if err := unpackDomain(wire.Domain{Type: "pv", At: 3, Config: 3, Kernel: 12}, from, to); err == nil {
		t.Error("a file without an initramfs is taken for whole")
	}
}

func TestHasHVM(t *testing.T) {
	for caps, want := range map[string]bool{"pv hvm hap gnttab-v1 gnttab-v2": true, "pv gnttab-v1 gnttab-v2": false, "": false} {
		if hasHVM(caps) != want {
			t.Errorf("%q: %v", caps, !want)
		}
	}
}

// What a program says comes back, and when it fails so does the reason; one that leaves a
// child behind which has its output open isn't waited for.
func TestOutput(t *testing.T) {
	if got, err := output("env"); err != nil || !strings.Contains(got, "LC_ALL=C") {
		t.Errorf("env: %q, %v", got, err)
	}
	if _, err := output("dmesg", "--nonesuch"); err == nil || !strings.Contains(err.Error(), "nonesuch") {
		t.Errorf("a program that fails: %v", err)
	}
	if _, err := output("nonesuch"); err == nil || !strings.Contains(err.Error(), "isn't in dom0") {
		t.Errorf("a program that isn't there: %v", err)
	}
	if got, err := output("sh", "-c", "yes | head -c 300000; echo end"); err != nil || len(got) < 1000 || len(got) > 64<<10 {
		t.Errorf("a program that says much: %d bytes, %v", len(got), err)
	}
	began := time.Now()
	if got, err := output("sh", "-c", "sleep 20 & echo $!"); err != nil || got == "" || time.Since(began) > 10*time.Second {
		t.Errorf("a daemon's: %q, %v, after %v", got, err, time.Since(began))
	} else if pid, err := strconv.Atoi(got); err != nil || unix.Kill(pid, unix.SIGKILL) != nil {
		t.Errorf("the daemon %q isn't there: %v", got, err)
	}
}
