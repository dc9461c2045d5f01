// Package input reads files that somebody else made: regular files alone, and
// not beyond a bound. A named pipe would be waited for without an end, and a
// device or a file of holes read until the memory is gone.
package input

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// ErrKind is wrapped by errors about what is no regular file.
var ErrKind = errors.New("only a regular file is read")

// ErrSize is wrapped by errors about what is larger than its bound.
var ErrSize = errors.New("too large")

// Open opens a regular file to be read.
func Open(name string) (*os.File, error) {
	// Asked before it is opened, too: opening some devices does something.
	st, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if err := regular(name, st); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(name, os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	return opened(name, f, err)
}

// ReadFile reads a regular file of at most limit bytes.
func ReadFile(name string, limit int64) ([]byte, error) {
	f, err := Open(name)
	return read(name, f, limit, err)
}

// Kernel reads a file that the kernel makes as it is read, in /proc for instance. Its
// size isn't known before, and os.ReadFile would make a poller for the program first, and
// ask it about each.
func Kernel(name string) ([]byte, error) {
	fd, err := unix.Open(name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	defer unix.Close(fd)
	data := make([]byte, 0, 4096)
	for {
		n, err := unix.Read(fd, data[len(data):cap(data)])
		switch {
		case err == unix.EINTR:
		case err != nil:
			return data, &fs.PathError{Op: "read", Path: name, Err: err}
		case n == 0:
			return data, nil
		default:
			data = slices.Grow(data[:len(data)+n], 512)
		}
	}
}

// OpenFolder opens a folder for its lock, and no link in its place. os.Open would
// make a poller for the program first, and then find that a folder can't be polled.
func OpenFolder(dir string) (*os.File, error) {
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: dir, Err: err}
	}
	return os.NewFile(uintptr(fd), dir), nil
}

// ReadNamed is ReadFile of what the user names on the command line for this alone, and
// reads a pipe, too: <(…) of a shell. Like cat it waits for the pipe's end.
func ReadNamed(name string, limit int64) ([]byte, error) {
	st, err := os.Stat(name)
	if err != nil || st.Mode()&fs.ModeNamedPipe == 0 {
		return ReadFile(name, limit)
	}
	f, err := os.Open(name)
	return read(name, f, limit, err)
}

// OpenRoot opens a folder, out of which no link leads.
func OpenRoot(dir string) (*os.Root, error) {
	st, err := os.Stat(dir)
	if err == nil && !st.IsDir() {
		err = &fs.PathError{Op: "open", Path: dir, Err: unix.ENOTDIR}
	}
	if err != nil {
		return nil, err
	}
	return os.OpenRoot(dir)
}

// OpenIn is Open for a file below a folder.
func OpenIn(root *os.Root, name string) (*os.File, error) {
	st, err := root.Stat(name)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", root.Name(), err)
	}
	path := root.Name() + "/" + name
	if err := regular(path, st); err != nil {
		return nil, err
	}
	f, err := root.OpenFile(name, os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	return opened(path, f, err)
}

// ReadIn is ReadFile for a file below a folder.
func ReadIn(root *os.Root, name string, limit int64) ([]byte, error) {
	f, err := OpenIn(root, name)
	return read(root.Name()+"/"+name, f, limit, err)
}

func opened(name string, f *os.File, err error) (*os.File, error) {
	if err != nil {
		return nil, err
	}
	if err := Regular(name, f); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// Regular is an error where an open file isn't a regular one; name is for it.
func Regular(name string, f *os.File) error {
	st, err := f.Stat()
	if err != nil {
		return err
	}
	return regular(name, st)
}

func read(name string, f *os.File, limit int64, err error) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if err := Fits(name, st.Size(), limit); err != nil { // before any of it is read
		return nil, err
	}
	// It may grow, and some files of the kernel's say that they are empty.
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, err
	}
	return data, Fits(name, int64(len(data)), limit)
}

// Fits is an error where a file's size is beyond the bound.
func Fits(name string, size, limit int64) error {
	if size <= limit {
		return nil
	}
	unit, by := "KiB", int64(1<<10)
	if limit >= 1<<20 {
		unit, by = "MiB", 1<<20
	}
	return fmt.Errorf("%s: %w: it has more than %d %s, the most that is read of such a file", name, ErrSize, limit/by, unit)
}

// Text is what somebody wrote with an editor: without the mark that Windows' put
// before it, and with lines that end as ours do.
func Text(data []byte) string {
	return strings.ReplaceAll(strings.TrimPrefix(string(data), "\ufeff"), "\r\n", "\n")
}

// Shallow is an error about a YAML text whose lists are nested deeper than any of ours:
// its reader takes time by the square of that.
func Shallow(text string) error {
	depth, most := 0, 0
	for _, r := range text {
		switch r {
		case '[', '{':
			depth++
		case ']', '}':
			depth = max(0, depth-1)
		}
		most = max(most, depth)
	}
	if most > 100 || strings.Contains(text, strings.Repeat("- ", 100)) {
		return errors.New("lists within lists more than 100 deep")
	}
	return nil
}

func regular(name string, st fs.FileInfo) error {
	kind := "a device"
	switch m := st.Mode(); {
	case m.IsRegular():
		return nil
	case m.IsDir():
		kind = "a folder"
	case m&fs.ModeNamedPipe != 0:
		kind = "a pipe"
	case m&fs.ModeSocket != 0:
		kind = "a socket"
	}
	return fmt.Errorf("%s is %s: %w", name, kind, ErrKind)
}

// Walk calls f for the tree at dir, itself included as ".", and all that is in it, in
// the order of their names: name is a path, rel the one from dir on. Links aren't
// followed. An error ends it.
func Walk(dir string, f func(name, rel string, info fs.FileInfo) error) error {
	return filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, name)
		if err != nil {
			return err
		}
		return f(name, rel, info)
	})
}
