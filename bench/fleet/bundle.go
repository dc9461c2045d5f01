package fleet

import (
	"archive/tar"
	"compress/gzip"
	"crypto/sha256"
	"debug/elf"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"lab/bench/image"
	"lab/bench/input"
	"lab/bench/owner"
	"lab/bench/usercache"
)

// A Part is what a bundle has below a name: a file or a folder of this machine, or Data.
type Part struct {
	Name string // in the bundle, below its one folder
	Path string // on this machine; "" is Data
	Data []byte
	Mode fs.FileMode // of Data
}

// Bounds of what is packed: a whole distribution's kernel has some 5,000 modules.
const (
	maxPacked = 4 << 30
	maxNames  = 100_000
)

// Parts are a bundle's: the two programs in folder dir, a static busybox, the guest
// kernel's image and folder of modules if there are any, and the texts next to the
// programs with what they link to. An error says what is missing, and the cure.
func Parts(dir, cache, kernel, modules string) ([]Part, error) {
	var out []Part
	for _, name := range []string{"lab", "lab-full"} {
		file := filepath.Join(dir, name)
		if !image.IsStatic(file) {
			return nil, fmt.Errorf("bundle: %s isn't there, or isn't a static program; fix: make build", file)
		}
		out = append(out, Part{Name: name, Path: file})
	}
	read, err := texts(dir)
	if err != nil {
		return nil, fmt.Errorf("bundle: %w", err)
	}
	out = append(out, read...)
	busybox, err := image.Busybox(cache)
	if err != nil {
		return nil, fmt.Errorf("bundle: %w; fix: make setup, or apt-get install busybox-static", err)
	}
	in := func(name string) string { return path.Join(usercache.Beside, name) }
	out = append(out, Part{Name: in(usercache.TagFile), Data: []byte(usercache.Tag), Mode: 0o644},
		Part{Name: in("busybox/bin/busybox"), Path: busybox})
	if kernel != "" {
		out = append(out, Part{Name: in("kernel/boot/" + filepath.Base(kernel)), Path: kernel})
	}
	if modules != "" {
		out = append(out, Part{Name: in("kernel/lib/modules/" + filepath.Base(modules)), Path: modules})
	}
	return out, nil
}

