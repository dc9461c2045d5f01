package scenarios

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"lab/bench"
	"lab/bench/clean"
	"lab/bench/clock"
	"lab/bench/request"
	"lab/bench/results"
)

// Command asks what the user's own program takes, in each environment. Its request
// says which program that is.
func Command() *bench.Scenario {
	return &bench.Scenario{
		Name:     "command",
		Layout:   true,
		Alone:    "a command may end sooner in one environment than in the other, whose rest would then run alone",
		Takes:    []string{"command", "prepare", "ignore_failure", "parameters"},
		Question: "What does your own program take in each environment?",
		Method: "A trial starts one instance whose workload is the command that was asked for, and waits until it ends. " +
			"The clock starts when the start is asked for, and stops when the host sees the program's end; what is made for the instance (a cgroup, a container, the boot of a guest) is part of it, and left out of the time of the process. " +
			"The program's input is empty, its output is read and thrown away, and its variables are PATH and HOME, whatever the image or the user has. An exit status other than 0 fails the trial, unless --ignore-failure was asked for. " +
			"With --parameter-list each value of a name is a row, whose command has it in place of {NAME}. What --prepare names runs before each trial, on the host and untimed. " + strings.TrimSpace(ownGroupText),
		Program: func(r *request.Request) string {
			first := map[string]string{}
			for name, values := range r.Parameters {
				first[name] = values[0]
			}
			return append(filled(r.Command, first), "")[0]
		},
		Cells:   commandCells,
		Trial:   commandTrial,
		Metrics: commandMetrics,
		Figures: commandFigures,
	}
}

func commandCells(o bench.Options) []bench.Cell {
	var cells []bench.Cell
	for _, e := range o.Chosen() {
		c := startupCounts.Row(e, o)
		c.Timeout = 10 * time.Minute
		c.Init, c.Grouped, c.Asked = e.Guest, ownGroup(e, o), &o.Request
		rows := []bench.Cell{c}
		for _, name := range slices.Sorted(maps.Keys(o.Parameters)) {
			var each []bench.Cell
			for _, c := range rows {
				for _, v := range o.Parameters[name] {
					x := c
					x.Variant = maps.Clone(c.Variant)
					if x.Variant == nil {
						x.Variant = map[string]string{}
					}
					x.Variant[name] = v
					each = append(each, x)
				}
			}
			rows = each
		}
		cells = append(cells, rows...)
	}
	return cells
}

// filled is a command with values in place of their names in braces.
func filled(argv []string, values map[string]string) (out []string) {
	for _, w := range argv {
		for name, v := range values {
			w = strings.ReplaceAll(w, "{"+name+"}", v)
		}
		out = append(out, w)
	}
	return out
}

// commandEnv is the command's whole environment, as lab exec has it.
var commandEnv = []string{"PATH=" + bench.DefaultPath, "HOME=/root"}

func commandTrial(ctx context.Context, t *bench.T, c bench.Cell) error {
	if c.Asked.Prepare != "" {
		out := clean.Tail{Most: mostOutput}
		sh := exec.CommandContext(ctx, "/bin/sh", "-c", filled([]string{c.Asked.Prepare}, c.Variant)[0])
		sh.Stdout, sh.Stderr = &out, &out
		if err := sh.Run(); err != nil {
			return bench.Blamed(bench.BlameWorkload, fmt.Errorf("--prepare %s: %w%s", c.Asked.Prepare, err, quoted(&out)))
		}
	}
	from, to, err := os.Pipe()
	if err != nil {
		return err
	}
	defer from.Close()
	defer to.Close()
	i, err := t.Prepare(ctx, t.Spec(bench.Command{Argv: filled(c.Asked.Command, c.Variant), Env: commandEnv, Stdout: to, Stderr: to}))
	if err != nil {
		return err
	}
	out := clean.Tail{Most: mostOutput}
	read := make(chan struct{})
	go func() {
		defer close(read)
		io.Copy(&out, from)
	}()
	start := clock.Now()
	if err := i.Start(ctx); err != nil {
		return err
	}
	exit, err := i.Wait(ctx)
	if err != nil {
		return err
	}
	if tr, ok := i.(bench.Tracer); ok {
		t.RecordPhases("time", tr.Started(), exit.At, tr.Marks(), "run")
		if from := executed(tr); from > 0 {
			t.RecordSince("process", from, exit.At)
		}
	}
	t.RecordSince("time", start, exit.At)
	t.Record("cpu", (exit.Usage.User + exit.Usage.System).Seconds())
	commandMemory(t, i, c.Guest)
	if err := t.Close(i); err != nil {
		return fmt.Errorf("close: %w", err)
	}
	switch {
	case c.Asked.IgnoreFailed:
		t.Record("status", float64(exit.Status()))
	case exit.Status() != 0:
		to.Close()
		said := ""
		select {
		case <-read:
			said = quoted(&out)
		case <-time.After(time.Second): // something that it left has its output
		}
		return bench.Blamed(bench.BlameWorkload, fmt.Errorf("%s ended with %v%s", c.Asked.Command[0], exit, said))
	}
	return nil
}

