package main

import (
	"encoding/binary"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"lab/bench/histogram"
	"lab/bench/probe/line"
)

// said is talked of the probe's disk.
func said(t *testing.T, o options) []line.Line {
	t.Helper()
	return talked(t, disk, o)
}

// talked runs a subcommand with no one to answer, and returns its lines.
func talked(t *testing.T, run func(*talk, options) error, o options) []line.Line {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	lines := make(chan []line.Line)
	go func() {
		var out []line.Line
		text := make([]byte, 0, 1<<20)
		buf := make([]byte, 64<<10)
		for {
			n, err := r.Read(buf)
			text = append(text, buf[:n]...)
			if err != nil {
				break
			}
		}
		for l := range strings.Lines(string(text)) {
			x, err := line.Parse(strings.TrimSuffix(l, "\n"), "lab-test")
			if err != nil {
				t.Errorf("%q: %v", l, err)
			}
			out = append(out, x)
		}
		lines <- out
	}()
	err = run(&talk{token: "lab-test", out: int(w.Fd()), ended: true}, o)
	w.Close()
	out := <-lines
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// A folder on what is no RAM, where the page cache can be told to let go.
func real(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		t.Fatal(err)
	}
	if st.Type == unix.TMPFS_MAGIC || st.Type == unix.RAMFS_MAGIC {
		t.Skip("skipped: temporary files are in RAM here; fix: TMPDIR=a folder on a disk")
	}
	return dir
}

func TestDiskSections(t *testing.T) {
	dir := real(t)
	image := filepath.Join(dir, "image")
	if err := os.WriteFile(image, make([]byte, 300_000), 0o600); err != nil {
		t.Fatal(err)
	}
	var sections []string
	changed := false
	for _, l := range said(t, options{"dir": dir, "size": "8388608", "hot": "2097152", "ms": "5", "first": image}) {
		f := func(key string) float64 {
			v, ok := l.Float(key)
			if !ok {
				t.Fatalf("%s %s: no %s", l.Kind, l.Name, key)
			}
			return v
		}
		switch {
		case l.Kind == line.Fact && l.Name == "file":
			if g := f("grain"); g <= 0 || g > 1e5 {
				t.Errorf("the clock moves by %v ns", g)
			}
			if f("cached") != 8<<20 || f("kept") != 0 {
				t.Errorf("of 8 MiB %v were in the page cache, and %v after they were to go", f("cached"), f("kept"))
			}
		case l.Kind == line.Fact && l.Name == "first-write":
			changed = true
			if f("bytes") != 300_000 || f("seconds") <= 0 || f("again") <= 0 {
				t.Errorf("first write: %+v", l)
			}
		case l.Kind == line.End:
			sections = append(sections, l.Name)
			j := jobs[len(sections)-1]
			rate, ops, took := f("rate"), f("ops"), f("took")
			if rate != ops*float64(j.block()) || took <= 0 || took > f("ns") {
				t.Errorf("%s: %v B/s, %v requests a second, %v ns of %v", l.Name, rate, ops, took, f("ns"))
			}
			// A pass is never broken off where the last block ends it.
			if n := f("requests"); j.whole && int64(n)%(8<<20/j.block()) != 0 {
				t.Errorf("%s: %v requests aren't whole passes", l.Name, n)
			}
		case l.Kind == line.Samples:
			h := &histogram.Histogram{}
			for _, p := range l.Pairs[1:] {
				h.AddN(1, 1)
				if p.Key != "b" {
					t.Errorf("%s: pair %+v", l.Name, p)
				}
			}
			if h.N() == 0 || !jobs[len(sections)-1].random {
				t.Errorf("samples of %s: %d buckets", l.Name, h.N())
			}
		}
	}
	var want []string
	for _, j := range jobs {
		want = append(want, j.name)
	}
	if !slices.Equal(sections, want) {
		t.Errorf("sections %v\nwant %v", sections, want)
	}
	if b, err := os.ReadFile(image); err != nil || !changed || b[0] == 0 && b[1] != 0 || len(b) != 300_000 {
		t.Errorf("the changed file: %d bytes, %v", len(b), err)
	}
	if left, _ := os.ReadDir(dir); len(left) != 1 {
		t.Errorf("left: %v", left)
	}
}

