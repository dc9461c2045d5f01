package bench_test

import (
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"lab/bench"
)

// zoneinfo is a Linux 6.18's, with its zones cut to what is looked at and what
// resembles it.
const zoneinfo = `Node 0, zone      DMA
  pages free     3840
        nr_free_cma  0
  pagesets
    cpu: 0
              count:    0
              high:     0
              batch:    1
              high_min: 0
              high_max: 240
  vm stats threshold: 4
Node 0, zone   Normal
  pagesets
    cpu: 0
              count:    14191
              high:     14307
              batch:    63
    cpu: 1
              count:    20765
              high:     28552
              batch:    63
  start_pfn:           1048576
`

func TestAtHand(t *testing.T) {
	if n, err := bench.AtHand(strings.NewReader(zoneinfo)); n != 14191+20765 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	if _, err := bench.AtHand(strings.NewReader("  count: many\n")); err == nil {
		t.Error("what is no number was read")
	}
}

// What a program takes after it gave as much back is missed by the machine. Of
// some attempts one at least is without much that others do meanwhile.
func TestHostMemory(t *testing.T) {
	const size = 64 << 20
	var fell []int64
	for range 20 {
		before, err := bench.HostMemory()
		if err != nil {
			t.Fatal(err)
		}
		m, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON|unix.MAP_POPULATE)
		if err != nil {
			t.Fatal(err)
		}
		after, err := bench.HostMemory()
		if err := unix.Munmap(m); err != nil {
			t.Fatal(err)
		}
		if err != nil {
			t.Fatal(err)
		}
		by := before["MemAvailable"] - after["MemAvailable"]
		if fell = append(fell, by>>20); len(fell) > 2 && by > size*9/10 && by < size*11/10 {
			return
		}
	}
	t.Errorf("after %d MiB were taken MemAvailable fell by %d MiB", size>>20, fell)
}
