package accel

import (
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"lab/bench/clock"
	"lab/bench/results"
)

// PaceGuest is the probe's guest, a program without an operating system that
// executes what guests' code consists of, each for a fortieth of a second, and
// says when it begins and ends. testdata/pace.s has its source.
func PaceGuest() []byte {
	code, err := hex.DecodeString(strings.ReplaceAll(paceCode, "\n", ""))
	if err != nil {
		panic(err) // a constant
	}
	return pvh(code)
}

// The guest's tests, in their order: "A" begins a round of the first, "a" ends it.
var paceTests = [...]struct {
	name  string
	first int64 // how many a first round has; each further one twice as many
}{
	{"instructions in ring 0 without paging", 2 * 8192},
	{"instructions in ring 0", 2 * 8192},
	{"instructions in ring 3", 2 * 8192},
	{"page faults", 2 * 8},
	{"system calls", 16},
}

const (
	paceEnd   = '!'
	maxRounds = 40
	longRound = 10 * time.Millisecond
)

// A Pacer reads what the guest says.
type Pacer struct {
	rounds  [len(paceTests)]int
	began   clock.Time
	current int // the test that goes on, from 1; 0: none yet
	rates   [len(paceTests)]float64
	long    [len(paceTests)]bool // the rate is of a round that took long enough
	longest [len(paceTests)]time.Duration
	done    bool
}

// take takes bytes that came at one time.
func (p *Pacer) take(b []byte, at clock.Time) {
	for _, c := range b {
		n := int(c|0x20) - 'a'
		switch {
		case c == paceEnd:
			p.done = true
		case n < 0 || n >= len(paceTests) || p.rounds[n] > maxRounds:
		case c < 'a':
			p.rounds[n]++
			p.current, p.began = n+1, at
		case p.current == n+1:
			took := at.Sub(p.began)
			// Each round is twice the one before. If it took less, its beginning was
			// seen late: on a busy machine both ends may come in one read.
			if took <= 0 || !p.long[n] && took < p.longest[n] {
				break
			}
			rate := float64(paceTests[n].first<<(p.rounds[n]-1)) / took.Seconds()
			// A round that something else on the machine held up says little; so
			// does a short one, whose beginning may have been seen late.
			if p.long[n] {
				if took < longRound {
					break
				}
				rate = max(rate, p.rates[n])
			}
			p.rates[n], p.long[n], p.longest[n] = rate, p.long[n] || took >= longRound, took
		}
	}
}

// Listen reads what the guest says until it is done. An error wraps [ErrSilent].
func (p *Pacer) Listen(r io.Reader) error {
	var buf [256]byte
	for !p.done {
		n, err := r.Read(buf[:])
		p.take(buf[:n], clock.Now())
		if err != nil && !p.done {
			return ErrSilent
		}
	}
	return nil
}

// pace is what was measured.
func (p *Pacer) pace() results.Pace {
	r := p.rates
	return results.Pace{Unpaged: r[0], Ring0: r[1], Ring3: r[2], Faults: r[3], Calls: r[4]}
}

// better takes over what another look found to be faster.
func (p *Pacer) better(x Pacer) {
	for i, r := range x.rates {
		p.rates[i] = max(p.rates[i], r)
	}
}

// lack says in what a guest that didn't come to its end broke off.
func (p *Pacer) lack() string {
	if p.current == 0 {
		return "before its first instruction"
	}
	return "in its test of " + paceTests[p.current-1].name
}

// ErrSilent says that the guest ended too early.
var ErrSilent = errors.New("the guest ended before its report was complete")

// kindOf says what kind of KVM one is, by what it does and what the CPU has. That
// the machine is itself a guest doesn't tell: its KVM may be the CPU's own,
// handed on, or a hypervisor that does without and emulates ring 0.
func kindOf(p results.Pace, cpuinfo string) string {
	switch {
	case p.Ring0 > 0 && p.Ring3 > emulatedRing*p.Ring0, p.Ring0 == 0 && !virtualizes(cpuinfo):
		return results.KVMParavirtual
	case !virtualizes(cpuinfo):
		return ""
	case hasFlag(cpuinfo, "hypervisor"):
		return results.KVMNested
	}
	return results.KVMHardware
}

// virtualizes says whether a /proc/cpuinfo is of a CPU that has virtualization:
// Intel's or AMD's.
func virtualizes(cpuinfo string) bool { return hasFlag(cpuinfo, "vmx") || hasFlag(cpuinfo, "svm") }

func hasFlag(cpuinfo, flag string) bool {
	for line := range strings.Lines(cpuinfo) {
		if strings.HasPrefix(line, "flags") {
			return slices.Contains(strings.Fields(line), flag)
		}
	}
	return false
}

// emulatedRing is how many times as fast ring 3 is as ring 0 where the latter is
// emulated: hardware executes both alike.
const emulatedRing = 20

// speed words a rate: "412 million".
func speed(perSecond float64) string {
	switch {
	case perSecond >= 1e9:
		return fmt.Sprintf("%.3g billion", perSecond/1e9)
	case perSecond >= 1e6:
		return fmt.Sprintf("%.3g million", perSecond/1e6)
	case perSecond >= 1e5:
		return fmt.Sprintf("%.2f million", perSecond/1e6)
	}
	return fmt.Sprintf("%.0f", perSecond)
}

// paceCode is testdata/pace.s as the GNU assembler has it, in hexadecimal digits;
// TestPaceCode says how.
//
//go:embed pace.hex
var paceCode string