// WriteBundle packs the parts below one folder, top, as a gzipped tar, and returns its
// digest (64 hex digits of SHA-256). The same parts give the same bytes: names are
// sorted, and nobody's name and no time is in it.
func WriteBundle(w io.Writer, top string, parts []Part) (string, error) {
	entries, err := entriesOf(parts)
	if err != nil {
		return "", fmt.Errorf("bundle: %w", err)
	}
	sum := sha256.New()
	err = zipped(io.MultiWriter(w, sum), func(out *tar.Writer) error {
		for _, e := range entries {
			if err := e.write(out, path.Join(top, e.Name), io.Discard); err != nil {
				return fmt.Errorf("%s: %w", e.Name, err)
			}
		}
		return nil
	})
	if err != nil {
		return "", fmt.Errorf("bundle: %w", err)
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// A packed is one entry of the archive.
type packed struct {
	Part
	header tar.Header
}

// entriesOf are all files, folders and links below the parts, sorted by name.
func entriesOf(parts []Part) ([]packed, error) {
	var out []packed
	folders := map[string]bool{}
	size := int64(0)
	add := func(p packed) error {
		for d := path.Dir(p.Name); d != "." && !folders[d]; d = path.Dir(d) {
			folders[d] = true
			out = append(out, packed{Part{Name: d}, tar.Header{Typeflag: tar.TypeDir, Mode: 0o755}})
		}
		if p.header.Typeflag == tar.TypeDir {
			if folders[p.Name] {
				return nil
			}
			folders[p.Name] = true
		}
		out, size = append(out, p), size+p.header.Size
		if size > maxPacked || len(out) > maxNames {
			return errors.New("more than 4 GiB, or than 100,000 files")
		}
		return nil
	}
	for _, p := range parts {
		if p.Path == "" {
			if err := add(packed{p, tar.Header{Typeflag: tar.TypeReg, Mode: int64(p.Mode.Perm()), Size: int64(len(p.Data))}}); err != nil {
				return nil, err
			}
			continue
		}
		from := p.Path
		if real, err := filepath.EvalSymlinks(from); err == nil {
			from = real
		}
		err := input.Walk(from, func(file, rel string, info fs.FileInfo) error {
			name := path.Join(p.Name, filepath.ToSlash(rel))
			x := packed{Part{Name: name, Path: file}, tar.Header{Mode: 0o644}}
			switch m := info.Mode(); {
			case m.IsRegular():
				x.header.Typeflag, x.header.Size = tar.TypeReg, info.Size()
			case m.IsDir():
				x.header.Typeflag = tar.TypeDir
			case m&fs.ModeSymlink != 0:
				to, err := os.Readlink(file)
				// A folder of modules has links to the sources that it was built from.
				if err != nil || filepath.IsAbs(to) || !filepath.IsLocal(filepath.Join(filepath.Dir(rel), to)) {
					return err
				}
				x.header.Typeflag, x.header.Linkname = tar.TypeSymlink, to
			default:
				return nil
			}
			if info.Mode().Perm()&0o111 != 0 {
				x.header.Mode = 0o755
			}
			return add(x)
		})
		if err != nil {
			return nil, err
		}
	}
	slices.SortFunc(out, func(a, b packed) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

// zipped writes a gzipped tar.
func zipped(w io.Writer, fill func(*tar.Writer) error) error {
	zip, err := gzip.NewWriterLevel(w, gzip.BestSpeed)
	if err != nil {
		return err
	}
	out := tar.NewWriter(zip)
	if err := fill(out); err != nil {
		return err
	}
	return errors.Join(out.Close(), zip.Close())
}

// machineOf is what uname -m says of the machines that an archive's lab runs on, by its
// ELF header (e_machine).
func machineOf(archive io.Reader) (string, error) {
	zip, err := gzip.NewReader(archive)
	if err != nil {
		return "", err
	}
	files := tar.NewReader(zip)
	for range maxNames {
		h, err := files.Next()
		if err != nil {
			return "", err
		}
		if name := path.Clean(h.Name); path.Base(name) != "lab" || strings.Count(name, "/") != 1 || h.Typeflag != tar.TypeReg {
			continue
		}
		var head [20]byte
		if _, err := io.ReadFull(files, head[:]); err != nil {
			return "", err
		}
		switch m := elf.Machine(binary.LittleEndian.Uint16(head[18:])); m {
		case elf.EM_X86_64:
			return "x86_64", nil
		case elf.EM_AARCH64:
			return "aarch64", nil
		default:
			return "", fmt.Errorf("its lab is for %v", m)
		}
	}
	return "", errors.New("it has no lab")
}

// write writes an entry as name, and its bytes to also.
func (p *packed) write(out *tar.Writer, name string, also io.Writer) error {
	h := p.header
	h.Name, h.Format, h.ModTime = name, tar.FormatGNU, time.Unix(0, 0) // dpkg knows no PAX
	if h.Typeflag == tar.TypeDir {
		h.Name += "/"
	}
	if err := out.WriteHeader(&h); err != nil || h.Typeflag != tar.TypeReg {
		return err
	}
	if p.Path == "" {
		_, err := io.MultiWriter(out, also).Write(p.Data)
		return err
	}
	f, err := input.Open(p.Path)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.CopyN(io.MultiWriter(out, also), f, h.Size)
	return err
}

// SaveBundle writes a bundle into a file, in one step, and returns its digest and size.
// The file belongs to uid and gid.
func SaveBundle(file, top string, parts []Part, uid, gid int) (digest string, size int64, err error) {
	return save(file, uid, gid, func(w io.Writer) (string, error) { return WriteBundle(w, top, parts) })
}

// save makes a file in one step of what write writes, which returns its digest.
func save(file string, uid, gid int, write func(io.Writer) (string, error)) (digest string, size int64, err error) {
	// What is renamed there would be in the place of /dev/null, for everybody.
	if st, err := os.Stat(file); err == nil && !st.Mode().IsRegular() {
		return "", 0, fmt.Errorf("bundle: %s is there, and no regular file; fix: another name with -o", file)
	}
	tmp, err := unnamed(filepath.Dir(file))
	if err != nil {
		return "", 0, fmt.Errorf("bundle: %w", err)
	}
	named := false
	defer func() {
		if named {
			tmp.Close()
		} else {
			discard(tmp)
		}
	}()
	if digest, err = write(tmp); err != nil {
		return "", 0, err
	}
	st, err := tmp.Stat()
	if err == nil {
		err = errors.Join(tmp.Chmod(0o644), owner.Courtesy(tmp.Chown(uid, gid)))
	}
	if err == nil {
		err = name(tmp, file)
		named = err == nil
	}
	if err != nil {
		return "", 0, fmt.Errorf("bundle: %w", err)
	}
	return digest, st.Size(), nil
}
