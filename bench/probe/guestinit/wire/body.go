package wire

import (
	"encoding/binary"
	"fmt"
	"time"
)

// SeedSize is how many random bytes a guest is given.
const SeedSize = 64

// NewResume tells a guest what it can't know that was saved: the time, and
// random numbers that no other guest of the same saved state has.
//
// It is no JSON, and neither is the answer: under emulation each instruction
// that runs for the first time has to be translated, and a guest that was
// restored has none yet.
func NewResume(now time.Time, seed [SeedSize]byte) Frame {
	b := binary.BigEndian.AppendUint64(nil, uint64(now.UnixNano()))
	return Frame{Kind: Resume, Payload: append(b, seed[:]...)}
}

// ResumeOf reads what NewResume wrote.
func ResumeOf(f Frame) (now time.Time, seed []byte, err error) {
	if len(f.Payload) != 8+SeedSize {
		return now, nil, fmt.Errorf("%w: kind %d with %d bytes", ErrFrame, f.Kind, len(f.Payload))
	}
	return time.Unix(0, int64(binary.BigEndian.Uint64(f.Payload))), f.Payload[8:], nil
}

// NewResumed is the answer: how far the clock was set forward, and what went
// wrong, or nil.
func NewResumed(jump time.Duration, wrong error) Frame {
	b := binary.BigEndian.AppendUint64(nil, uint64(jump))
	if wrong != nil {
		b = append(b, wrong.Error()...)
	}
	return Frame{Kind: Resumed, Payload: b}
}

// ResumedOf reads what NewResumed wrote; what went wrong is the error.
func ResumedOf(f Frame) (jump time.Duration, err error) {
	if f.Kind != Resumed || len(f.Payload) < 8 {
		return 0, fmt.Errorf("%w: kind %d with %d bytes", ErrFrame, f.Kind, len(f.Payload))
	}
	jump = time.Duration(binary.BigEndian.Uint64(f.Payload))
	if text := f.Payload[8:]; len(text) > 0 {
		return jump, fmt.Errorf("the guest's init: %s", text)
	}
	return jump, nil
}

// HelloBody is the guest's first word.
type HelloBody struct {
	Version int    `json:"version"`
	Kernel  string `json:"kernel"`          // as uname -r has it
	Err     string `json:"error,omitempty"` // what of its preparations failed
	Paced   bool   `json:",omitempty"`      // it says Taken

	// Ago is how long before this word the kernel of a distribution began, and then each
	// part of Boot.Since, on the guest's clock, in nanoseconds.
	Ago []time.Duration `json:",omitempty"`

	// Began is how long before this word the init itself began, over a terminal line.
	Began time.Duration `json:",omitempty"`
}

// RunBody is a program to execute. Strings are bytes: arguments and variables
// needn't be UTF-8, which JSON's strings are.
type RunBody struct {
	Paths  [][]byte `json:"paths"` // where the program may be, in order
	Argv   [][]byte `json:"argv"`
	Env    [][]byte `json:"env"`
	Dir    []byte   `json:"dir"`
	UID    uint32   `json:"uid"`
	GID    uint32   `json:"gid"`
	Groups []uint32 `json:"groups"`

	Input    bool      `json:"input"` // Input frames will come; else it reads end of file
	Terminal *SizeBody `json:"terminal,omitempty"`

	// Limits, kept by a cgroup in the guest; 0 is none.
	Memory int64   `json:"memory"` // bytes
	Pids   int64   `json:"pids"`
	CPU    float64 `json:"cpu"` // cores
}

// SizeBody is a terminal's size in characters.
type SizeBody struct {
	Rows uint16 `json:"rows"`
	Cols uint16 `json:"cols"`
}

// FailedBody is why a program wasn't executed.
type FailedBody struct {
	What  string `json:"what"` // "execute", "change folder", "cgroup"
	Path  []byte `json:"path"`
	Errno int    `json:"errno"`
}

// SignalBody is a signal for a program.
type SignalBody struct {
	Signal int `json:"signal"`
}

// ExitedBody is how a program ended.
type ExitedBody struct {
	Code   int   `json:"code"`   // exit status; -1 when a signal ended it
	Signal int   `json:"signal"` // the signal's number, or 0
	OOM    bool  `json:"oom"`    // the guest's kernel killed something of it for want of memory
	User   int64 `json:"user"`   // nanoseconds of CPU time
	System int64 `json:"system"`
	MaxRSS int64 `json:"maxrss"` // bytes
}
