package scenarios

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"lab/bench"
	"lab/bench/appfile"
	"lab/bench/clean"
	"lab/bench/clock"
	"lab/bench/histogram"
)

// A loader puts load on an application, and records what came of it.
type loader struct {
	name string // for the manifest
	run  func(ctx context.Context, t *bench.T, addr string, length time.Duration) error
}

// loadOf is the generator that an application's file names, if it is installed, else
// the lab's own.
func loadOf(a *appfile.App) loader {
	if len(a.Load.Program) > 0 {
		if file, err := exec.LookPath(a.Load.Program[0]); err == nil {
			return loader{a.Load.Program[0], func(ctx context.Context, t *bench.T, addr string, length time.Duration) error {
				return otherLoad(ctx, t, file, a, addr, length)
			}}
		}
	}
	return loader{"the lab's own", func(ctx context.Context, t *bench.T, addr string, length time.Duration) error {
		return ownLoad(ctx, t, a, addr, length)
	}}
}

// otherLoad runs a program of the host's, and reads what it printed.
func otherLoad(ctx context.Context, t *bench.T, file string, a *appfile.App, addr string, length time.Duration) error {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return err
	}
	seconds := int(max(length/time.Second, 1))
	fill := strings.NewReplacer("{host}", host, "{port}", port, "{connections}", strconv.Itoa(a.Load.Connections),
		"{seconds}", strconv.Itoa(seconds), "{requests}", strconv.Itoa(1000*seconds))
	run := func(file string, words []string) (string, error) {
		var args []string
		for _, w := range words[1:] {
			args = append(args, fill.Replace(w))
		}
		cmd := exec.CommandContext(ctx, file, args...)
		cmd.WaitDelay = time.Second
		out, err := cmd.CombinedOutput()
		if err != nil {
			err = fmt.Errorf("%s: %w: %s", words[0], err, clean.Line(string(out[:min(len(out), mostOutput)])))
		}
		return string(out), err
	}
	if len(a.Load.Before) > 0 {
		if _, err := run(a.Load.Before[0], a.Load.Before); err != nil {
			return err
		}
	}
	out, err := run(file, a.Load.Program)
	if err != nil {
		return err
	}
	if said := failures(a, out); said != "" {
		return fmt.Errorf("%s: requests failed: %s", a.Load.Program[0], clean.Line(said))
	}
	for _, x := range []struct{ stat, pattern string }{{"", a.Load.Rate}, {"p50", a.Load.P50}, {"p99", a.Load.P99}} {
		if x.pattern == "" {
			t.RecordText("latency", a.Load.Program[0]+" prints no "+x.stat)
			continue
		}
		v, err := found(x.pattern, out, x.stat != "")
		if err != nil {
			return err
		}
		if x.stat == "" {
			t.Record("rate", v)
		} else {
			t.RecordQuantile("latency", x.stat, v, 1)
		}
	}
	return nil
}

// failures is what a program printed of requests that failed, which are no load.
func failures(a *appfile.App, out string) string {
	if a.Load.Failed == "" {
		return ""
	}
	return regexp.MustCompile(a.Load.Failed).FindString(out) // it was compiled before
}

// found is the number that a pattern's first group finds; of a time in seconds, by the
// unit in its second.
func found(pattern, text string, isTime bool) (float64, error) {
	m := regexp.MustCompile(pattern).FindStringSubmatch(text) // it was compiled before
	if m == nil {
		return 0, fmt.Errorf("%s isn't in its output: %s", pattern, clean.Line(text[:min(len(text), mostOutput)]))
	}
	v, err := strconv.ParseFloat(m[1], 64)
	if err != nil || !isTime {
		return v, err
	}
	unit := "ms"
	if len(m) > 2 && m[2] != "" {
		unit = m[2]
	}
	by, ok := map[string]float64{"us": 1e-6, "ms": 1e-3, "s": 1}[unit]
	if !ok {
		return 0, fmt.Errorf("%s is no unit: us, ms or s", unit)
	}
	return v * by, nil
}

// warmRequests go before what is timed, on each connection.
const warmRequests = 5

