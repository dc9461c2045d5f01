package main

import (
	"math/rand/v2"
	"os"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"lab/bench/histogram"
)

// A worker is a thread that has one request under way.
type worker struct {
	job
	fd    int
	buf   []byte
	order []uint32
	first int // which block it begins with; then every depth-th
	next  int // where it goes on in the next pass that may
	seen  histogram.Histogram
	least int64 // how many requests it makes at least, if patience lasts
	n     int64
	read  int64      // how many were reads, of a job that mixes them
	dice  *rand.Rand // which are
	err   error
}

// tailSamples is how many requests a section makes at least, however slow the
// disk, as of fewer no 99th percentile can be told; patience is for how much longer
// than its time it does so.
const (
	tailSamples = 100
	patience    = 4 * time.Second
)

// pass lets the workers go, until the time is up or their blocks have been
// gone through.
func pass(workers []*worker, end int64) (n int64, err error) {
	if len(workers) == 1 {
		workers[0].work(end)
	} else {
		var there, gone sync.WaitGroup
		start := make(chan struct{})
		there.Add(len(workers))
		for _, w := range workers {
			gone.Go(func() {
				runtime.LockOSThread()
				defer runtime.UnlockOSThread()
				there.Done()
				<-start
				w.work(end)
			})
		}
		there.Wait()
		close(start)
		gone.Wait()
	}
	for _, w := range workers {
		n += w.n
		if w.err != nil {
			err = w.err
		}
	}
	return n, err
}

// work makes a worker's requests. What comes from a cold page cache comes from
// there once a pass; else the blocks begin anew when all were gone through.
func (w *worker) work(end int64) {
	w.n = 0
	once := w.cold || w.flush || w.single
	i := w.next
	if once || i == 0 {
		i = w.first
	}
	for {
		if i >= len(w.order) {
			if i = w.first; once {
				break
			}
		}
		at := int64(w.order[i]) * w.block()
		i += w.depth
		write := w.write
		if w.reads > 0 {
			write = w.dice.IntN(100) >= w.reads
		}
		if write {
			stamp(w.buf, at)
		}
		began := tick() // the stamp and the counting aren't the disk's
		if w.err = transferAll(write, w.fd, w.buf, at); w.err != nil {
			return
		}
		if !write {
			w.read++
		}
		if w.each {
			began = tick()
			if w.err = os.NewSyscallError("fsync", unix.Fsync(w.fd)); w.err != nil {
				return
			}
		}
		last := tick()
		w.n++
		if w.random {
			w.seen.Add(last - began)
		}
		if !w.whole && last >= end && (w.seen.N() >= w.least || last >= end+int64(patience)) {
			break
		}
	}
	w.next = i
}
