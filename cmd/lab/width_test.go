package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"lab/bench/text"
)

// TestEightyColumns has each command's help and page printed, and errors, and
// looks for a line that is wider than the terminal and could have been broken.
func TestEightyColumns(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root; fix: sudo make test")
	}
	t.Setenv("COLUMNS", "80")
	t.Setenv("LAB_CACHE", t.TempDir())
	synthetic, err := filepath.Abs("../../reports/testdata/synthetic")
	if err != nil {
		t.Fatal(err)
	}
	copied := filepath.Join(t.TempDir(), "synthetic")
	if err := os.CopyFS(copied, os.DirFS(synthetic)); err != nil {
		t.Fatal(err)
	}
	var all [][]string
	a := newApp([]string{"lab"}, os.Stdin, os.Stdout, os.Stderr)
	var helps func(cmd *cobra.Command, words []string)
	helps = func(cmd *cobra.Command, words []string) {
		all = append(all, append(append([]string{}, words...), "--help"))
		for _, c := range cmd.Commands() {
			// Cobra's own help shows lines to copy, whole.
			if c.Name() != "completion" && c.Name() != "help" {
				helps(c, append(append([]string{}, words...), c.Name()))
			}
		}
	}
	helps(a.root(), nil)
	for _, name := range explainedNames(everything()) {
		all = append(all, []string{"explain", name})
	}
	for _, line := range []string{
		"", "version", "--version", "list", "doctor", "explain", "image list", "clean", "check " + copied,
		"report " + copied, "compare " + copied + " " + copied, "compare " + copied + " --by env=host,container",
		"run startup --predict", "run disk --predict --quick", "nosuch", "run", "run nosuch", "run startup --nosuch",
		"run startup --variant nosuch=1", "run startup --accel fast", "run startup --work .", "run -f /nosuch", "run startup --sessions 2 --precision 2%",
		"exec", "exec nosuch", "exec container --image /nosuch -- true", "exec container -m 1 -- true", "exec host -- nosuch",
		"exec container --variant nosuch=1 -- true", "exec container -v /nosuch:/x -- true", "exec container -p 1:2:3:4 -- true",
		"report /nosuch", "compare x", "explain nosuch", "explain strtup", "image /nosuch", "reproduce /nosuch", "run --resume " + copied,
	} {
		all = append(all, strings.Fields(line))
	}
	for _, words := range all {
		for _, l := range strings.Split(printed(t, words), "\n") {
			if text.Columns(l) > 80 && strings.Contains(strings.TrimLeft(l, " "), " ") {
				t.Errorf("lab %s prints a line of %d columns:\n%s", strings.Join(words, " "), text.Columns(l), l)
			}
		}
	}
	if len(all) < 100 {
		t.Errorf("only %d commands were looked at", len(all))
	}
}

// printed is all that a command writes.
func printed(t testing.TB, words []string) string {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	in, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	run(append([]string{"lab"}, words...), in, f, f)
	b, err := os.ReadFile(f.Name())
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
