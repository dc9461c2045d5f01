package vm

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/digitalocean/go-libvirt"
	"golang.org/x/sys/unix"

	"lab/vm/client"
	"lab/vm/guest"
)

// restore has libvirt make the domain of a saved guest.
func (i *instance) restore(ctx context.Context) error {
	var id [16]byte
	rand.Read(id[:])
	head, err := i.saved.image.As(i.cfg, uuid(id))
	if err != nil {
		return err
	}
	f, err := newFeed(i.file(".state"), head, i.saved)
	if err != nil {
		return err
	}
	err = i.create(ctx, "restore domain", func(l *libvirt.Libvirt) error {
		return l.DomainRestoreFlags(i.env.inside(f.path), nil, uint32(libvirt.DomainSaveRunning))
	})
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
