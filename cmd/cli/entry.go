//go:build amd64 || arm64

package cli

// entry is where the program begins; it isn't called.
func entry()

func atLeast()

// caught and resume are a signal handler, see catch.
func caught()

func resume()

// null is what a closed standard output is replaced by.
var null = "/dev/null\x00"

// What is said to ulimits under which Go's runtime can't start. They are data, as
// no code of Go's has run by then.
var (
	tightSpace = "lab: the limit of address space is below 1 GiB, and Go needs as much; fix: ulimit -v unlimited\n"
	tightData  = "lab: the limit of data is below 1 GiB, and Go needs as much; fix: ulimit -d unlimited\n"
)
