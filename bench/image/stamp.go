package image

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"lab/bench/input"
	"lab/bench/owner"
)

// A stamp is a text file beside a stored image that says what the image was
// when it was made: its digest, and mode, size and ctime of each folder and
// file in it. Nobody can set a ctime, and each change of a file's bytes or mode
// sets it, as each entry that is added to a folder, removed or replaced sets the
// folder's. So a few dozen lstats tell whether anything was changed, where the
// digest would have all bytes read. Links are left out: one can't be changed,
// only replaced.
type stamp struct {
	digest   string
	size     int64
	programs string   // fingerprint of the programs that the lab put in
	entries  []string // one line each, see entry
}

const stampFormat = "lab image stamp 1"

// stampFile is where the default image's lies.
func stampFile(cache string) string { return DefaultDir(cache) + ".stamp" }

// fingerprint tells a lab's programs from another lab's.
func fingerprint(more []Entry) (string, error) {
	own, err := ownPrograms()
	if err != nil {
		return "", err
	}
	h := sha256.New()
	for _, e := range append(own, more...) {
		fmt.Fprintf(h, "%s %o %d\n", e.Name, e.Mode, len(e.Data))
		h.Write(e.Data)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// entry is a line about a file or folder of the tree that root is open on; ""
// about what has none.
func entry(root int, name string) (string, time.Time, error) {
	var st unix.Stat_t
	if err := unix.Fstatat(root, name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return "", time.Time{}, &os.PathError{Op: "lstat", Path: name, Err: err}
	}
	changed := time.Unix(st.Ctim.Unix())
	if st.Mode&unix.S_IFMT == unix.S_IFLNK {
		return "", changed, nil
	}
	b := strconv.AppendUint(make([]byte, 0, 64+len(name)), uint64(st.Mode), 8)
	b = strconv.AppendInt(append(b, ' '), st.Size, 10)
	b = strconv.AppendInt(append(b, ' '), changed.UnixNano(), 10)
	return string(strconv.AppendQuote(append(b, ' '), name)), changed, nil
}

// tick is longer than the time between two steps of the clock that ctimes are
// taken from: 10 ms where the kernel ticks a hundred times a second.
const tick = 20 * time.Millisecond

// newStamp describes the tree at root.
func newStamp(root, digest string, size int64, programs string) (*stamp, error) {
	s := &stamp{digest: digest, size: size, programs: programs}
	var newest time.Time
	dir, err := unix.Open(root, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: root, Err: err}
	}
	defer unix.Close(dir)
	err = input.Walk(root, func(_, rel string, _ fs.FileInfo) error {
		line, changed, err := entry(dir, rel)
		if line != "" {
			s.entries = append(s.entries, line)
		}
		if changed.After(newest) {
			newest = changed
		}
		return err
	})
	// Whatever changes it next does so in a later step of the clock.
	if age := time.Since(newest); age < tick {
		time.Sleep(tick - max(age, 0))
	}
	return s, err
}

// holds says whether the tree at root is what it was.
func (s *stamp) holds(root string) bool {
	dir, err := unix.Open(root, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer unix.Close(dir)
	for _, line := range s.entries {
		f := strings.SplitN(line, " ", 4)
		name, err := strconv.Unquote(f[len(f)-1])
		if err != nil {
			return false
		}
		if now, _, err := entry(dir, name); err != nil || now != line {
			return false
		}
	}
	return true
}

func (s *stamp) write(name string, uid, gid int) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n%s\n%d\n%s\n", stampFormat, s.digest, s.size, s.programs)
	for _, line := range s.entries {
		fmt.Fprintln(&b, line)
	}
	f, err := os.CreateTemp(filepath.Dir(name), ".stamp-")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // fails once it was renamed
	defer f.Close()
	if _, err := f.WriteString(b.String()); err != nil {
		return err
	}
	if err := owner.Courtesy(f.Chown(uid, gid)); err != nil {
		return err
	}
	if err := f.Chmod(0o644); err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}

// readStamp reads one; nil where there is none that can be read.
func readStamp(name string) *stamp {
	// Not by os.Open, which makes a poller for the program first.
	fd, err := unix.Open(name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if unix.Fstat(fd, &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFREG || st.Size > 1<<20 {
		return nil
	}
	text := make([]byte, st.Size)
	if n, err := unix.Read(fd, text); err != nil || n < len(text) {
		return nil
	}
	lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	if len(lines) < 5 || lines[0] != stampFormat {
		return nil
	}
	size, err := strconv.ParseInt(lines[2], 10, 64)
	if err != nil {
		return nil
	}
	return &stamp{digest: lines[1], size: size, programs: lines[3], entries: lines[4:]}
}
