package reports

import (
	"bytes"
	"encoding/json"
	"fmt"

	"lab/bench/results"
	"lab/reports/analysis"
	"lab/reports/msg"
	"lab/reports/page"
)

// Plan is the page that says how many sessions of how many trials buy which interval.
func Plan(p *analysis.Plan) *page.Page {
	out := &page.Page{}
	out.Title(msg.T("plan.title", msg.Name(p.Scenario), p.Title))
	id := "plan.of-means"
	if p.Paired {
		id = "plan.of-ratios"
	}
	out.Text(msg.T(id, msg.T("check.sessions", p.Sessions)))

	t := page.Table{Head: []page.Text{msg.T("head.row"), msg.T("plan.mean"), msg.T("plan.between"), msg.T("plan.most-between"), msg.T("plan.within"), msg.T("plan.pays")}}
	for _, r := range p.Rows {
		mean := msg.Quantity(r.Mean, p.Unit)
		if p.Paired {
			mean = msg.Times(r.Mean)
		}
		pays := msg.T("cell.unknown")
		if r.Trials > 0 {
			pays = msg.Message{Args: []any{r.Trials}}
		}
		t.Rows = append(t.Rows, []page.Text{r.Row, mean, msg.Percent(r.Between), msg.Percent(r.Most), msg.Percent(r.Within), pays})
	}
	out.Table(t, headsWrapped(t))

	out.Section(msg.T("plan.targets"))
	t = page.Table{Head: []page.Text{msg.T("plan.half"), msg.T("plan.sessions"), msg.T("plan.trials"), msg.T("head.time"), msg.T("plan.needs-most")}, Align: "rrrrl"}
	for _, x := range p.Targets {
		if x.Sessions == 0 {
			t.Rows = append(t.Rows, []page.Text{"± " + msg.Percent(x.Half), msg.T("plan.none"), "", "", ""})
			continue
		}
		t.Rows = append(t.Rows, []page.Text{"± " + msg.Percent(x.Half), x.Sessions, x.Trials, lasting(x.Seconds), x.Row})
	}
	out.Table(t, headsWrapped(t))

	out.Section(msg.T("plan.grid"))
	t = page.Table{Head: []page.Text{msg.T("plan.sessions")}}
	of := map[int][]page.Text{}
	var sessions []int
	for _, x := range p.Grid {
		if of[x.Sessions] == nil {
			of[x.Sessions], sessions = []page.Text{x.Sessions}, append(sessions, x.Sessions)
		}
		if len(sessions) == 1 {
			t.Head = append(t.Head, msg.T("trials", x.Trials))
		}
		of[x.Sessions] = append(of[x.Sessions], "± "+msg.Percent(x.Half))
	}
	for _, s := range sessions {
		t.Rows = append(t.Rows, of[s])
	}
	out.Table(t)
	out.Messages(p.Unsure()...)
	return out
}

// headsWrapped is a table whose heads have several lines.
func headsWrapped(t page.Table) page.Table {
	head := t.Head
	t.Head = nil
	for _, h := range head {
		t.Head = append(t.Head, page.Wrapped{Text: h, Width: 12})
	}
	return t
}

func lasting(seconds *float64) page.Text {
	if seconds == nil {
		return msg.T("cell.unknown")
	}
	return minutesOf(*seconds)
}

// PlanJSON is the same for other programs.
func PlanJSON(p *analysis.Plan) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	err := enc.Encode(struct {
		Format int `json:"format"`
		*analysis.Plan
		Unsure []string `json:"unsure"`
	}{results.Format, p, msg.English().Texts(p.Unsure())})
	if err != nil {
		return nil, fmt.Errorf("plan: %w", err)
	}
	return b.Bytes(), nil
}
