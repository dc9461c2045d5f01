package daemon

import (
	"os"
	"strings"
)

// QEMUSaid finds in a domain's log what QEMU itself wrote: lines that begin
// with a time and its name, but for warnings, and what KVM did to it. The others
// are libvirt's, with the command line, and registers.
func QEMUSaid(log []byte) string {
	var said []string
	for line := range strings.Lines(string(log)) {
		if _, rest, ok := strings.Cut(line, " qemu-system-"); ok && strings.Contains(rest, ": ") {
			if strings.Contains(rest, ": warning: ") || strings.Contains(rest, ": terminating on signal 15") {
				continue // of no death; and what libvirt does to a guest that ended itself
			}
			said = append(said, strings.TrimSpace("qemu-system-"+rest))
		} else if strings.HasPrefix(line, "KVM internal error") || strings.HasPrefix(line, "KVM: entry failed") ||
			strings.HasPrefix(line, "error: kvm run failed") || strings.HasPrefix(line, "emulation failure") {
			said = append(said, strings.TrimSpace(line))
		}
	}
	return strings.Join(said[max(0, len(said)-3):], "; ")
}

// Tail reads the last n bytes of a file; nothing where that can't be done.
func Tail(path string, n int64) []byte {
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil
	}
	b := make([]byte, min(n, st.Size()))
	k, _ := f.ReadAt(b, st.Size()-int64(len(b)))
	return b[:k]
}
