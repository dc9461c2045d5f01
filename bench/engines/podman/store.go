package podman

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/sys/unix"

	"lab/bench"
	"lab/bench/foreign"
	"lab/bench/image"
	"lab/bench/probe"
	"lab/bench/testbed"
)

// A store is where podman has images and containers, and what it knows of both.
type store struct {
	tb   *testbed.Testbed
	dir  string // configuration, locks, state
	data string // images and containers' layers
	init string // the lab's init, for those that want one

	mu     sync.Mutex // guards what follows
	images map[string]stored
}

// A stored image is one that podman has.
type stored struct {
	id     string // of podman's own reckoning
	folder string // of its one layer, on this machine
}

// store is the one that a Spec's instances use; nil before open.
func (e *Env) store(s bench.Spec) *store {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.stores[s.Work || bench.Cold(s)]
}

// open returns that store, made if it isn't there.
func (e *Env) open(s bench.Spec) (_ *store, err error) {
	disk := s.Work || bench.Cold(s)
	e.mu.Lock()
	defer e.mu.Unlock()
	if st := e.stores[disk]; st != nil {
		return st, nil
	}
	st := &store{tb: e.tb, images: map[string]stored{}}
	if st.dir, err = os.MkdirTemp(e.tb.Dir, "podman-"); err != nil {
		return nil, err
	}
	st.data = filepath.Join(st.dir, "data")
	if disk {
		if st.data, err = os.MkdirTemp(e.tb.Work, "podman-"); err != nil {
			return nil, err
		}
	}
	st.init = filepath.Join(st.dir, "init")
	err = errors.Join(os.MkdirAll(st.data, 0o700), os.WriteFile(st.init, probe.Init(), 0o755), os.Mkdir(st.locks(), 0o700), os.MkdirAll(filepath.Join(e.tb.Dir, folder), 0o700))
	if err != nil {
		return nil, err
	}
	e.stores[disk] = st
	return st, nil
}

// locks is where podman keeps its locks, in memory that its commands share: a user's podman
// has its own there.
const locks = "/dev/shm"

// locks is the folder that the store's commands see there.
func (st *store) locks() string { return filepath.Join(st.dir, "locks") }

// flags are podman's own, before its command.
func (st *store) flags(runtime string) []string {
	in := func(name string) string { return filepath.Join(st.dir, name) }
	return []string{"--root", st.data, "--runroot", in("run"), "--tmpdir", in("tmp"), "--volumepath", in("volumes"), "--network-config-dir", in("networks"),
		"--storage-driver", "overlay", "--cgroup-manager", "cgroupfs", "--events-backend", "none", "--runtime", runtime}
}

// known is what podman calls an image that was imported.
func (st *store) known(ref image.Ref) string {
	digest, _ := foreign.Digest(ref)
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.images[digest].id
}

// image imports an image, the first time, and returns what podman has of it.
func (st *store) image(ctx context.Context, ref image.Ref) (stored, error) {
	st.mu.Lock()
	defer st.mu.Unlock()
	digest, err := foreign.Digest(ref)
	if err != nil {
		return stored{}, err
	}
	if s, ok := st.images[digest]; ok {
		return s, nil
	}
	r, w, err := os.Pipe()
	if err != nil {
		return stored{}, err
	}
	defer r.Close()
	archive := foreign.Archive(ref)
	defer archive.Close()
	go func() {
		io.Copy(w, archive) // podman says what is wrong with half an archive
		w.Close()
	}()
	var s stored
	if s.id, err = st.run(ctx, r, "import", "--quiet", "-"); err == nil {
		s.folder, err = st.run(ctx, nil, "image", "inspect", "--format", "{{.GraphDriver.Data.UpperDir}}", s.id)
	}
	if err != nil {
		return s, fmt.Errorf("podman: import the image: %w", err)
	}
	st.images[digest] = s
	return s, nil
}

// run runs a command of podman's, with what it would write outside of the store hidden.
func (st *store) run(ctx context.Context, stdin *os.File, args ...string) (string, error) {
	return foreign.Run(ctx, st.data, stdin, st.hide, append(append([]string{"podman"}, st.flags("crun")...), args...)...)
}

// hide covers, in a mount namespace of the thread's own, the folders of the machine's in
// which podman would keep things: locks and state, and a cache about registries.
func (st *store) hide() error {
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return os.NewSyscallError("unshare", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_SLAVE, ""); err != nil {
		return os.NewSyscallError("make mounts slaves", err)
	}
	return errors.Join(foreign.Cover("/run", st.tb), foreign.Cover("/var/lib", st.tb), unix.Mount(st.locks(), locks, "", unix.MS_BIND, ""))
}

// remove removes the store: nothing is mounted in it, as instances' mounts are theirs.
func (st *store) remove() error {
	return errors.Join(os.RemoveAll(st.data), os.RemoveAll(st.dir), os.RemoveAll(filepath.Join(st.tb.Dir, folder)))
}
