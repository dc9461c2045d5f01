package usercache

import (
	"errors"
	"os"
	"path/filepath"
)

// Keep returns path after build made a file of it, unless it is there already. The
// file appears whole or not at all, after a power failure, too: nobody looks at what
// is in it again. build is given the name of a file that isn't there, in a folder
// that nobody else uses; an error of build's is Keep's.
func Keep(path string, build func(file string) error) (string, error) {
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	tmp, err := os.MkdirTemp(dir, "new-*")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(tmp)
	file := filepath.Join(tmp, "file")
	if err := build(file); err != nil {
		return "", err
	}
	f, err := os.Open(file)
	if err != nil {
		return "", err
	}
	if err := errors.Join(f.Chmod(0o644), f.Sync(), f.Close()); err != nil {
		return "", err
	}
	return path, os.Rename(file, path)
}
