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
	behind   bench.Instance // has the second part, if that is apart; else nil
	app      *appfile.App
	prepared clock.Time // all that later starts share is there
	from, at clock.Time // the call, and the first answer
	marks    []clock.Mark
	started  clock.Time // the instances are made, and the client begins to ask
	addr     string
	out      clean.Tail // what the program said last
	to       *os.File
}

// A content is the image that an application is found in, and the file that has it as a
// guest's disk if there is one.
type content struct {
	image.Ref
	disk string
}

// prepareService prepares an application in an image.
func prepareService(ctx context.Context, t *bench.T, c bench.Cell, a *appfile.App, in content) (*service, error) {
	from, to, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	s := &service{app: a, out: clean.Tail{Most: mostOutput}, to: to}
	go func() { // a program whose output nobody reads would stop
		defer from.Close()
		io.Copy(&s.out, from)
	}()
	argv, other := a.Command, local
	if len(a.Behind) > 0 {
		if c.Variant["parts"] == partsApart {
			if s.behind, err = s.prepare(ctx, t, c, in, a.Behind, ""); err != nil {
				s.close()
				return nil, err
			}
			other = address(s.behind)
		} else {
			// A shell opens /dev/null for what it runs behind itself, and a chroot has none.
			argv = []string{"/bin/sh", "-c", "[ -e /dev/null ] || : >/dev/null; " + shellWords(a.Behind) + " & exec " + shellWords(a.Command)}
		}
	}
	if s.i, err = s.prepare(ctx, t, c, in, argv, other); err != nil {
		s.close()
		return nil, err
	}
	s.prepared = clock.Now()
	s.addr = net.JoinHostPort(address(s.i), strconv.Itoa(int(a.Port)))
	return s, nil
}

// prepare prepares an instance with a command of the application's, which finds the
// second part at an address.
func (s *service) prepare(ctx context.Context, t *bench.T, c bench.Cell, in content, argv []string, behind string) (bench.Instance, error) {
	root := ""
	if c.HostFiles {
		root = in.Dir
	}
	fill := strings.NewReplacer("{root}", root, "{behind}", behind)
	filled := func(words []string) (out []string) {
		for _, w := range words {
			out = append(out, fill.Replace(w))
		}
		return out
	}
	spec := t.Spec(bench.Command{Argv: filled(argv), Env: append(slices.Clone(commandEnv), filled(s.app.Env)...), Stdout: s.to, Stderr: s.to})
	spec.Image, spec.Disk, spec.Work = in.Ref, in.disk, s.app.Writes && c.Work
	return t.Prepare(ctx, spec)
}

// local is where a program finds what listens in its own network.
const local = "127.0.0.1"

// address is where the testbed and other instances find one.
func address(i bench.Instance) string {
	if x, ok := i.(bench.Addresser); ok && x.Addr() != "" {
		return x.Addr()
	}
	return local
}

// shellWords is a command as a shell reads it.
func shellWords(argv []string) string {
	var out []string
	for _, w := range argv {
		out = append(out, "'"+strings.ReplaceAll(w, "'", `'\''`)+"'")
	}
	return strings.Join(out, " ")
}

// instances are those that it is made of.
func (s *service) instances() []bench.Instance {
	if s.behind != nil {
		return []bench.Instance{s.i, s.behind}
	}
	return []bench.Instance{s.i}
}

// end ends it: when it returns, nothing of it is left.
func (s *service) end(t *bench.T) error {
	for _, i := range s.instances() {
		if err := t.Close(i); err != nil {
			return fmt.Errorf("close: %w", err)
		}
	}
	return nil
}

// begin starts it, and asks it until it answers.
func (s *service) begin(ctx context.Context, t *bench.T) error {
	// An address that nobody has yet is asked for once a second by default.
	if err := t.AskNeighbours(10 * time.Millisecond); err != nil {
		return err
	}
	s.from = clock.Now()
	if s.behind != nil {
		if err := s.behind.Start(ctx); err != nil {
			return err
		}
		s.marks = []clock.Mark{{Name: "second part", At: clock.Now()}}
	}
	if err := s.i.Start(ctx); err != nil {
		return err
	}
	s.started = clock.Now()
	if tr, ok := s.i.(bench.Tracer); ok && s.behind == nil {
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

// exchange is one connection with one request, and what came until it was the answer.
func exchange(ctx context.Context, addr string, a *appfile.App) ([]byte, error) {
	return askUntil(ctx, addr, a, a.Answered)
}

// askUntil is one connection with one request, and what came until that was enough.
func askUntil(ctx context.Context, addr string, a *appfile.App, enough func([]byte) bool) ([]byte, error) {
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
		if got = append(got, buf[:n]...); enough(got) {
			return got, nil
		}
		if err != nil {
			return got, errors.Join(errors.New("not the answer that was expected"), err)
		}
	}
	return got, errors.New("an answer without end")
}
