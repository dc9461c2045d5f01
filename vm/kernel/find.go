package kernel

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"lab/bench/input"
	"lab/bench/usercache"
)

// maxImage is more than any kernel, or module, has.
const maxImage = 256 << 20

// ErrNone is returned by [Newest] where the cache holds no kernel.
var ErrNone = errors.New("no guest kernel in the cache")

// A Kernel is one on this machine.
type Kernel struct {
	Version string // as uname -r says it in the guest
	Image   string // path of the bzImage or ELF file
	Modules string // path of lib/modules/<version>; "" where there is none
	Digest  string // "sha256:" and 64 hex digits, of the image
	Size    int64
}

// Newest returns the newest kernel in cache/kernel, where the set-up unpacks
// the distribution's packages, all together or in one folder each:
// boot/vmlinuz-<version> and lib/modules/<version>.
func Newest(cache string) (Kernel, error) { return newest(cache, "kernel", "kernel/*") }

// trees are where in a cache kernels lie: the set-up's, the full one, and those that the
// user has put beside them, one folder each.
var trees = []string{"kernel", "kernel/*", "kernel-full", "kernels/*"}

// images are the kernels in those folders of a cache.
func images(cache string, trees ...string) (out []string) {
	for _, tree := range trees {
		found, _ := filepath.Glob(filepath.Join(cache, tree, "boot", "vmlinuz-*"))
		out = append(out, found...)
	}
	return out
}

// Versions are those of the kernels in a cache, from the oldest to the newest.
func Versions(cache string) (out []string) {
	for _, image := range images(cache, trees...) {
		out = append(out, strings.TrimPrefix(filepath.Base(image), "vmlinuz-"))
	}
	slices.SortFunc(out, compareVersions)
	return slices.Compact(out)
}

// Cached returns the kernel of a version that is in the cache.
func Cached(cache, version string) (Kernel, error) {
	for _, image := range images(cache, trees...) {
		if filepath.Base(image) == "vmlinuz-"+version {
			return describe(image, modulesOf(image)...)
		}
	}
	return Kernel{}, fmt.Errorf("no guest kernel %q in the cache; there are: %s", version, strings.Join(append(Versions(cache), FullName), ", "))
}

// modulesOf are the folders that may have the modules of an image that was unpacked with
// them. Debian unpacks to lib/modules, merged-/usr systems to usr/lib/modules.
func modulesOf(image string) []string {
	tree := filepath.Dir(filepath.Dir(image))
	return []string{filepath.Join(tree, "lib/modules"), filepath.Join(tree, "usr/lib/modules")}
}

// Full returns the distribution's full kernel, which has the drivers of hardware
// that no cloud has: the newest in cache/kernel-full.
func Full(cache string) (Kernel, error) { return newest(cache, "kernel-full") }

func newest(cache string, trees ...string) (Kernel, error) {
	found := images(cache, trees...)
	if len(found) == 0 {
		return Kernel{}, fmt.Errorf("%w (%s)", ErrNone, filepath.Join(cache, trees[0]))
	}
	image := slices.MaxFunc(found, func(a, b string) int {
		return compareVersions(filepath.Base(a), filepath.Base(b))
	})
	return describe(image, modulesOf(image)...)
}

// Find returns the kernel that a user named: by its version, if it is in the cache, or by a
// path, which has a slash in it; "full" is [Full], and "" is [Newest].
func Find(cache, name string) (Kernel, error) {
	switch {
	case name == "":
		return Newest(cache)
	case name == FullName:
		return Full(cache)
	case !strings.Contains(name, "/"):
		return Cached(cache, name)
	}
	return Named(name)
}

// FullName names [Full].
const FullName = "full"

// Named returns the kernel that a user named by path. Its modules are those that were
// unpacked with it (boot/ and lib/modules/ in one folder), or that the system has
// installed for its version, if any.
func Named(path string) (Kernel, error) {
	return describe(path, append(modulesOf(path), "/lib/modules")...)
}

func describe(image string, modules ...string) (Kernel, error) {
	b, err := Kernel{Image: image}.Read()
	if err != nil {
		return Kernel{}, err
	}
	sum := sha256.Sum256(b)
	k := Kernel{Image: image, Digest: "sha256:" + hex.EncodeToString(sum[:]), Size: int64(len(b))}
	if !bytes.HasPrefix(b, []byte("\x7fELF")) {
		if _, err := parseHeader(b); err != nil {
			return Kernel{}, fmt.Errorf("guest kernel %s: %w", image, err)
		}
		k.Version = version(b)
	}
	if k.Version == "" {
		k.Version = strings.TrimPrefix(filepath.Base(image), "vmlinuz-")
	}
	for _, m := range modules {
		m = filepath.Join(m, k.Version)
		if fi, err := os.Stat(m); err == nil && fi.IsDir() {
			k.Modules = m
			break
		}
	}
	return k, nil
}

// Read returns the image's bytes.
func (k Kernel) Read() ([]byte, error) {
	b, err := input.ReadFile(k.Image, maxImage)
	if err != nil {
		return nil, fmt.Errorf("guest kernel: %w", err)
	}
	return b, nil
}

// Folder is where in a cache the unpacked kernels lie.
func Folder(cache string) string { return filepath.Join(cache, "kernel-elf") }

// ELF returns the path of the uncompressed kernel, unpacking it into the cache
// where it isn't there yet. The file's name is the image's digest, so a changed
// image is unpacked anew.
func (k Kernel) ELF(cache string) (string, error) {
	return k.keep(cache, ".elf", func(b []byte) ([]byte, error) {
		elf, err := Unpack(b)
		if err != nil {
			return nil, err
		}
		if _, ok := PVHEntry(elf); !ok {
			return nil, fmt.Errorf("%w: no PVH entry point (CONFIG_PVH)", ErrFormat)
		}
		return elf, nil
	})
}

// Packed returns the path of a copy of the image as it was distributed.
func (k Kernel) Packed(cache string) (string, error) {
	return k.keep(cache, ".bzimage", func(b []byte) ([]byte, error) { return b, nil })
}

// keep makes a file in the cache from the image.
func (k Kernel) keep(cache, suffix string, from func([]byte) ([]byte, error)) (string, error) {
	path := filepath.Join(Folder(cache), strings.TrimPrefix(k.Digest, "sha256:")+suffix)
	return usercache.Keep(path, func(file string) error {
		b, err := k.Read()
		if err != nil {
			return err
		}
		if b, err = from(b); err != nil {
			return fmt.Errorf("guest kernel %s: %w", k.Image, err)
		}
		return os.WriteFile(file, b, 0o644)
	})
}

// compareVersions orders names by their runs of digits as numbers:
// 6.1.0-9 < 6.1.0-56 < 6.12.
func compareVersions(a, b string) int {
	for a != "" && b != "" {
		na, ra := number(a)
		nb, rb := number(b)
		if na >= 0 && nb >= 0 {
			if c := cmp.Compare(na, nb); c != 0 {
				return c
			}
			a, b = ra, rb
			continue
		}
		if a[0] != b[0] {
			return cmp.Compare(a[0], b[0])
		}
		a, b = a[1:], b[1:]
	}
	return cmp.Compare(len(a), len(b))
}

// number returns the number that s begins with and the rest, or -1.
func number(s string) (int, string) {
	i := 0
	for i < len(s) && s[i] >= '0' && s[i] <= '9' {
		i++
	}
	n, err := strconv.Atoi(s[:i])
	if err != nil {
		return -1, s
	}
	return n, s[i:]
}
