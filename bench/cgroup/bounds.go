package cgroup

import (
	"cmp"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// A Bound is one limit that a cell, or one above it, puts on all that stands
// below.
type Bound struct {
	What  string  // cpu, cpu-weight, cpuset, memory, memory-high, swap, pids, io, io-weight, huge pages
	Value float64 // in base units: processors, bytes, processes; 0 where Text says it
	Text  string  // as people read it
	Above int     // how far above the lab's own cell: 0 is that itself
	Dir   string  // the cell's folder

	name, raw string // its file in v2, and what is in that
}

// A knob is a file that bounds.
type knob struct {
	what, controller string
	v1, v2           string
	value            func(l Layout, dir, text string) (float64, string, bool) // false: it bounds nothing
	merge            func(a, b string) string                                 // what holds where both do, in v2
}

// unlimited is what v1's memory files say where there is no limit: the largest
// number of pages.
const unlimited = 1 << 62

func number(_ Layout, _, text string) (float64, string, bool) {
	n, err := strconv.ParseInt(text, 10, 64)
	return float64(n), text, err == nil && n >= 0 && n < unlimited
}

func amount(l Layout, dir, text string) (float64, string, bool) {
	n, _, ok := number(l, dir, text)
	return n, strconv.FormatFloat(n/(1<<20), 'f', -1, 64) + " MiB", ok
}

// quota reads "20000 100000" of v2, and v1's quota, whose period is in a file of
// its own.
func quota(l Layout, dir, text string) (float64, string, bool) {
	of, per, v2 := strings.Cut(text, " ")
	if !v2 {
		per = l.read(dir, "cpu.cfs_period_us")
	}
	q, err1 := strconv.ParseFloat(of, 64)
	p, err2 := strconv.ParseFloat(per, 64)
	if err1 != nil || err2 != nil || q <= 0 || p <= 0 {
		return 0, "", false
	}
	return q / p, strconv.FormatFloat(100*q/p, 'g', 4, 64) + " % of a processor", true
}

// weight is a share, as v2 counts; v1's begins with 1024.
func weight(l Layout, dir, text string) (float64, string, bool) {
	text = strings.TrimPrefix(text, "default ")
	n, err := strconv.ParseFloat(text, 64)
	if l.read(dir, "cpu.shares") != "" {
		n = n * DefaultWeight / 1024
	}
	return n, strconv.FormatFloat(n, 'g', 4, 64), err == nil && n != DefaultWeight
}

// set bounds where it leaves out what the folder above has.
func set(l Layout, dir, text string) (float64, string, bool) {
	above := cmp.Or(l.read(filepath.Dir(dir), "cpuset.cpus.effective"), l.read(filepath.Dir(dir), "cpuset.cpus"),
		l.read("/sys/devices/system/cpu", "online"))
	return 0, text, text != "" && above != "" && text != above
}

func lines(_ Layout, _, text string) (float64, string, bool) {
	return 0, strings.ReplaceAll(text, "\n", "; "), text != ""
}

// less is the smaller of two numbers, "max" being none.
func less(a, b string) string {
	x, err1 := strconv.ParseFloat(a, 64)
	y, err2 := strconv.ParseFloat(b, 64)
	if err1 != nil || err2 == nil && y < x {
		return b
	}
	return a
}

func lessTime(a, b string) string {
	x, _, ok1 := quota(Layout{}, "", a)
	y, _, ok2 := quota(Layout{}, "", b)
	if !ok1 || ok2 && y < x {
		return b
	}
	return a
}

// inner is the first: folders are read from the innermost on, whose set of
// processors is part of all above.
func inner(a, _ string) string { return a }

// outer is the last: what shares processors with strangers is the outermost.
func outer(_, b string) string { return b }

// both is the lesser of each number of io.max: "8:0 rbps=1048576 wbps=max …", a
// line for a device.
func both(a, b string) string {
	least := map[string]map[string]string{}
	for line := range strings.Lines(a + "\n" + b) {
		device, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		for _, f := range strings.Fields(rest) {
			k, v, _ := strings.Cut(f, "=")
			if least[device] == nil {
				least[device] = map[string]string{}
			}
			if had, ok := least[device][k]; ok {
				v = less(had, v)
			}
			least[device][k] = v
		}
	}
	var out []string
	for _, device := range slices.Sorted(maps.Keys(least)) {
		line := device
		for _, k := range slices.Sorted(maps.Keys(least[device])) {
			line += " " + k + "=" + least[device][k]
		}
		out = append(out, line)
	}
	return strings.Join(out, "\n")
}

var knobs = []knob{
	{"cpu", "cpu", "cpu.cfs_quota_us", "cpu.max", quota, lessTime},
	{"cpu-weight", "cpu", "cpu.shares", "cpu.weight", weight, outer},
	{"cpuset", "cpuset", "cpuset.cpus", "cpuset.cpus", set, inner},
	{"memory nodes", "cpuset", "", "cpuset.mems", lines, inner},
	{"memory", "memory", "memory.limit_in_bytes", "memory.max", amount, less},
	{"memory-high", "memory", "", "memory.high", amount, less},
	{"swap", "memory", "", "memory.swap.max", amount, less},
	{"memory and swap", "memory", "memory.memsw.limit_in_bytes", "", amount, less},
	{"pids", "pids", "pids.max", "pids.max", number, less},
	{"io", "io", "", "io.max", lines, both},
	{"io-weight", "io", "", "io.weight", weight, outer},
	{"io", "io", "blkio.throttle.read_bps_device", "", lines, both},
	{"io", "io", "blkio.throttle.write_bps_device", "", lines, both},
	{"io", "io", "blkio.throttle.read_iops_device", "", lines, both},
	{"io", "io", "blkio.throttle.write_iops_device", "", lines, both},
}

// Bounds are the limits that bind this process, from its own cells up to the
// highest that can be seen.
func (l Layout) Bounds() (out []Bound) {
	for _, k := range knobs {
		dirs, v1 := l.chainOf(k.controller)
		name := k.v2
		if v1 {
			name = k.v1
		}
		for i, dir := range dirs {
			if name == "" {
				break
			}
			raw := l.read(dir, name)
			if value, text, ok := k.value(l, dir, raw); ok {
				if way, ok := strings.CutPrefix(name, "blkio.throttle."); ok {
					text = strings.TrimSuffix(way, "_device") + " " + text
				}
				out = append(out, Bound{What: k.what, Value: value, Text: text, Above: i, Dir: dir, name: name, raw: raw})
			}
		}
	}
	return out
}

// Processors is how many processors' worth of time the strictest quota leaves, 0
// where there is none.
func (l Layout) Processors() (n float64) {
	for _, b := range l.Bounds() {
		if b.What == "cpu" && (n == 0 || b.Value < n) {
			n = b.Value
		}
	}
	return n
}

// Left is how many more bytes ("memory") or processes ("pids") the limits of all
// cells allow now, and the limit and the folder of the strictest; ok says that
// there is a limit. A file's pages that nobody uses are left.
func (l Layout) Left(controller string) (left int64, strictest Bound, ok bool) {
	_, v1 := l.chainOf(controller)
	for _, b := range l.Bounds() {
		if b.What != controller {
			continue
		}
		name := map[string]string{"pids": "pids.current", "memory": "memory.current"}[controller]
		if v1 && controller == "memory" {
			name = "memory.usage_in_bytes"
		}
		used, _ := strconv.ParseInt(l.read(b.Dir, name), 10, 64)
		if controller == "memory" {
			for line := range strings.Lines(l.read(b.Dir, "memory.stat")) {
				row, n, _ := strings.Cut(strings.TrimSpace(line), " ")
				if row == "inactive_file" && !v1 || row == "total_inactive_file" {
					file, _ := strconv.ParseInt(n, 10, 64)
					used -= file
				}
			}
		}
		if n := max(0, int64(b.Value)-used); !ok || n < left {
			left, strictest, ok = n, b, true
		}
	}
	return left, strictest, ok
}

// CPUSet is the set of processors that the cells allow, "" where it isn't known.
func (l Layout) CPUSet() string {
	dirs, _ := l.chainOf("cpuset")
	for _, dir := range dirs {
		for _, name := range []string{"cpuset.effective_cpus", "cpuset.cpus.effective", "cpuset.cpus"} { // v1's name first
			if set := l.read(dir, name); set != "" {
				return set
			}
		}
	}
	return l.read("/sys/devices/system/cpu", "online")
}

// A Counter counts how often a cell's limit held something back.
type Counter struct {
	What string // cpu, memory or pids
	File string
	Row  string // what stands before the number; "": it is all of the file
}

// Counters are those of the cells that bound.
func (l Layout) Counters() (out []Counter) {
	for _, b := range l.Bounds() {
		var c Counter
		_, v1 := l.chainOf(b.What)
		switch {
		case b.What == "cpu":
			c = Counter{"cpu", "cpu.stat", "nr_throttled "}
		case b.What == "memory" && v1:
			c = Counter{"memory", "memory.failcnt", ""}
		case b.What == "memory" || b.What == "memory-high":
			c = Counter{"memory", "memory.events", strings.TrimPrefix(b.name, "memory.") + " "}
		case b.What == "pids":
			c = Counter{"pids", "pids.events", "max "}
		default:
			continue
		}
		// An instance's own limit counts in all events above, and in no local ones
		// (of memory since Linux 5.2, of processes since 6.12).
		names := []string{c.File}
		if strings.HasSuffix(c.File, ".events") { // cpu.stat.local has no such row
			names = []string{c.File + ".local", c.File}
		}
		for _, name := range names {
			if _, err := os.Stat(l.path(b.Dir, name)); err == nil {
				c.File = l.path(b.Dir, name)
				out = append(out, c)
				break
			}
		}
	}
	return out
}

// between are the limits of the v2 cells from this process's own up to below
// base, one for each kind: what a folder below base needs to be bound as the lab is.
func (l Layout) between(base string) []Bound {
	byName := map[string]*Bound{}
	dirs := l.chain("")
	if n := slices.Index(dirs, base); n >= 0 {
		dirs = dirs[:n]
	}
	for _, b := range l.Bounds() {
		if !slices.Contains(dirs, b.Dir) {
			continue
		}
		if b.name == "cpuset.cpus" || b.name == "cpuset.mems" {
			b.raw = cmp.Or(l.read(b.Dir, b.name+".effective"), b.raw)
		}
		if had := byName[b.name]; had != nil {
			k := knobs[slices.IndexFunc(knobs, func(k knob) bool { return k.v2 == b.name })]
			if raw := k.merge(had.raw, b.raw); raw != had.raw {
				b.raw = raw
				*had = b
			}
			continue
		}
		byName[b.name] = &b
	}
	var out []Bound
	for _, k := range knobs {
		if b := byName[k.v2]; b != nil && k.v2 != "" {
			out = append(out, *b)
		}
	}
	return out
}
