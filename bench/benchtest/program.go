package benchtest

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"lab/bench"
	"lab/bench/clock"
	"lab/bench/proc"
)

// What a program sees of its Command, and what is seen of the program.

func (s *suite) names(t *testing.T) {
	if n := s.env.Name(); !regexp.MustCompile(`^[a-z][a-z0-9-]*$`).MatchString(n) {
		t.Errorf("Name is %q, which isn't a word to type", n)
	}
	for _, x := range s.env.Settings() {
		if x.Name == "" || x.Help == "" || strings.ContainsAny(x.Name, "=, ") {
			t.Errorf("setting %+v: needs a name to type and a help text", x)
		}
		if len(x.Values) > 0 && !slices.Contains(x.Values, x.Default) {
			t.Errorf("setting %s: default %q isn't one of %q", x.Name, x.Default, x.Values)
		}
	}
	if d, ok := s.env.(bench.Describer); ok {
		if _, start := d.Describe(s.spec(t, sh("true"))); len(start) == 0 {
			t.Error("Describe says nothing of what Start does")
		}
	}
}

func (s *suite) status(t *testing.T) {
	for _, want := range []int{0, 1, 7, 42, 255} {
		out := s.run(t, fmt.Sprintf("exit %d", want), nil)
		if out.exit.Code != want || out.exit.Signal != 0 || out.exit.OOM {
			t.Errorf("exit %d: %v", want, out.exit)
		}
		if out.exit.At == 0 || out.exit.At > clock.Now() {
			t.Errorf("exit %d: At is %d", want, out.exit.At)
		}
		if s.opts.Slow && want > 1 {
			break
		}
	}
}

func (s *suite) stdout(t *testing.T) {
	s.needs(t, Stdout)
	// More than a pipe holds: who doesn't read on, or loses the rest at the
	// program's end, is found out.
	const lines = 20_000
	out := s.run(t, `i=0; while [ $i -lt `+fmt.Sprint(lines)+` ]; do echo "line $i"; i=$((i+1)); done`, nil)
	var want strings.Builder
	for i := range lines {
		fmt.Fprintf(&want, "line %d\n", i)
	}
	if out.text != want.String() {
		t.Errorf("%d bytes of output, want %d, or other ones; it ends in %q",
			len(out.text), want.Len(), out.text[max(0, len(out.text)-40):])
	}
}

func (s *suite) stderr(t *testing.T) {
	s.needs(t, Stdout, Stderr)
	r, w := pipe(t)
	errs := gather(r)
	out := s.run(t, "echo out; echo err >&2", nil, func(x *bench.Spec) { x.Command.Stderr = w })
	w.Close()
	if e := clean(<-errs); out.text != "out\n" || e != "err\n" {
		t.Errorf("output %q and errors %q, want out and err", out.text, e)
	}
	// Without one the null device takes it: nothing is mixed into the output.
	if out := s.run(t, "echo out; echo err >&2", nil); out.text != "out\n" {
		t.Errorf("output %q, want only what went to standard output", out.text)
	}
}

func (s *suite) stdin(t *testing.T) {
	if out := s.run(t, "cat; echo end", nil); out.text != "end\n" {
		t.Errorf("no standard input: %q, want an immediate end of file", out.text)
	}
	s.needs(t, Stdin)
	r, w := pipe(t)
	i := 0
	// Written with the program already reading: a descriptor that isn't
	// blocking would give it EAGAIN instead.
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ; i < 3; i++ {
			fmt.Fprintf(w, "line %d\n", i)
		}
		w.Close()
	}()
	out := s.run(t, "read a; echo got $a; cat; echo end", nil, func(x *bench.Spec) { x.Command.Stdin = r })
	<-done
	if want := "got line 0\nline 1\nline 2\nend\n"; out.text != want {
		t.Errorf("output %q, want %q", out.text, want)
	}
	// A read that has to wait: the writer speaks only when the reader has.
	r, w = pipe(t)
	inst := s.running(t, `read a && test "$a" = late`, func(x *bench.Spec) { x.Command.Stdin = r })
	fmt.Fprintln(w, "late")
	if exit := s.wait(t, inst); exit.Code != 0 {
		t.Errorf("reading from a pipe that is empty at first: %v", exit)
	}
}

