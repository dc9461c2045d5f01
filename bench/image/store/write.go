package store

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"lab/bench/image"
	"lab/bench/image/layer"
	"lab/bench/input"
)

// marker is the file that marks a folder as a store.
const marker = "lab-images"

// half begins the name of what isn't whole yet.
const half = ".new-"

// version is the store's format.
const version = "1\n"

// A Writer may change a store. There is one at a time; others wait.
type Writer struct {
	*Store
	lock *os.File
	tmp  string // a folder of its own: what becomes part of the store is made there
	Room layer.Room
}

// Write makes the store if it isn't there, removes what an interrupted lab left
// in it, and opens it to be changed. Close it. It needs root.
func (s *Store) Write() (w *Writer, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("image store: %w", err)
		}
	}()
	if os.Geteuid() != 0 {
		return nil, errors.New("an image's files belong to users of its own, which only root can give them; sudo lab image …")
	}
	if err := s.own(); err != nil {
		return nil, err
	}
	lock, err := os.Open(s.dir)
	if err != nil {
		return nil, err
	}
	w = &Writer{Store: s, lock: lock}
	if err = unix.Flock(int(lock.Fd()), unix.LOCK_EX); err == nil {
		err = w.create()
	}
	if err == nil {
		w.Room, err = s.room()
	}
	if err != nil {
		lock.Close()
		return nil, err
	}
	return w, nil
}

// Close lets others change the store.
func (w *Writer) Close() error { return errors.Join(os.RemoveAll(w.tmp), w.lock.Close()) }

