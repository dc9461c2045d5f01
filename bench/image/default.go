package image

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"lab/bench/input"
	"lab/bench/owner"
	"lab/bench/probe"
)

// Where the default image has the lab's own programs.
const (
	ReadyPath = "/bin/ready" // the startup scenario's workload
	StayPath  = "/bin/stay"  // the same, which stays until it is ended
	ProbePath = "/bin/probe" // what measures inside (bench/probe/program)
)

// DefaultDir is where the default image lies in a cache folder.
func DefaultDir(cache string) string { return filepath.Join(cache, "image", "default") }

// maxProgram is more than any program of the default image has.
const maxProgram = 256 << 20

// ErrNoBusybox is returned by MakeDefault where no static busybox is
// installed.
var ErrNoBusybox = errors.New("no static busybox on this machine")

// Default is the default image in the cache folder, as it was made: where there
// is none of this lab's, or it was changed since, it is made (again), and then
// belongs to uid and gid. more is what else is in it. With read all its bytes
// are read; else its stamp tells.
func Default(cache string, read bool, uid, gid int, more ...Entry) (Ref, error) {
	if IsCurrent(cache, more...) && !read {
		s := readStamp(stampFile(cache))
		return Ref{Name: "default", Dir: DefaultDir(cache), Digest: s.digest, Size: s.size}, nil
	}
	parent := filepath.Dir(DefaultDir(cache))
	if err := makeFolder(parent); err != nil {
		return Ref{}, fmt.Errorf("default image: %w", err)
	}
	// One at a time; who comes second finds it made.
	lock, err := os.Open(parent)
	if err == nil {
		defer lock.Close()
		err = unix.Flock(int(lock.Fd()), unix.LOCK_EX)
	}
	if err != nil {
		return Ref{}, fmt.Errorf("default image: lock: %w", err)
	}
	programs, err := fingerprint(more)
	if err != nil {
		return Ref{}, fmt.Errorf("default image: %w", err)
	}
	if s := readStamp(stampFile(cache)); s != nil && s.programs == programs {
		// A cache that was copied or restored has other times, and the same
		// bytes.
		if r, err := Open(DefaultDir(cache)); err == nil && r.Digest == s.digest {
			if !s.holds(r.Dir) {
				err = putStamp(cache, r, programs, uid, gid)
			}
			return r, err
		}
	}
	return MakeDefault(cache, uid, gid, more...)
}

// MakeDefault makes the default image in the cache folder, in place of an
// earlier one: the lab's own programs and the distribution's static busybox
// with a link for each of its applets, so that a shell works in every
// environment; and what more names. What it makes belongs to uid and gid.
func MakeDefault(cache string, uid, gid int, more ...Entry) (r Ref, err error) {
	defer func() {
		if err != nil {
			r, err = Ref{}, fmt.Errorf("default image: %w", err)
		}
	}()
	busybox, err := Busybox(cache)
	if err != nil {
		return r, err
	}
	parent := filepath.Dir(DefaultDir(cache))
	if err := makeFolder(parent); err != nil {
		return r, err
	}
	tmp, err := os.MkdirTemp(parent, ".new-")
	if err != nil {
		return r, err
	}
	defer os.RemoveAll(tmp)
	if err := fill(tmp, busybox, more); err != nil {
		return r, err
	}
	if err := chown(tmp, uid, gid); err != nil {
		return r, err
	}
	dir := DefaultDir(cache)
	// Two names can't be exchanged by os.Rename where the target is a full
	// folder; the gap between these two calls is seen only by somebody who
	// makes the image and runs it at the same time.
	if err := os.RemoveAll(dir); err != nil {
		return r, err
	}
	if err := os.Rename(tmp, dir); err != nil {
		return r, err
	}
	for _, d := range []string{cache, parent} {
		if err := owner.Courtesy(os.Lchown(d, uid, gid)); err != nil {
			return r, err
		}
	}
	if r, err = Open(dir); err != nil {
		return r, err
	}
	programs, err := fingerprint(more)
	if err != nil {
		return r, err
	}
	return r, putStamp(cache, r, programs, uid, gid)
}

// makeFolder makes a folder and those above it, with the modes that others need
// whatever the umask is.
func makeFolder(dir string) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	if err := makeFolder(filepath.Dir(dir)); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return os.Chmod(dir, 0o755)
}

func putStamp(cache string, r Ref, programs string, uid, gid int) error {
	s, err := newStamp(r.Dir, r.Digest, r.Size, programs)
	if err != nil {
		return err
	}
	return s.write(stampFile(cache), uid, gid)
}

