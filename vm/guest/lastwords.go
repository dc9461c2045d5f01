package guest

import (
	"bytes"
	"regexp"
	"strconv"

	"golang.org/x/sys/unix"
)

// PanicStatus finds the wait status of PID 1 in a console's text: "Kernel panic
// - not syncing: Attempted to kill init! exitcode=0x00000100" (do_exit in the
// kernel's kernel/exit.c; the form is older than 3.0).
func PanicStatus(text []byte) (status int, ok bool) {
	_, rest, ok := bytes.Cut(text, []byte("Attempted to kill init! exitcode=0x"))
	if !ok || len(rest) < 8 {
		return 0, false
	}
	n, err := strconv.ParseUint(string(rest[:8]), 16, 32)
	return int(n), err == nil
}

var requested = regexp.MustCompile(`Requested init (\S+) failed \(error -(\d+)\)`)

// NotExecuted finds in a console's text that the kernel couldn't execute PID 1:
// "Kernel panic - not syncing: Requested init /x failed (error -8)."
// (kernel_init in the kernel's init/main.c).
func NotExecuted(text []byte) (path string, errno unix.Errno, ok bool) {
	m := requested.FindSubmatch(text)
	if m == nil {
		return "", 0, false
	}
	n, err := strconv.Atoi(string(m[2]))
	return string(m[1]), unix.Errno(n), err == nil
}

// LastWords is the end of a console's text; of a kernel's panic the line that
// says why, and not the registers that follow.
func LastWords(text []byte) []byte {
	const most = 300
	if at := bytes.LastIndex(text, []byte("Kernel panic")); at >= 0 {
		line, _, _ := bytes.Cut(text[at:], []byte("\n"))
		return bytes.TrimSpace(line[:min(len(line), most)])
	}
	return text[max(0, len(text)-most):]
}
