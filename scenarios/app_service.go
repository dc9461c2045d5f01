package scenarios

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"lab/bench"
	"lab/bench/appfile"
	"lab/bench/clean"
	"lab/bench/clock"
	"lab/bench/image"
)

// A service is an application that is started, or will be.
type service struct {
	i        bench.Instance
	app      *appfile.App
	prepared clock.Time // all that later starts share is there
	from, at clock.Time // the call, and the first answer
	started  clock.Time // the instance is made, and the client begins to ask
	addr     string
	out      clean.Tail // what the program said last
	to       *os.File
}

// prepareService prepares an application in an image.
func prepareService(ctx context.Context, t *bench.T, c bench.Cell, a *appfile.App, ref image.Ref) (*service, error) {
	from, to, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	s := &service{app: a, out: clean.Tail{Most: mostOutput}, to: to}
	go func() { // a program whose output nobody reads would stop
		defer from.Close()
		io.Copy(&s.out, from)
	}()
	spec := t.Spec(appCommand(c, a, ref, to))
	spec.Image, spec.Work = ref, a.Writes && c.Work
	if s.i, err = t.Prepare(ctx, spec); err != nil {
		s.close()
		return nil, err
	}
	s.prepared = clock.Now()
	at := "127.0.0.1"
	if x, ok := s.i.(bench.Addresser); ok && x.Addr() != "" {
		at = x.Addr()
	}
	s.addr = net.JoinHostPort(at, strconv.Itoa(int(a.Port)))
	return s, nil
}

// begin starts it, and asks it until it answers.
func (s *service) begin(ctx context.Context, t *bench.T) error {
	// An address that nobody has yet is asked for once a second by default.
	if err := t.AskNeighbours(10 * time.Millisecond); err != nil {
		return err
	}
	s.from = clock.Now()
	if err := s.i.Start(ctx); err != nil {
		return err
	}
	s.started = clock.Now()
	if tr, ok := s.i.(bench.Tracer); ok {
		s.from = tr.Started()
	}
	ended := make(chan bench.Exit, 1)
	go func() { // Close ends it
		if exit, err := s.i.Wait(ctx); err == nil {
			ended <- exit
		}
	}()
	var err error
	if s.at, err = firstAnswer(ctx, s.addr, s.app, ended); err != nil {
		return s.explain(err)
	}
	return t.AskNeighbours(0)
}

// appCommand is the command that starts an application.
func appCommand(c bench.Cell, a *appfile.App, ref image.Ref, out *os.File) bench.Command {
	root := ""
	if c.HostFiles {
		root = ref.Dir
	}
	argv := slices.Clone(a.Command)
	for i := range argv {
		argv[i] = strings.ReplaceAll(argv[i], "{root}", root)
	}
	return bench.Command{Argv: argv, Env: append(slices.Clone(commandEnv), a.Env...), Stdout: out, Stderr: out}
}

// close ends the reading of the program's output.
func (s *service) close() { s.to.Close() }

// explain adds to an error what became of the instance, and what its program said.
func (s *service) explain(err error) error {
	if e, ok := s.i.(bench.Explainer); ok {
		return bench.Blamed(bench.Whose(err), e.Explain(err))
	}
	return fmt.Errorf("%w%s", err, quoted(&s.out))
}

// firstAnswer asks until the answer is there: some milliseconds are between two
// attempts that are refused at once. An application that ends, ended says how, won't.
func firstAnswer(ctx context.Context, addr string, a *appfile.App, ended <-chan bench.Exit) (clock.Time, error) {
	until, _ := ctx.Deadline()
	until = until.Add(-explaining)
	var last error
	for time.Now().Before(until) && ctx.Err() == nil {
		got, err := exchange(ctx, addr, a)
		if err == nil {
			return clock.Now(), nil
		}
		if last = err; len(got) > 0 {
			last = fmt.Errorf("%w: %q", err, got[:min(len(got), 200)])
		}
		select {
		case exit := <-ended:
			time.Sleep(10 * time.Millisecond) // what it said last is being read
			return 0, bench.Blamed(bench.BlameWorkload, fmt.Errorf("the application ended early, with %v", exit))
		case <-time.After(time.Millisecond):
		}
	}
	if ctx.Err() != nil {
		return 0, ctx.Err()
	}
	return 0, bench.Blamed(bench.BlameTime, fmt.Errorf("%s didn't answer in time: %w", addr, last))
}

// exchange is one connection with one request, and what came.
func exchange(ctx context.Context, addr string, a *appfile.App) ([]byte, error) {
	conn, err := (&net.Dialer{Timeout: 200 * time.Millisecond}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := io.WriteString(conn, a.Ask); err != nil {
		return nil, err
	}
	var got []byte
	buf := make([]byte, 4096)
	for len(got) < 1<<20 {
		n, err := conn.Read(buf)
		if got = append(got, buf[:n]...); a.Answered(got) {
			return got, nil
		}
		if err != nil {
			return got, errors.Join(errors.New("not the answer that was expected"), err)
		}
	}
	return got, errors.New("an answer without end")
}
