package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"

	"lab/bench/benchtest/fresh"
	"lab/bench/engines/uml"
	"lab/bench/probe/built"
	"lab/bench/residue"
	"lab/bench/testbed"
	"lab/bench/usercache"
	"lab/vm/guest"
	"lab/vm/kernel"
)

// The scripts in testdata/script are what users type, and what they then see.
// Beside lab they have some programs of their own, in helpers_test.go.
func TestMain(m *testing.M) {
	if strings.HasSuffix(os.Args[0], ".test") { // and not as one of the commands below
		if err := embedded(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	testscript.Main(m, map[string]func(){
		"lab":     func() { os.Exit(full(os.Args)) },
		"status":  func() { os.Exit(statusMain(os.Args[1:])) },
		"trials":  func() { os.Exit(trialsMain(os.Args[1:])) },
		"tails":   func() { os.Exit(tailsMain(os.Args[1:])) },
		"await":   func() { os.Exit(awaitMain(os.Args[1:])) },
		"smite":   func() { os.Exit(smiteMain(os.Args[1:])) },
		"failing": func() { os.Exit(failMain(os.Args[1:])) },
	})
}

// embedded says whether the programs that lie embedded, if any do, are of these sources:
// scripts run them, and go test doesn't build them anew.
func embedded() error {
	for pkg, read := range map[string]func() ([]byte, error){
		"lab/bench/probe/program":   built.Probe,
		"lab/bench/probe/guestinit": guest.Init,
	} {
		if b, err := read(); err == nil {
			if err := fresh.Check(pkg, b); err != nil {
				return err
			}
		}
	}
	return nil
}

// longScript is what a script says that takes minutes.
var longScript = regexp.MustCompile(`(?m)^# takes ([0-9]+ minutes)$`)

func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/script/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no scripts:", err)
	}
	top, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if minutes := longScript.FindStringSubmatch(string(text)); minutes != nil && os.Getenv("LAB_LONG") == "" {
				t.Skip("SKIPPED: takes " + minutes[1] + "; fix: LAB_LONG=1")
			}
			// A script that measures or executes says so in its first line.
			first, _, _ := strings.Cut(string(text), "\n")
			if strings.HasPrefix(first, "# needs root") {
				needs(t)
				nothingLeft(t)
			}
			cache, err := usercache.Dir()
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(first, "guest kernel") {
				if _, err := kernel.Newest(cache); err != nil && os.Getenv("LAB_KERNEL") == "" {
					t.Skip(err, "; fix: make setup")
				}
			}
			// One at a time, unlike testscript's own way with a folder: a run
			// locks the machine.
			testscript.Run(t, testscript.Params{
				Files: []string{file},
				Setup: func(e *testscript.Env) error {
					e.Setenv("LAB_CACHE", filepath.Join(e.WorkDir, ".cache"))
					e.Setenv("USERS_CACHE", cache)
					e.Setenv("LAB_KERNEL", os.Getenv("LAB_KERNEL"))
					e.Setenv("NO_COLOR", "1")
					e.Setenv("COLUMNS", "1000") // what is looked for may not be wrapped; width_test.go looks at 80
					e.Setenv("TOP", top)
					e.Setenv("SETUP", filepath.Join(top, "cmd", "setup", "setup.sh"))
					e.Setenv("SYNTHETIC", filepath.Join(top, "reports", "testdata", "synthetic"))
					e.Setenv("OLD", filepath.Join(top, "cmd", "lab", "testdata", "old"))
					return nil
				},
				Condition: func(name string) (bool, error) {
					if name != "uml" {
						return false, fmt.Errorf("unknown condition %q", name)
					}
					return uml.Runs(), nil
				},
				Cmds: map[string]func(*testscript.TestScript, bool, []string){"nobody": nobody},
			})
		})
	}
}

// needs skips, with the cure, where a script that measures can't be run, and
// waits while somebody else is measuring.
func needs(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root; fix: sudo make test")
	}
	if _, err := exec.LookPath("busybox"); err != nil {
		t.Skip("no busybox; fix: make setup, or apt-get install busybox-static")
	}
	var busy *testbed.BusyError
	for end := time.Now().Add(2 * time.Minute); ; time.Sleep(100 * time.Millisecond) {
		l, err := testbed.Acquire(true)
		if err == nil {
			l.Release()
			return
		}
		if !errors.As(err, &busy) || time.Now().After(end) {
			t.Fatal(err)
		}
	}
}

// nothingLeft has a test fail which leaves on this machine what wasn't there before
// it, as far as it may be the lab's: see package residue.
func nothingLeft(t *testing.T) {
	t.Helper()
	// So that whoever loses its parent stays our descendant.
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		t.Fatal(err)
	}
	// Orphans fall to the main thread, which is no other process's parent.
	bury := func() {
		b, _ := os.ReadFile(fmt.Sprintf("/proc/self/task/%d/children", os.Getpid()))
		for pid := range strings.FieldsSeq(string(b)) {
			if n, err := strconv.Atoi(pid); err == nil {
				unix.Wait4(n, nil, unix.WNOHANG, nil)
			}
		}
	}
	done := make(chan struct{})
	go func() { // as init would, by and by
		for {
			select {
			case <-done:
				return
			case <-time.After(5 * time.Millisecond):
				bury()
			}
		}
	}()
	look := func() residue.Snapshot { return residue.Take(residue.Options{Tree: os.Getpid()}) }
	before := look()
	t.Cleanup(func() {
		defer close(done)
		// Others who test the lab at the same time are given some time, too.
		var left []residue.Difference
		for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
			left = slices.DeleteFunc(look().Since(before), func(d residue.Difference) bool { return !d.Counts })
			if len(left) == 0 {
				return
			}
		}
		for _, d := range left {
			t.Errorf("left behind: %v", d)
		}
	})
}

// nobody runs lab as a user without rights: nobody lab run …
func nobody(ts *testscript.TestScript, neg bool, args []string) {
	// Through a descriptor: the folders above the test's binary are closed
	// to that user.
	self, err := os.Open("/proc/self/exe")
	ts.Check(err)
	defer self.Close()
	cmd := exec.Command("/proc/self/fd/3")
	cmd.Args = args
	cmd.ExtraFiles = []*os.File{self}
	cmd.Dir = "/"
	cmd.Env = []string{"HOME=/nonexistent", "PATH=" + os.Getenv("PATH")}
	if os.Geteuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	}
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	err = cmd.Run()
	ts.Check(os.WriteFile(ts.MkAbs("out"), []byte(out.String()), 0o644))
	ts.Check(os.WriteFile(ts.MkAbs("err"), []byte(errs.String()), 0o644))
	var e *exec.ExitError
	if err != nil && !errors.As(err, &e) {
		ts.Fatalf("nobody: %v", err)
	}
	if neg == (err == nil) {
		ts.Fatalf("nobody %s: %v\n%s%s", strings.Join(args, " "), err, out.String(), errs.String())
	}
	ts.Check(os.WriteFile(ts.MkAbs("code"), []byte(cmd.ProcessState.String()+"\n"), 0o644))
}

// command is a program to start that is lab: the test's own, where it is called
// so.
func command(t *testing.T) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	lab := filepath.Join(t.TempDir(), "lab")
	if err := os.Symlink(self, lab); err != nil {
		t.Fatal(err)
	}
	return lab
}
