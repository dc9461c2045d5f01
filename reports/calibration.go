package reports

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"lab/reports/msg"
)

var calibrationHead = []string{"what", "question", "measured", "wanted", "as wanted?"}

// CalibrationTable writes a calibration's answers for people. A row is what
// was looked at, the question, what was measured, what was wanted ("" for
// nothing) and the answer.
func CalibrationTable(w io.Writer, rows [][]string, o Options) error {
	t := &terminal{o: o}
	if t.o.Width <= 0 {
		t.o.Width = 100
	}
	outcomes := map[string]struct{ word, color string }{"yes": {"Pass", green}, "no": {"Fail", red}, "can't tell": {"Undecided", yellow}}
	last := ""
	for _, r := range rows {
		if r[0] != last {
			t.paragraph(bold, r[0], "", "")
			last = r[0]
		}
		wanted := ""
		if r[3] != "" {
			wanted = "; wanted: " + r[3]
		}
		o, ok := outcomes[r[4]]
		if !ok {
			o.word = msg.Capital(r[4])
		}
		t.paragraph(o.color, o.word+":", "  ", fmt.Sprintf(" %s %s%s", r[1], r[2], wanted))
	}
	_, err := w.Write(t.b.Bytes())
	return err
}

// CalibrationMarkdown is the same as a page.
func CalibrationMarkdown(rows [][]string) []byte {
	var b bytes.Buffer
	b.WriteString("# How far the lab can be trusted on this machine\n\n")
	fmt.Fprintf(&b, "| %s |\n|:---|:---|:---|:---|:---|\n", strings.Join(calibrationHead, " | "))
	for _, r := range rows {
		cells := make([]string, len(r))
		for i := range r {
			cells[i] = escape(r[i])
		}
		fmt.Fprintf(&b, "| %s |\n", strings.Join(cells, " | "))
	}
	b.WriteString("\nIntervals are of 95 %. What is wanted was written down before any result. " +
		"“For comparison” is what shuffling is for, and is no property of the lab's own runs.\n")
	return b.Bytes()
}
