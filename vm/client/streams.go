package client

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"github.com/digitalocean/go-libvirt"
)

// Streams is a connection of one domain's own, on which its console and its init's
// channel come. A guest that floods its console holds up nothing else by that.
type Streams struct {
	conn *Conn
	tap  *tap
}

// OpenStreams opens a driver over a connection, which it closes with an error.
func OpenStreams(ctx context.Context, nc net.Conn, driver string) (*Streams, error) {
	t := newTap(nc)
	c, err := handshake(ctx, t, driver, false)
	return &Streams{c, t}, err
}

// Close ends the streams.
func (s *Streams) Close() { s.tap.Close() }

// open opens a stream: a call that returns when the stream ends.
func (s *Streams) open(ctx context.Context, proc uint32, call func(*libvirt.Libvirt) error) error {
	ended := make(chan error, 1)
	go func() { ended <- call(s.conn.l) }()
	select {
	case <-s.tap.opened(proc):
		return nil
	case err := <-ended:
		return &CallError{"open stream", errors.Join(err, io.ErrUnexpectedEOF)}
	case <-ctx.Done():
		return &CallError{"open stream", ctx.Err()}
	case <-time.After(CallTimeout):
		return s.conn.GiveUp("open stream", CallTimeout)
	}
}

// Console writes what a domain's console says to w, until ended is closed.
func (s *Streams) Console(ctx context.Context, d libvirt.Domain, w io.Writer) (ended <-chan struct{}, err error) {
	done := make(chan struct{})
	return done, s.open(ctx, procOpenConsole, func(l *libvirt.Libvirt) error {
		defer close(done)
		return l.DomainOpenConsole(d, nil, w, 0)
	})
}

// Channel opens the channel of that name.
func (s *Streams) Channel(ctx context.Context, d libvirt.Domain, name string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	err := s.open(ctx, procOpenChannel, func(l *libvirt.Libvirt) error {
		defer theirs.Close()
		return l.DomainOpenChannel(d, libvirt.OptString{name}, theirs, 0)
	})
	if err != nil {
		ours.Close()
		return nil, err
	}
	go func() {
		defer theirs.Close()
		buf := make([]byte, rpcChunk)
		for {
			n, err := theirs.Read(buf)
			if err == nil {
				err = s.tap.send(procOpenChannel, buf[:n])
			}
			if err != nil {
				return
			}
		}
	}()
	return ours, nil
}

// A tap is a connection to libvirt on which streams can also be written to.
//
// The libvirt package hands on what comes on a domain's console or channel, but
// has no way to send. The protocol's is simple (libvirt's docs/kbase/internals/
// rpc.rst): once the call that opened the stream was answered, packets with
// its number, of the type "stream", go both ways. So the tap watches for that
// call and its answer, and puts packets of its own between those of the
// package. Each of the package's writes is one whole packet.
type tap struct {
	net.Conn

	out sync.Mutex // one packet at a time

	mu      sync.Mutex
	streams map[uint32]*tapped // by procedure: a tap has one of each
	head    []byte             // of the packet that is coming in
	left    int                // bytes of it that are still to come
}

// A tapped is a stream.
type tapped struct {
	serial uint32
	open   chan struct{} // closed when its call was answered
	once   sync.Once
}

// Numbers of the protocol (remote_protocol.x, virnetprotocol.x).
const (
	procOpenConsole = 201
	procOpenChannel = 296

	rpcProgram  = 0x20008086
	rpcHead     = 28 // length, program, version, procedure, type, serial, status
	rpcCall     = 0
	rpcReply    = 1
	rpcStream   = 3
	rpcOK       = 0
	rpcContinue = 2
	rpcChunk    = 64 << 10 // a message may have four times as much
)

func newTap(c net.Conn) *tap {
	t := &tap{Conn: c, streams: make(map[uint32]*tapped)}
	for _, p := range []uint32{procOpenConsole, procOpenChannel} {
		t.streams[p] = &tapped{open: make(chan struct{})}
	}
	return t
}

// opened is closed when the stream that a procedure opens is there.
func (t *tap) opened(proc uint32) <-chan struct{} { return t.streams[proc].open }

func (t *tap) Write(b []byte) (int, error) {
	t.out.Lock()
	defer t.out.Unlock()
	if len(b) >= rpcHead && word(b, 1) == rpcProgram && word(b, 4) == rpcCall {
		if s := t.streams[word(b, 3)]; s != nil {
			t.mu.Lock()
			s.serial = word(b, 5)
			t.mu.Unlock()
		}
	}
	return t.Conn.Write(b)
}

func (t *tap) Read(b []byte) (int, error) {
	n, err := t.Conn.Read(b)
	t.follow(b[:n])
	return n, err
}

// follow reads along.
func (t *tap) follow(p []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for len(p) > 0 {
		if t.left > 0 {
			n := min(len(p), t.left)
			p, t.left = p[n:], t.left-n
			continue
		}
		n := min(rpcHead-len(t.head), len(p))
		t.head, p = append(t.head, p[:n]...), p[n:]
		if len(t.head) < rpcHead {
			return
		}
		t.left = max(0, int(word(t.head, 0))-rpcHead)
		s := t.streams[word(t.head, 3)]
		if s != nil && word(t.head, 1) == rpcProgram && word(t.head, 4) == rpcReply && word(t.head, 5) == s.serial && word(t.head, 6) == rpcOK {
			s.once.Do(func() { close(s.open) })
		}
		t.head = t.head[:0]
	}
}

// send writes to an open stream.
func (t *tap) send(proc uint32, b []byte) error {
	s := t.streams[proc]
	select {
	case <-s.open:
	default:
		return errors.New("libvirt: the stream isn't open")
	}
	t.mu.Lock()
	serial := s.serial
	t.mu.Unlock()
	for len(b) > 0 {
		n := min(len(b), rpcChunk)
		p := make([]byte, 0, rpcHead+n)
		for _, w := range []uint32{uint32(rpcHead + n), rpcProgram, 1, proc, rpcStream, serial, rpcContinue} {
			p = binary.BigEndian.AppendUint32(p, w)
		}
		p = append(p, b[:n]...)
		t.out.Lock()
		_, err := t.Conn.Write(p)
		t.out.Unlock()
		if err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

func word(b []byte, n int) uint32 { return binary.BigEndian.Uint32(b[4*n:]) }
