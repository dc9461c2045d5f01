package main

import (
	"encoding/binary"
	"errors"
	"os"

	"golang.org/x/sys/unix"

	"lab/bench/probe/line"
)

// memory holds a known amount of memory, until the host has looked at it:
// anonymous pages, each written to, and pages of a file that it wrote and
// mapped. Then it says what its own kernel sees of them. It ends when its input
// does.
func memory(t *talk, o options) error {
	anon, err := o.number("anon", 256<<20)
	if err != nil {
		return err
	}
	file, err := o.number("file", 256<<20)
	if err != nil {
		return err
	}
	dir := o["dir"]
	if dir == "" {
		dir = "/tmp"
	}
	k := newMark(t.token)
	before := meminfo()
	var held [][]byte
	defer func() {
		for _, m := range held {
			unix.Munmap(m)
		}
	}()
	if anon > 0 {
		m, err := pages(int(anon))
		if err != nil {
			return os.NewSyscallError("mmap", err)
		}
		held = append(held, m)
		k.touch(m)
	}
	if file > 0 {
		m, err := mapped(dir, file, k)
		if err != nil {
			return err
		}
		held = append(held, m)
		readPages(m)
	}
	after := meminfo()
	var pairs []line.Pair
	for _, name := range []string{"MemTotal", "MemFree", "MemAvailable", "AnonPages", "Cached", "Slab"} {
		if v, ok := after[name]; ok {
			pairs = append(pairs, line.Count(name, v), line.Count("grown."+name, v-before[name]))
		}
	}
	if err := t.fact("meminfo", pairs...); err != nil {
		return err
	}
	return t.section("hold", func() ([]line.Pair, error) {
		return []line.Pair{line.Count("anon", anon), line.Count("file", file)}, nil
	})
}

// A mark is what tells one page that is held from all others: of this program,
// and of the other instances', whose token is another one (in containers all
// are PID 1). Without it, a host that looks for equal pages (KSM) would keep one
// in the place of many.
type mark struct{ salt, next uint64 }

// newMark's salt is the token's 64-bit FNV-1a hash.
func newMark(token string) *mark {
	k := &mark{salt: 14695981039346656037}
	for i := range len(token) {
		k.salt = (k.salt ^ uint64(token[i])) * 1099511628211
	}
	return k
}

// touch writes to every page.
func (k *mark) touch(m []byte) {
	size := os.Getpagesize()
	for i := 0; i < len(m); i += size {
		k.next++
		binary.NativeEndian.PutUint64(m[i:], k.salt)
		binary.NativeEndian.PutUint64(m[i+8:], k.next)
	}
}

// readPages reads from every page, which maps it.
func readPages(m []byte) {
	for i := 0; i < len(m); i += os.Getpagesize() {
		sink += uint64(m[i])
	}
}

// mapped writes a file of that size, which has no name any more when it
// returns, and maps it.
func mapped(dir string, size int64, k *mark) ([]byte, error) {
	f, err := nameless(dir)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	// Not of the heap, which would keep it: it isn't what was asked for.
	block, err := pages(1 << 20)
	if err != nil {
		return nil, os.NewSyscallError("mmap", err)
	}
	defer unix.Munmap(block)
	for at := int64(0); at < size; at += int64(len(block)) {
		k.touch(block)
		if _, err := f.Write(block[:min(int64(len(block)), size-at)]); err != nil {
			return nil, errors.New("fill a file in " + dir + ": " + err.Error())
		}
	}
	m, err := unix.Mmap(int(f.Fd()), 0, int(size), unix.PROT_READ, unix.MAP_SHARED)
	return m, os.NewSyscallError("mmap", err)
}

// nameless makes a file in a folder, which goes with its descriptor.
func nameless(dir string) (*os.File, error) {
	// Without a name from the beginning, where the file system can: then
	// nothing is left whenever we are killed.
	if f, err := os.OpenFile(dir, os.O_RDWR|unix.O_TMPFILE, 0o600); err == nil {
		return f, nil
	}
	return unnamed(dir)
}

// unnamed makes a file with a name, and takes the name away. Nobody else has
// that name: two programs that write in one folder at a time (processes of the
// host do) would otherwise open one file, and hold the pages of one.
func unnamed(dir string) (*os.File, error) {
	f, err := os.CreateTemp(dir, "probe-memory-")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// meminfo is the kernel's own count, in bytes; empty without /proc.
func meminfo() map[string]int64 {
	out := map[string]int64{}
	b, _ := os.ReadFile("/proc/meminfo")
	for len(b) > 0 {
		var name []byte
		var n int64
		i := 0
		for ; i < len(b) && b[i] != ':' && b[i] != '\n'; i++ {
		}
		name = b[:i]
		for ; i < len(b) && b[i] != '\n'; i++ {
			if b[i] >= '0' && b[i] <= '9' {
				n = n*10 + int64(b[i]-'0')
			}
		}
		out[string(name)] = n << 10 // "kB" is KiB there
		b = b[min(len(b), i+1):]
	}
	return out
}