// ownLoad has each connection send requests for the time.
func ownLoad(ctx context.Context, t *bench.T, a *appfile.App, addr string, length time.Duration) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	all := make([]client, a.Load.Connections)
	each := func(do func(*client) error) error {
		errs := make([]error, len(all))
		var wait sync.WaitGroup
		for i := range all {
			wait.Go(func() {
				if errs[i] = do(&all[i]); errs[i] != nil {
					stop()
				}
			})
		}
		wait.Wait()
		for _, err := range errs {
			if err != nil && !errors.Is(err, context.Canceled) {
				return err
			}
		}
		return ctx.Err()
	}
	defer func() {
		for i := range all {
			all[i].drop()
		}
	}()
	err := each(func(c *client) error {
		c.addr, c.app, c.in = addr, a, bufio.NewReader(nil)
		for range warmRequests {
			if err := c.request(ctx); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	began := clock.Now()
	err = each(func(c *client) error {
		for at := began; at.Sub(began) < length; {
			if err := c.request(ctx); err != nil {
				return err
			}
			after := clock.Now()
			c.times.Add(int64(after.Sub(at)))
			at = after
		}
		return nil
	})
	took := clock.Now().Sub(began)
	if err != nil {
		return err
	}
	var times histogram.Histogram
	for i := range all {
		for _, b := range all[i].times.Buckets() {
			times.AddN(b.Index, b.Count)
		}
	}
	t.Record("rate", float64(times.N())/took.Seconds())
	t.RecordTimes("latency", &times)
	return nil
}

// A client is one connection, with one request at a time.
type client struct {
	addr  string
	app   *appfile.App
	conn  net.Conn
	in    *bufio.Reader
	times histogram.Histogram
}

// requestTime is the longest that an answer may take.
const requestTime = 10 * time.Second

// request sends one and reads its answer.
func (c *client) request(ctx context.Context) (err error) {
	if c.conn == nil {
		if c.conn, err = (&net.Dialer{Timeout: requestTime}).DialContext(ctx, "tcp", c.addr); err != nil {
			return err
		}
		c.in.Reset(c.conn)
	}
	c.conn.SetDeadline(time.Now().Add(requestTime))
	if _, err := io.WriteString(c.conn, c.app.Load.Ask); err != nil {
		return err
	}
	switch c.app.Load.Reply {
	case appfile.ReplyLine:
		_, err = c.in.ReadSlice('\n')
	case appfile.ReplyHTTP:
		err = c.http()
	default:
		err = c.toTheEnd()
		c.drop()
	}
	return err
}

// toTheEnd reads an answer that the connection's end ends. To the first request it has to
// be the one that is expected: an error page may come sooner.
func (c *client) toTheEnd() error {
	got, err := io.ReadAll(io.LimitReader(c.in, mostAnswer))
	if err == nil {
		_, err = io.Copy(io.Discard, c.in)
	}
	switch {
	case err != nil:
		return err
	case len(got) == 0:
		return errors.New("a connection was closed without an answer")
	case c.app.Load.Ask == c.app.Ask && !c.app.Answered(got):
		return fmt.Errorf("the answer was %q", got[:min(len(got), 200)])
	}
	return nil
}

// mostAnswer is how much of an answer is looked at, in bytes.
const mostAnswer = 1 << 20

// http reads an answer with a Content-Length.
func (c *client) http() error {
	length, last := -1, false
	for first := true; ; first = false {
		l, err := c.in.ReadSlice('\n')
		if err != nil {
			return err
		}
		l = bytes.TrimSpace(l)
		if first && !bytes.HasPrefix(l, []byte("HTTP/1.1 2")) {
			return fmt.Errorf("the answer was %q", l)
		}
		if len(l) == 0 {
			break
		}
		name, value, _ := bytes.Cut(l, []byte(":"))
		switch value = bytes.TrimSpace(value); {
		case bytes.EqualFold(name, []byte("content-length")):
			if length, err = strconv.Atoi(string(value)); err != nil {
				return err
			}
		case bytes.EqualFold(name, []byte("connection")):
			last = bytes.EqualFold(value, []byte("close")) // nginx closes one after a thousand
		}
	}
	if length < 0 {
		return errors.New("an answer without Content-Length, which reply: http needs")
	}
	_, err := c.in.Discard(length)
	if last {
		c.drop()
	}
	return err
}

// drop closes the connection.
func (c *client) drop() {
	if c.conn != nil {
		c.conn.Close()
		c.conn = nil
	}
}
