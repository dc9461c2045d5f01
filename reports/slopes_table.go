package reports

import (
	"fmt"
	"slices"
	"strings"

	"lab/bench/stats"
	"lab/reports/analysis"
	"lab/reports/msg"
)

// slopes is the table of what one more instance costs.
func (d *document) slopes() {
	for _, m := range d.a.SlopesShown() {
		d.line("## %s: for each further one", msg.Capital(m.Title))
		d.line("The slope of a straight line through the medians at each number of instances, least squares; its interval is a bootstrap's within each number.")
		d.b.WriteString("| environment | instances at a time | for each further one | 95 % interval | less that of " + d.a.BaseName() + " | 95 % interval |\n|:---|:---|---:|---:|---:|---:|\n")
		all := d.a.Series(m.Name)
		i := slices.IndexFunc(all, func(s *analysis.Series) bool {
			return len(s.Cells) > 0 && (s.Label == analysis.Baseline || d.a.FirstIsBase && !s.TCG)
		})
		for _, s := range all {
			row := []string{s.Label, s.Counts(), "", "", "", ""}
			if s.TCG {
				row[0] += ", " + analysis.TCGMark
			}
			if len(s.Cells) == 0 {
				row[1] = s.Why
			} else if l, err := s.Line(m.Name, nil, d.a.Run.Manifest.Seed); err != nil {
				row[2] = "no slope"
			} else {
				row[2], row[3] = slopeWords(l.Slope, m.Unit)
			}
			switch {
			case i >= 0 && s == all[i]:
				row[4] = "baseline"
			case s.TCG:
				row[4] = notCompared
			case i >= 0:
				if l, err := s.Line(m.Name, all[i], d.a.Run.Manifest.Seed); err == nil {
					row[4], row[5] = slopeWords(l.Slope, m.Unit)
				}
			}
			for j := range row {
				row[j] = escape(row[j])
			}
			fmt.Fprintf(&d.b, "| %s |\n", strings.Join(row, " | "))
		}
		d.b.WriteByte('\n')
	}
}

func slopeWords(iv stats.Interval, unit string) (point, span string) {
	u := msg.ScaleFor(iv.Point, unit)
	if span = u.Join(u.Span(iv.Lo, iv.Hi)); !iv.Known() {
		span = "range " + span
	}
	return u.Join(u.Signed(iv.Point)), span
}
