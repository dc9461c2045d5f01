package scenarios

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"math"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"lab/bench"
	"lab/bench/appfile"
	"lab/bench/benchtest"
	"lab/bench/request"
	"lab/bench/results"
)

// Each application's file is right, the help names it, and the schema next to them
// knows the keys that the reader knows.
func TestApps(t *testing.T) {
	var help string
	for _, f := range new(request.Request).Fields() {
		if f.Key == "app" {
			help = f.Help
		}
	}
	for _, name := range Apps() {
		a, err := FindApp(name)
		if err != nil {
			t.Error(err)
			continue
		}
		if !strings.Contains(help, name) {
			t.Errorf("the help of --app doesn't name %s: %s", name, help)
		}
		if (a.Image == "") != (len(a.Packages) == 0) {
			t.Errorf("%s: image %q of packages %q", name, a.Image, a.Packages)
		}
		text, err := json.Marshal(a)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := FindApp(string(text)); err != nil || again.Title != a.Title || !slices.Equal(again.Command, a.Command) || again.Load.Ask != a.Load.Ask {
			t.Errorf("%s: as a manifest has it: %+v, %v", name, again, err)
		}
	}
	var unknown *request.UnknownError
	if _, err := FindApp("ngnix"); !errors.As(err, &unknown) {
		t.Error(err)
	}
	data, err := os.ReadFile("apps/app.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	var schema struct {
		Properties map[string]struct{ Properties map[string]any }
	}
	if err := json.Unmarshal(data, &schema); err != nil {
		t.Fatal(err)
	}
	var keys []string
	for k, v := range schema.Properties {
		if v.Properties == nil {
			keys = append(keys, k)
		}
		for in := range v.Properties {
			keys = append(keys, k+"."+in)
		}
	}
	slices.Sort(keys)
	if want := slices.Sorted(slices.Values(appfile.Keys())); !slices.Equal(keys, want) {
		t.Errorf("schema %q, reader %q", keys, want)
	}
}

// A plain process is a row of what needs no other file, and else one row that says why
// it can't be.
func TestAppRows(t *testing.T) {
	for app, want := range map[string]string{
		"httpd": "host host, host bridge, chroot host, container host, container bridge, vm bridge",
		"nginx": "host host, chroot host, container host, container bridge, vm bridge",
		"visits": "host host, chroot host together, chroot host apart, container host together, container host apart, " +
			"container bridge together, container bridge apart, vm bridge together, vm bridge apart",
	} {
		o := bench.Options{Known: benchtest.Known, Request: request.Request{App: app}}
		var got []string
		for _, c := range appCells(o) {
			got = append(got, strings.TrimSpace(c.Env+" "+c.Variant["net"]+" "+c.Variant["parts"]))
			if err := appFits(c); (err != nil) != (c.HostFiles && app != "httpd") || err != nil && !errors.Is(err, bench.ErrNotApplicable) {
				t.Errorf("%s %s: %v", app, c.Env, err)
			}
		}
		if got := strings.Join(got, ", "); got != want {
			t.Errorf("%s: %s", app, got)
		}
	}
}

// Requests are sent at a steady rate, and those without an answer are counted.
func TestLostRequests(t *testing.T) {
	a, err := appfile.Parse("toy", []byte("format: 1\ntitle: toy\ncommand: [x]\nport: 1\nask: x\nanswer: ^yes\nload: {reply: line, connections: 1}"))
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for n := 0; ; n++ {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			conn.Read(make([]byte, 1)) // what nobody has read would reset the connection
			if n%2 == 0 {
				conn.Write([]byte("yes"))
			}
			conn.Close()
		}
	}()
	asking, stop := context.WithTimeout(context.Background(), 30*lostEvery)
	defer stop()
	if lost := lostRequests(asking, context.Background(), l.Addr().String(), a); lost < 1 || lost > 16 {
		t.Errorf("%d lost of 30 at the most, of which every other is answered", lost)
	}
}

// A command's words are read by a shell as they were.
func TestShellWords(t *testing.T) {
	argv := []string{"printf", "%s|", "a b", "it's $HOME", ""}
	out, err := exec.Command("sh", "-c", shellWords(argv)).Output()
	if err != nil || string(out) != "a b|it's $HOME||" {
		t.Errorf("%q, %v", out, err)
	}
}

// What provisioning begins with is what --from asks for; of an image from elsewhere there
// is no row of a plain process, unless the program needs nothing else.
func TestProvisioningRows(t *testing.T) {
	o := bench.Options{Known: benchtest.Known, Request: request.Request{App: "nginx", From: []string{fromRegistry, fromDisk}, Environments: []string{"host", "container", "vm"}}}
	var got []string
	for _, c := range provisioningCells(o) {
		got = append(got, c.Env+" "+c.Variant["from"]+" "+c.Set["root"])
		if err := provisioningFits(c); (err != nil) != (c.Variant["from"] == fromDisk && !c.Guest) {
			t.Errorf("%s: %v", got[len(got)-1], err)
		}
	}
	if got := strings.Join(got, ","); got != "container registry ,container disk ext4,vm registry ,vm disk ext4" {
		t.Error(got)
	}
}

