package scenarios

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"lab/bench"
	"lab/bench/image"
	"lab/bench/probe/line"
	"lab/bench/request"
	"lab/bench/results"
)

// Disk asks what isolation costs a program that reads and writes files. All that
// is written lies on one file system, that of the work folder: what differs is
// what lies between the program and it.
func Disk() *bench.Scenario {
	return &bench.Scenario{
		Name:     "disk",
		Workload: image.ProbePath,
		Question: "What does isolation cost a program that reads and writes files?",
		Method: "A trial starts one instance of the lab's probe, the same bytes everywhere, which makes a file, fills it, and then reads and writes it in fifteen ways, " +
			"each for a fixed time (under --quick longer in a guest, whose words take longer to arrive): in order (1 MiB at a time) and at random (4 KiB, one request at a time or sixteen), past the page cache (O_DIRECT) and through it, " +
			"and with an fsync after each write. Every environment's file is on the work folder's file system: directly (host; chroot, whose root is there, too), " +
			"through a bind mount, through an overlay, or in a guest's own file system on a virtual disk that is a file there. " +
			"Reads through the page cache begin cold: only that file's pages are dropped before; those called cached are of a part that was read before. " +
			"For a guest whose disk the host caches (cache=writeback), the host's copies of it are dropped as well, and past the guest's page cache each block is read once. " +
			"What is further down (the drive's cache, or that of a machine which this one is a guest of) can't be emptied and may answer in the disk's place. " +
			"Sixteen requests come from sixteen threads with pread and pwrite: io_uring is forbidden by the filter that containers have. " +
			ownGroupText +
			"The host stamps each part's beginning and end on its own clock; where the two lengths differ by more than 1 % the trial is marked (two-clocks).",
		Layout:   true,
		Cells:    diskCells,
		Trial:    diskTrial,
		Metrics:  diskMetrics(),
		Figures:  diskFigures,
		Findings: diskFindings(),
	}
}

// A diskPlan is how much one trial does. The file is larger than what a page
// cache could keep by chance and still be called cold, as its pages are dropped;
// the hot part fits into the smallest guest.
type diskPlan struct {
	size, hot int64
	section   time.Duration
}

// diskPlanFor: what a guest says takes longer to arrive, and a part must be a
// hundred times as long as that.
func diskPlanFor(quick, guest bool) diskPlan {
	switch {
	case quick && guest:
		return diskPlan{64 << 20, 16 << 20, 140 * time.Millisecond}
	case quick:
		return diskPlan{64 << 20, 16 << 20, 80 * time.Millisecond}
	}
	return diskPlan{256 << 20, 16 << 20, 250 * time.Millisecond}
}

// diskVariants are the rows of each environment that can be varied so: what is
// there by default, and what it is compared with. A disk on machine pc is
// compared with another on the same.
var diskVariants = []map[string]string{
	{"data": "layer"},
	{"data": "bind"},
	{"disk": "virtio", "cache": "none"},
	{"disk": "virtio", "cache": "writeback"},
	{"disk": "virtio", "machine": "pc"},
	{"disk": "ide", "machine": "pc"},
}

var diskCounts = bench.Counts{Full: bench.Count{Trials: 20, Warmup: 1}, Quick: bench.Count{Trials: 6},
	Slow: bench.Count{Trials: 10, Warmup: 1}, SlowQuick: bench.Count{Trials: 2}}

func diskCells(o bench.Options) []bench.Cell {
	var cells []bench.Cell
	for _, e := range o.Chosen() {
		long := besideGuest(e, o)
		p := diskPlanFor(o.Quick, long)
		for _, v := range variantsOf(e, o) {
			c := diskCounts.Row(e, o)
			c.Variant, c.Init, c.CPUs, c.Grouped = v, e.Guest, min(2, runtime.NumCPU()), ownGroup(e, o)
			c.Long = long
			c.Work, c.Disk = true, diskNeed(e.Guest, p, o)
			// A part is over when its last pass is, and filling takes time, too.
			c.Expect = p.section*15 + time.Duration(p.size/(1<<20))*2*time.Millisecond
			if e.Guest { // its disk is made and tried, too, and its passes take longer
				c.Expect = c.Expect*3/2 + time.Second
			}
			cells = append(cells, c)
		}
	}
	return cells
}

