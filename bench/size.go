package bench

import "lab/bench/request"

// ParseSize reads a number of bytes as people type it, "64M" or "1G": with a
// suffix for powers of 1024, above 0.
func ParseSize(s string) (int64, error) { return request.ParseSize(s) }
