package wire

import (
	"bytes"
	"io"
	"testing"
	"testing/iotest"
)

// Every byte comes through, however it is cut, and none is the console's key.
func TestEscape(t *testing.T) {
	var all []byte
	for n := range 512 {
		all = append(all, byte(n), byte(n), byte(n*7))
	}
	sent := Escape(all)
	if bytes.IndexByte(sent, ctrlO) >= 0 {
		t.Error("Ctrl-O is sent")
	}
	for name, r := range map[string]io.Reader{"whole": bytes.NewReader(sent), "by byte": iotest.OneByteReader(bytes.NewReader(sent)),
		"with the error": iotest.DataErrReader(bytes.NewReader(sent))} {
		if got, err := io.ReadAll(Unescape(r)); err != nil || !bytes.Equal(got, all) {
			t.Errorf("%s: %d bytes, %v, want %d", name, len(got), err, len(all))
		}
	}
}

func FuzzEscape(f *testing.F) {
	f.Add([]byte("\x0f\x10\x10O\x0fP"))
	f.Fuzz(func(t *testing.T, b []byte) {
		sent := Escape(b)
		got, err := io.ReadAll(Unescape(bytes.NewReader(sent)))
		if err != nil || !bytes.Equal(got, b) || bytes.IndexByte(sent, ctrlO) >= 0 {
			t.Errorf("%q became %q, then %q, %v", b, sent, got, err)
		}
	})
}
