package vm

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"lab/bench/image"
)

// rootFormat changes when the same image gives another disk.
const rootFormat = 1

// rootDisk returns the path of an image's disk, building it where the cache
// doesn't have it. Its name is the digest of what it was made of.
func rootDisk(ctx context.Context, cache string, r image.Ref) (string, error) {
	digest, err := digestOf(r)
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "rootdisk")
	name := sha256.Sum256(fmt.Appendln(nil, rootFormat, digest))
	path := filepath.Join(dir, hex.EncodeToString(name[:])+".ext4")
	if exists(path) {
		return path, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	// It appears whole or not at all, after a power failure, too: nobody looks at what
	// is in it again.
	tmp, err := os.MkdirTemp(dir, "new-*")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(tmp)
	disk := filepath.Join(tmp, "disk")
	if err := r.WriteExt4(ctx, disk); err != nil {
		return "", err
	}
	f, err := os.Open(disk)
	if err != nil {
		return "", err
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return "", err
	}
	return path, os.Rename(disk, path)
}

// digestOf is an image's digest, which is worked out where it isn't known.
func digestOf(r image.Ref) (string, error) {
	if r.Digest != "" {
		return r.Digest, nil
	}
	digest, _, err := image.Sum(r.Dir)
	return digest, err
}
