package benchtest

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Reference compiles a C program, statically, and runs it with args until the
// benchmark's end, which it sees as the end of its input. A benchmark measures
// itself against such a program: what it costs without Go. Where there is no C
// compiler the benchmark is skipped.
func Reference(b *testing.B, source string, args ...string) (in io.Writer, out io.Reader) {
	b.Helper()
	cc, err := exec.LookPath("cc")
	if err != nil {
		b.Skip("SKIPPED: the reference is a C program; fix: apt-get install gcc libc6-dev")
	}
	prog := filepath.Join(b.TempDir(), "reference")
	if said, err := exec.Command(cc, "-O2", "-static", "-o", prog, source).CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, said)
	}
	cmd := exec.Command(prog, args...)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		stdin.Close()
		if err := cmd.Wait(); err != nil {
			b.Errorf("%s: %v", source, err)
		}
	})
	return stdin, stdout
}
