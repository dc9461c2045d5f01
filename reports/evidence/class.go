package evidence

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"

	"lab/bench/results"
	"lab/reports"
	"lab/reports/analysis"
	"lab/reports/msg"
	"lab/reports/page"
)

// A Class is folders that were graded together.
type Class struct{ Folders []*Folder }

// Limits is what no grade can find, said with every one.
var Limits = msg.T("grade.limits")

// A trial's mark is a digest of when it began and of all that it gave. Times have
// nanoseconds: two runs don't have one in common.
type trialMark [sha256.Size]byte

// marksOf are a run's trials.
func marksOf(run *results.Run) map[trialMark]bool {
	out := map[trialMark]bool{}
	var trial []any
	for _, l := range run.Lines {
		trial = append(trial, l.Label(), l.Metric, l.Stat, l.PartOf, l.Seq, l.Instance, l.Value, l.At)
		if l.Last {
			data, _ := json.Marshal(trial) // finite numbers, as they were read
			out[sha256.Sum256(data)] = true
			trial = nil
		}
	}
	return out
}

// compare finds folders with the same trials: half of a folder's, or more.
func (c *Class) compare() {
	marks := make([]map[trialMark]bool, len(c.Folders))
	of := map[trialMark][]int{} // which folders have it
	for i, f := range c.Folders {
		if f.Run == nil {
			continue
		}
		marks[i] = marksOf(f.Run)
		for m := range marks[i] {
			of[m] = append(of[m], i)
		}
	}
	for i, f := range c.Folders {
		shared := make([]int, len(c.Folders))
		for m := range marks[i] {
			for _, j := range of[m] {
				shared[j]++
			}
		}
		for j, n := range shared {
			if j != i && n > 0 && 2*n >= min(len(marks[i]), len(marks[j])) {
				f.Same = append(f.Same, Copy{c.Folders[j].Dir, n, len(marks[i])})
			}
		}
	}
}

// Sound reports whether the folder can be used: it is readable, unchanged, and nobody
// else's.
func (f *Folder) Sound() bool {
	return f.Broken == nil && f.unsummed == nil && f.Changed == nil && f.Same == nil
}

// Err says what is wrong with a folder that isn't sound.
func (f *Folder) Err() error {
	switch {
	case f.Broken != nil:
		return fmt.Errorf("check: %w", f.Broken)
	case f.unsummed != nil:
		return f.unsummed
	case f.Changed != nil:
		return fmt.Errorf("check: %s was changed:\n     %s", f.Dir, reports.Lines(f.Changed))
	case f.Same != nil:
		return fmt.Errorf("check: %s: %s", f.Dir, f.Marks[len(f.Marks)-1].Reason)
	}
	return nil
}

// Kinds are the kinds of machines of the readable folders, with how many each has.
func (c *Class) Kinds() (out []msg.Message) {
	var kinds []string
	n := map[string]int{}
	text := map[string]msg.Message{}
	for _, f := range c.Folders {
		if f.Run != nil {
			kind := analysis.KindOf(f.Run)
			if n[kind.String()]++; n[kind.String()] == 1 {
				kinds = append(kinds, kind.String())
				text[kind.String()] = kind
			}
		}
	}
	for _, k := range kinds {
		out = append(out, msg.T("class.kind", text[k], msg.T("folders", n[k])))
	}
	return out
}

// Usable are the runs to be shown together: of those with the same trials the first.
func (c *Class) Usable() (runs []*results.Run, names []string) {
	var seen []string
	ids := map[string]bool{}
	for _, f := range c.Folders {
		if f.Run == nil || len(f.Run.Lines) == 0 || ids[f.Run.Manifest.ID] || slices.ContainsFunc(f.Same, func(s Copy) bool { return slices.Contains(seen, s.Dir) }) {
			continue
		}
		seen, ids[f.Run.Manifest.ID] = append(seen, f.Dir), f.Run.Manifest.ID != ""
		runs, names = append(runs, f.Run), append(names, analysis.ShortDir(f.Dir))
	}
	return runs, names
}

