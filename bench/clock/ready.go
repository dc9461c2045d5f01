package clock

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// ErrSilent is returned by [AwaitToken] when the channel closed, or the
// deadline passed, before the token's first byte was seen.
var ErrSilent = errors.New("the workload never wrote its token")

// ErrClosed says, beside [ErrSilent], that the channel closed.
var ErrClosed = errors.New("channel closed")

// Seen is what [AwaitToken] found.
type Seen struct {
	At   Time   // when the read that brought the token's first byte returned
	Text []byte // what was read, the token included, or the end of it: a console may speak first
}

// mostSaid is how much of it is kept: a guest may speak without an end.
const mostSaid = 1 << 20

// AwaitToken blocks in read(2) on f until the stream contains token, and
// stamps the moment at which its first byte arrived. It is the only function
// that decides when an instance is ready, for all environments.
//
// f is the host's raw end (a pipe or a connected stream socket); it is put in
// blocking mode. What comes before the token, such as a firmware's or a
// kernel's text, is kept in Seen.Text (1 MiB of it) and doesn't count. A read that returns
// part of the token stamps the moment, as that part's first byte is there.
//
// timeout bounds the whole wait; it is kept with poll(2), whose wake-up is
// the same as a blocking read's. The error wraps [ErrSilent] and quotes the
// end of what was read instead.
func AwaitToken(f *os.File, token []byte, timeout time.Duration) (Seen, error) {
	if len(token) == 0 {
		return Seen{}, errors.New("await token: the token is empty")
	}
	f.Fd() // sets blocking mode
	rc, err := f.SyscallConn()
	if err != nil {
		return Seen{}, fmt.Errorf("await token: %w", err)
	}
	var (
		s    Seen
		serr error
	)
	// Within Read the descriptor's number stays ours, whoever closes f
	// meanwhile: a read(2) on a number that was given to another file would
	// take that one's bytes.
	err = rc.Read(func(fd uintptr) bool {
		s, serr = awaitToken(int(fd), token, timeout)
		return true
	})
	if err != nil {
		return s, fmt.Errorf("%w: %w", ErrSilent, err)
	}
	return s, serr
}

func awaitToken(fd int, token []byte, timeout time.Duration) (s Seen, err error) {
	// A read is where its bytes begin in Text, and when it returned.
	type read struct {
		from int
		at   Time
	}
	var (
		reads = make([]read, 0, 8)
		buf   [4096]byte
	)
	for deadline := Now() + Time(timeout); ; {
		left := deadline - Now()
		if left <= 0 {
			return s, silent(fmt.Errorf("deadline of %v passed", timeout), s.Text)
		}
		ts := unix.NsecToTimespec(int64(left))
		n, err := unix.Ppoll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, &ts, nil)
		if err == unix.EINTR || err == nil && n == 0 {
			continue
		}
		if err != nil {
			return s, fmt.Errorf("await token: poll: %w", err)
		}
		n, err = unix.Read(fd, buf[:])
		now := Now()
		if err == unix.EINTR || err == unix.EAGAIN {
			continue
		}
		// A terminal's or a socket's peer that is gone reads as an error
		// (EIO, ECONNRESET) where a pipe's reads as end of file.
		if n <= 0 || err != nil {
			return s, silent(ErrClosed, s.Text)
		}
		reads = append(reads, read{len(s.Text), now})
		// The token may have begun in what earlier reads brought.
		begin := max(0, len(s.Text)-len(token)+1)
		s.Text = append(s.Text, buf[:n]...)
		if i := bytes.Index(s.Text[begin:], token); i >= 0 {
			for _, r := range reads {
				if r.from <= begin+i {
					s.At = r.at
				}
			}
			return s, nil
		}
		if cut := len(s.Text) - mostSaid/2; cut > mostSaid/2 {
			s.Text = append(s.Text[:0], s.Text[cut:]...)
			for i := range reads {
				reads[i].from -= cut
			}
			// The token can only begin in what the later ones brought.
			reads = slices.DeleteFunc(reads, func(r read) bool { return r.from+len(buf) <= 0 })
		}
	}
}

func silent(why error, text []byte) error {
	if len(text) == 0 {
		return fmt.Errorf("%w: %w, nothing was written", ErrSilent, why)
	}
	if len(text) > 400 {
		text = text[len(text)-400:]
	}
	return fmt.Errorf("%w: %w, last output %q", ErrSilent, why, text)
}