// own makes the store's folder. One that is there must be root's.
func (s *Store) own() error {
	if err := os.MkdirAll(filepath.Dir(s.dir), 0o755); err != nil {
		return err
	}
	if err := os.Mkdir(s.dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	var st unix.Stat_t
	if err := unix.Lstat(s.dir, &st); err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFDIR || st.Uid != 0 {
		return fmt.Errorf("%s isn't a folder of root's; remove it, or name another cache folder with LAB_CACHE", s.dir)
	}
	return nil
}

// create marks the folder as a store, if it is empty, and makes what is in one. It
// removes what an interrupted lab left.
func (w *Writer) create() error {
	got, err := input.ReadFile(filepath.Join(w.dir, marker), 100)
	fresh := errors.Is(err, fs.ErrNotExist)
	switch {
	case fresh:
		names, err := os.ReadDir(w.dir)
		if err != nil || slices.ContainsFunc(names, func(e fs.DirEntry) bool { return !strings.HasPrefix(e.Name(), half) }) {
			return errors.Join(err, fmt.Errorf("%s is full of something else than images; remove it, or name another cache folder with LAB_CACHE", w.dir))
		}
	case err != nil:
		return err
	case string(got) != version:
		return fmt.Errorf("%s has format %q, and this lab's is %q; use the lab that made it, or remove it", w.dir, strings.TrimSpace(string(got)), strings.TrimSpace(version))
	}
	if err := w.sweep(); err != nil {
		return err
	}
	if w.tmp, err = os.MkdirTemp(w.dir, half); err != nil {
		return err
	}
	if fresh {
		if err := w.put(marker, []byte(version)); err != nil {
			return err
		}
	}
	for dir, mode := range map[string]fs.FileMode{"": 0o755, "names": 0o755, "images": 0o755, "blobs/sha256": 0o700, "layers": 0o700, "trees": 0o700} {
		d := filepath.Join(w.dir, dir)
		if err := os.MkdirAll(d, mode); err != nil {
			return err
		}
		if err := os.Chmod(d, mode); err != nil { // whatever the umask is
			return err
		}
	}
	return nil
}

// sweep removes what was half made.
func (s *Store) sweep() error {
	left, err := filepath.Glob(filepath.Join(s.dir, half+"*"))
	for _, h := range left {
		err = errors.Join(err, os.RemoveAll(h))
	}
	return err
}

// Bounds of one image.
const (
	maxEntries = 1_000_000
	maxBytes   = 128 << 30
	spare      = 1 << 30 // that stays free on the disk
)

// room is what one image may take: what the disk has, and not beyond the bounds.
func (s *Store) room() (layer.Room, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(s.dir, &st); err != nil {
		return layer.Room{}, err
	}
	free := int64(st.Bavail)*st.Bsize - spare
	if free <= 0 {
		return layer.Room{}, fmt.Errorf("less than %d GiB are free at %s; lab image rm removes images", spare>>30, s.dir)
	}
	// A file's bytes are counted twice: in the archive, and as a file.
	return layer.Room{Entries: maxEntries, Bytes: min(maxBytes, free)}, nil
}

func (s *Store) blob(digest string) string { return filepath.Join(s.dir, "blobs/sha256", bare(digest)) }

// Has says whether a blob is there.
func (s *Store) Has(digest string) bool {
	_, err := os.Lstat(s.blob(digest))
	return isWhole(digest) && err == nil
}

// Open opens a blob.
func (s *Store) Open(digest string) (*os.File, error) {
	if !isWhole(digest) {
		return nil, fmt.Errorf("%q is no SHA-256 digest", digest)
	}
	return input.Open(s.blob(digest))
}

// Blob keeps what r has to its end, of at most limit bytes, and returns its
// digest and length. With a digest given, it must be that one.
func (w *Writer) Blob(r io.Reader, digest string, limit int64) (string, int64, error) {
	f, err := os.CreateTemp(w.tmp, "blob-")
	if err != nil {
		return "", 0, err
	}
	defer os.Remove(f.Name())
	h := sha256.New()
	limit = min(limit, w.Room.Bytes)
	n, err := io.Copy(io.MultiWriter(f, h), io.LimitReader(r, limit+1))
	w.Room.Bytes -= n
	if err = errors.Join(err, f.Close()); err != nil {
		return "", n, err
	}
	got := "sha256:" + hex.EncodeToString(h.Sum(nil))
	switch {
	case n > limit:
		return "", n, fmt.Errorf("%w: it has more than the %d bytes that are read of it", layer.ErrRoom, limit)
	case digest != "" && got != digest:
		return "", n, fmt.Errorf("its digest is %s, and it is said to be %s: it was changed, or is only a part; get it again", got, digest)
	}
	return got, n, os.Rename(f.Name(), w.blob(got))
}

// Layer keeps the tree of a layer's uncompressed archive, which must have the
// digest. One that is there already isn't read.
func (w *Writer) Layer(r io.Reader, digest string) (left layer.Left, err error) {
	if !isWhole(digest) {
		return left, fmt.Errorf("%q is no SHA-256 digest", digest)
	}
	to := filepath.Join(w.dir, "layers", bare(digest))
	if _, err := os.Lstat(to); err == nil {
		return left, nil
	}
	tmp, err := os.MkdirTemp(w.tmp, "layer-")
	if err != nil {
		return left, err
	}
	if err := os.Chmod(tmp, 0o755); err != nil {
		return left, err
	}
	h := sha256.New()
	if left, err = layer.Unpack(io.TeeReader(r, h), tmp, &w.Room); err != nil {
		return left, err
	}
	if got := "sha256:" + hex.EncodeToString(h.Sum(nil)); got != digest {
		return left, fmt.Errorf("its content's digest is %s, and the configuration says %s: the image was changed, or its layers are in a wrong order; get it again", got, digest)
	}
	return left, os.Rename(tmp, to)
}

// Commit makes an image of what is there: its tree, its record, and its name, if
// it is given one. Tree, Size and Stacked are filled in.
func (w *Writer) Commit(i Image, name string) (Image, error) {
	if name != "" {
		if err := CheckName(name); err != nil {
			return i, err
		}
	}
	var dirs []string
	for _, l := range i.Layers {
		dirs = append(dirs, filepath.Join(w.dir, "layers", bare(l)))
	}
	tree := filepath.Join(w.dir, "trees", bare(i.Digest))
	old, err := w.read(i.Digest)
	if _, terr := os.Lstat(tree); err != nil || terr != nil {
		tmp := filepath.Join(w.tmp, "tree")
		if err := os.Mkdir(tmp, 0o755); err != nil {
			return i, err
		}
		if err := layer.Merge(dirs, tmp); err != nil {
			return i, err
		}
		if i.Tree, i.Size, err = image.Sum(tmp); err != nil {
			return i, err
		}
		if i.Stacked, err = layer.Stackable(dirs); err != nil {
			return i, err
		}
		if err := os.RemoveAll(tree); err != nil { // of a record that was lost
			return i, err
		}
		if err := os.Rename(tmp, tree); err != nil {
			return i, err
		}
	} else {
		i = old
	}
	// A record stands for what is on the disk: after a power failure, too.
	if err := unix.Syncfs(int(w.lock.Fd())); err != nil {
		return i, err
	}
	data, err := json.MarshalIndent(i, "", " ")
	if err != nil {
		return i, err
	}
	if err := w.put(filepath.Join("images", bare(i.Digest)), data); err != nil || name == "" {
		return i, err
	}
	i.Names = []string{name}
	return i, w.Name(name, i.Digest)
}

// Name gives an image a name, which another may have had.
func (w *Writer) Name(name, digest string) error {
	if err := CheckName(name); err != nil {
		return err
	}
	rel, err := filepath.Rel(w.dir, w.name(name))
	if err != nil {
		return err
	}
	return w.put(rel, []byte(digest+"\n"))
}

// Folder makes an empty folder that goes with the Writer.
func (w *Writer) Folder() (string, error) { return os.MkdirTemp(w.tmp, "folder-") }

// put writes a small file whole.
func (w *Writer) put(rel string, data []byte) error {
	tmp := filepath.Join(w.tmp, "file")
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, bytes.NewReader(data))
	if err = errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(tmp, filepath.Join(w.dir, rel))
}
