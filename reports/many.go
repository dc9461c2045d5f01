package reports

import (
	"runtime"
	"sync"

	"lab/bench/results"
	"lab/reports/analysis"
)

// A ReadRun is a folder that was read and analysed, or why it couldn't be.
type ReadRun struct {
	Dir string
	*analysis.Analysis
	Err error
}

// ReadMany reads so many folders that no report has each of them, several at a time.
// Their trials aren't kept (see [analysis.Brief]): a folder of 1,000 takes some KiB.
func ReadMany(dirs []string) []ReadRun {
	out := make([]ReadRun, len(dirs))
	var like *results.Run
	one := func(i int) {
		run, err := Read(dirs[i])
		if out[i] = (ReadRun{Dir: dirs[i], Err: err}); err == nil {
			out[i].Analysis = analysis.Brief(run, like)
		}
	}
	first := 0
	for ; first < len(dirs) && like == nil; first++ {
		if one(first); out[first].Err == nil {
			like = out[first].Run
		}
	}
	next := make(chan int)
	var group sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		group.Go(func() {
			for i := range next {
				one(i)
			}
		})
	}
	for i := first; i < len(dirs); i++ {
		next <- i
	}
	close(next)
	group.Wait()
	return out
}
