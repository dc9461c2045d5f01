// Probe is the program that works inside an instance and says what it measured:
// the same static bytes in every environment, in the default image as
// /bin/probe.
//
//	probe TOKEN cpu [ms=150] [only=integer,fault]
//	probe TOKEN disk [dir=DIR] [size=BYTES] [only=direct-read,fsync] …
//	probe TOKEN memory [anon=BYTES] [file=BYTES] [dir=DIR]
//	probe TOKEN net to=ADDRESS:PORT [ms=500] [only=stream,latency]
//	probe TOKEN serve
//	probe TOKEN spin [ms=500]
//	probe TOKEN grow [to=BYTES]
//	probe TOKEN bomb [most=64]
//	probe TOKEN neighbour mark=WORD dir=DIR
//	probe TOKEN reach mark=WORD dir=DIR pid=PID …
//	probe TOKEN passes [size=BYTES] [n=8]
//	probe TOKEN surface [dir=DIR]
//	probe TOKEN victim [what=disk dir=DIR] [ms=500]
//	probe TOKEN disturb what=equal|cache|memory|forks|disk|network [ms=10000] [to=BYTES|ADDRESS:PORT] [dir=DIR]
//
// A subcommand is a file here, and the work that it times is a function of its
// own that tests call. What it says on standard output is package line's
// language; what it waits for on standard input is there, too.
//
// It is a Go program because its kernels are to be read. It stays small, as
// every guest unpacks it: it links neither net nor encoding/json.
package main

import (
	"errors"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
)

// commands are the subcommands.
var commands = map[string]func(*talk, options) error{
	"bomb":      bomb,
	"cpu":       cpu,
	"disk":      disk,
	"disturb":   disturb,
	"grow":      grow,
	"memory":    memory,
	"neighbour": neighbour,
	"net":       network,
	"passes":    passes,
	"reach":     reach,
	"serve":     serve,
	"spin":      spin,
	"surface":   surface,
	"victim":    victim,
	"writes":    writes,
}

func main() {
	// A child of the probe's own: see pong.
	if len(os.Args) == 2 && os.Args[1] == "echo" {
		echo()
		return
	}
	if len(os.Args) < 3 || commands[os.Args[2]] == nil {
		os.Stderr.WriteString("probe: started by the lab's scenarios: probe TOKEN cpu|disk|memory|net|serve|spin|grow|writes|bomb|neighbour|passes|reach|surface|victim|disturb [name=value…]\n")
		os.Exit(2)
	}
	// A collection would be timed with whatever it falls into; the probe
	// makes no garbage worth one.
	debug.SetGCPercent(-1)
	// Raw system calls that block keep their P; with one for each thread
	// nobody waits for another's, also on one CPU.
	runtime.GOMAXPROCS(max(4, runtime.GOMAXPROCS(0)))
	t := &talk{token: os.Args[1], in: 0, out: 1}
	opts, err := parse(os.Args[3:])
	if err == nil {
		err = commands[os.Args[2]](t, opts)
	}
	if err != nil {
		t.fail(os.Args[2], err)
		os.Exit(1)
	}
	t.bye()
}

// options are a subcommand's arguments, name=value.
type options map[string]string

func parse(words []string) (options, error) {
	o := options{}
	for _, w := range words {
		name, value, ok := strings.Cut(w, "=")
		if !ok || name == "" {
			return nil, errors.New("argument " + strconv.Quote(w) + " isn't name=value")
		}
		o[name] = value
	}
	return o, nil
}

// number is a whole number above 0.
func (o options) number(name string, without int64) (int64, error) {
	word, ok := o[name]
	if !ok {
		return without, nil
	}
	n, err := strconv.ParseInt(word, 10, 64)
	if err != nil || n < 0 {
		return 0, errors.New(name + "=" + word + " isn't a whole number")
	}
	return n, nil
}
