package asked

import (
	"fmt"
	"slices"
	"strings"

	"lab/bench"
	"lab/vm/domain"
)

// Parameters of the user's for the guest's kernel.

// none is the setting append's word for no parameter, so that a row without can stand
// next to one with some.
const none = "none"

// appendSetting is what the user adds to the kernel's command line.
var appendSetting = bench.Setting{Name: "append", Default: none, Help: "parameters for the guest's kernel, such as mitigations=off; several in quotes, with blanks between. What this kernel doesn't know it hands to the guest's first program"}

// maxAppend leaves room for the lab's own words: the kernel reads 2047 bytes in all.
const maxAppend = 1024

// reserved are the parameters that the lab sets, and those that make the kernel write to the
// console, where it would write its command line and in it what the host waits for as a
// sign of the workload's life.
var reserved = []string{"--", "init", "rdinit", "root", "console", "panic", "reboot", "acpi", "quiet",
	"debug", "loglevel", "ignore_loglevel", "earlycon", "earlyprintk", "bootconfig"}

// Append are the parameters that a Spec adds to the guest kernel's command line. An error
// says which of them can't be had.
func Append(s bench.Spec) ([]string, error) {
	text := s.Settings[appendSetting.Name]
	if text == none {
		return nil, nil
	}
	if len(text) > maxAppend {
		return nil, bench.NotApplicable(fmt.Sprintf("append has %d bytes of kernel parameters, and the guest's kernel command line has room for %d", len(text), maxAppend), "give it fewer")
	}
	words := strings.Split(text, " ")
	if text == "" {
		words = nil
	}
	for _, w := range words {
		name, _, _ := strings.Cut(w, "=")
		switch err := domain.Plain(w); {
		case w == "":
			return nil, bench.NotApplicable("append has two blanks in a row", "write one")
		case err != nil:
			return nil, bench.NotApplicable(fmt.Sprintf("append: %v", err), "leave that character out")
		case slices.Contains(reserved, name):
			cure := "leave it out"
			if name == "acpi" {
				cure = "--variant acpi=on or off"
			}
			return nil, bench.NotApplicable("append: the parameter "+name+" is the lab's to set", cure)
		}
	}
	return words, nil
}
