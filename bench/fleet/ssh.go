package fleet

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"lab/bench/clean"
)

//go:embed host.sh
var hostScript string

// How long a machine may be silent, and take for what says nothing: its doctor, to unpack,
// to remove. ssh looks for a dead connection by itself. They are variables for the tests
// alone.
const connectWithin = 15 // seconds

var (
	lookWithin  = time.Minute
	heardWithin = 90 * time.Second
	stepWithin  = 10 * time.Minute
	moveWithin  = 3 * time.Hour      // a bundle, or results
	aheadWithin = 12 * time.Hour     // until one more trial is measured
	workWithin  = 7 * 24 * time.Hour // all of it
)

// sshCommand is ssh(1) with one step of host.sh. Whom it asks, by which key and through
// which port is the user's own configuration and agent; host keys are checked as that
// says. There is nobody to type a password: a machine that wants one has failed.
func sshCommand(ctx context.Context, host string, step ...string) *exec.Cmd {
	return sshScript(ctx, host, scriptOf(step))
}

func sshScript(ctx context.Context, host, script string) *exec.Cmd {
	// One word for whatever shell the user has there.
	line := "sh -c 'eval \"$(echo " + base64.StdEncoding.EncodeToString([]byte(script)) + " | base64 -d)\"'"
	cmd := exec.CommandContext(ctx, "ssh", "-T", "-o", "BatchMode=yes", "-o", fmt.Sprint("ConnectTimeout=", connectWithin),
		"-o", "ServerAliveInterval=15", "-o", "ServerAliveCountMax=3", "-o", "ClearAllForwardings=yes", "--", host, line)
	// It dies with this program, and Ctrl-C on the terminal reaches this program alone.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	cmd.WaitDelay = 2 * time.Second // a master connection that stays has standard error open
	return cmd
}

// scriptOf is host.sh, and one step of it with its words.
func scriptOf(step []string) string {
	var script strings.Builder
	script.WriteString(hostScript)
	for _, word := range step {
		script.WriteString(quoted(word) + " ")
	}
	return script.String()
}

// quoted is a word as a shell takes it, whatever is in it.
func quoted(word string) string { return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'" }

// mostSaid is how much is kept of what a program said last.
const mostSaid = 4 << 10

// lastLine is the last line that says something, behind the one whose cure it is.
func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	last := clean.Line(strings.TrimSpace(lines[len(lines)-1]))
	if n := len(lines); n > 1 && strings.HasPrefix(last, "fix: ") {
		return clean.Line(strings.TrimSpace(lines[n-2])) + "; " + last
	}
	return last
}

// limited is an output of at most so many bytes; more is an error.
type limited struct {
	to   io.Writer
	left int64
	over func() // is called then, if there is one
}

func (l *limited) Write(p []byte) (int, error) {
	if l.left -= int64(len(p)); l.left < 0 {
		if l.over != nil {
			l.over()
		}
		return 0, errMuch
	}
	return l.to.Write(p)
}

// errMuch ends whoever says without an end: reading that takes a processor.
var errMuch = &Failure{Reason: "it says more than any machine does"}

// step runs one step on a machine, and returns what it said, 4 MiB at the most.
func step(ctx context.Context, host string, stdin io.Reader, words ...string) (string, error) {
	return stepIn(ctx, "", host, stdin, words...)
}

// stepIn is step with the lab's folder below the folder from; nothing: where it always is.
func stepIn(ctx context.Context, from, host string, stdin io.Reader, words ...string) (string, error) {
	var out bytes.Buffer
	script := scriptOf(words)
	if from != "" {
		script = folderVariable + "=" + quoted(from) + "\n" + script
	}
	cmd := sshScript(ctx, host, script)
	cmd.Stdin, cmd.Stdout = stdin, &limited{to: &out, left: mostOutput}
	err := execute(ctx, cmd)
	return out.String(), err
}

// mostOutput is the most that a step says, on each of its two outputs.
const mostOutput = 4 << 20

// execute runs an ssh command, whose error is a [*Failure].
func execute(ctx context.Context, cmd *exec.Cmd) error {
	// The kernel kills it when the thread that started it ends.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	said := &clean.Tail{Most: mostSaid}
	var much atomic.Bool
	over := func() { // ssh goes on without its outputs
		much.Store(true)
		cmd.Process.Kill()
	}
	cmd.Stderr = &limited{said, mostOutput, over}
	if out, ok := cmd.Stdout.(*limited); ok {
		out.over = over
	}
	err := cmd.Run()
	if much.Load() {
		return errMuch
	}
	if err == nil || errors.Is(err, exec.ErrWaitDelay) {
		return nil
	}
	text := said.String()
	if strings.Contains(text, "HOST IDENTIFICATION HAS CHANGED") {
		return &Failure{Reason: changed}
	}
	return failure(ctx, err, lastLine(text))
}

const changed = "its host key has changed: it was installed anew, or is another machine; fix: compare the fingerprint there, then ssh-keygen -R with its name"

const noRoot = "its user can't become root without a password (sudo -n); fix: NOPASSWD for the lab, or user root"

// A Failure is why a machine isn't measured.
type Failure struct {
	Reason   string
	Lost     bool // the connection: it may come back
	Answered bool // a step began there
}

func (f *Failure) Error() string { return f.Reason }

// failure puts a name to what ssh, or a step there, ended with.
func failure(ctx context.Context, err error, said string) error {
	var exit *exec.ExitError
	switch {
	case errors.Is(context.Cause(ctx), context.DeadlineExceeded):
		return &Failure{Reason: "it hangs: connected, and no answer in time", Lost: true, Answered: true}
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case !errors.As(err, &exit):
		return &Failure{Reason: fmt.Sprintf("ssh: %v", err)}
	case exit.ExitCode() != 255:
		if said == "" || strings.HasPrefix(said, "Could not chdir to home") {
			return &Failure{Reason: "its shell runs no commands (" + err.Error() + ")"}
		}
		return &Failure{Reason: fault(said), Answered: true}
	}
	for _, x := range []struct{ is, reason string }{
		{"Connection refused", "it refuses connections: no sshd is running there"},
		{"Could not resolve hostname", "its name isn't known; fix: /etc/hosts, or ssh's configuration"},
		{"Host key verification failed", "its host key isn't known; fix: ssh there once, and compare the fingerprint"},
		{"Permission denied", "it lets this user in by no key; fix: ssh-copy-id, or ssh-add"},
		{"Too many authentication failures", "it lets this user in by no key; fix: IdentitiesOnly in ssh's configuration"},
		{"No route to host", "there is no way to it: it is off, or another network's"},
		{"Network is unreachable", "there is no way to it: no network"},
		{"timed out", "it hangs: no answer from its sshd in time"},
	} {
		if strings.Contains(said, x.is) {
			return &Failure{Reason: x.reason, Lost: x.is == "timed out"}
		}
	}
	reason := "the connection was lost"
	if said != "" {
		reason += " (" + said + ")"
	}
	return &Failure{Reason: reason, Lost: true}
}

// fault is the reason that the last line of a step's standard error gives.
func fault(said string) string {
	if strings.HasPrefix(said, "sudo: ") && strings.Contains(said, " required") { // a password, a terminal
		return noRoot
	}
	for _, x := range []struct{ is, reason string }{
		{"No space left on device", "its disk is full"},
		{"Disk quota exceeded", "its user's quota is full"},
	} {
		if strings.Contains(said, x.is) {
			return x.reason + " (" + said + ")"
		}
	}
	return strings.TrimPrefix(said, "lab fleet: ")
}