// IsCurrent says whether the cache folder has a default image that nobody
// changed since it was made; and, where more is given, whether these files are
// in it: one that an earlier lab made has other programs.
func IsCurrent(cache string, more ...Entry) bool {
	s := readStamp(stampFile(cache))
	if s == nil || !s.holds(DefaultDir(cache)) {
		return false
	}
	if len(more) == 0 {
		return true
	}
	programs, err := fingerprint(more)
	return err == nil && programs == s.programs
}

// Busybox finds a busybox that needs no library, for the cache's default image: in an image without any,
// a dynamic one can't start. The set-up unpacks one into the cache where the
// machine has a dynamic one, which it mustn't replace.
func Busybox(cache string) (string, error) {
	for _, name := range []string{filepath.Join(cache, "busybox/bin/busybox"), "/bin/busybox", "/usr/bin/busybox", "/usr/bin/busybox-static", "/sbin/busybox", "/usr/sbin/busybox"} {
		if IsStatic(name) {
			return name, nil
		}
	}
	return "", ErrNoBusybox
}

// IsStatic says whether a file is an ELF program of 64 bits that names no loader: it
// then runs in any file tree. (Package debug/elf would be linked into the program that
// starts fast.)
func IsStatic(name string) bool {
	f, err := input.Open(name)
	if err != nil {
		return false
	}
	defer f.Close()
	head := make([]byte, 4096) // program headers are behind the header
	n, _ := f.ReadAt(head, 0)
	if head = head[:n]; n < 64 || string(head[:6]) != "\x7fELF\x02\x01" {
		return false
	}
	const interp = 3 // PT_INTERP
	le := binary.LittleEndian
	at, size := le.Uint64(head[32:]), uint64(le.Uint16(head[54:]))
	for range le.Uint16(head[56:]) {
		if at > uint64(n-4) || le.Uint32(head[at:]) == interp {
			return false
		}
		at += size
	}
	return true
}

// ownPrograms are those of the lab's own that are machine code by hand.
func ownPrograms() ([]Entry, error) {
	ready, err := probe.Ready(runtime.GOARCH)
	if err != nil {
		return nil, err
	}
	stay, err := probe.Stay(runtime.GOARCH)
	return []Entry{{Name: ReadyPath, Data: ready, Mode: 0o755}, {Name: StayPath, Data: stay, Mode: 0o755}}, err
}

func fill(root, busybox string, more []Entry) error {
	if err := os.Chmod(root, 0o755); err != nil {
		return err
	}
	for _, d := range []string{"bin", "dev", "etc", "proc", "root", "run", "sys", "usr", "usr/bin", "usr/sbin", "sbin", "var"} {
		if err := makeFolder(filepath.Join(root, d)); err != nil {
			return err
		}
	}
	tmp := filepath.Join(root, "tmp")
	if err := os.Mkdir(tmp, 0o755); err != nil {
		return err
	}
	if err := os.Chmod(tmp, 0o777|os.ModeSticky); err != nil {
		return err
	}
	own, err := ownPrograms()
	if err != nil {
		return err
	}
	bb, err := input.ReadFile(busybox, maxProgram)
	if err != nil {
		return err
	}
	for _, f := range slices.Concat(own, []Entry{
		{Name: "bin/busybox", Data: bb, Mode: 0o755},
		{Name: "etc/passwd", Data: []byte("root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n"), Mode: 0o644},
		{Name: "etc/group", Data: []byte("root:x:0:\nnogroup:x:65534:\n"), Mode: 0o644},
		{Name: "etc/hosts", Data: []byte("127.0.0.1\tlocalhost\n::1\tlocalhost\n"), Mode: 0o644},
	}, more) {
		name := filepath.Join(root, f.Name)
		if err := os.WriteFile(name, f.Data, f.Mode.Perm()); err != nil {
			return err
		}
		if err := os.Chmod(name, f.Mode.Perm()); err != nil { // whatever the umask is
			return err
		}
	}
	list, err := exec.Command(busybox, "--list").Output()
	if err != nil {
		return fmt.Errorf("%s --list: %w", busybox, err)
	}
	for applet := range strings.Lines(string(list)) {
		applet = strings.TrimSpace(applet)
		if applet == "" || applet == "busybox" || strings.Contains(applet, "/") {
			continue
		}
		// Relative, so that the links hold on the host, too, where the
		// image is a folder among others.
		if err := os.Symlink("busybox", filepath.Join(root, "bin", applet)); err != nil {
			return err
		}
	}
	return nil
}

func chown(dir string, uid, gid int) error {
	return input.Walk(dir, func(name, _ string, _ fs.FileInfo) error { return owner.Courtesy(os.Lchown(name, uid, gid)) })
}
