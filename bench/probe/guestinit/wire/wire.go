// Package wire is what the lab and its init inside a guest say to one another.
//
// The channel is a virtio serial port: a stream of bytes in both directions, in
// order and without loss, made of frames:
//
//	4 bytes  length of the payload, big endian
//	1 byte   [Kind]
//	4 bytes  the process that it is about, a number that the host chose
//	n bytes  payload: raw bytes of a stream, or JSON
//
// The guest speaks first: [Hello], with the protocol's version. Then the host
// sends any number of [Run], each with a new number; the guest answers with
// [Started] or [Failed], then [Output] and [Errors] as they come, and last
// [Exited]. Meanwhile the host may send [Input] and [Signal].
//
// Input is sent by credit, as otherwise one program that doesn't read would
// hold up what is meant for others: the host may have [Window] frames of it on
// the way to each process, and the guest says with [Credit] that one was taken.
//
// A guest that was saved while it waited for work, and restored, is told so with
// [Resume], and answers [Resumed].
//
// A terminal line loses what nobody has read when a few KiB of it have come. Over one the
// guest says so in Hello, and with [Taken] after each [Pace] bytes that it has read; the
// host has at most three times as many on their way. On the console of a guest of Xen's some
// bytes are the guest's kernel's: what comes there is escaped ([Escape]).
//
// The package imports nothing of ours, and both ends import it.
package wire

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// Version is the protocol's. Guest and host are built together; the number
// finds out an init that was left over.
const Version = 3

const (
	// MaxPayload bounds a frame.
	MaxPayload = 1 << 20

	// Chunk is the most that is put into a frame of a stream.
	Chunk = 32 << 10

	// Window is how many frames of input may be on their way to a process.
	Window = 16

	// Pace is how many bytes of the host's are taken at a time from a terminal line.
	Pace = 1 << 10
)

// A Kind says what a frame is.
type Kind byte

// Frames of the guest.
const (
	Hello   Kind = 1 + iota // HelloBody
	Started                 // no payload: the program was executed
	Failed                  // FailedBody: it wasn't
	Output                  // bytes of its standard output
	Errors                  // bytes of its standard error
	Credit                  // no payload: one frame of input was taken
	Exited                  // ExitedBody: it ended, and all its output was sent
	Resumed                 // the guest goes on: NewResumed
	Taken                   // no payload, and of no process: Pace more bytes were read
)

// Frames of the host.
const (
	Run        Kind = 64 + iota // RunBody
	Input                       // bytes for its standard input
	InputEnd                    // no payload: end of its standard input
	Signal                      // SignalBody
	WindowSize                  // SizeBody: its terminal's
	Resume                      // the guest was saved, and goes on: NewResume
)

// A Frame is one message.
type Frame struct {
	Kind    Kind
	ID      uint32
	Payload []byte
}

// ErrFrame is wrapped by errors about bytes that are no frame.
var ErrFrame = errors.New("not a frame")

const headerSize = 9

// Append appends a frame to b.
func Append(b []byte, f Frame) ([]byte, error) {
	if len(f.Payload) > MaxPayload {
		return b, fmt.Errorf("%w: %d bytes of payload", ErrFrame, len(f.Payload))
	}
	b = binary.BigEndian.AppendUint32(b, uint32(len(f.Payload)))
	b = append(b, byte(f.Kind))
	b = binary.BigEndian.AppendUint32(b, f.ID)
	return append(b, f.Payload...), nil
}

// Read reads a frame. The error is io.EOF at the end of the stream between two
// frames, and io.ErrUnexpectedEOF within one.
func Read(r io.Reader) (Frame, error) {
	var h [headerSize]byte
	if _, err := io.ReadFull(r, h[:]); err != nil {
		return Frame{}, err
	}
	n := binary.BigEndian.Uint32(h[:])
	if n > MaxPayload {
		return Frame{}, fmt.Errorf("%w: it claims %d bytes of payload", ErrFrame, n)
	}
	f := Frame{Kind: Kind(h[4]), ID: binary.BigEndian.Uint32(h[5:])}
	if n == 0 {
		return f, nil
	}
	f.Payload = make([]byte, n)
	if _, err := io.ReadFull(r, f.Payload); err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return Frame{}, err
	}
	return f, nil
}

// Body decodes a frame's JSON.
func (f Frame) Body(v any) error {
	if err := json.Unmarshal(f.Payload, v); err != nil {
		return fmt.Errorf("%w: kind %d: %w", ErrFrame, f.Kind, err)
	}
	return nil
}

// New makes a frame of a JSON body.
func New(k Kind, id uint32, body any) (Frame, error) {
	b, err := json.Marshal(body)
	return Frame{k, id, b}, err
}
