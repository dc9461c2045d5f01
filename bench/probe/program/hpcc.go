package main

import (
	"errors"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
	"gonum.org/v1/gonum/lapack/gonum"
)

// What is measured of machines that compute: the kernels of the HPC Challenge that
// comparisons of virtual machines and containers report. STREAM's triad is among kernels.
var hpcc = []kernel{
	{"linpack", linpack},
	{"stream-copy", func() (*running, error) {
		return stream(2, func(a, _, c []float64) {
			a = a[:len(c)]
			for i := range c {
				c[i] = a[i]
			}
		}, func(a, _, c float64) bool { return c == a })
	}},
	{"stream-scale", func() (*running, error) {
		return stream(2, func(_, b, c []float64) {
			c = c[:len(b)]
			for i := range b {
				b[i] = 3 * c[i]
			}
		}, func(_, b, c float64) bool { return b == 3*c })
	}},
	{"stream-add", func() (*running, error) {
		return stream(3, func(a, b, c []float64) {
			a, b = a[:len(c)], b[:len(c)]
			for i := range c {
				c[i] = a[i] + b[i]
			}
		}, func(a, b, c float64) bool { return c == a+b })
	}},
	{"updates", updates},
}

// linpackOrder is the size of the system that linpack solves: its matrix is larger than a
// processor's second cache, and an emulated machine solves one in seconds.
const linpackOrder = 400

// linpack solves a dense system of linear equations with a library's blocked
// factorization (LAPACK's dgesv, in gonum), which divides its multiplications of matrices
// among the processors and does them with vector units; float is the same problem in a
// loop of our own. It counts as LINPACK does, 2/3 n³ + 2 n². Value: operations a second.
func linpack() (*running, error) {
	const n = linpackOrder
	s := newSystem(n)
	a, lu, pivots := make([]float64, n*n), make([]float64, n*n), make([]int, n)
	for i, row := range s.a {
		copy(a[i*n:], row)
	}
	return &running{
		value: rate(2.0/3*n*n*n + 2*n*n),
		work: func(rounds int) error {
			for range rounds {
				copy(lu, a)
				copy(s.x, s.b)
				if !(gonum.Implementation{}).Dgesv(n, 1, lu, n, pivots, s.x, 1) {
					return errors.New("the system is singular")
				}
			}
			return nil
		},
		check: func() error {
			if r := s.residual(); !(r < 16) {
				return errors.New("the solution is wrong: its residual is " + strconv.FormatFloat(r, 'g', 3, 64))
			}
			return nil
		},
	}, nil
}

// stream is one of STREAM's kernels over three arrays as large as triad's; count is how
// many numbers an element moves by STREAM's count. Value: bytes a second.
func stream(count int, work func(a, b, c []float64), right func(a, b, c float64) bool) (*running, error) {
	mem, err := smallPages(3 * triadSize)
	if err != nil {
		return nil, err
	}
	n := triadSize / 8
	all := unsafe.Slice((*float64)(unsafe.Pointer(&mem[0])), 3*n)
	a, b, c := all[:n:n], all[n:2*n:2*n], all[2*n:]
	for i := range n {
		a[i], b[i], c[i] = 1, 2, 0.5
	}
	return &running{value: rate(float64(count) * triadSize), close: func() { unix.Munmap(mem) },
		work: func(rounds int) error {
			for range rounds {
				work(a, b, c)
			}
			return nil
		},
		check: func() error {
			for _, i := range []int{0, n / 2, n - 1} {
				if !right(a[i], b[i], c[i]) {
					return errors.New("the arrays don't hold what was computed")
				}
			}
			return nil
		},
	}, nil
}

// updates changes words of a large table at random, each change independent of the one
// before: RandomAccess of the HPC Challenge, whose order is that of a shift register over
// x⁶⁴ + x² + x + 1 (P. Luszczek et al., Introduction to the HPC Challenge Benchmark Suite,
// 2005). As there the table is checked by making the same changes once more, which undoes
// them. Value: updates a second; 10⁹ of them are a GUPS.
func updates() (*running, error) {
	mem, err := smallPages(chaseSize)
	if err != nil {
		return nil, err
	}
	const words = chaseSize / 8
	table := unsafe.Slice((*uint64)(unsafe.Pointer(&mem[0])), words)
	for i := range table {
		table[i] = uint64(i)
	}
	run := func(x uint64, n int) uint64 {
		for range n {
			x = x<<1 ^ uint64(int64(x)>>63)&7
			table[x%words] ^= x
		}
		return x
	}
	at, made := uint64(1), 0
	return &running{value: rate(1), close: func() { unix.Munmap(mem) },
		work: func(rounds int) error {
			at = run(at, rounds)
			made += rounds
			return nil
		},
		check: func() error {
			run(1, made)
			for i, v := range table {
				if v != uint64(i) {
					return errors.New("the table doesn't hold what was changed")
				}
			}
			return nil
		},
	}, nil
}
