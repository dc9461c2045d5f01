package clock

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const token = "lab-0123456789ab"

// await starts AwaitToken on a pipe's end, which it gives with the pipe's
// other one.
func await(t *testing.T, token string, timeout time.Duration) (w *os.File, r *os.File, result func() (Seen, error)) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close(); w.Close() })
	type answer struct {
		s   Seen
		err error
	}
	c := make(chan answer, 1)
	go func() {
		s, err := AwaitToken(r, []byte(token), timeout)
		c <- answer{s, err}
	}()
	return w, r, func() (Seen, error) { a := <-c; return a.s, a.err }
}

// drained waits until the reader has taken everything from the pipe: what is
// written after that is another read.
func drained(t *testing.T, r *os.File) {
	t.Helper()
	rc, err := r.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(5 * time.Second); ; {
		n := -1
		rc.Control(func(fd uintptr) { n, err = unix.IoctlGetInt(int(fd), unix.TIOCINQ) })
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("nobody reads: %d bytes are left", n)
		}
	}
}

// Each case is what is written, one element a read. The stamp isn't earlier than
// the element with the token's first byte; that it isn't later is tested below.
func TestAwaitToken(t *testing.T) {
	for name, x := range map[string]struct {
		token string
		parts []string
		first int // the element with the first byte
	}{
		"whole":            {token, []string{token}, 0},
		"with more":        {token, []string{token + "\nmore"}, 0},
		"firmware first":   {token, []string{"SeaBIOS\r\n\x1b[2J", "[    0.0] Linux\n", token}, 2},
		"in one read":      {token, []string{"noise " + token}, 0},
		"byte by byte":     {token, strings.Split(token, ""), 0},
		"in two":           {token, []string{"noise", token[:5], token[5:]}, 1},
		"first byte":       {token, []string{"noise" + token[:1], token[1:]}, 0},
		"false beginning":  {token, []string{token[:8], "no", token}, 2},
		"false and true":   {token, []string{token[:8], "no" + token[:3], token[3:]}, 1},
		"another's token":  {token, []string{"lab-ffffffffffff", token}, 1},
		"like a beginning": {"aabaac", []string{"aab", "aa", "baac"}, 1},
		"repeating":        {"aaab", []string{"aa", "aa", "b"}, 0},
		"NUL and UTF-8":    {token, []string{"\x00\xff\xfe€", token}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			w, r, result := await(t, x.token, 10*time.Second)
			var before Time
			for i, p := range x.parts {
				if i == x.first {
					before = Now()
				}
				if _, err := w.WriteString(p); err != nil {
					t.Fatal(err)
				}
				if i < len(x.parts)-1 {
					drained(t, r)
				}
			}
			s, err := result()
			if err != nil {
				t.Fatal(err)
			}
			if s.At < before {
				t.Errorf("the stamp is %v earlier than the first byte", before.Sub(s.At))
			}
			if !bytes.Contains(s.Text, []byte(x.token)) || !strings.HasPrefix(strings.Join(x.parts, ""), string(s.Text)) {
				t.Errorf("text %q, want a beginning of %q with the token", s.Text, x.parts)
			}
		})
	}
}

// The stamp is the first byte's, not the last one's.
func TestAwaitTokenStampsFirstByte(t *testing.T) {
	for _, cut := range []int{1, 8, len(token) - 1} {
		w, r, result := await(t, token, 10*time.Second)
		w.WriteString("Linux " + token[:cut])
		drained(t, r)
		const pause = 30 * time.Millisecond
		time.Sleep(pause) // the distance that is measured
		late := Now()
		w.WriteString(token[cut:])
		s, err := result()
		if err != nil {
			t.Fatal(err)
		}
		if s.At >= late {
			t.Errorf("cut at %d: stamped %v after the rest was written", cut, s.At.Sub(late))
		}
	}
	// And not that of noise before it.
	w, r, result := await(t, token, 10*time.Second)
	w.WriteString("Linux ")
	drained(t, r)
	late := Now()
	w.WriteString(token)
	if s, err := result(); err != nil || s.At < late {
		t.Errorf("stamped before the token was written (%v)", err)
	}
}