func (s *suite) environ(t *testing.T) {
	s.needs(t, Environ)
	want := []string{"LAB_A=1", "LAB_EMPTY=", "LAB_ODD=a b\t\"c\" 'd' $e `f` \\g = ü%", "PATH=/bin"}
	text, _ := s.collect(t, s.spec(t, bench.Command{Argv: []string{"/bin/env"}, Env: want}))
	var got []string
	for line := range strings.Lines(text) {
		if regexp.MustCompile(`^[A-Za-z_][A-Za-z_0-9]*=`).MatchString(line) {
			got = append(got, strings.TrimSuffix(line, "\n"))
		}
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("environment %q, want %q and nothing else", got, want)
	}
	text, _ = s.collect(t, s.spec(t, bench.Command{Argv: []string{"/bin/env"}}))
	if regexp.MustCompile(`(?m)^[A-Z_]+=`).MatchString(text) {
		t.Errorf("environment %q, want none", text)
	}
}

func (s *suite) argv(t *testing.T) {
	args := []string{"", " ", "a b", "-n", "--", "'", `"`, `\`, "$HOME", "*", "tab\there", "ünï€", "a=b", "#", ";", "\x01", strings.Repeat("x", 2000)}
	out := s.run(t, `printf '<%s>\n' "$@"`, args)
	var want strings.Builder
	for _, a := range args {
		fmt.Fprintf(&want, "<%s>\n", a)
	}
	if out.text != want.String() {
		t.Errorf("arguments:\n%q, want\n%q", out.text, want.String())
	}
	// A name without a slash is looked up along PATH, in the image.
	text, exit := s.collect(t, s.spec(t, bench.Command{Argv: []string{"busybox", "echo", "found"}, Env: []string{"PATH=/nowhere:/bin"}}))
	if !strings.Contains(text, "found\n") || exit.Code != 0 {
		t.Errorf("a program on PATH: %q, %v", text, exit)
	}
}

func (s *suite) dir(t *testing.T) {
	for dir, want := range map[string]string{"": "/", "/": "/", "/tmp": "/tmp", "/usr/bin/../sbin": "/usr/sbin"} {
		out := s.run(t, "pwd -P", nil, func(x *bench.Spec) { x.Command.Dir = dir })
		if out.text != want+"\n" {
			t.Errorf("Dir %q: the program is in %q, want %q", dir, out.text, want)
		}
	}
	s.fails(t, s.spec(t, bench.Command{Argv: []string{readyPath, "x"}, Dir: "/no/such/folder"}), 0)
}

func (s *suite) user(t *testing.T) {
	if out := s.run(t, "id -u; id -g; id -G", nil); out.text != "0\n0\n0\n" {
		t.Errorf("by default it runs as %q, want root without further groups", out.text)
	}
	s.needs(t, Users)
	out := s.run(t, "id -u; id -g; id -G", nil, func(x *bench.Spec) {
		x.Command.User = bench.User{UID: 1234, GID: 2345, Groups: []uint32{3456}}
	})
	if want := "1234\n2345\n2345 3456\n"; out.text != want {
		t.Errorf("it runs as %q, want %q", out.text, want)
	}
}

func (s *suite) notFound(t *testing.T) {
	s.needs(t, NotFound)
	cmd := func(argv ...string) bench.Spec {
		return s.spec(t, bench.Command{Argv: argv, Env: []string{"PATH=/bin"}})
	}
	s.fails(t, cmd("/bin/no-such-program"), 127)
	s.fails(t, cmd("no-such-program"), 127)
	s.fails(t, cmd("/etc/passwd/no"), 127)
	s.fails(t, cmd("/etc/passwd"), 126)
	s.fails(t, cmd("/etc"), 126)
	s.fails(t, cmd(), 0)
	s.fails(t, cmd(""), 0)
}

// fails expects that a workload can't be started: either Start says so, with
// the workload to blame, or an init inside does, with its exit status. A
// status of 0 stands for any.
func (s *suite) fails(t *testing.T, spec bench.Spec, status int) {
	t.Helper()
	ctx := s.context(t)
	what := fmt.Sprintf("%q in %q", spec.Command.Argv, spec.Command.Dir)
	err := s.env.Check(ctx, spec)
	var i bench.Instance
	if err == nil {
		if i, err = s.env.Prepare(ctx, spec); err == nil {
			defer func() {
				if err := i.Close(); err != nil {
					t.Errorf("%s: Close after a failed start: %v", what, err)
				}
			}()
			err = i.Start(ctx)
		}
	}
	if err == nil {
		exit, err := i.Wait(ctx)
		if err != nil {
			t.Errorf("%s: Wait: %v", what, err)
		} else if exit.Code == 0 || status != 0 && exit.Code != status {
			t.Errorf("%s: %v, want status %d", what, exit, status)
		}
		return
	}
	if bench.Whose(err) != bench.BlameWorkload {
		t.Errorf("%s: %q blames %s, want the workload", what, err, bench.Whose(err))
	}
	if status == 0 {
		return
	}
	var e interface{ Status() int }
	if !errors.As(err, &e) {
		t.Errorf("%s: the error %q knows no exit status", what, err)
	} else if e.Status() != status {
		t.Errorf("%s: status %d, want %d (%v)", what, e.Status(), status, err)
	}
	if i != nil {
		if _, err := i.Wait(ctx); err == nil {
			t.Errorf("%s: Wait after a failed Start gives no error", what)
		}
	}
}

// inherits looks at what a child could have of its parent and shouldn't: open
// descriptors, blocked and ignored signals.
func (s *suite) inherits(t *testing.T) {
	s.needs(t, ParentsFDs)
	// One that somebody forgot to mark O_CLOEXEC.
	forgotten, err := unix.Open(s.image.Dir, unix.O_RDONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(forgotten)
	r, w := pipe(t)
	// Without a shell, which ignores signals of its own accord.
	i := s.start(t, s.spec(t, bench.Command{Argv: []string{"/bin/sleep", "1000"}, Stdin: r, Stderr: w}))
	pid := s.pid(t, i)
	var entries []os.DirEntry
	// Start may return a moment before exec has closed what it is to close.
	for end := time.Now().Add(5 * time.Second); ; time.Sleep(time.Millisecond) {
		if entries, err = os.ReadDir("/proc/" + pid + "/fd"); err != nil {
			t.Fatal(err)
		}
		if len(entries) == 3 || time.Now().After(end) {
			break
		}
	}
	for _, e := range entries {
		if !slices.Contains([]string{"0", "1", "2"}, e.Name()) {
			to, _ := os.Readlink("/proc/" + pid + "/fd/" + e.Name())
			t.Errorf("descriptor %s is open in the program, on %s", e.Name(), to)
		}
		// Go's own pipes don't block; a program would be told EAGAIN.
		info, err := os.ReadFile("/proc/" + pid + "/fdinfo/" + e.Name())
		if err != nil {
			t.Fatal(err)
		}
		var flags uint64
		for line := range strings.Lines(string(info)) {
			if v, ok := strings.CutPrefix(line, "flags:\t"); ok {
				flags, _ = strconv.ParseUint(strings.TrimSpace(v), 8, 64)
			}
		}
		if flags&syscall.O_NONBLOCK != 0 {
			t.Errorf("descriptor %s is in non-blocking mode", e.Name())
		}
	}
	s.ownNull(t)
	n, _ := strconv.Atoi(pid)
	status := proc.Status(n)
	for _, name := range []string{"SigBlk", "SigIgn"} {
		if v := status[name]; strings.Trim(v, "0") != "" || v == "" {
			t.Errorf("the program begins with %s %q, want none", name, v)
		}
	}
}

// ownNull looks at what a program has for an input and for errors that nobody
// gave it: a null device, and not the machine's, whose mode and owner it could
// change through what it has open.
func (s *suite) ownNull(t *testing.T) {
	machines, err := os.Stat(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	pid := s.pid(t, s.start(t, s.spec(t, bench.Command{Argv: []string{"/bin/sleep", "1000"}})))
	for _, fd := range []string{"0", "2"} {
		st, err := os.Stat("/proc/" + pid + "/fd/" + fd)
		if err != nil {
			t.Fatal(err)
		}
		sys := st.Sys().(*syscall.Stat_t)
		if os.SameFile(st, machines) || sys.Rdev != unix.Mkdev(1, 3) || st.Mode().Perm() != 0o666 {
			t.Errorf("descriptor %s is %v, device %#x (the machine's own: %v), want a null device of the lab's", fd, st.Mode(), sys.Rdev, os.SameFile(st, machines))
		}
	}
}

// umask wants the same for each program, whatever the lab's caller has.
func (s *suite) umask(t *testing.T) {
	defer unix.Umask(unix.Umask(0o077))
	if out := s.run(t, "umask", nil); out.text != "0022\n" {
		t.Errorf("umask %q, want 0022", out.text)
	}
}

// pid is an instance's process, as the testbed numbers it.
func (s *suite) pid(t *testing.T, i bench.Instance) string {
	t.Helper()
	if x, ok := i.(bench.Inspector); ok {
		m, err := x.Inspect()
		if err != nil {
			t.Fatal(err)
		}
		if m["pid"] != "" {
			return m["pid"]
		}
	}
	t.Fatalf("%s: no Inspector that names a pid", s.env.Name())
	return ""
}

// rounds is n, or 1 where a round takes seconds.
func (s *suite) rounds(n int) int {
	if s.opts.Slow {
		return 1
	}
	return n
}
