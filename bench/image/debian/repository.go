package debian

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// Repository is the folder in a cache folder that [Fetch] fills for some packages.
func Repository(cache string, packages []string) string {
	sum := sha256.Sum256([]byte(include(packages)))
	return filepath.Join(cache, "repositories", hex.EncodeToString(sum[:8]))
}

// HasRepository says whether a folder is one that Fetch has filled.
func HasRepository(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "Packages"))
	return err == nil
}

// Fetch fills the folder dir, which it makes, with the packages of every Debian and
// the named ones with what they need, from this machine's own sources: a repository,
// which [Install] installs from without a network. It needs root and mmdebstrap.
func Fetch(ctx context.Context, dir string, packages []string) error {
	if _, err := exec.LookPath("mmdebstrap"); err != nil {
		return errors.New("mmdebstrap isn't installed; fix: apt-get install mmdebstrap")
	}
	suite, sources, err := sources(ctx)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	// A tree that is thrown away: its packages are kept (mmdebstrap(1), on caching).
	err = mmdebstrap(ctx, "minbase", packages, suite, os.DevNull, sources, "--format=null",
		"--skip=download/empty", "--skip=essential/unlink", "--skip=cleanup/apt/cache",
		"--customize-hook=sync-out /var/cache/apt/archives '"+dir+"'")
	if err != nil {
		return err
	}
	return index(ctx, dir)
}

// index writes the list of a folder's packages that apt reads (deb822(5)), last and
// whole.
func index(ctx context.Context, dir string) error {
	files, err := filepath.Glob(filepath.Join(dir, "*.deb"))
	if err != nil {
		return err
	}
	if len(files) == 0 {
		return fmt.Errorf("%s: no package in it", dir)
	}
	slices.Sort(files)
	var list bytes.Buffer
	for _, file := range files {
		fields, err := exec.CommandContext(ctx, "dpkg-deb", "--field", file).Output()
		if err != nil {
			return fmt.Errorf("dpkg-deb: %s: %w", file, err)
		}
		data, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		fmt.Fprintf(&list, "%s\nFilename: %s\nSize: %d\nSHA256: %x\n\n", bytes.TrimSpace(fields), filepath.Base(file), len(data), sha256.Sum256(data))
	}
	name := filepath.Join(dir, "Packages")
	if err := os.WriteFile(name+".new", list.Bytes(), 0o644); err != nil {
		return err
	}
	return os.Rename(name+".new", name)
}

// Install makes the tree that [Make] makes, in the folder dir, which must be empty,
// of a repository that Fetch has filled: it needs root and mmdebstrap, and no network.
func Install(ctx context.Context, dir, repository string, packages []string) error {
	return install(ctx, "minbase", dir, repository, packages)
}

func install(ctx context.Context, variant, dir, repository string, packages []string) error {
	if strings.ContainsAny(repository, " \t\n") {
		return fmt.Errorf("%s: apt takes no name with a space; fix: LAB_CACHE=DIR without one", repository)
	}
	source := []string{"deb [trusted=yes] copy:" + repository + " ./"}
	// The cache folder may be closed to apt's own user.
	if err := mmdebstrap(ctx, variant, packages, "", dir, source, // of any release: the repository has none
		`--aptopt=APT::Sandbox::User "root"`); err != nil {
		return err
	}
	return settle(dir)
}
