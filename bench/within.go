package bench

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"lab/bench/clock"
	"lab/bench/image"
	"lab/bench/input"
	"lab/bench/proc"
	"lab/bench/results"
)

// FindWithin notes in the manifest what an instance of the cell runs within, as this
// machine's kernel tells it of the workload's process: its namespaces, its mounts, what
// it may. It starts one for that, the first time that it is called for a cell; a trial
// calls it when all is measured. That nothing could be found is no error of the trial's:
// it is noted.
func (t *T) FindWithin(ctx context.Context) {
	if t.plan.Cell.Within != nil {
		return
	}
	found, err := t.within(ctx)
	if err != nil {
		found = map[string]string{"kernel": "not known: " + err.Error()}
	}
	t.plan.Cell.Within = found
}

func (t *T) within(ctx context.Context) (map[string]string, error) {
	if t.plan.Asked.Guest {
		return map[string]string{"kernel": "its own"}, nil
	}
	token := Token()
	i, err := t.Prepare(ctx, t.Spec(Command{Argv: []string{image.StayPath, token}}))
	if err != nil {
		return nil, err
	}
	defer t.Close(i)
	x, ok := i.(Inspector)
	if !ok {
		return nil, fmt.Errorf("its processes can't be found")
	}
	if err := i.Start(ctx); err != nil {
		return nil, err
	}
	if _, err := clock.AwaitToken(i.Ready(), []byte(token), withinTime); err != nil {
		return nil, err
	}
	objects, err := x.Inspect()
	if err != nil {
		return nil, err
	}
	pid, err := strconv.Atoi(objects["pid"])
	if err != nil {
		return nil, fmt.Errorf("its processes aren't this kernel's, or not shown")
	}
	return Within(pid, os.Getpid())
}

// withinTime is the longest that the instance may take until it is looked at.
const withinTime = 20 * time.Second

// Within is what a process runs within, next to another one: see results.Cell.
func Within(pid, other int) (map[string]string, error) {
	status, others := proc.Status(pid), proc.Status(other)
	if status["CapEff"] == "" {
		return nil, os.ErrProcessDone
	}
	out := map[string]string{"kernel": "the host's", "cgroup": "the lab's"}
	var own []string
	for _, ns := range []string{"mnt", "pid", "net", "ipc", "uts", "cgroup", "user", "time"} {
		its, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/%s", pid, ns))
		if err != nil {
			return nil, err
		}
		if theirs, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/%s", other, ns)); err == nil && its != theirs {
			own = append(own, ns)
		}
	}
	out["namespaces"] = listed(own)
	read := func(pid int, name string) (lines []string) {
		b, _ := input.Kernel(fmt.Sprintf("/proc/%d/%s", pid, name))
		for l := range strings.Lines(string(b)) {
			lines = append(lines, strings.TrimSpace(l))
		}
		return lines
	}
	out["mounts"] = strconv.Itoa(len(read(pid, "mountinfo")))
	if !slices.Equal(read(pid, "cgroup"), read(other, "cgroup")) {
		out["cgroup"] = "its own"
	}
	// proc_pid_limits(5): name, soft and hard limit, unit, in columns.
	var limits []string
	theirs := read(other, "limits")
	for n, l := range read(pid, "limits") {
		if n > 0 && n < len(theirs) && l != theirs[n] && len(l) > 46 {
			limits = append(limits, strings.TrimSpace(strings.TrimPrefix(l[:26], "Max "))+" "+strings.TrimSpace(l[26:46]))
		}
	}
	out["limits"] = listed(limits)
	out["seccomp"] = map[string]string{"0": "off", "1": "strict", "2": "filter"}[status["Seccomp"]]
	if status["NoNewPrivs"] == "1" {
		out["seccomp"] += ", no new privileges"
	}
	out["capabilities"] = capabilities(status["CapEff"]) + " of " + capabilities(others["CapBnd"])
	var devices []string
	for n, l := range read(pid, "net/dev") {
		if name, _, ok := strings.Cut(l, ":"); ok && n > 1 {
			devices = append(devices, strings.TrimRight(name, "0123456789"))
		}
	}
	slices.Sort(devices)
	out["network"] = listed(slices.Compact(devices))
	return out, nil
}

// listed is a list in words.
func listed(words []string) string {
	if len(words) == 0 {
		return results.None
	}
	return strings.Join(words, ", ")
}

// capabilities is how many a mask of proc_pid_status(5) has.
func capabilities(mask string) string {
	v, err := strconv.ParseUint(mask, 16, 64)
	if err != nil {
		return "?"
	}
	n := 0
	for ; v > 0; v &= v - 1 {
		n++
	}
	return strconv.Itoa(n)
}
