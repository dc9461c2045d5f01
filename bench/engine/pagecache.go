package engine

import (
	"lab/bench"
	"lab/bench/pagecache"
)

// checkCold says whether the image's files can be out of memory at all, by trying.
func checkCold(s bench.Spec) error {
	if !bench.Cold(s) {
		return nil
	}
	if err := pagecache.Drop(s.Image.Dir); err != nil {
		return bench.Unavailable(err.Error()+": a program uses it, or it is in RAM only (tmpfs)", "end what uses it, or set LAB_CACHE to a folder on a disk")
	}
	return nil
}
