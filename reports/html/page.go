package html

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"html/template"

	"lab/reports/msg"
)

// MaxSize is how many bytes a page may have; with more trials than fit, only
// some of them are drawn, which is said.
const MaxSize = 2 << 20

// A Page is what is shown: one run, or several with a switch between them.
type Page struct {
	Language *msg.Language     `json:"-"`
	Runs     []*Run            `json:"runs"`
	Live     bool              `json:"live,omitempty"` // trials may still come
	Class    template.HTML     `json:"-"`              // what is said of all runs together, before them
	Texts    map[string]string `json:"texts"`          // what page.js says: Render fills it
}

// A Run is one results folder, as far as it is shown. Numbers are in base units.
type Run struct {
	Name      string        `json:"name"` // what the switch calls it
	Scenario  string        `json:"scenario"`
	Question  string        `json:"question"`
	Answer    []string      `json:"-"` // sentences, the largest difference first
	Banners   []string      `json:"-"` // what every reader has to know first
	Picture   *Picture      `json:"-"` // what comes before the plot: nil: nothing
	Verdicts  []Verdict     `json:"-"`
	Rows      []Row         `json:"rows"`
	Metrics   []Metric      `json:"metrics"`
	Taints    []string      `json:"taints"` // what Point.T counts from
	Parts     []Parts       `json:"parts,omitempty"`
	Thinned   int           `json:"thinned,omitempty"` // only each Thinned-th trial of a row is drawn; 0: all are
	Tables    template.HTML `json:"-"`                 // one a metric
	Guess     template.HTML `json:"-"`                 // what was expected, next to what was measured
	GuessPlot template.URL  `json:"-"`                 // its figure, as data
	Method    template.HTML `json:"-"`
	Machine   template.HTML `json:"-"`
	Notes     template.HTML `json:"-"` // doubts, and what the run wants said
	Noted     int           `json:"-"` // how many these are
	Files     []string      `json:"-"` // the folder's, for those who want the evidence
}

// A Picture is a figure that can't be pointed at. A table of the page has the same.
type Picture struct {
	Data  template.URL
	Title string
}

// A Verdict is a statement and what came of it.
type Verdict struct {
	Kind      string // holds, fails, undecided, unmeasured: for its looks
	Mark      string // ✓ ✗ ? –
	Outcome   string // "holds"
	Statement string
	Figure    string // what was measured, in a few words
	Detail    string // the threshold with its reason, or why there is no verdict
}

// A Row is an environment with its variant.
type Row struct {
	Label    string `json:"label"`
	Color    string `json:"color"` // "#0072b2"
	Mark     int    `json:"mark"`  // shape of its points, so that colour isn't all that tells rows apart
	Emulated bool   `json:"emulated,omitempty"`
	NotRun   string `json:"notRun,omitempty"`
}

// A Metric has its values and what was computed of them, row by row.
type Metric struct {
	Name   string       `json:"name"`
	Title  string       `json:"title"`
	Unit   string       `json:"unit"`
	Better string       `json:"better"`
	Help   string       `json:"help"`
	Log    bool         `json:"log,omitempty"`
	Points [][]Point    `json:"points"` // by row
	Stats  []*Statistic `json:"stats"`  // by row; nil: nothing was measured
}

// A Point is a trial's value. N is the trial's number, by which the order is known.
type Point struct {
	N int     `json:"n"`
	V float64 `json:"v"`
	W bool    `json:"w,omitempty"` // warm-up
	T []int   `json:"t,omitempty"` // taints
}

// A Statistic is a median with its interval; where Range, with the least and the
// largest value instead. Groups are the medians of two groups that the values come
// in: then one median doesn't sum them up.
type Statistic struct {
	Median float64   `json:"median"`
	Lo     float64   `json:"lo"`
	Hi     float64   `json:"hi"`
	N      int       `json:"n"`
	Range  bool      `json:"range,omitempty"`
	Groups []float64 `json:"groups,omitempty"`
}

// Parts are what a row's headline time is made of, in order; they sum up to Whole
// with what is named in the last.
type Parts struct {
	Row   int     `json:"row"`
	Of    string  `json:"of"`
	Whole float64 `json:"whole"`
	Parts []Part  `json:"parts"`
}

// A Part is one of them.
type Part struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
	Color string  `json:"color"`
}

var (
	//go:embed page.html
	pageText string
	//go:embed page.css
	css string
	//go:embed view.js
	view string
	//go:embed page.js
	script string

	whole = template.Must(template.New("page").Parse(pageText))
)

// Render makes the page. The Runs are thinned where it would be larger than
// MaxSize, and say so.
func Render(p *Page) ([]byte, error) {
	if len(p.Runs) == 0 {
		return nil, fmt.Errorf("html: no run")
	}
	p.Texts = p.Language.Patterns("page.")
	for every := 1; ; every *= 2 {
		for _, r := range p.Runs {
			r.thin(every)
		}
		b, err := render(p)
		if err != nil || len(b) <= MaxSize || every > 1<<20 {
			return b, err
		}
	}
}

func render(p *Page) ([]byte, error) {
	// Marshal writes < and > as \u003c and \u003e: no text ends the element.
	data, err := json.Marshal(p)
	if err != nil {
		return nil, fmt.Errorf("html: %w", err)
	}
	var b bytes.Buffer
	err = whole.Execute(&b, struct {
		*Page
		First  *Run
		Data   template.JS
		CSS    template.CSS
		Script template.JS
	}{p, p.Runs[0], template.JS(data), template.CSS(css), template.JS("(() => {\n'use strict';\n" + view + script + "})();\n")})
	if err != nil {
		return nil, fmt.Errorf("html: %w", err)
	}
	return b.Bytes(), nil
}

// thin leaves each every-th point of a row. Called with 1, then 2, 4, 8: it halves.
func (r *Run) thin(every int) {
	if every == 1 {
		return
	}
	r.Thinned = every
	for _, m := range r.Metrics {
		for i, points := range m.Points {
			var out []Point
			for j := 0; j < len(points); j += 2 {
				out = append(out, points[j])
			}
			m.Points[i] = out
		}
	}
}

// T is a message as the page says it.
func (p *Page) T(id string, args ...any) string { return p.Language.Text(msg.T(id, args...)) }
