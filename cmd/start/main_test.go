package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

// built is the program as "make build" makes it.
func built(t *testing.T) string {
	t.Helper()
	if runtime.GOARCH != "amd64" && runtime.GOARCH != "arm64" {
		t.Skip("SKIPPED: no entry of our own on ", runtime.GOARCH)
	}
	lab := filepath.Join(t.TempDir(), "lab")
	build := exec.Command("go", "build", "-ldflags", "-E lab/cmd/cli.entry", "-o", lab, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		if errors.Is(err, exec.ErrNotFound) {
			t.Skip("SKIPPED: go isn't in PATH")
		}
		t.Fatalf("%v\n%s", err, out)
	}
	return lab
}

// Where Go's runtime can't have its memory, it isn't begun; it doesn't find a closed output.
func TestEntry(t *testing.T) {
	lab := built(t)
	const threads = "prlimit --nproc=1 --pid $$"
	for _, x := range []struct {
		limit, want string
		status      int
	}{
		{"ulimit -v 200000", "fix: ulimit -v unlimited", 125},
		{"ulimit -d 200000", "fix: ulimit -d unlimited", 125},
		{"ulimit -v 4000000; ulimit -d 4000000", "linux/", 0},
		// Output that was lost, as its descriptor is closed, is an error.
		{"exec >&-", "bad file descriptor", 1},
		{"exec <&- >&-", "bad file descriptor", 1},
		// Its last words are the lab's; the limit doesn't hold for root.
		{threads, "no more processes and threads may be started here; fix: ", 125},
	} {
		cmd := exec.Command("/bin/sh", "-c", x.limit+` && exec "$0" version`, lab)
		if x.limit == threads {
			if os.Geteuid() != 0 {
				continue
			}
			if err := os.Chmod(filepath.Dir(filepath.Dir(lab)), 0o755); err != nil { // of t.TempDir
				t.Fatal(err)
			}
			cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 1e9 + 1, Gid: 1e9 + 1}}
		}
		out, _ := cmd.CombinedOutput()
		if cmd.ProcessState.ExitCode() != x.status || !strings.Contains(string(out), x.want) || strings.Count(string(out), "\n") != 1 {
			t.Errorf("%s: exit status %d, %q; want %d with %q", x.limit, cmd.ProcessState.ExitCode(), out, x.status, x.want)
		}
	}
}

// An error is in the reader's language if lab-full is there to say it.
func TestErrorsInTheReadersLanguage(t *testing.T) {
	lab := built(t)
	for _, x := range []struct{ lang, full, want string }{
		{"ko_KR.UTF-8", "", `lab: unknown flag "--bogus"`},
		{"ko_KR.UTF-8", "#!/bin/sh\n[ $# = 2 ] && printf 'said: %s' \"$2\"\n", `lab: said: unknown flag "--bogus"`},
		{"ko_KR.UTF-8", "#!/bin/sh\nexit 1\n", `lab: unknown flag "--bogus"`},
		{"C.UTF-8", "#!/bin/sh\necho never\n", `lab: unknown flag "--bogus"`},
	} {
		if x.full != "" {
			if err := os.WriteFile(filepath.Join(filepath.Dir(lab), fullName), []byte(x.full), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		cmd := exec.Command(lab, "exec", "host", "--bogus", "--", "true")
		cmd.Env = []string{"LANG=" + x.lang, "PATH=" + os.Getenv("PATH")}
		out, _ := cmd.CombinedOutput()
		if cmd.ProcessState.ExitCode() != 2 || !strings.HasPrefix(string(out), x.want) {
			t.Errorf("LANG=%s, lab-full %q: exit status %d, %q", x.lang, x.full, cmd.ProcessState.ExitCode(), out)
		}
	}
}

// Signals reach the command, which has none blocked.
func TestSignals(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED: lab exec needs root; fix: sudo make test")
	}
	lab := built(t)
	for _, x := range []struct {
		script string
		status int
	}{
		{"grep -qE '^SigBlk:[[:space:]]*0+$' /proc/self/status", 0},
		{"trap 'exit 7' TERM; kill -TERM $PPID; while :; do sleep 0.01; done", 7},
		{"trap 'exit 8' HUP; kill -HUP $PPID; while :; do sleep 0.01; done", 8},
		{"kill -INT $PPID; while :; do sleep 0.01; done", 130},
		{"trap '' INT; for i in 1 2 3 4 5; do kill -INT $PPID; sleep 0.1; done; sleep 60", 137},
	} {
		cmd := exec.Command(lab, "exec", "host", "--image", t.TempDir(), "--", "sh", "-c", x.script)
		out, _ := cmd.CombinedOutput()
		if cmd.ProcessState.ExitCode() != x.status {
			t.Errorf("%s: exit status %d, want %d\n%s", x.script, cmd.ProcessState.ExitCode(), x.status, out)
		}
	}
}
