package machine

import "strings"

// ksm is whether the kernel looks for equal pages and merges them (kernel samepage
// merging): QEMU offers its guests' RAM, and what guests cost then depends on how
// equal they are.
func ksm(t tree) string {
	switch t.read("/sys/kernel/mm/ksm/run") {
	case "":
		return t.notBuilt()
	case "0":
		return "off"
	case "1":
		return "on"
	}
	return "off, and what was merged is being parted"
}

// hugePages is when the kernel gives a program pages of 2 MiB unasked, of which
// one byte costs all.
func hugePages(t tree) string {
	text := t.read("/sys/kernel/mm/transparent_hugepage/enabled")
	if text == "" {
		return t.notBuilt()
	}
	_, rest, _ := strings.Cut(text, "[")
	chosen, _, _ := strings.Cut(rest, "]")
	return chosen
}

// notBuilt is what it means that one of the files isn't there: nothing is known
// where the whole folder isn't.
func (t tree) notBuilt() string {
	if !t.has("/sys/kernel/mm") {
		return ""
	}
	return "not built in"
}
