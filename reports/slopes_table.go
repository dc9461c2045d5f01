package reports

import (
	"fmt"
	"slices"
	"strings"

	"lab/bench/stats"
)

// slopes is the table of what one more instance costs.
func (d *document) slopes() {
	for _, m := range d.a.slopesShown() {
		d.line("## %s: for each further one", capital(m.Title))
		d.line("The slope of a straight line through the medians at each number of instances, least squares; its interval is a bootstrap's within each number.")
		d.b.WriteString("| environment | instances at a time | for each further one | 95 % interval | less that of " + d.a.baseName() + " | 95 % interval |\n|:---|:---|---:|---:|---:|---:|\n")
		all := d.a.series(m.Name)
		i := slices.IndexFunc(all, func(s *series) bool { return len(s.cells) > 0 && (s.label == baseline || d.a.firstIsBase && !s.tcg) })
		for _, s := range all {
			row := []string{s.label, s.counts(), "", "", "", ""}
			if s.tcg {
				row[0] += ", " + tcgMark
			}
			if len(s.cells) == 0 {
				row[1] = s.why
			} else if l, err := s.line(m.Name, nil, d.a.run.Manifest.Seed); err != nil {
				row[2] = "no slope"
			} else {
				row[2], row[3] = slopeWords(l.Slope, m.Unit)
			}
			switch {
			case i >= 0 && s == all[i]:
				row[4] = "baseline"
			case s.tcg:
				row[4] = notCompared
			case i >= 0:
				if l, err := s.line(m.Name, all[i], d.a.run.Manifest.Seed); err == nil {
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
	u := scaleFor(iv.Point, unit)
	if span = u.join(u.span(iv.Lo, iv.Hi)); !iv.Known() {
		span = "range " + span
	}
	return u.join(u.signed(iv.Point)), span
}
