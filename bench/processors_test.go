package bench

import "testing"

// The two have a core each where there are two: threads of one core take each other's time.
func TestOtherCore(t *testing.T) {
	pairs := func(cpu int) []int { return []int{cpu &^ 1, cpu | 1} }
	for _, x := range []struct {
		may  []int
		want int
	}{{[]int{0, 1, 2, 3}, 2}, {[]int{0, 1}, 1}, {[]int{1, 4}, 4}} {
		if got, _ := OtherCore(x.may, pairs); got != x.want {
			t.Errorf("of %d: %d, want %d", x.may, got, x.want)
		}
	}
	if got, _ := OtherCore([]int{3, 4}, func(int) []int { return nil }); got != 4 {
		t.Errorf("without a topology: %d", got)
	}
}
