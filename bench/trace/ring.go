package trace

import (
	"encoding/binary"
	"os"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ringPages are those of a processor's ring, a power of two: half a MiB with pages of
// 4 KiB, some thousands of events.
const ringPages = 128

// A ring is where the kernel writes a processor's events (perf_event_open(2), "MMAP
// layout"): a page that says how far, and then the records, one after another, in a
// circle.
type ring struct {
	fd   int
	mem  []byte
	meta *unix.PerfEventMmapPage
	data []byte
}

func newRing(fd int) (*ring, error) {
	page := os.Getpagesize()
	mem, err := unix.Mmap(fd, 0, (1+ringPages)*page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, err
	}
	return &ring{fd: fd, mem: mem, meta: (*unix.PerfEventMmapPage)(unsafe.Pointer(&mem[0])), data: mem[page:]}, nil
}

// read hands over each record that is there: its kind, and what follows its header of
// eight bytes (the kind, a word of flags, and its length).
func (r *ring) read(each func(kind uint32, body []byte)) {
	head, tail := atomic.LoadUint64(&r.meta.Data_head), r.meta.Data_tail
	for tail < head {
		length := uint64(binary.NativeEndian.Uint16(r.at(tail, 8)[6:]))
		if length < 8 || length > head-tail {
			tail = head // damaged: nothing after it can be trusted
			break
		}
		record := r.at(tail, length)
		each(binary.NativeEndian.Uint32(record), record[8:])
		tail += length
	}
	atomic.StoreUint64(&r.meta.Data_tail, tail)
}

// at copies bytes of the circle.
func (r *ring) at(from, length uint64) []byte {
	out := make([]byte, length)
	size := uint64(len(r.data))
	n := copy(out, r.data[from%size:])
	copy(out[n:], r.data)
	return out
}
