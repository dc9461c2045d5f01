package reports

import (
	"lab/reports/msg"
	"lab/reports/page"
)

var outcomes = map[string]struct {
	text  msg.Message
	color page.Color
}{"yes": {msg.T("calibration.pass"), page.Green}, "no": {msg.T("calibration.fail"), page.Red}, "can't tell": {msg.T("calibration.undecided"), page.Yellow}}

// Calibration is a page on how far the lab can be trusted. A row is what was looked
// at, the question, what was measured, what was wanted ("" for nothing) and the
// answer: "yes", "no", "can't tell", or another word for what nothing was wanted of.
func Calibration(rows [][]string) *page.Page {
	p := &page.Page{}
	p.Title(msg.T("calibration.title"))
	last := ""
	for _, r := range rows {
		if r[0] != last {
			p.Section(r[0])
			last = r[0]
		}
		outcome, ok := outcomes[r[4]]
		if !ok {
			outcome.text = msg.T("title", r[4])
		}
		text := msg.T("calibration.row", r[1], r[2])
		if r[3] != "" {
			text = msg.T("calibration.wanted", text, r[3])
		}
		p.Mark(outcome.color, msg.T("mark.head", outcome.text), text)
	}
	p.Gap()
	p.Text(msg.T("calibration.note"))
	return p
}
