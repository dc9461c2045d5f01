package engine_test

import (
	"reflect"
	"testing"

	"lab/bench/engine"
)

func TestOrder(t *testing.T) {
	for _, x := range []struct {
		name           string
		trials, warmup []int
	}{
		{"equal", []int{6, 6, 6, 6}, []int{1, 1, 1, 1}},
		{"spread", []int{60, 60, 60, 20}, []int{2, 2, 2, 1}},
		{"odd", []int{7, 3, 1, 0}, []int{0, 0, 0, 0}},
		{"one", []int{5}, []int{3}},
		{"none", nil, nil},
		{"no trial", []int{0, 0}, []int{0, 1}},
	} {
		t.Run(x.name, func(t *testing.T) {
			plan := engine.Order(7, x.trials, x.warmup)
			if again := engine.Order(7, x.trials, x.warmup); !reflect.DeepEqual(plan, again) {
				t.Error("the same seed gives two orders")
			}
			n, warm := make([]int, len(x.trials)), make([]int, len(x.trials))
			blocks := map[int][]int{} // block → its cells
			ended := false
			last := -1
			for _, s := range plan {
				if s.Warmup {
					warm[s.Cell]++
					if ended {
						t.Error("a warm-up after a trial that counts")
					}
				} else {
					n[s.Cell]++
					ended = true
				}
				if s.Block < last || s.Block > last+1 {
					t.Errorf("block %d follows block %d", s.Block, last)
				}
				last = s.Block
				if s.Pos != len(blocks[s.Block]) {
					t.Errorf("block %d: place %d comes as number %d", s.Block, s.Pos, len(blocks[s.Block]))
				}
				for _, c := range blocks[s.Block] {
					if c == s.Cell {
						t.Errorf("block %d holds cell %d twice", s.Block, c)
					}
				}
				blocks[s.Block] = append(blocks[s.Block], s.Cell)
			}
			for c := range x.trials {
				if n[c] != x.trials[c] || warm[c] != x.warmup[c] {
					t.Errorf("cell %d: %d trials and %d warm-ups, want %d and %d", c, n[c], warm[c], x.trials[c], x.warmup[c])
				}
			}
		})
	}
}

// A cell with a third of the trials is in every third block, and not in the
// first twenty: what drifts has to fall on all alike.
func TestOrderSpreads(t *testing.T) {
	var in []int
	for _, s := range engine.Order(1, []int{60, 20}, []int{0, 0}) {
		if s.Cell == 1 {
			in = append(in, s.Block)
		}
	}
	for i := 1; i < len(in); i++ {
		if in[i]-in[i-1] != 3 {
			t.Fatalf("the cell is in blocks %v, want every third", in)
		}
	}
}

func TestOrderShuffles(t *testing.T) {
	trials := []int{200, 200, 200}
	none := []int{0, 0, 0}
	if reflect.DeepEqual(engine.Order(1, trials, none), engine.Order(2, trials, none)) {
		t.Error("two seeds give the same order")
	}
	first := make([]int, 3)
	for _, s := range engine.Order(1, trials, none) {
		if s.Pos == 0 {
			first[s.Cell]++
		}
	}
	for c, n := range first { // 200/3, give or take 4.5 standard deviations
		if n < 37 || n > 97 {
			t.Errorf("cell %d comes first in %d of 200 blocks", c, n)
		}
	}
}

// Results name their seed so that others can repeat the order: it may not
// change with a version of Go or of the lab.
func TestOrderGolden(t *testing.T) {
	var got []int
	for _, s := range engine.Order(7, []int{3, 3, 3, 3}, []int{0, 0, 0, 0}) {
		got = append(got, s.Cell)
	}
	want := []int{3, 1, 0, 2, 0, 3, 2, 1, 3, 1, 2, 0}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("seed 7 gives %v, want %v", got, want)
	}
}

// A grouped plan makes size trials of each cell in turn, warm-ups first, and
// all of them.
func TestGrouped(t *testing.T) {
	cells, blocks := engine.Grouped(2, []int{5, 3}, []int{1, 0})
	if want := []int{0, 0, 0, 1, 1, 0, 0, 1, 0}; !reflect.DeepEqual(cells, want) {
		t.Errorf("cells %v, want %v", cells, want)
	}
	if want := []int{0, 1, 1, 1, 1, 2, 2, 2, 3}; !reflect.DeepEqual(blocks, want) {
		t.Errorf("blocks %v, want %v", blocks, want)
	}
	if cells, _ := engine.Grouped(2, nil, nil); cells != nil {
		t.Errorf("of no cell: %v", cells)
	}
}
