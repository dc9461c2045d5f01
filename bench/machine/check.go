package machine

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"lab/bench"
	"lab/bench/cgroup"
	"lab/bench/results"
	"lab/bench/text"
)

// A Result is how a check ended.
type Result string

const (
	OK   Result = "ok"
	Warn Result = "warn" // the lab works, and figures need care, or a variant can't run; or it can't be told
	Fail Result = "fail" // what Blocks names can't run
)

// A Check is one thing that the lab needs, and whether it is there.
type Check struct {
	Name   string   `json:"name"`
	Result Result   `json:"result"`
	Detail string   `json:"detail"`         // what was found
	More   string   `json:"more,omitempty"` // what else was found, where a line doesn't hold it
	Why    string   `json:"why"`            // why it matters
	Cure   string   `json:"cure,omitempty"` // the exact command, or the setting; "" where all is well or nothing helps
	Blocks []string `json:"blocks"`         // environments that can't run (Fail), or variants of them alone and extra ones (Warn)
}

// Options are what Checks can't know by itself.
type Options struct {
	Root   string // file tree of the machine, "" for the one that we run on
	Cache  string // the cache folder: guest kernel, images
	Image  string // the default image's folder
	Broken bool   // it isn't as it was made
	Work   string // where writable data of instances goes; "" is the current folder
	Kernel string // the user's own guest kernel, or ""

	// Environments say which checks they rest on, and have checks of their own.
	Environments []bench.Environment

	// Accel says whether KVM is usable: accel.Probe. Nil: not looked at.
	Accel func(context.Context) (results.Acceleration, error)
}

// Checks looks at the whole machine, and leaves nothing behind. It works without
// root; what then can't be told is a warning that says so. It takes a second or
// so, most of it for Accel. The order is the one to read them in.
func Checks(ctx context.Context, o Options) []Check {
	list := judge(observe(ctx, o))
	envs := bench.AboutAll(o.Environments)
	for i, e := range o.Environments {
		x, ok := e.(Checker)
		if !ok {
			continue
		}
		for _, c := range x.Checks(ctx) {
			if !slices.ContainsFunc(envs[i].Rests, func(r bench.Rest) bool { return r.Check == c.Name }) {
				envs[i].Rests = append(envs[i].Rests, bench.Rest{Check: c.Name})
			}
			if !slices.ContainsFunc(list, func(y Check) bool { return y.Name == c.Name }) {
				list = append(list, c)
			}
		}
	}
	return block(list, envs)
}

// A Checker is an environment with checks of its own: of an engine that nobody
// else needs. It needn't say that it rests on them, and two may share one, which
// then has one name. Blocks is left empty. Before Open, and as any user.
type Checker interface {
	Checks(context.Context) []Check
}

// JSON writes checks as lab doctor --json does: {"checks": […]}.
func JSON(w io.Writer, checks []Check) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(struct {
		Checks []Check `json:"checks"`
	}{checks})
}

// seen is all that was observed of a machine, and nothing that was concluded.
type seen struct {
	root       bool
	facts      results.Machine
	layout     cgroup.Layout
	namespaces map[string]error // by kind; missing: not tried
	overlay    error
	mountAPI   error
	idmap      error
	network    error
	nat        error
	tap        error

	accel    *results.Acceleration // nil: not looked at
	accelErr error
	qemu     program
	libvirt  program
	driver   bool   // libvirt's driver for QEMU is there
	confined bool   // AppArmor holds libvirt's daemon
	cache    string // what of the cache folder is there
	kernel   string // the guest's, or ""
	modules  bool   // its modules are beside it
	busybox  string // a static one's path, or ""
	image    bool   // the default image is made
	broken   bool   // and was changed since

	available int64 // memory that can be had without swapping
	swapFree  int64
	disk      []room

	pressure float64 // share of the last 10 s in which a task waited for a processor, 0 to 1; -1: not known
	steal    float64 // share of time since the start that the hypervisor kept, 0 to 1
}

// A program is a foreign one.
type program struct {
	path, version string
	err           error // why it doesn't run, where it is there
}

// room is what is free on a file system that the lab writes to.
type room struct {
	what, dir string
	free      int64
	err       error
}

// Print writes checks for people: a line each, and below what isn't well why it
// matters, what it blocks and the fix. Plain text, so that it reads the same
// in a file, on a terminal and aloud. say puts each text into the reader's language.
func Print(w io.Writer, checks []Check, say func(string) string) error {
	b := bufio.NewWriter(w)
	wide, count := 0, map[Result]int{}
	for _, c := range checks {
		wide = max(wide, len(c.Name))
		count[c.Result]++
	}
	for _, c := range checks {
		fmt.Fprintf(b, "%-4s  %s  %s\n", c.Result, text.Pad(c.Name, wide), say(c.Detail))
		if c.Result == OK {
			continue
		}
		blocks := "blocks"
		if c.Result == Warn {
			blocks = "rules out"
		}
		for _, row := range [][2]string{{"found", c.More}, {"why", c.Why}, {blocks, strings.Join(c.Blocks, ", ")}, {"fix", c.Cure}} {
			if row[1] != "" {
				fmt.Fprintf(b, "      %-*s  %s: %s\n", wide, "", say(row[0]), say(row[1]))
			}
		}
	}
	fmt.Fprintf(b, "\n"+say("%d ok, %d to know about, %d blocking")+"\n", count[OK], count[Warn], count[Fail])
	return b.Flush()
}