// The page cache is what a cold read mustn't find, and a warm one must.
func TestDiskCache(t *testing.T) {
	d := &disks{dir: real(t), size: 16 << 20, hot: 4 << 20}
	defer d.close()
	if err := d.open(); err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct {
		do   func() error
		want int64
	}{{d.drop, 0}, {d.warm, 4 << 20}, {d.drop, 0}} {
		if err := x.do(); err != nil {
			t.Fatal(err)
		}
		if got, err := d.resident(d.hot); err != nil || got != x.want {
			t.Fatalf("%d bytes in the page cache, %v; want %d", got, err, x.want)
		}
	}
}

// With a page cache below it that only the host can empty, no block is read
// twice in a section that isn't to find it there.
func TestDiskOnce(t *testing.T) {
	dir := real(t)
	for _, l := range said(t, options{"dir": dir, "size": "1048576", "hot": "1048576", "ms": "60", "cold": "once", "direct": "once",
		"only": "direct-read,direct-randread1,direct-randread16,buffered-read,cached-read"}) {
		if l.Kind != line.End {
			continue
		}
		blocks := map[string]float64{"direct-read": 1, "direct-randread1": 256, "direct-randread16": 256, "buffered-read": 1}[l.Name]
		switch n, ok := l.Float("requests"); {
		case !ok, l.Name != "cached-read" && n > blocks:
			t.Errorf("%s: %v requests of %v blocks", l.Name, n, blocks)
		case l.Name == "cached-read" && n < 2:
			t.Errorf("%s: %v requests in 60 ms", l.Name, n)
		}
		if ns, _ := l.Float("ns"); ns < 60e6 {
			t.Errorf("%s: a section of %v ms, too short for the host's clock", l.Name, ns/1e6)
		}
	}
}

