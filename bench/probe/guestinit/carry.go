package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"lab/bench/probe/guestinit/wire"
)

// What dom0's init carries between the host and a guest of Xen's.

// hand hands on what the host says.
func hand(port io.Reader, line io.Writer) error {
	buf := make([]byte, wire.Chunk)
	for {
		n, err := port.Read(buf)
		if n > 0 {
			if _, err := line.Write(wire.Escape(buf[:n])); err != nil {
				return err
			}
		}
		if err != nil {
			return err
		}
	}
}

// carry hands on the guest's frames, until its line ends, and says how it did. What its
// kernel says comes by the same line, between two frames: it goes to dom0's console, which
// the host keeps. Text has no zero byte, with which each frame begins, as none has 16 MiB.
func carry(line io.Reader, port io.Writer, at moments, since []time.Duration) error {
	r := &peeker{r: line}
	for first := true; ; {
		if c, err := r.peek(); err != nil {
			return lineEnd(err)
		} else if c != 0 {
			say(r.text())
			continue
		}
		f, err := wire.Read(r)
		if err != nil {
			return lineEnd(err)
		}
		if first && f.Kind == wire.Hello {
			if f, err = greet(f, now(), at, since); err != nil {
				return err
			}
			first = false
		}
		if err := send(port, f); err != nil {
			return err
		}
	}
}

// greet adds to the guest's first word when the parts of dom0's own start began, and then
// the guest's: how long before it each was. Their clocks have different beginnings, and the
// word itself is the moment that both know.
func greet(f wire.Frame, at time.Duration, m moments, since []time.Duration) (wire.Frame, error) {
	var h wire.HelloBody
	if err := f.Body(&h); err != nil {
		return f, err
	}
	if len(since) > 0 {
		h.Ago = append(ago(at, since...), at-m.create, at-m.unpause, h.Began)
	}
	return wire.New(wire.Hello, f.ID, h)
}

// lineEnd is what the end of the guest's line means: Xen's daemon closes its end of the
// pseudo-terminal when the guest is gone, which is EIO here (tty_read).
func lineEnd(err error) error {
	if errors.Is(err, unix.EIO) || errors.Is(err, io.EOF) {
		return errors.New("its console was closed")
	}
	return err
}

func send(port io.Writer, f wire.Frame) error {
	b, err := wire.Append(nil, f)
	if err != nil {
		return err
	}
	_, err = port.Write(b)
	return err
}

// A peeker reads a line of which it isn't known whether text or a frame comes next.
type peeker struct {
	r   io.Reader
	buf [32 << 10]byte
	b   []byte // of buf, not yet taken
}

func (p *peeker) fill() error {
	for len(p.b) == 0 {
		n, err := p.r.Read(p.buf[:])
		if p.b = p.buf[:n]; n == 0 && err != nil {
			return err
		}
	}
	return nil
}

// peek is the next byte, which stays.
func (p *peeker) peek() (byte, error) {
	if err := p.fill(); err != nil {
		return 0, err
	}
	return p.b[0], nil
}

func (p *peeker) Read(b []byte) (int, error) {
	if err := p.fill(); err != nil {
		return 0, err
	}
	n := copy(b, p.b)
	p.b = p.b[n:]
	return n, nil
}

// text takes what has come, up to a zero byte.
func (p *peeker) text() string {
	n := bytes.IndexByte(p.b, 0)
	if n < 0 {
		n = len(p.b)
	}
	text := string(p.b[:n])
	p.b = p.b[n:]
	return text
}

// say writes to dom0's console. A variable for the tests alone.
var say = func(text string) {
	if f, err := os.OpenFile("/dev/console", os.O_WRONLY|unix.O_NOCTTY, 0); err == nil {
		f.WriteString(strings.ReplaceAll(text, "\r", "")) // a terminal adds its own
		f.Close()
	}
}
