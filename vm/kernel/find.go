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

// Full returns the distribution's full kernel, which has the drivers of hardware
// that no cloud has: the newest in cache/kernel-full.
func Full(cache string) (Kernel, error) { return newest(cache, "kernel-full") }

func newest(cache string, trees ...string) (Kernel, error) {
	var images []string
	for _, tree := range trees {
		found, _ := filepath.Glob(filepath.Join(cache, tree, "boot", "vmlinuz-*"))
		images = append(images, found...)
	}
	if len(images) == 0 {
		return Kernel{}, fmt.Errorf("%w (%s)", ErrNone, filepath.Join(cache, trees[0]))
	}
	image := slices.MaxFunc(images, func(a, b string) int {
		return compareVersions(filepath.Base(a), filepath.Base(b))
	})
	// Debian unpacks to lib/modules, merged-/usr systems to usr/lib/modules.
	tree := filepath.Dir(filepath.Dir(image))
	return describe(image, filepath.Join(tree, "lib/modules"), filepath.Join(tree, "usr/lib/modules"))
}

// Named returns the kernel that a user named by path. Its modules are those
// that the system has installed for its version, if any.
func Named(path string) (Kernel, error) {
	return describe(path, "/lib/modules")
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
