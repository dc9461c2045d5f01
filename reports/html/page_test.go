package html

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"lab/reports/msg"
	"lab/reports/page"
)

// evil is what somebody's results folder may say.
const evil = `</script><script>alert(1)</script><img src=x onerror=alert(2)>&"'` + "\u202e\x1b[2J"

func sample(points int) *Page {
	var ps []Point
	for i := range points {
		ps = append(ps, Point{N: i, V: float64(i+1) / 3e6, T: []int{0}})
	}
	var fold page.Page
	fold.Section(evil)
	fold.Text(evil)
	fold.List(evil)
	fold.Table(page.Table{Head: []page.Text{evil, evil}, Rows: [][]page.Text{{evil, evil}}})
	folded := fold.HTML(msg.English())
	return &Page{Language: msg.English(), Runs: []*Run{{Name: "a", Scenario: "startup" + evil, Question: "How long?" + evil, Answer: []string{evil}, Banners: []string{evil},
		Verdicts: []Verdict{{Kind: "holds", Mark: "✓", Outcome: "Holds", Statement: evil, Figure: evil, Detail: evil}},
		Rows:     []Row{{Label: evil, Color: "#000000"}}, Taints: []string{evil},
		Metrics: []Metric{{Name: "ready", Title: evil, Unit: "s", Help: evil, Points: [][]Point{ps}, Stats: []*Statistic{nil}}},
		Tables:  folded, Method: folded, Machine: folded, Notes: folded, Noted: 1, Files: []string{"trials.csv"}}}}
}

// Whatever a folder says is text: no element, attribute or script comes of it, and
// the data inside are the same that went in.
func TestHostile(t *testing.T) {
	b, err := Render(sample(3))
	if err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(b, []byte("<script")); n != 2 {
		t.Errorf("%d scripts, want the data and the program", n)
	}
	if bytes.Contains(b, []byte("<img")) || bytes.Contains(b, []byte("alert(1)</script>")) {
		t.Error("an element came of a text")
	}
	m := regexp.MustCompile(`(?s)<script type="application/json" id="data">(.*?)</script>`).FindSubmatch(b)
	if m == nil {
		t.Fatal("no data")
	}
	var back Page
	if err := json.Unmarshal(m[1], &back); err != nil {
		t.Fatal(err)
	}
	if r := back.Runs[0]; r.Rows[0].Label != evil || r.Taints[0] != evil || len(r.Metrics[0].Points[0]) != 3 {
		t.Errorf("the data came back as %+v", r)
	}
}

// The page fetches nothing: no address in it but those of the folder, and a policy
// that forbids the rest.
func TestOffline(t *testing.T) {
	b, err := Render(sample(1))
	if err != nil {
		t.Fatal(err)
	}
	for _, address := range regexp.MustCompile(`[a-z]+://[^"' )]*`).FindAllString(string(b), -1) {
		if address != "http://www.w3.org/2000/svg" { // a name, not an address
			t.Errorf("an address: %s", address)
		}
	}
	for _, link := range regexp.MustCompile(`(?:href|src)="([^"]*)"`).FindAllStringSubmatch(string(b), -1) {
		if strings.Contains(link[1], ":") || strings.HasPrefix(link[1], "/") {
			t.Errorf("a link out of the folder: %s", link[1])
		}
	}
	if !bytes.Contains(b, []byte("default-src 'none'")) || !bytes.Contains(b, []byte("connect-src 'none'")) {
		t.Error("no policy")
	}
}

// With too many trials some are drawn, and the page says so; the tables are whole.
func TestThinned(t *testing.T) {
	for _, x := range []struct{ points, every int }{{1000, 0}, {200_000, 4}} {
		p := sample(x.points)
		b, err := Render(p)
		if err != nil || len(b) > MaxSize {
			t.Errorf("%d points: %d bytes, %v", x.points, len(b), err)
		}
		said := fmt.Sprintf("Only one trial in %d is drawn", p.Runs[0].Thinned)
		if (p.Runs[0].Thinned > 0) != (x.every > 0) || bytes.Contains(b, []byte(said)) != (x.every > 0) {
			t.Errorf("%d points: each %d-th is left", x.points, p.Runs[0].Thinned)
		}
	}
}

func TestRenderNothing(t *testing.T) {
	if _, err := Render(&Page{}); err == nil {
		t.Error("a page of nothing")
	}
}