// executed is when all was made that the command is executed in, 0 where that isn't
// known: the last mark before that of the execution.
func executed(tr bench.Tracer) clock.Time {
	at := tr.Started()
	for _, m := range tr.Marks() {
		if m.Name == "exec" {
			return at
		}
		at = m.At
	}
	return 0
}

// commandMemory records the peak of the cgroup of an instance that has ended.
func commandMemory(t *bench.T, i bench.Instance, guest bool) {
	if guest {
		t.RecordText("memory", "not applicable: a guest has its RAM, whatever its program needs; lab run memory shows what it costs")
		return
	}
	if m, ok := i.(bench.Meter); ok {
		if cost, err := m.Meter(); err == nil && cost.Group != nil && cost.Group.Peak > 0 {
			t.Record("memory", float64(cost.Group.Peak))
			return
		}
	}
	t.RecordText("memory", "not known: the command has no cgroup, the kernel keeps no peak of it, or it went with the command")
}

// mostOutput is how much of a command's output an error has, in bytes.
const mostOutput = 400

// quoted is a command's last output as part of an error, "" if there is none.
func quoted(out *clean.Tail) string {
	if text := out.String(); text != "" {
		return fmt.Sprintf(", last output %q", text)
	}
	return ""
}

var commandMetrics = []results.Metric{
	{Name: "time", Title: "Time until it ended", Unit: "s", Better: "lower", Start: true,
		Help: "From the call that starts an instance to the moment at which the host sees the end of the command."},
	{Name: "process", Title: "Time of the process", Unit: "s", Better: "lower", Start: true,
		Help: "Of that, from the moment at which all was made that the command runs in: it is executed, runs and ends. Under host this is what hyperfine -N measures."},
	{Name: "cpu", Title: "Processor time", Unit: "s", Better: "lower",
		Help: "User and system time of the command and of the children that it waited for, as its kernel counts it; of a command that runs another's container, of the cgroup."},
	{Name: "memory", Title: "Most memory", Unit: "B", Better: "lower",
		Help: "The most that the instance's cgroup was charged for at a time: anonymous memory, files that it was the first to read or that it wrote, and the kernel's own. The kernel counts in steps of some 100 KiB a processor."},
	{Name: "status", Title: "Exit status", Unit: "1",
		Help: "The command's, or 128 and the signal that ended it; recorded with --ignore-failure alone, since a trial that fails isn't counted otherwise."},
}

var commandFigures = []results.Figure{
	{Name: "time", Title: "Time until the command ended", Kind: "distribution", Metrics: []string{"time"}, Log: true,
		Caption: "Every point is one run of the command. "},
	{Name: "phases", Title: "What the time is made of", Kind: "phases", Metrics: []string{"time"},
		Caption: "The parts of a start, each from the end of the one before it, and the run of the command itself."},
	{Name: "memory", Title: "The most memory that it had", Kind: "distribution", Metrics: []string{"memory"},
		Caption: "Every point is one run of the command. "},
}