// A block that isn't what was written there fails the probe.
func TestDiskVerify(t *testing.T) {
	d := &disks{dir: real(t), size: 4 << 20, hot: 1 << 20}
	defer d.close()
	if err := d.open(); err != nil {
		t.Fatal(err)
	}
	if err := d.verify(); err != nil {
		t.Fatal(err)
	}
	stamp(d.buf, 0)
	if err := transferAll(true, d.direct, d.buf, 2<<20); err != nil {
		t.Fatal(err)
	}
	if err := d.verify(); err == nil {
		t.Error("a block of another place wasn't noticed")
	}
	// All written once more, but for one block that the disk has forgotten.
	d.rewritten = uint64(tick())
	for at := int64(0); at < d.size; at += large {
		stamp(d.buf, at)
		if err := transferAll(true, d.direct, d.buf, at); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.verify(); err != nil {
		t.Error(err)
	}
	binary.NativeEndian.PutUint64(d.buf[0:], 0)
	binary.NativeEndian.PutUint64(d.buf[8:], d.rewritten-1)
	if err := transferAll(true, d.direct, d.buf[:small], 0); err != nil {
		t.Fatal(err)
	}
	if err := d.verify(); err == nil {
		t.Error("a block as it was before wasn't noticed")
	}
}

// Every block comes once, and not in its place.
func TestDiskOrder(t *testing.T) {
	seq, random := job{blocks: 512}.order(), job{blocks: 512, random: true}.order()
	if !slices.IsSorted(seq) || slices.IsSorted(random) {
		t.Error("in order and at random are the wrong way round")
	}
	slices.Sort(random)
	if !slices.Equal(seq, random) {
		t.Error("a block comes twice, or never")
	}
}

// With sixteen threads, each keeps to blocks of its own, and all are gone
// through.
func TestDiskDepth(t *testing.T) {
	d := &disks{dir: real(t), size: 4 << 20, hot: 4 << 20}
	defer d.close()
	if err := d.open(); err != nil {
		t.Fatal(err)
	}
	j := job{random: true, depth: depth, cold: true, whole: true, blocks: d.size / small}
	order := j.order()
	var workers []*worker
	for i := range j.depth {
		b, err := pages(small)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Munmap(b)
		workers = append(workers, &worker{job: j, fd: d.cached, buf: b, order: order, first: i})
	}
	if n, err := pass(workers, 0); err != nil || n != j.blocks {
		t.Errorf("%d of %d blocks, %v", n, j.blocks, err)
	}
	// Its time being up, each makes as many as a 99th percentile takes of it,
	// unless patience is at an end, too.
	for _, w := range workers {
		w.whole, w.cold, w.least, w.next = false, false, w.seen.N()+7, 0
	}
	if n, err := pass(workers, tick()); err != nil || n != 7*depth {
		t.Errorf("%d requests, not %d, %v", n, 7*depth, err)
	}
	if n, err := pass(workers, tick()-int64(patience)); err != nil || n != depth {
		t.Errorf("%d requests, not %d, %v", n, depth, err)
	}
}

// Where there is no room for the file, the probe says so, and leaves nothing. A
// tmpfs has no cold file and no way past the page cache, whether or not its
// kernel takes O_DIRECT there, and every other section.
func TestDiskFull(t *testing.T) {
	const name = "LAB_FULL_DISK"
	if dir := os.Getenv(name); dir != "" { // the second time, in a namespace
		var skipped []string
		for _, l := range said(t, options{"dir": dir, "size": "2097152", "ms": "1"}) {
			if l.Text("skip") != "" {
				skipped = append(skipped, l.Name)
			}
		}
		var want []string
		for _, j := range jobs {
			if j.direct || j.cold {
				want = append(want, j.name)
			}
		}
		if !slices.Equal(skipped, want) {
			t.Errorf("a tmpfs lacks %q, want %q", skipped, want)
		}
		err := disk(&talk{token: "lab-test", out: -1, ended: true}, options{"dir": dir, "size": "8388608"})
		if err == nil || !strings.Contains(err.Error(), "no space left") {
			t.Fatalf("a full disk: %v", err)
		}
		if left, _ := os.ReadDir(dir); len(left) != 0 {
			t.Errorf("left on the full disk: %v", left)
		}
		return
	}
	if os.Getuid() != 0 {
		t.Skip("skipped: mounting a small tmpfs needs root; fix: sudo -E make test")
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	// The mount namespace ends with the shell.
	dir := t.TempDir()
	cmd := exec.Command("unshare", "-m", "sh", "-c", `mount -t tmpfs -o size=4m none "$1" && exec "$2" -test.run '^TestDiskFull$'`, "sh", dir, exe)
	cmd.Env = append(os.Environ(), name+"="+dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

// More requests at once, and reads and writes mixed: so many of each as were asked for, and
// the file holds what was written.
func TestDiskQueued(t *testing.T) {
	dir := real(t)
	var names []string
	for _, j := range queued {
		names = append(names, j.name)
	}
	seen := map[string]bool{}
	for _, l := range said(t, options{"dir": dir, "size": "33554432", "hot": "2097152", "ms": "60", "only": strings.Join(names, ",")}) {
		if l.Kind == line.Fact && l.Text("skip") != "" {
			t.Skip("SKIPPED: " + l.Text("skip"))
		}
		if l.Kind != line.End {
			continue
		}
		j := queued[slices.IndexFunc(queued, func(j job) bool { return j.name == l.Name })]
		seen[l.Name] = true
		rate, _ := l.Float("rate")
		ops, _ := l.Float("ops")
		reads, _ := l.Float("reads")
		requests, _ := l.Float("requests")
		if rate != ops*float64(j.block()) || requests < float64(j.depth) {
			t.Errorf("%s: %v B/s, %v requests a second, %v of them at depth %d", l.Name, rate, ops, requests, j.depth)
		}
		share, want := reads/ops, 1.0
		switch {
		case j.reads > 0:
			want = float64(j.reads) / 100
		case j.write:
			want = 0
		}
		// Of some hundred requests at least, each by its own die.
		if math.Abs(share-want) > 0.1 || j.reads == 0 && share != want {
			t.Errorf("%s: a share of %v are reads, want %v", l.Name, share, want)
		}
	}
	if len(seen) != len(queued) {
		t.Errorf("%v of %v", seen, names)
	}
}