// variantsOf are the cells of an environment. Where the user asked for other
// values of something that makes a cell what it is, that cell isn't wanted; a
// value among several that no cell has is one more, like the first. Where none is
// left, the first one stays, with what was asked for.
func variantsOf(e bench.About, o bench.Options) (out []map[string]string) {
	var all []map[string]string
	for _, v := range diskVariants {
		if e.Can(v) {
			all = append(all, v)
		}
	}
	if all == nil {
		return []map[string]string{{}}
	}
	for _, v := range all {
		keep := maps.Clone(v)
		if maps.DeleteFunc(keep, o.Excludes); len(keep) == len(v) {
			out = append(out, keep)
		}
	}
	if len(out) == 0 {
		first := maps.Clone(all[0])
		maps.DeleteFunc(first, o.Excludes)
		return []map[string]string{first}
	}
	for _, k := range slices.Sorted(maps.Keys(o.Variant)) {
		for _, v := range o.Variant[k] {
			if out[0][k] != "" && !slices.ContainsFunc(out, func(c map[string]string) bool { return c[k] == v }) {
				more := maps.Clone(out[0])
				more[k] = v
				out = append(out, more)
			}
		}
	}
	return out
}

// diskNeed is the most that a trial has on the disk: the file, a copy of a
// program, folders and their journal; or a guest's disk, which takes all of its
// room at once.
func diskNeed(guest bool, p diskPlan, o bench.Options) int64 {
	need := p.size + 16<<20
	if !guest {
		return need
	}
	sizes := o.Variant["disk-size"]
	if sizes == nil {
		sizes = []string{""}
	}
	for _, s := range sizes {
		size, err := request.ParseSize(s)
		if err != nil {
			size = 1 << 30 // the setting's default
		}
		need = max(need, size)
	}
	return need
}

// firstFile is the image's file whose first change is timed: a few hundred
// pages, as programs and libraries are. An image without it has no such figure.
const firstFile = "/bin/busybox"

func diskTrial(ctx context.Context, t *bench.T, c bench.Cell) error {
	return diskSome(ctx, t, c, nil, func(bench.Instance, bench.Heard) error { return nil })
}

// diskSections is a trial of some sections, of which on makes what it wants.
func diskSections(ctx context.Context, t *bench.T, c bench.Cell, only []string, on func(bench.Heard) error) error {
	return diskProbe(ctx, t, c, only, func(i bench.Instance, h bench.Heard) error {
		if cooler, ok := i.(bench.Cooler); ok && h.Kind == line.Begin {
			return cooler.Cool()
		}
		return on(h)
	})
}

// diskSome is a trial of some sections, or all of them; also is called with each of the
// program's lines, before anything else is done.
func diskSome(ctx context.Context, t *bench.T, c bench.Cell, only []string, also func(bench.Instance, bench.Heard) error) error {
	return diskProbe(ctx, t, c, only, func(i bench.Instance, h bench.Heard) error {
		if err := also(i, h); err != nil {
			return err
		}
		switch h.Kind {
		case line.Begin:
			if cooler, ok := i.(bench.Cooler); ok {
				return cooler.Cool()
			}
		case line.Fact:
			return diskFact(t, h)
		case line.End:
			if key := keyOf(h.Name); key != "" {
				return diskRecord(t, h, h.Name, key)
			}
		case line.Samples:
			return t.RecordSamples(latencyOf(h.Name), h)
		}
		return nil
	})
}

// diskProbe runs the probe on a file of a cell's.
func diskProbe(ctx context.Context, t *bench.T, c bench.Cell, only []string, on func(bench.Instance, bench.Heard) error) error {
	p := diskPlanFor(c.Quick, c.Guest || c.Long)
	place, err := t.Place(ctx)
	if err != nil {
		return err
	}
	args := []string{"disk", "dir=" + place, "size=" + strconv.FormatInt(p.size, 10), "hot=" + strconv.FormatInt(p.hot, 10),
		"ms=" + strconv.FormatInt(p.section.Milliseconds(), 10)}
	if c.Guest {
		// Once: the host's pages can be dropped between parts alone.
		args = append(args, "cold=once")
		if cache := t.Spec(bench.Command{}).Settings["cache"]; cache != "none" && cache != "directsync" {
			args = append(args, "direct=once") // the host's keep what was read past the guest's
		}
	}
	if only != nil {
		args = append(args, "only="+strings.Join(only, ","))
	} else if st, err := os.Stat(filepath.Join(t.Image().Dir, firstFile)); err == nil && st.Mode().IsRegular() {
		if c.Variant["data"] == "layer" {
			args = append(args, "first="+firstFile)
		} else {
			args = append(args, "copy="+strconv.FormatInt(st.Size(), 10))
		}
	} else {
		t.RecordText("first-write", "not applicable: the image has no "+firstFile)
	}
	return t.Probe(ctx, args, on)
}

