package foreign

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"lab/bench"
	"lab/bench/launch"
)

// mostPrinted bounds what is read of what a command printed, in bytes.
const mostPrinted = 64 << 10

// Run runs a program's command that prepares something, in no instance, and returns the
// last line that it printed. dir is a folder for what it keeps; stdin may be nil; before is
// called on the command's own thread, and may be nil. An error quotes what the command said
// last.
func Run(ctx context.Context, dir string, stdin *os.File, before func() error, argv ...string) (string, error) {
	var text [2]string // of output and errors
	var files [2]*os.File
	for n := range files {
		f, err := os.CreateTemp(dir, "out-")
		if err != nil {
			return "", err
		}
		defer f.Close()
		os.Remove(f.Name())
		files[n] = f
	}
	plan := launch.Plan{Command: bench.Command{Argv: argv, Dir: "/", Stdin: stdin, Stdout: files[0], Stderr: files[1],
		Env: []string{"PATH=" + bench.DefaultPath, "HOME=" + dir, "TMPDIR=" + dir}}}
	if before != nil {
		plan.Steps = []launch.Step{{Name: "prepare", Do: func(*launch.Thread) error { return before() }}}
	}
	p := launch.New(plan)
	err := p.Start(ctx)
	var x bench.Exit
	if err == nil {
		x, err = p.Wait(ctx)
	}
	err = errors.Join(err, p.Close())
	for n, f := range files {
		b, _ := io.ReadAll(io.NewSectionReader(f, 0, mostPrinted))
		s := strings.TrimSpace(string(b))
		text[n] = s[strings.LastIndexByte(s, '\n')+1:]
	}
	if err == nil && x.Status() != 0 {
		err = fmt.Errorf("%s: %v: %s", filepath.Base(argv[0]), x, text[1])
	}
	return text[0], err
}
