package scenarios

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"lab/bench"
	"lab/bench/image"
	"lab/bench/results"
)

// Storage asks what the files of many instances of one image take of the disk.
func Storage() *bench.Scenario {
	return &bench.Scenario{
		Name:     "storage",
		Alone:    "a trial adds up what is on the disk, and would count the files of the other one as well",
		Workload: image.ProbePath,
		Question: "How much of the disk does one more instance of an image take?",
		Method: "A trial starts instances of one image, and when all of them have written what they write, adds up the blocks of all files in the work folder, where their files are; less what was there before. " +
			"write=nothing: they change no file. new: each makes a file of 1 MiB. change: each writes one byte of " + storageFile + ", a file of the image. " +
			"Then all of them end, and what is left there is added up again. A chroot's instances share one copy of the image, made before: what they write is in it. " +
			"A guest's root is in its memory, or on a disk that takes all of its room at once: the disk scenario has that.",
		Cells: storageCells,
		Fits: func(c bench.Cell) error {
			if c.Guest {
				return bench.NotApplicable("a guest's files are in its memory, or on a disk that has its full size at once", "lab run disk")
			}
			return nil
		},
		Trial: storageTrial,
		Metrics: []results.Metric{
			{Name: "all", Title: "Disk for all instances", Unit: "B", Better: "lower", Help: "By how much the files in the work folder grew. Blocks are counted, as du does."},
			{Name: "copies", Title: "Disk, in copies of the changed file", Unit: "1", Better: "lower", Help: "write=change: the same, divided by the size of the one file that each instance changes: as many as there are instances if each has a copy of that file and nothing else."},
			{Name: "left", Title: "Left after the end", Unit: "B", Better: "lower", Help: "What the files in the work folder take more than before, when all instances have ended."},
		},
		Figures: []results.Figure{{Name: "all", Title: "What instances of one image take of the disk", Kind: "slopes", Metrics: []string{"all"},
			Caption: "Each panel is an environment, with what its instances write. An overlay has what its instance wrote, and no more."}},
		Findings: storageFindings(),
	}
}

// storageFile is what write=change changes: a file of the image that the shell isn't.
const storageFile = image.ProbePath

// storageNew begins the name of a file that an instance makes.
const storageNew = "storage-new-"

// storageWrites are what instances write: the variants, as scripts of package line's
// words, which end where nothing can be written: files that didn't grow would else be
// taken for small ones. The first byte of a program stays what it is.
var storageWrites = []struct{ name, script string }{
	{"nothing", ""},
	{"new", `dd if=/bin/busybox of=$tag/` + storageNew + `$token bs=1024 count=1024 2>/dev/null || exit 1`},
	{"change", `printf '\177' | dd of=` + storageFile + ` bs=1 count=1 conv=notrunc 2>/dev/null || exit 1`},
}

func storageCells(o bench.Options) []bench.Cell {
	var cells []bench.Cell
	for _, e := range o.Chosen() {
		for _, w := range storageWrites {
			if w.name == "change" && e.HostFiles {
				continue // it has no image's file of its own
			}
			for _, n := range []int{1, 2, 4} {
				if e.Guest && len(cells) > 0 && cells[len(cells)-1].Env == e.Name {
					break // one row says why not
				}
				c := bench.Usual.Row(e, o)
				c.N, c.Variant, c.Work, c.Disk = n, map[string]string{"write": w.name}, !e.Guest, int64(n)*32<<20
				c.Expect = time.Duration(n) * 50 * time.Millisecond
				cells = append(cells, c)
			}
		}
	}
	return cells
}

func storageTrial(ctx context.Context, t *bench.T, c bench.Cell) error {
	place, err := t.Place(ctx) // makes what instances share
	if err != nil {
		return err
	}
	before, err := blocks(t.Home(), false)
	if err != nil {
		return err
	}
	script := ""
	for _, w := range storageWrites {
		if w.name == c.Variant["write"] {
			script = w.script
		}
	}
	var all []bench.Instance
	for n := range c.N {
		p, err := bench.NewProbe()
		if err != nil {
			return err
		}
		defer p.Close()
		i, err := storageStart(ctx, t, p, script, place)
		if err != nil {
			return fmt.Errorf("instance %d of %d: %w", n+1, c.N, err)
		}
		all = append(all, i)
	}
	grown, err := blocks(t.Home(), false)
	if err != nil {
		return err
	}
	took := float64(grown - before)
	t.Record("all", took)
	if c.Variant["write"] == "change" {
		st, err := os.Stat(filepath.Join(t.Image().Dir, storageFile))
		if err != nil {
			return err
		}
		t.Record("copies", took/float64(st.Size()))
	}
	for _, i := range all {
		if err := t.Close(i); err != nil {
			return err
		}
	}
	left, err := blocks(t.Home(), true)
	t.Record("left", float64(left-before))
	return err
}

// storageStart starts an instance, which writes, and then waits for the end of the
// conversation.
func storageStart(ctx context.Context, t *bench.T, p *bench.Probe, script, place string) (bench.Instance, error) {
	written := errors.New("written")
	i, err := t.Hear(ctx, p, t.Spec(inShell(p, script+"\nask written\n", place)), func(bench.Instance, bench.Heard) error { return written })
	if err == written {
		return i, nil
	}
	return nil, bench.Explain(i, err)
}

// blocks is what the files of a folder take of its disk, in bytes, as du counts: a
// file system counts blocks that it has promised and not chosen yet, too. With drop it
// then removes those that a process on the host, or under chroot, has left.
func blocks(dir string, drop bool) (sum int64, err error) {
	var left []string
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil {
			var st unix.Stat_t
			if err = unix.Lstat(path, &st); err == nil {
				sum += st.Blocks * 512
			}
			if strings.HasPrefix(d.Name(), storageNew) {
				left = append(left, path)
			}
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil // it ended meanwhile
		}
		return err
	})
	for _, path := range left {
		if drop {
			err = errors.Join(err, os.Remove(path))
		}
	}
	return sum, err
}

// storageFindings answer what people are told (CLAIM 12).
func storageFindings() []results.Finding {
	wrote := func(what string) map[string]string { return map[string]string{"write": what} }
	return []results.Finding{
		{Name: "container-small", Claim: 12, Statement: "One more container that writes nothing takes next to nothing of the disk.",
			Metric: "all", Of: "container", OfVariant: wrote("nothing"), Compare: "slope", Op: "below", Threshold: 64 << 10,
			Reason: "a few empty folders; a copy of the image would be megabytes"},
		{Name: "container-change", Claim: 12, Statement: "A container that changes one file of the image has a copy of that file, and of no other.",
			Metric: "copies", Of: "container", OfVariant: wrote("change"), Compare: "slope", Op: "below", Threshold: 1.1,
			Reason: "1 is the file itself; a tenth is left for the folders around it"},
		{Name: "container-left", Statement: "What a container wrote is gone from the disk with it.",
			Metric: "left", Of: "container", OfVariant: wrote("change"), Compare: "slope", Op: "below", Threshold: 64 << 10,
			Reason: "a few empty folders; the files were megabytes"},
	}
}