// serving is the address of a server that talks to each who connects, until the test's end.
func serving(t *testing.T, talk func(net.Conn)) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				talk(conn)
			}()
		}
	}()
	return l.Addr().String()
}

// The lab's own generator counts whole answers, of each kind, and says what is wrong
// with one.
func TestOwnLoad(t *testing.T) {
	for reply, x := range map[string]struct {
		answer string
		stays  bool
		wrong  string
	}{
		"http":  {"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello", true, ""},
		"line":  {"+OK\r\n", true, ""},
		"close": {"HTTP/1.0 200 OK\r\n\r\nhello", false, ""},
		"http ": {"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n", true, "404"},
		" http": {"HTTP/1.1 200 OK\r\n\r\nhello", true, "Content-Length"},
		"line ": {"", false, "EOF"},
	} {
		addr := serving(t, func(conn net.Conn) {
			in := bufio.NewReader(conn)
			for {
				if _, err := in.ReadString('\n'); err != nil {
					return
				}
				if _, err := conn.Write([]byte(x.answer)); err != nil || !x.stays {
					return
				}
			}
		})
		a := &appfile.App{Load: appfile.Load{Ask: "x\n", Reply: strings.TrimSpace(reply), Connections: 3}}
		metrics := map[string]results.Metric{}
		for _, m := range appMetrics {
			metrics[m.Name] = m
		}
		bt := bench.NewT(bench.TrialPlan{}, metrics)
		err := ownLoad(context.Background(), bt, a, addr, 50*time.Millisecond)
		if x.wrong != "" {
			if err == nil || !strings.Contains(err.Error(), x.wrong) {
				t.Errorf("%q: %v", x.answer, err)
			}
			continue
		}
		lines := bt.Recorded().Lines
		if err != nil || len(lines) < 2 || *lines[0].Value <= 0 || lines[1].Stat != "p50" {
			t.Errorf("%q: %v, %+v", x.answer, err, lines)
		}
	}
}

// An answer that isn't the application's is none, however soon it comes.
func TestOwnLoadOfErrors(t *testing.T) {
	a, err := appfile.Parse("toy", []byte("format: 1\ntitle: toy\ncommand: [x]\nport: 1\nask: x\nanswer: ^yes\nload: {reply: close, connections: 1}"))
	if err != nil {
		t.Fatal(err)
	}
	for answer, right := range map[string]bool{"yes, and more": true, "the store is away": false} {
		addr := serving(t, func(conn net.Conn) {
			conn.Read(make([]byte, 1))
			conn.Write([]byte(answer))
		})
		metrics := map[string]results.Metric{}
		for _, m := range appMetrics {
			metrics[m.Name] = m
		}
		err = ownLoad(context.Background(), bench.NewT(bench.TrialPlan{}, metrics), a, addr, 20*time.Millisecond)
		if (err == nil) != right || err != nil && !strings.Contains(err.Error(), "store is away") {
			t.Errorf("%q: %v", answer, err)
		}
	}
}

// What wrk and redis-benchmark print is read.
func TestOtherLoad(t *testing.T) {
	for name, x := range map[string]struct {
		out            string
		rate, p50, p99 float64
	}{
		"nginx": {"  Latency Distribution\n     50%  171.00us\n     75%  190.00us\n     90%  221.00us\n     99%    1.02ms\n  45093 requests in 1.10s, 36.55MB read\nRequests/sec:  40993.28\n", 40993.28, 171e-6, 1.02e-3},
		"redis": {"\"test\",\"rps\",\"avg_latency_ms\",\"min_latency_ms\",\"p50_latency_ms\",\"p95_latency_ms\",\"p99_latency_ms\",\"max_latency_ms\"\n\"SET\",\"66666.66\",\"0.100\",\"0.032\",\"0.087\",\"0.151\",\"0.311\",\"0.495\"\n", 66666.66, 87e-6, 311e-6},
	} {
		a, err := FindApp(name)
		if err != nil {
			t.Fatal(err)
		}
		rate, err1 := found(a.Load.Rate, x.out, false)
		p50, err2 := found(a.Load.P50, x.out, true)
		p99, err3 := found(a.Load.P99, x.out, true)
		if err := errors.Join(err1, err2, err3); err != nil || rate != x.rate || math.Abs(p50-x.p50)+math.Abs(p99-x.p99) > 1e-9 {
			t.Errorf("%s: %v, %v, %v: %v", name, rate, p50, p99, err)
		}
	}
	// A page of errors is served faster than any other.
	nginx, err := FindApp("nginx")
	if err != nil {
		t.Fatal(err)
	}
	for _, out := range []string{"  Non-2xx or 3xx responses: 45093\nRequests/sec:  40993.28\n", "  Socket errors: connect 0, read 3, write 0, timeout 0\nRequests/sec:  40993.28\n"} {
		if failures(nginx, out) == "" {
			t.Errorf("%q: no request failed", out)
		}
	}
	if said := failures(nginx, "  45093 requests in 1.10s, 36.55MB read\nRequests/sec:  40993.28\n"); said != "" {
		t.Errorf("%q failed", said)
	}
	if _, err := found("rate: ([0-9]+)", "nothing", false); err == nil {
		t.Error("a number was found in nothing")
	}
}
