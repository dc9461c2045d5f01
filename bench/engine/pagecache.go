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
		return bench.Unavailable(err.Error()+": somebody uses it, or it lies in RAM (tmpfs) and nowhere else", "end what uses it, or XDG_CACHE_HOME=a folder on a disk, or --image a folder there")
	}
	return nil
}
