package results

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"lab/bench/histogram"
	"lab/bench/input"
)

// Samples gives each distribution of the folder to take, file by file, in the order in
// which they were written. A folder without any has none. What isn't a distribution is
// an error that names its file.
func (r *Run) Samples(take func(Sample)) error {
	root, err := input.OpenRoot(r.Dir)
	if err != nil {
		return err
	}
	defer root.Close()
	names, err := fs.Glob(root.FS(), SamplesDir+"/*.jsonl")
	rows := map[string]bool{}
	for _, name := range names {
		if err2 := samplesOf(root, name, rows, take); err2 != nil {
			err = errors.Join(err, fmt.Errorf("%s: %w", filepath.Join(r.Dir, name), err2))
		}
	}
	return err
}

// samplesOf reads one file; rows are those of all files so far.
func samplesOf(root *os.Root, name string, rows map[string]bool, take func(Sample)) error {
	f, err := input.OpenIn(root, name)
	if err != nil {
		return err
	}
	defer f.Close()
	br := bufio.NewReaderSize(io.LimitReader(f, maxTrials), maxLine)
	for {
		text, err := br.ReadSlice('\n')
		if err == io.EOF {
			return nil // an unfinished line is one that was being written
		}
		var s Sample
		if err == nil {
			err = decode(text, &s)
		}
		if err == nil && (s.Env == "" || !safeMetric(s.Metric)) {
			err = errors.New("no env, or no metric")
		}
		for _, b := range s.Buckets {
			if b[0] < 0 || b[0] > int64(histogram.Last) || b[1] < 0 {
				err = errors.New("no such bucket")
			}
		}
		if err == nil {
			rows[s.Metric+" "+Label(s.Env, s.Variant, s.N)] = true
			err = few("rows", len(rows))
		}
		if err != nil {
			return err
		}
		take(s)
	}
}
