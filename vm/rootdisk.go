package vm

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path/filepath"

	"lab/bench/image"
	"lab/bench/usercache"
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
	name := sha256.Sum256(fmt.Appendln(nil, rootFormat, digest))
	return usercache.Keep(filepath.Join(cache, "rootdisk", hex.EncodeToString(name[:])+".ext4"), func(file string) error {
		return r.WriteExt4(ctx, file)
	})
}

// digestOf is an image's digest, which is worked out where it isn't known.
func digestOf(r image.Ref) (string, error) {
	if r.Digest != "" {
		return r.Digest, nil
	}
	digest, _, err := image.Sum(r.Dir)
	return digest, err
}
