package wire

import (
	"bytes"
	"errors"
	"io"
	"reflect"
	"testing"
	"time"
)

func TestFrames(t *testing.T) {
	run := RunBody{Paths: [][]byte{[]byte("/bin/sh")}, Argv: [][]byte{[]byte("sh"), {}, []byte("\x00\xff")},
		Env: [][]byte{[]byte("A=ü")}, Groups: []uint32{1, 2}, Terminal: &SizeBody{24, 80}, CPU: 0.5}
	body, err := New(Run, 7, run)
	if err != nil {
		t.Fatal(err)
	}
	frames := []Frame{{Started, 1, nil}, {Output, 2, []byte("hello")}, body, {Input, 1<<32 - 1, make([]byte, MaxPayload)}}
	var b []byte
	for _, f := range frames {
		if b, err = Append(b, f); err != nil {
			t.Fatal(err)
		}
	}
	r := bytes.NewReader(b)
	for _, want := range frames {
		got, err := Read(r)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%v, %v, want %v", got.Kind, err, want.Kind)
		}
	}
	if _, err := Read(r); err != io.EOF {
		t.Errorf("at the end: %v, want EOF", err)
	}
	var back RunBody
	if err := body.Body(&back); err != nil || !reflect.DeepEqual(back, run) {
		t.Errorf("%+v, %v, want %+v", back, err, run)
	}
	for n := 1; n < headerSize+5; n++ {
		if _, err := Read(bytes.NewReader(b[headerSize:][:n])); err != io.ErrUnexpectedEOF {
			t.Errorf("%d bytes of a frame: %v, want ErrUnexpectedEOF", n, err)
		}
	}
}

func TestRefuses(t *testing.T) {
	if _, err := Append(nil, Frame{Payload: make([]byte, MaxPayload+1)}); !errors.Is(err, ErrFrame) {
		t.Errorf("too large a frame: %v", err)
	}
	if _, err := Read(bytes.NewReader([]byte{0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0})); !errors.Is(err, ErrFrame) {
		t.Errorf("a claim of 4 GiB: %v", err)
	}
	if err := (Frame{Kind: Exited, Payload: []byte("{")}).Body(&ExitedBody{}); !errors.Is(err, ErrFrame) {
		t.Errorf("half a body: %v", err)
	}
}

// What was read can be written, and is the same bytes.
func FuzzRead(f *testing.F) {
	f.Add([]byte{0, 0, 0, 1, 3, 0, 0, 0, 1, 'x'})
	f.Add([]byte{0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 9})
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 1, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		r := bytes.NewReader(b)
		var back []byte
		for {
			fr, err := Read(r)
			if err != nil {
				return
			}
			for _, v := range []any{&HelloBody{}, &RunBody{}, &FailedBody{}, &SignalBody{}, &ExitedBody{}} {
				if err := fr.Body(v); err != nil && !errors.Is(err, ErrFrame) {
					t.Errorf("%v isn't ErrFrame", err)
				}
			}
			if back, err = Append(back, fr); err != nil {
				t.Fatal(err)
			}
			if !bytes.HasPrefix(b, back) {
				t.Fatalf("%x became %x", b, back)
			}
		}
	})
}

func TestResume(t *testing.T) {
	now := time.Unix(1_700_000_000, 42)
	seed := [SeedSize]byte{1, 2, 3, SeedSize - 1: 9}
	f := NewResume(now, seed)
	if got, s, err := ResumeOf(f); err != nil || !got.Equal(now) || !bytes.Equal(s, seed[:]) {
		t.Errorf("%v, %x, %v", got, s, err)
	}
	f.Payload = f.Payload[1:]
	if _, _, err := ResumeOf(f); !errors.Is(err, ErrFrame) {
		t.Errorf("a short one: %v", err)
	}
	if jump, err := ResumedOf(NewResumed(-3*time.Second, nil)); jump != -3*time.Second || err != nil {
		t.Errorf("%v, %v", jump, err)
	}
	if jump, err := ResumedOf(NewResumed(7, errors.New("no clock"))); jump != 7 || err == nil || err.Error() != "the guest's init: no clock" {
		t.Errorf("%v, %v", jump, err)
	}
	for _, f := range []Frame{{Kind: Hello, Payload: make([]byte, 8)}, {Kind: Resumed, Payload: make([]byte, 7)}} {
		if _, err := ResumedOf(f); !errors.Is(err, ErrFrame) {
			t.Errorf("%v: %v", f, err)
		}
	}
}