// diskGrain is how coarse a clock may be, in nanoseconds, that times what takes
// microseconds.
const diskGrain = 10_000

// diskFact looks at what the program found out about its file, and records the
// change of an image's, which is over too soon for two clocks, and what its file
// system can't do.
func diskFact(t *bench.T, h bench.Heard) error {
	if h.Name == "first-write" {
		return errors.Join(diskRecord(t, h, "first-write", "seconds"), diskRecord(t, h, "second-write", "again"))
	}
	if why := h.Text("skip"); why != "" {
		t.RecordText(h.Name, "not applicable: "+why)
		return nil
	}
	grain, err := h.Value("grain")
	if err == nil && grain > diskGrain {
		err = bench.Blamed(bench.BlameMachine, fmt.Errorf("the clock inside moves by %v at once, too coarse for requests of microseconds; fix, for a guest: --variant acpi=on, which gives it better clocks, or KVM, and a quieter machine", time.Duration(grain)))
	}
	return err
}

// diskRecord records a value of a line's.
func diskRecord(t *bench.T, h bench.Heard, metric, key string) error {
	v, err := h.Value(key)
	if err == nil && v <= 0 {
		err = bench.Blamed(bench.BlameMachine, fmt.Errorf("probe: %s: %s is %v", h.Name, key, v))
	}
	if err == nil {
		t.Record(metric, v)
	}
	return err
}

// keyOf is what a section's headline is called by the probe: bytes a second in
// order, requests a second at random; "" where the time of one request says all.
func keyOf(section string) string {
	switch {
	case strings.HasSuffix(section, "16"):
		return "ops"
	case section == "fsync" || strings.HasSuffix(section, "1"):
		return ""
	}
	return "rate"
}

// latencyOf is the metric that a section's distribution belongs to.
func latencyOf(section string) string {
	if strings.HasSuffix(section, "16") {
		return section + "-latency"
	}
	return section
}

// diskFigures: what is read and written in order, how long one small request
// takes, and what sixteen at once come to; in small panels, as nobody reads
// fifteen of them in one.
var diskFigures = []results.Figure{
	{Name: "sequential", Title: "In order, 1 MiB at a time", Kind: "panels",
		Metrics: []string{"direct-read", "direct-write", "buffered-write", "buffered-read", "cached-read"},
		Caption: "Direct: past the page cache (O_DIRECT). Cold: the file's pages were dropped. Cached: from memory, so no disk's figure."},
	{Name: "latency", Title: "One small request at a time, 4 KiB at random", Kind: "panels",
		Metrics: []string{"direct-randread1 p50", "direct-randwrite1 p50", "fsync p50", "direct-randread1 p99", "direct-randwrite1 p99", "fsync p99"},
		Caption: "p50: half of a trial's requests take no longer; p99: all but one in a hundred.", Log: true},
	{Name: "cache", Title: "What the page cache hides", Kind: "panels",
		Metrics: []string{"cached-randread1 p50", "buffered-randread1 p50", "buffered-randwrite1 p50"},
		Caption: "4 KiB at random: read from memory, read with nothing in memory, written into memory.", Log: true},
	{Name: "sixteen", Title: "Sixteen small requests at once, 4 KiB at random", Kind: "panels",
		Metrics: []string{"direct-randread16", "direct-randwrite16", "buffered-randread16", "buffered-randwrite16"},
		Caption: "Requests a second. Buffered writes include the fsync at their end."},
	{Name: "copyup", Title: "The first change of a file, and the next", Kind: "panels",
		Metrics: []string{"first-write", "second-write"},
		Caption: "One byte of " + firstFile + " is changed. In the overlay (data=layer) it is the image's file, all of which is copied up before; elsewhere a file of the same size.", Log: true},
}
