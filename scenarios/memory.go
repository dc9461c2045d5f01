package scenarios

import (
	"fmt"
	"time"

	"lab/bench"
	"lab/bench/image"
)

// Memory asks what one more instance costs beside what its workload asked for.
// The views (the cgroup's account, the processes' share, what the machine has
// left, what a guest sees) overlap: each is reported by itself, and none is
// added to another.
func Memory() *bench.Scenario {
	return &bench.Scenario{
		Name:     "memory",
		Workload: image.ProbePath,
		Question: "How much memory does an instance cost beyond what its workload needs?",
		Method: "A trial starts instances of the lab's probe, the same bytes everywhere, each of which takes a known amount of anonymous memory " +
			"and as much of a file that it writes and maps. Every page is written to, no two are alike. When all hold what they asked for, " +
			"the host looks: at the account of each one's cgroup (anonymous, file, kernel), at the proportional share (PSS) of its processes on the host, " +
			"which for a guest is QEMU's with the guest's RAM apart, and at what the machine has left. What the program's own kernel sees, it says itself. " +
			"A trial in which one doesn't hold what it asked for, by 2 % or more, fails. That tasks wait for a processor meanwhile is the instances' own doing, and marks no trial. " +
			"The answer is the slope: what one more costs, by a line through the medians for 1, 2, 4, … at a time; as many as may take a third of the machine's memory, and no more than half of what it has available. " +
			"Each instance is limited to what it asks for and a quarter more, or 64 MiB; a guest has that and what its kernel needs as RAM.",
		Cells:    memoryCells,
		Fits:     memoryFits,
		Trial:    memoryTrial,
		Metrics:  memoryMetrics,
		Figures:  memoryFigures,
		Findings: memoryFindings,
	}
}

// What an instance holds, of each kind.
const (
	memoryHeld      = 256 << 20
	memoryHeldQuick = 64 << 20
)

func memorySize(quick bool) int64 {
	if quick {
		return memoryHeldQuick
	}
	return memoryHeld
}

// memoryLimit leaves the program room for itself: an instance that swaps or
// reclaims holds less than it should.
func memoryLimit(held int64) int64 { return 2*held + max(held/2, 64<<20) }

var memoryCounts = bench.Counts{Full: bench.Count{Trials: 10, Warmup: 1}, Quick: bench.Count{Trials: 6, Warmup: 1},
	Slow: bench.Count{Trials: 6, Warmup: 1}, SlowQuick: bench.Count{Trials: 2}}

func memoryCells(o bench.Options) []bench.Cell {
	var cells []bench.Cell
	all, _, _, _ := bench.MemoryRoom() // an error is memoryFits' to tell
	held := memorySize(o.Quick)
	for _, e := range o.Chosen() {
		for _, n := range memoryInstances(e.Guest, o.Quick, all) {
			c := memoryCounts.Row(e, o)
			c.N, c.Memory, c.Init, c.Work = n, memoryLimit(held), e.Guest, !e.Guest
			// The instances fill their memory at the same time, and the
			// kernel writes their files meanwhile; no figure is a time.
			c.Makes = []string{"pressure", "load"}
			// Writing a page takes a microsecond or two; a guest's twice that.
			c.Expect = time.Duration(n) * time.Duration(held>>20) * time.Millisecond / 2
			if e.Guest {
				c.Expect *= 2
			} else {
				c.Disk = int64(n) * held
			}
			cells = append(cells, c)
		}
	}
	return cells
}

// memoryInstances are the numbers of instances at a time on a machine that has
// so many bytes of memory: 1, 2, 4, … while they take no more than a third of
// it, and two at least, without which there is no slope. It is the machine's
// whole memory that decides, so that a second run has the same rows as the first.
func memoryInstances(guest, quick bool, all int64) []int {
	// Beyond these a line is known well, and a trial takes a minute. Guests are
	// fewer, as an emulated one takes seconds to start.
	most := 64
	switch {
	case quick && guest:
		most = 2
	case quick:
		most = 4
	case guest:
		most = 16
	}
	out := []int{1, 2}
	for n := 4; n <= most && memoryNeeds(bench.Cell{Guest: guest, N: n, Quick: quick}) <= all/3; n *= 2 {
		out = append(out, n)
	}
	return out
}

// guestRoom is what a guest needs beside its limit: its RAM is larger by what
// its kernel takes, and QEMU has memory of its own, most of it under emulation.
const guestRoom = 256 << 20

// memoryNeeds is the most that a cell's instances can take.
func memoryNeeds(c bench.Cell) int64 {
	each := memoryLimit(memorySize(c.Quick))
	if c.Guest {
		each += guestRoom
	}
	return int64(c.N) * each
}

// memoryFits keeps to half of what is available: a machine that begins to swap,
// or to throw file pages away, measures that.
func memoryFits(c bench.Cell) error {
	_, left, whose, err := bench.MemoryRoom()
	if err != nil {
		return err
	}
	if need, have := memoryNeeds(c), left/2; need > have {
		return bench.Unavailable(fmt.Sprintf("%d at a time may take %d MiB, and half of what %s has available is %d MiB", c.N, need>>20, whose, have>>20),
			"end other programs, or --quick, which takes less")
	}
	return nil
}
