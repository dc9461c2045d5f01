package machine

import (
	"bufio"
	"fmt"
	"io"
	"strings"
)

// Print writes checks for people: a line each, and below what isn't well why it
// matters, what it blocks and the fix. Plain text, so that it reads the same
// in a file, on a terminal and aloud.
func Print(w io.Writer, checks []Check) error {
	b := bufio.NewWriter(w)
	wide, count := 0, map[Result]int{}
	for _, c := range checks {
		wide = max(wide, len(c.Name))
		count[c.Result]++
	}
	for _, c := range checks {
		fmt.Fprintf(b, "%-4s  %-*s  %s\n", c.Result, wide, c.Name, c.Detail)
		if c.Result == OK {
			continue
		}
		blocks := "blocks"
		if c.Result == Warn {
			blocks = "rules out"
		}
		for _, row := range [][2]string{{"found", c.More}, {"why", c.Why}, {blocks, strings.Join(c.Blocks, ", ")}, {"fix", c.Cure}} {
			if row[1] != "" {
				fmt.Fprintf(b, "      %-*s  %s: %s\n", wide, "", row[0], row[1])
			}
		}
	}
	fmt.Fprintf(b, "\n%d ok, %d to know about, %d blocking\n", count[OK], count[Warn], count[Fail])
	return b.Flush()
}
