package wire

import "io"

// The console of a guest of Xen's, by which its init is reached, takes Ctrl-O for the first
// key of a command to the guest's kernel, of which some end it (sysrq; hvc_poll in the
// kernel's drivers/tty/hvc/hvc_console.c). What is sent there doesn't have that byte.
const (
	ctrlO  = 0x0f
	escape = 0x10 // the next byte is another, with this bit changed:
	bit    = 0x40
)

// Escape writes bytes for such a console.
func Escape(b []byte) []byte {
	out := make([]byte, 0, len(b)+len(b)/64+1)
	for _, c := range b {
		if c == ctrlO || c == escape {
			out = append(out, escape)
			c ^= bit
		}
		out = append(out, c)
	}
	return out
}

// Unescape reads what Escape wrote.
func Unescape(r io.Reader) io.Reader { return &unescaper{from: r} }

type unescaper struct {
	from io.Reader
	half bool // the last byte was an escape
}

func (u *unescaper) Read(b []byte) (n int, err error) {
	for n == 0 && err == nil && len(b) > 0 {
		var m int
		m, err = u.from.Read(b)
		for _, c := range b[:m] {
			switch {
			case u.half:
				b[n], u.half = c^bit, false
				n++
			case c == escape:
				u.half = true
			default:
				b[n] = c
				n++
			}
		}
	}
	return n, err
}
