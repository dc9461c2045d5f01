package main

import (
	"errors"
	"math"
	"strconv"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// asked are the kernels that run only where only= names them: the loops of
// sysbench's cpu and memory tests, for setting our clock and our compiler beside
// it (make parity). The scenario has better ones: this division takes as long as
// a processor's divider does, and a block of 1 MiB lies in its caches.
var asked = []kernel{
	{"primes", primes},
	{"words-write", wordsWrite},
	{"words-read", wordsRead},
}

// primesLimit is sysbench's own --cpu-max-prime, where none is given.
const (
	primesLimit = 10000
	primesBelow = 1228 // from 3 to the limit
)

// primes looks for the primes below primesLimit as sysbench's cpu test does: one
// such search is its event. Value: searches a second.
func primes() (*running, error) {
	found := uint64(primesBelow)
	return &running{value: rate(1),
		work: func(rounds int) error {
			for range rounds {
				found = oddPrimes(primesLimit)
			}
			return nil
		},
		check: func() error {
			if found != primesBelow {
				return errors.New("found " + strconv.FormatUint(found, 10) + " primes")
			}
			return nil
		},
	}, nil
}

// oddPrimes counts the primes from 3 to below a limit, by dividing each number
// by all from 2 to its root, in 64 bits. The division by 2 is a look at the last
// bit, as C compilers make it of sysbench's loop: it would be a twelfth of all.
func oddPrimes(limit uint64) (n uint64) {
	for c := uint64(3); c < limit; c++ {
		root := math.Sqrt(float64(c))
		if root >= 2 && c&1 == 0 {
			continue
		}
		l := uint64(3)
		for float64(l) <= root && c%l != 0 {
			l++
		}
		if float64(l) > root {
			n++
		}
	}
	return n
}

// wordsSize is the block that is written and read over and over, a cache line of
// eight words in each step: sysbench's loops are compiled like that, and a step
// takes the processor a cycle, however little is in it.
const wordsSize = 1 << 20

type eight = [8]uint64

// wordsWrite writes a block, a word of 64 bits at a time, each another value, as
// sysbench's memory test does with --memory-oper=write. Value: bytes a second.
func wordsWrite() (*running, error) { return words(countDown) }

// wordsRead reads a block, a word of 64 bits at a time, and throws the words
// away, as sysbench's memory test does with --memory-oper=read. The compiler
// would leave out a plain load; an atomic one is the same instruction on x86, an
// ordered one on ARM. Value: bytes a second.
func wordsRead() (*running, error) {
	return words(func(block []eight) {
		for i := range block {
			w := &block[i]
			atomic.LoadUint64(&w[0])
			atomic.LoadUint64(&w[1])
			atomic.LoadUint64(&w[2])
			atomic.LoadUint64(&w[3])
			atomic.LoadUint64(&w[4])
			atomic.LoadUint64(&w[5])
			atomic.LoadUint64(&w[6])
			atomic.LoadUint64(&w[7])
		}
	})
}

// words is a kernel whose round goes over a block once. The block was written
// before: a page that nobody wrote would be the kernel's one page of zeroes.
func words(round func([]eight)) (*running, error) {
	mem, err := pages(wordsSize)
	if err != nil {
		return nil, err
	}
	block := unsafe.Slice((*eight)(unsafe.Pointer(&mem[0])), wordsSize/64)
	countDown(block)
	return &running{value: rate(wordsSize), close: func() { unix.Munmap(mem) },
		work: func(rounds int) error {
			for range rounds {
				round(block)
			}
			return nil
		},
		check: func() error {
			if !counted(block) {
				return errors.New("the words in memory aren't those that were written")
			}
			return nil
		},
	}, nil
}

// countDown fills a block with n, n-1, … 1.
func countDown(block []eight) {
	n := uint64(8 * len(block))
	for i := range block {
		w := &block[i]
		w[0], w[1], w[2], w[3] = n, n-1, n-2, n-3
		w[4], w[5], w[6], w[7] = n-4, n-5, n-6, n-7
		n -= 8
	}
}

// counted reports whether a block is full of n, n-1, … 1.
func counted(block []eight) bool {
	n := uint64(8 * len(block))
	for i := range block {
		for _, w := range block[i] {
			if w != n {
				return false
			}
			n--
		}
	}
	return true
}
