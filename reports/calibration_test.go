package reports

import (
	"bytes"
	"testing"

	"lab/reports/msg"
	"lab/reports/page"
)

func TestCalibrationGolden(t *testing.T) {
	rows := [][]string{
		{"host, A/A, shuffled", "how often is it called different from itself?", "5 of 200 pairs, 2.5 % (0.817 % to 5.74 %)", "at most 5 %", "yes"},
		{"host, A/A, shuffled", "middle ratio of its medians to its own", "1.0037 (0.9985 to 1.0106)", "1 ± 1 %", "can't tell"},
		{"host, A/A, one after the other", "how often is it called different from itself?", "16 of 200 pairs, 8 %", "", "for comparison"},
		{"a start of 5.1 ms | slowed by 2%", "is it found?", "in 3 of 10 sets", "in at least 90 % of the sets", "no"},
	}
	var b bytes.Buffer
	p := Calibration(rows)
	if err := p.Terminal(&b, page.Options{Width: 80, Color: true}); err != nil {
		t.Fatal(err)
	}
	golden(t, "calibration.txt", b.Bytes())
	golden(t, "calibration.md", p.Markdown(msg.English()))
}
