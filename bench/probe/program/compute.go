package main

import (
	"errors"
	"math"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

// What a program does without asking anybody: the processor executes it
// directly in every environment. In a guest, an address is looked up in two
// tables where the processor doesn't remember it.

// sink keeps the compiler from leaving work out.
var sink uint64

// integer does rounds of a generator by Vigna: shifts, exclusive ors and a
// multiplication, each of which needs the one before it (S. Vigna, An experimental
// exploration of Marsaglia's xorshift generators, scrambled, ACM TOMS 42 (2016)
// 30). Value: rounds a second.
func integer() (*running, error) {
	x := uint64(88172645463325252)
	return &running{value: rate(1), work: func(rounds int) error {
		for range rounds {
			x ^= x >> 12
			x ^= x << 25
			x ^= x >> 27
			x *= 2685821657736338717
		}
		sink = x
		return nil
	}}, nil
}

// rate turns the seconds of a round into units a second, where a round does so
// many of them.
func rate(units float64) func(float64) float64 {
	return func(perRound float64) float64 { return units / perRound }
}

// order is the size of the system that float solves: that of the classic
// LINPACK benchmark.
const order = 100

// float solves a dense system of linear equations by LU factorization with
// partial pivoting: LINPACK's problem of order 100 (J. J. Dongarra et al.,
// LINPACK Users' Guide, SIAM, 1979), of which a solution counts 2/3 n³ + 2 n²
// operations. Value: operations a second.
func float() (*running, error) {
	s := newSystem(order)
	n := float64(order)
	return &running{
		value: rate(2.0/3*n*n*n + 2*n*n),
		work: func(rounds int) error {
			for range rounds {
				if err := s.solve(); err != nil {
					return err
				}
			}
			return nil
		},
		check: func() error {
			// LINPACK's own limit for a right answer is of this size.
			if r := s.residual(); !(r < 16) {
				return errors.New("the solution is wrong: its residual is " + strconv.FormatFloat(r, 'g', 3, 64))
			}
			return nil
		},
	}, nil
}

// A system is A·x = b, with what solving it needs.
type system struct {
	n      int
	a, lu  [][]float64
	b, x   []float64
	pivots []int
}

// newSystem fills A from a generator with a fixed seed, and b with its rows'
// sums: the solution is all ones.
func newSystem(n int) *system {
	s := &system{n: n, b: make([]float64, n), x: make([]float64, n), pivots: make([]int, n)}
	seed := uint64(1325)
	for i := range n {
		s.a, s.lu = append(s.a, make([]float64, n)), append(s.lu, make([]float64, n))
		for j := range n {
			seed = seed * 3125 % 65536 // LINPACK's matgen
			s.a[i][j] = (float64(seed) - 32768) / 16384
			s.b[i] += s.a[i][j]
		}
	}
	return s
}

func (s *system) solve() error {
	n := s.n
	for i := range n {
		copy(s.lu[i], s.a[i])
	}
	copy(s.x, s.b)
	for k := range n {
		p := k
		for i := k + 1; i < n; i++ {
			if math.Abs(s.lu[i][k]) > math.Abs(s.lu[p][k]) {
				p = i
			}
		}
		s.lu[k], s.lu[p] = s.lu[p], s.lu[k]
		s.x[k], s.x[p] = s.x[p], s.x[k]
		top := s.lu[k]
		if top[k] == 0 {
			return errors.New("the system is singular")
		}
		for i := k + 1; i < n; i++ {
			row := s.lu[i][:len(top)]
			f := row[k] / top[k]
			row[k] = f
			for j := k + 1; j < len(top); j++ {
				row[j] -= f * top[j]
			}
			s.x[i] -= f * s.x[k]
		}
	}
	for i := n - 1; i >= 0; i-- {
		sum := s.x[i]
		for j := i + 1; j < n; j++ {
			sum -= s.lu[i][j] * s.x[j]
		}
		s.x[i] = sum / s.lu[i][i]
	}
	return nil
}

// residual is ‖A·x − b‖ / (n · ‖A‖ · ‖x‖ · ε), in the maximum norm.
func (s *system) residual() float64 {
	var off, a, x float64
	for i := range s.n {
		sum := -s.b[i]
		for j := range s.n {
			sum += s.a[i][j] * s.x[j]
			a = max(a, math.Abs(s.a[i][j]))
		}
		off = max(off, math.Abs(sum))
		x = max(x, math.Abs(s.x[i]))
	}
	const epsilon = 0x1p-52
	return off / (float64(s.n) * a * x * epsilon)
}

// triadSize is one of triad's three arrays, in bytes: together they are larger
// than most processors' caches.
const triadSize = 16 << 20

// triad is STREAM's third kernel, a = b + s·c (J. D. McCalpin, Memory bandwidth
// and machine balance in current high performance computers, IEEE TCCA
// newsletter, December 1995). Value: bytes a second, by STREAM's count of three
// numbers an element.
func triad() (*running, error) {
	return stream(3, func(a, b, c []float64) {
		b, c = b[:len(a)], c[:len(a)]
		for i := range a {
			a[i] = b[i] + 3*c[i]
		}
	}, func(a, b, c float64) bool { return a == b+3*c })
}

// chaseSize is what chase walks through, a cache line at a time: two million
// lines, about as many as it makes steps in a section, so that few were in a cache
// by its own doing. Of a chain of a quarter of that the neighbours on a shared
// cache decide how much is.
const (
	chaseSize = 128 << 20
	cacheLine = 64
)

// chase follows a chain of addresses that visits every cache line of its memory
// once, in an order that no prefetcher guesses (Sattolo's algorithm makes a
// permutation of one cycle). Value: seconds a step.
func chase() (*running, error) {
	mem, err := smallPages(chaseSize)
	if err != nil {
		return nil, err
	}
	const n = chaseSize / cacheLine
	node := func(i uint32) *uint32 { return (*uint32)(unsafe.Pointer(&mem[int(i)*cacheLine])) }
	for i := range uint32(n) {
		*node(i) = i
	}
	r := uint64(88172645463325252)
	for i := uint32(n - 1); i > 0; i-- {
		r ^= r << 13
		r ^= r >> 7
		r ^= r << 17
		j := uint32(r % uint64(i)) // below i, never i itself: one cycle
		a, b := node(i), node(j)
		*a, *b = *b, *a
	}
	at := uint32(0)
	return &running{close: func() { unix.Munmap(mem) }, work: func(rounds int) error {
		for range rounds {
			at = *node(at)
		}
		sink = uint64(at)
		return nil
	}}, nil
}

// pages takes memory from the kernel, to give back when it isn't needed.
func pages(size int) ([]byte, error) {
	return unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
}

// smallPages is pages of the size that every kernel has. Some give a program
// huge ones unasked, and a guest's with less than 512 MiB never does: what is
// looked up for each address would differ by that, and not by the isolation.
func smallPages(size int) ([]byte, error) {
	mem, err := pages(size)
	if err == nil {
		// A kernel that doesn't know the word has no huge pages.
		unix.Madvise(mem, unix.MADV_NOHUGEPAGE)
	}
	return mem, err
}
