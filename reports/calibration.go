package reports

import (
	"lab/reports/msg"
	"lab/reports/page"
)

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
		outcome, color := msg.T("title", r[4]), page.Color("")
		switch r[4] {
		case "yes":
			outcome, color = msg.T("calibration.pass"), page.Green
		case "no":
			outcome, color = msg.T("calibration.fail"), page.Red
		case "can't tell":
			outcome, color = msg.T("calibration.undecided"), page.Yellow
		}
		text := msg.T("calibration.row", r[1], r[2])
		if r[3] != "" {
			text = msg.T("calibration.wanted", text, r[3])
		}
		p.Mark(color, msg.T("mark.head", outcome), text)
	}
	p.Gap()
	p.Say(msg.T("calibration.note"))
	return p
}
