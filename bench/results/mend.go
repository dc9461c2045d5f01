package results

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"lab/bench/input"
)

// Mend cuts off what stands behind the last whole trial in the folder's
// trials.jsonl, which its writer had no time to finish, and returns how many
// bytes that was; from the files in samples/ an unfinished last line. A file
// that isn't there yet is whole. Damage anywhere else is an error that names the
// line, and changes nothing. Nobody else may be writing.
func Mend(dir string) (cut int64, err error) {
	name := filepath.Join(dir, TrialsFile)
	// Through a root: the folder is a user's, who may have put a link there.
	root, err := input.OpenRoot(dir)
	if err != nil {
		return 0, fmt.Errorf("mend: %w", err)
	}
	defer root.Close()
	data, err := input.ReadIn(root, TrialsFile, maxTrials)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("mend: %w", err)
	}
	whole, err := wholeTrials(data)
	if err != nil {
		return 0, fmt.Errorf("%s:%w", name, err)
	}
	if err := mendSamples(root); err != nil {
		return 0, fmt.Errorf("mend: %w", err)
	}
	if whole == len(data) {
		return 0, nil
	}
	if err := cutAt(root, TrialsFile, whole); err != nil {
		return 0, fmt.Errorf("mend: %w", err)
	}
	return int64(len(data) - whole), nil
}

// mendSamples cuts each file's unfinished last line off.
func mendSamples(root *os.Root) error {
	names, err := fs.Glob(root.FS(), SamplesDir+"/*.jsonl")
	if err != nil {
		return err
	}
	for _, name := range names {
		data, err := input.ReadIn(root, name, maxTrials)
		if err != nil {
			return err
		}
		if whole := bytes.LastIndexByte(data, '\n') + 1; whole < len(data) {
			if err := cutAt(root, name, whole); err != nil {
				return err
			}
		}
	}
	return nil
}

func cutAt(root *os.Root, name string, size int) error {
	f, err := root.OpenFile(name, os.O_WRONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Truncate(int64(size)), f.Sync(), f.Close())
}

// wholeTrials is how many bytes at the beginning are whole trials.
func wholeTrials(data []byte) (whole int, err error) {
	at := 0
	for n := 1; ; n++ {
		end := bytes.IndexByte(data[at:], '\n')
		if end < 0 {
			return whole, nil
		}
		var l Line
		if err := json.Unmarshal(data[at:at+end], &l); err != nil {
			return 0, fmt.Errorf("%d: %w", n, err)
		}
		if err := l.check(); err != nil {
			return 0, fmt.Errorf("%d: %w", n, err)
		}
		at += end + 1
		if l.Last {
			whole = at
		}
	}
}
