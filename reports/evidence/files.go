package evidence

import (
	"lab/reports"
	"lab/reports/msg"
	"lab/reports/page"
	"lab/reports/plot"
)

// Files are the grades as grades.md and grades.json, and class.html: one page with the
// grades, the class's guesses next to its results, and each run with a switch.
func (c *Class) Files() ([]plot.File, error) {
	l := msg.Reader()
	grades, err := c.JSON()
	if err != nil {
		return nil, err
	}
	out := []plot.File{{Name: "grades.md", Data: c.Page().Markdown(l)}, {Name: "grades.json", Data: grades}}
	runs, names := c.Usable()
	if len(runs) == 0 {
		return out, nil
	}
	whole, err := reports.ClassHTML(runs, names, func(p *page.Page) { p.Append(c.Page()) })
	return append(out, plot.File{Name: "class.html", Data: whole}), err
}
