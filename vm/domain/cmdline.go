package domain

import (
	"fmt"
	"strings"
)

// A Cmdline says what a guest's kernel command line is made of.
type Cmdline struct {
	Init string   // path of the guest's first program
	Args []string // its arguments, without argv[0], which is Init
	Env  []string // its environment, beside the kernel's own HOME and TERM
	More []string // further kernel parameters
	Xen  bool     // it is a guest of Xen's, and not of QEMU's
}

// maxCmdline is COMMAND_LINE_SIZE on x86; what is longer is cut off silently.
const maxCmdline = 2048

// maxInitArgs is CONFIG_INIT_ENV_ARG_LIMIT as every distribution has it; a
// kernel with more arguments or variables than that panics.
const maxInitArgs = 32

// base is what every guest boots with.
var base = []string{
	// The one console. Without it the kernel would look for a screen.
	"console=ttyS0",
	// No text but for errors: each character costs the guest an exit to QEMU.
	// It is also what keeps the kernel from printing this very line, with the
	// workload's token in it, which the host would take for the workload's.
	"quiet",
	// PID 1's end is a panic: reset at once, don't wait for somebody to read.
	"panic=-1",
	// The reset itself by a triple fault: other ways try ACPI and the
	// keyboard controller first, and wait for them.
	"reboot=t",
	// Don't measure the timer's and the TSC's agreement for a while: under a
	// hypervisor the TSC is what it says it is.
	"tsc=reliable", "no_timer_check",
	// There is no keyboard and no mouse: don't wait for their answers.
	"i8042.noaux", "i8042.nokbd",
	// There is one serial port.
	"8250.nr_uarts=1",
	// Self-tests of the kernel's cryptography.
	"cryptomgr.notests",
	// The CPU's random numbers are good enough to seed with; else the first
	// reader of /dev/random may wait for noise that a quiet guest doesn't make.
	"random.trust_cpu=on",
}

// xenBase is what every guest of Xen's boots with: it has no hardware to look for.
var xenBase = []string{
	// The one console, on which the guest's init speaks as well: of the kernel's words
	// only its last ones are let through.
	"console=hvc0", "quiet", "loglevel=1",
	// A second, in which Xen's daemon takes those.
	"panic=1",
	// A processor that is held up for long is this machine's affair, and would be told of
	// as an emergency, in the middle of what the init says.
	"nowatchdog",
	"cryptomgr.notests", "random.trust_cpu=on",
}

// String writes the command line. It is a pure function of c. An error says
// which part of the workload a kernel command line can't hold.
func (c Cmdline) String() (string, error) {
	first := base
	if c.Xen {
		first = xenBase
	}
	words := append(append([]string{}, first...), c.More...)
	if len(c.Args) >= maxInitArgs || len(c.Env) >= maxInitArgs-2 {
		return "", fmt.Errorf("kernel command line: PID 1 can't have more than %d arguments", maxInitArgs)
	}
	for _, e := range c.Env {
		name, _, ok := strings.Cut(e, "=")
		// The kernel hands what it doesn't know to PID 1's environment.
		// Its own parameters have lower case names, or a dot in them.
		if !ok || name == "" || strings.Trim(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") != "" {
			return "", fmt.Errorf("kernel command line: PID 1 can't have the variable %q: only names in capitals", e)
		}
		if err := Plain(e); err != nil {
			return "", err
		}
		words = append(words, e)
	}
	if err := Plain(c.Init); err != nil {
		return "", err
	}
	// The first is for an initramfs. The second keeps the kernel from trying
	// /sbin/init, /bin/sh and others where it can't execute that: it panics.
	words = append(words, "rdinit="+c.Init, "init="+c.Init)
	if len(c.Args) > 0 {
		words = append(words, "--") // what follows is for PID 1
		for _, a := range c.Args {
			if err := Plain(a); err != nil {
				return "", err
			}
			words = append(words, a)
		}
	}
	line := strings.Join(words, " ")
	if len(line) >= maxCmdline {
		return "", fmt.Errorf("kernel command line: %d bytes, and the kernel reads %d", len(line), maxCmdline-1)
	}
	return line, nil
}

// Plain says whether a word survives the kernel's parser, which splits at
// blanks, takes quotes away and knows no escape.
func Plain(word string) error {
	if word == "" {
		return fmt.Errorf("kernel command line: an empty word can't be passed to PID 1")
	}
	for _, r := range word {
		if r <= ' ' || r > '~' || r == '"' {
			return fmt.Errorf("kernel command line: %q can't be passed to PID 1: it has %q in it", word, r)
		}
	}
	return nil
}