func TestAwaitTokenSilent(t *testing.T) {
	// Nothing at all.
	w, _, result := await(t, token, 20*time.Millisecond)
	began := Now()
	_, err := result()
	if !errors.Is(err, ErrSilent) || !strings.Contains(err.Error(), "nothing was written") || !strings.Contains(err.Error(), "20ms") {
		t.Errorf("deadline: %v", err)
	}
	if took := Now().Sub(began); took > 5*time.Second {
		t.Errorf("a deadline of 20 ms took %v", took)
	}
	w.Close()

	// Only noise, and then the end.
	w, _, result = await(t, token, 10*time.Second)
	w.WriteString(strings.Repeat("x", 1000) + "Kernel panic")
	w.Close()
	s, err := result()
	if !errors.Is(err, ErrSilent) || !strings.Contains(err.Error(), "closed") || !strings.Contains(err.Error(), "Kernel panic") || len(err.Error()) > 600 {
		t.Errorf("closed: %v", err)
	}
	if len(s.Text) != 1012 || s.At != 0 {
		t.Errorf("closed: %d bytes, at %d", len(s.Text), s.At)
	}

	// Noise that doesn't end doesn't put the deadline off.
	w, _, result = await(t, token, 50*time.Millisecond)
	go func() {
		for {
			if _, err := w.WriteString("noise"); err != nil {
				return
			}
		}
	}()
	if _, err = result(); !errors.Is(err, ErrSilent) {
		t.Errorf("noise without end: %v", err)
	}

	// No token, closed file.
	if _, err := AwaitToken(w, nil, time.Second); err == nil {
		t.Error("an empty token is awaited")
	}
	r, w2, _ := os.Pipe()
	r.Close()
	w2.Close()
	if _, err := AwaitToken(r, []byte(token), time.Second); err == nil {
		t.Error("a closed file gives no error")
	}
}

// A socket whose peer resets it is closed, not broken.
func TestAwaitTokenSocket(t *testing.T) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	a, b := os.NewFile(uintptr(fds[0]), "a"), os.NewFile(uintptr(fds[1]), "b")
	defer a.Close()
	b.WriteString(token)
	if s, err := AwaitToken(a, []byte(token), time.Second); err != nil || string(s.Text) != token {
		t.Errorf("%q, %v", s.Text, err)
	}
	a.WriteString("unread: the peer's close is a reset")
	b.Close()
	if _, err := AwaitToken(a, []byte(token), time.Second); !errors.Is(err, ErrSilent) {
		t.Errorf("reset: %v", err)
	}
}

// Somebody closes the file that is awaited: the number isn't read any more
// when it is another file's.
func TestAwaitTokenClosedMeanwhile(t *testing.T) {
	w, r, result := await(t, token, 10*time.Second)
	w.WriteString("x")
	drained(t, r) // it is in its loop
	r.Close()
	// Were the number free now, this pipe would take it.
	r2, w2, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r2.Close()
	defer w2.Close()
	w2.WriteString("not yours")
	w.Close()
	if _, err := result(); !errors.Is(err, ErrSilent) {
		t.Errorf("%v", err)
	}
	var b [9]byte
	if n, err := r2.Read(b[:]); err != nil || string(b[:n]) != "not yours" {
		t.Errorf("another file's bytes are gone: %q, %v", b[:n], err)
	}
}

func TestClock(t *testing.T) {
	last := Now()
	for range 1000 {
		now := Now()
		if now < last {
			t.Fatalf("the clock went back by %v", last.Sub(now))
		}
		last = now
	}
	if d := Time(1500).Sub(500); d != 1000*time.Nanosecond {
		t.Errorf("Sub: %v", d)
	}
}

// However the stream is cut, the stamp is that of the read with the first byte,
// and the text is what was sent.
func FuzzAwaitToken(f *testing.F) {
	f.Add("noise", uint8(3), uint8(2))
	f.Add("lab-", uint8(1), uint8(1))
	f.Fuzz(func(t *testing.T, noise string, a, b uint8) {
		if strings.Contains(noise, token) || len(noise) > 3000 {
			t.Skip()
		}
		all := noise + token
		i, j := min(int(a), len(all)), min(int(a)+int(b), len(all))
		w, _, result := await(t, token, 10*time.Second)
		for _, p := range []string{all[:i], all[i:j], all[j:]} {
			w.WriteString(p)
		}
		s, err := result()
		if err != nil || string(s.Text) != all || s.At == 0 {
			t.Errorf("%q at %d, %v; want %q", s.Text, s.At, err, all)
		}
	})
}

// What is said before the token may have no end: of it the last is kept.
func TestAwaitTokenEndless(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	token := []byte("READY-0123456789abcdef")
	go func() {
		defer w.Close()
		noise := bytes.Repeat([]byte("READY-012345678 "), 4096)
		for range 1 << 10 {
			w.Write(noise)
		}
		w.Write(token[:7])
		time.Sleep(20 * time.Millisecond)
		w.Write(token[7:])
	}()
	s, err := AwaitToken(r, token, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if late := Now() - s.At; late < Time(10*time.Millisecond) || late > Time(5*time.Second) {
		t.Errorf("its first byte was seen %v before its last", late)
	}
	if n := len(s.Text); n > mostSaid || !bytes.HasSuffix(s.Text, token) {
		t.Errorf("%d bytes are kept", n)
	}
}
