package bench

import (
	"errors"
	"strconv"
	"strings"
)

// ParseSize reads a number of bytes as people type it, "64M" or "1G": with a
// suffix for powers of 1024, above 0.
func ParseSize(s string) (int64, error) {
	shift := 0
	num := strings.TrimSuffix(strings.TrimSuffix(strings.ToUpper(s), "B"), "I")
	if n := len(num); n > 0 {
		if i := strings.IndexByte("KMGT", num[n-1]); i >= 0 {
			shift, num = 10*(i+1), num[:n-1]
		}
	}
	n, err := strconv.ParseInt(num, 10, 64)
	if err != nil || n <= 0 || n > (1<<62)>>shift {
		return 0, errors.New("not a size such as 64M or 1G")
	}
	return n << shift, nil
}