// Page is the grades: of one folder each mark with its reason; of several a line each
// with what it lacks, and which of them have to be looked at.
func (c *Class) Page() *page.Page {
	p := &page.Page{}
	if len(c.Folders) == 1 {
		f := c.Folders[0]
		t := page.Table{Align: "lrl", Head: []page.Text{msg.T("head.evidence"), msg.T("head.points"), msg.T("head.why")}}
		for _, m := range f.Marks {
			t.Rows = append(t.Rows, []page.Text{m.Title, msg.T("grade.of", m.Points, m.Of), page.Wrapped{Text: m.Reason, Width: 50}})
		}
		points, of := f.Points()
		t.Rows = append(t.Rows, []page.Text{msg.T("evidence.sum"), msg.T("grade.of", points, of), nil})
		p.Table(t)
		p.Gap()
		p.Text(Limits)
		return p
	}
	p.Title(msg.T("class.title", msg.T("folders", len(c.Folders))))
	t := page.Table{Align: "lrl", Head: []page.Text{msg.T("head.folder"), msg.T("head.points"), msg.T("head.lacks")}}
	var look []msg.Message
	for _, f := range c.Folders {
		var lacks []msg.Message
		for _, m := range f.Marks {
			if m.Points < m.Of && (f.Broken == nil || m.Name == "whole") {
				lacks = append(lacks, msg.T("join.colon", m.Title, m.Reason))
			}
		}
		points, of := f.Points()
		name := filepath.Base(filepath.Clean(f.Dir))
		t.Rows = append(t.Rows, []page.Text{page.Wrapped{Text: name, Width: 20}, msg.T("grade.of", points, of), page.Wrapped{Text: msg.Join("join.semicolon", lacks...), Width: 48}})
		switch {
		case f.Broken != nil:
			look = append(look, msg.T("class.broken", name))
		case f.unsummed != nil || f.Changed != nil:
			look = append(look, msg.T("class.changed", name))
		}
		if f.Same != nil {
			look = append(look, msg.T("class.same", name, analysis.ShortDir(f.Same[0].Dir)))
		}
	}
	p.Table(t)
	p.Gap()
	p.Section(msg.T("class.look"))
	if look == nil {
		look = []msg.Message{msg.T("class.none")}
	}
	p.Messages(look...)
	p.Gap()
	p.Section(msg.T("class.kinds"))
	p.Messages(c.Kinds()...)
	p.Gap()
	p.Text(Limits)
	return p
}

// JSON is the grades for a program.
func (c *Class) JSON() ([]byte, error) {
	type mark struct {
		Name   string `json:"name"`
		Points int    `json:"points"`
		Of     int    `json:"of"`
		Reason string `json:"reason"`
	}
	type same struct {
		Dir    string `json:"dir"`
		Shared int    `json:"shared"`
		Of     int    `json:"of"`
	}
	type folder struct {
		Dir      string   `json:"dir"`
		Scenario string   `json:"scenario,omitempty"`
		Run      string   `json:"run,omitempty"`
		Kind     string   `json:"machine_kind,omitempty"`
		Sound    bool     `json:"sound"`
		Broken   string   `json:"broken,omitempty"`
		Changed  []string `json:"changed,omitempty"`
		Same     []same   `json:"same,omitempty"`
		Points   int      `json:"points"`
		Of       int      `json:"of"`
		Marks    []mark   `json:"marks"`
	}
	out := struct {
		Format  int      `json:"format"`
		Limits  string   `json:"limits"`
		Folders []folder `json:"folders"`
	}{1, Limits.String(), []folder{}}
	for _, f := range c.Folders {
		x := folder{Dir: f.Dir, Sound: f.Sound()}
		if f.Run != nil {
			x.Scenario, x.Run, x.Kind = f.Run.Manifest.Scenario, f.Run.Manifest.ID, analysis.KindOf(f.Run).String()
		} else {
			x.Broken = f.Broken.Error()
		}
		for _, w := range f.Changed {
			x.Changed = append(x.Changed, w.Name)
		}
		for _, s := range f.Same {
			x.Same = append(x.Same, same(s))
		}
		for _, m := range f.Marks {
			x.Marks = append(x.Marks, mark{m.Name, m.Points, m.Of, m.Reason.String()})
		}
		x.Points, x.Of = f.Points()
		out.Folders = append(out.Folders, x)
	}
	data, err := json.MarshalIndent(out, "", "  ")
	return append(data, '\n'), err
}
