package vm

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"github.com/digitalocean/go-libvirt"
	"golang.org/x/sys/unix"

	"lab/bench"
	"lab/vm/asked"
	"lab/vm/client"
	"lab/vm/domain"
	"lab/vm/guest"
)

// restoredGuest is a guest that was saved as its init waited for work, in the lab's
// own libvirt.
type restoredGuest struct{ coldGuest }

// refuses: all that are restored share one state, and what the kernel in it knows of
// its devices.
func (restoredGuest) refuses(s bench.Spec) error {
	const cure = "--variant start=cold"
	switch net := s.Settings["net"]; {
	case asked.HasDisk(s):
		return bench.NotApplicable("the file system of a guest's own disk would be in the saved state, and the disk is another one each time", cure)
	case net != "" && net != "none":
		return bench.NotApplicable("all guests of one saved state would have the same address", cure)
	case bench.Cold(s):
		return bench.NotApplicable("the saved state lies in RAM, and nowhere else", cure)
	case len(s.Mounts) > 0:
		return bench.NotApplicable("the saved state would know the files of the host's folders as they were", cure)
	}
	return nil
}

func (restoredGuest) describe(prepare, _ []string) ([]string, []string) {
	return append(prepare, "a guest boots until its init waits for work, and libvirt saves it to a file in memory"), []string{
		"listen for the console and for the guest's init", "libvirt starts QEMU and configures it",
		"QEMU reads the saved state", "the guest's init sets its clock and takes new random numbers, and executes the workload"}
}

func (restoredGuest) prepare(ctx context.Context, i *instance) (err error) {
	if err := i.prepareSystem(ctx); err != nil || i.err != nil {
		return err
	}
	i.saved, err = i.env.saved(ctx, i)
	return err
}

func (restoredGuest) start(ctx context.Context, i *instance) (net.Conn, error) {
	return i.startHere(ctx, i.restore)
}

func (restoredGuest) hello() (string, func(context.Context, net.Conn) (*guest.Session, error)) {
	return "resume", guest.Resume
}

// restore has libvirt make the domain of a saved guest.
func (i *instance) restore(ctx context.Context) error {
	var id [16]byte
	rand.Read(id[:])
	head, err := i.saved.image.As(i.cfg, domain.UUID(id))
	if err != nil {
		return err
	}
	f, err := newFeed(i.file(".state"), head, i.saved)
	if err != nil {
		return err
	}
	err = i.create(ctx, "restore domain", "restore", func(l *libvirt.Libvirt) error {
		return l.DomainRestoreFlags(i.env.own.Inside(f.path), nil, uint32(libvirt.DomainSaveRunning))
	})
	if err != nil && i.hold() {
		// Restoring knows no autodestroy: what is there is ours to end.
		i.created = true
		go i.follow()
	}
	return errors.Join(err, f.close(err == nil))
}

// A feed is a FIFO through which libvirt and QEMU read a saved guest: first a
// definition of the instance's own, then the saved state as it is. So each
// instance has its own name without a copy of the state.
type feed struct {
	path string
	f    *os.File
	done sync.WaitGroup
	err  error
}

func newFeed(path string, head []byte, s *savedState) (*feed, error) {
	from, err := os.Open(s.path)
	if err != nil {
		return nil, err
	}
	if err := unix.Mkfifo(path, 0o600); err != nil {
		from.Close()
		return nil, &os.PathError{Op: "mkfifo", Path: path, Err: err}
	}
	// Also for reading, or it would wait for a reader (fifo(7)). The stream
	// says by itself where it ends.
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		from.Close()
		os.Remove(path)
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	f := &feed{path: path, f: os.NewFile(uintptr(fd), path)}
	unix.FcntlInt(uintptr(fd), unix.F_SETPIPE_SZ, guest.PipeSize) // less will do
	f.done.Go(func() {
		defer from.Close()
		if _, f.err = f.f.Write(head); f.err == nil {
			f.err = f.splice(from, s.image.Data)
		}
	})
	return f, nil
}

// splice moves a file's pages into the pipe, without copying them, until its
// end.
func (f *feed) splice(from *os.File, at int64) error {
	rc, err := f.f.SyscallConn()
	if err != nil {
		return err
	}
	for {
		var n int64
		werr := rc.Write(func(fd uintptr) bool {
			for {
				n, err = unix.Splice(int(from.Fd()), &at, int(fd), nil, guest.PipeSize, unix.SPLICE_F_NONBLOCK)
				if err != unix.EINTR {
					return err != unix.EAGAIN
				}
			}
		})
		if err = errors.Join(werr, err); err != nil || n == 0 {
			return err
		}
	}
}

// close ends the feed, and says what went wrong where all should have been read.
func (f *feed) close(read bool) error {
	err := os.Remove(f.path)
	if read {
		// QEMU has the state's end; the feeder may be about to see it.
		f.f.SetWriteDeadline(time.Now().Add(client.CallTimeout))
	} else {
		f.f.SetWriteDeadline(time.Unix(1, 0))
	}
	f.done.Wait()
	f.f.Close()
	if read && f.err != nil && !errors.Is(f.err, io.EOF) {
		return fmt.Errorf("feed the saved guest: %w", f.err)
	}
	return err
}

// A savedState is a guest that booted, was saved as its init waited for work,
// and can be restored any number of times, also several times at once.
//
// It lies in the testbed, which is a tmpfs, and ends with the run. In the cache
// it would outlive QEMU's and the kernel's next update, and a guest from the
// day before would have that day's clock and random numbers.
type savedState struct {
	path  string
	image *domain.Saved
}

// saveTimeout bounds libvirt's work on a save: some hundred megabytes written
// to memory.
const saveTimeout = createTimeout

// saved returns the state for guests like i, after booting and saving one where
// there is none.
func (e *Env) saved(ctx context.Context, i *instance) (*savedState, error) {
	key, err := i.cfg.Kind()
	if err != nil {
		return nil, err
	}
	e.saving.Lock()
	defer e.saving.Unlock()
	if s, ok := e.states[key]; ok {
		return s, nil
	}
	s, err := e.save(ctx, i.spec)
	if err != nil {
		return nil, fmt.Errorf("save a guest: %w", err)
	}
	e.states[key] = s
	return s, nil
}

// save boots a guest until its init waits for work, and saves it.
func (e *Env) save(ctx context.Context, spec bench.Spec) (s *savedState, err error) {
	i := e.newInstance(spec, coldGuest{})
	i.idle = true
	defer func() { err = errors.Join(err, i.Close()) }()
	if err := i.how.prepare(ctx, i); err != nil {
		return nil, err
	}
	if err := i.Start(ctx); err != nil {
		return nil, err
	}
	s = &savedState{path: i.file(".saved")}
	err = i.conn.Call(ctx, "save domain", saveTimeout, func(l *libvirt.Libvirt) error {
		d, err := l.DomainLookupByName(i.cfg.Name)
		if err != nil {
			return err
		}
		return l.DomainSaveFlags(d, e.own.Inside(s.path), nil, uint32(libvirt.DomainSaveRunning))
	})
	if err == nil {
		s.image, err = domain.ReadSaved(s.path)
	}
	if err != nil {
		os.Remove(s.path)
		return nil, i.explain(err)
	}
	return s, nil
}
