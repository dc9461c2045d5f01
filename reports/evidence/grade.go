// Package evidence grades results folders as evidence: whether what they say can be
// believed, not how fast anything was. A mark has its reason. Folders that are graded
// together are compared: whose trials are another's is named.
//
// A forgery that is consistent can't be found: see [Limits].
package evidence

import (
	"encoding/json"
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"lab/bench/input"
	"lab/bench/results"
	"lab/reports"
	"lab/reports/analysis"
	"lab/reports/msg"
)

// Enough is how many trials of a row its median's interval needs.
const Enough = 6

// A Mark is one point of the scheme: Points of Of, and why.
type Mark struct {
	Name   string // whole, digests, guess, trials, claims, machine, own
	Title  msg.Message
	Points int
	Of     int
	Reason msg.Message
}

// scheme is what can be had, in the order in which it is shown.
var scheme = []struct {
	name  string
	title msg.Message
	of    int
	mark  func(*Folder) (points int, reason msg.Message)
}{
	{"whole", msg.T("evidence.whole"), 2, (*Folder).complete},
	{"digests", msg.T("evidence.digests"), 2, (*Folder).digests},
	{"guess", msg.T("evidence.guess"), 2, (*Folder).guess},
	{"trials", msg.T("evidence.trials"), 1, (*Folder).trials},
	{"claims", msg.T("evidence.claims"), 1, (*Folder).claims},
	{"machine", msg.T("evidence.machine"), 1, (*Folder).machine},
	{"own", msg.T("evidence.own"), 1, (*Folder).own},
}

// A Folder is one that was graded.
type Folder struct {
	Dir     string
	Run     *results.Run    // nil: it can't be read, and Broken says why
	Broken  error           // it isn't a whole results folder
	Changed []reports.Wrong // files that aren't as SHA256SUMS has them
	Same    []Copy          // folders with the same trials
	Marks   []Mark

	unsummed error // there are no sums to compare with
	analysis *analysis.Analysis
}

// A Copy is another folder with trials of this one: Shared of its Of.
type Copy struct {
	Dir        string
	Shared, Of int
}

// Points are what the folder has, of how many.
func (f *Folder) Points() (points, of int) {
	for _, m := range f.Marks {
		points, of = points+m.Points, of+m.Of
	}
	return points, of
}

// Grade grades folders together. kept says what else a folder must keep to, which
// reports know nothing of; its error counts as a change. It may be nil.
func Grade(dirs []string, kept func(*results.Run) error) *Class {
	c := &Class{}
	for _, dir := range dirs {
		f := &Folder{Dir: dir}
		c.Folders = append(c.Folders, f)
		if f.Run, f.Broken = results.Read(dir); f.Broken != nil {
			continue
		}
		f.Changed, f.unsummed = reports.CheckSums(dir)
		if kept != nil && f.unsummed == nil && f.Changed == nil {
			f.unsummed = kept(f.Run)
		}
		for _, w := range f.Changed {
			if results.IsData(w.Name) {
				f.Run.Changed = append(f.Run.Changed, w.Name)
			}
		}
		f.analysis = analysis.Of(f.Run)
	}
	c.compare()
	for _, f := range c.Folders {
		for _, s := range scheme {
			m := Mark{Name: s.name, Title: s.title, Of: s.of, Reason: msg.T("grade.unreadable")}
			if f.Broken == nil || s.name == "whole" {
				m.Points, m.Reason = s.mark(f)
			}
			f.Marks = append(f.Marks, m)
		}
	}
	return c
}

// complete: it can be read, and has all trials that were planned.
func (f *Folder) complete() (int, msg.Message) {
	if f.Broken != nil {
		// Which folder it is stands before it.
		return 0, msg.T("grade.broken", strings.NewReplacer(filepath.Clean(f.Dir)+"/", "", f.Dir, analysis.ShortDir(f.Dir)).Replace(f.Broken.Error()))
	}
	made, last := map[int]bool{}, -1
	for _, l := range f.Run.Lines {
		made[l.Trial], last = true, max(last, l.Trial)
	}
	switch o := f.Run.Manifest.Outcome; {
	case len(made) == 0:
		return 0, msg.T("grade.no-trial")
	case f.Run.Dropped > 0:
		return 1, msg.T("grade.cut", f.Run.Dropped)
	case len(made) <= last:
		return 1, msg.T("grade.gaps", last+1-len(made))
	case o == "complete" || o == "failures":
		return 2, msg.T("grade.whole", msg.T("trials", len(made)))
	}
	return 1, msg.T("grade.no-end", msg.T("trials", len(made)))
}

// digests: every file is as SHA256SUMS has it. What lab report draws may differ for a
// point.
func (f *Folder) digests() (int, msg.Message) {
	if f.unsummed != nil {
		return 0, msg.T("grade.broken", f.unsummed.Error())
	}
	var data, drawn []msg.Message
	for _, w := range f.Changed {
		text := msg.Verbatim(w.String())
		if results.IsData(w.Name) {
			data = append(data, text)
		} else {
			drawn = append(drawn, text)
		}
	}
	switch {
	case data != nil:
		return 0, msg.T("grade.changed", msg.Join("join.semicolon", data...))
	case drawn != nil:
		return 1, msg.T("grade.drawn", msg.Join("join.semicolon", drawn...))
	}
	return 2, msg.T("grade.digests")
}

// guess: one was written down before the first trial.
func (f *Folder) guess() (int, msg.Message) {
	switch g := f.Run.Guess; {
	case f.Run.NoGuess != nil:
		return 0, msg.T("guess.not", f.Run.NoGuess.Error())
	case g == nil:
		return 0, msg.T("grade.no-guess", f.Run.Manifest.Scenario)
	default:
		return 2, msg.T("grade.guess", g.At.UTC().Format("2006-01-02 15:04:05 MST"), f.Run.Manifest.Started.UTC().Format("15:04:05 MST"))
	}
}

// trials: each row that others are compared with, or that is compared, has enough for
// an interval. Rows that were emulated aren't compared.
func (f *Folder) trials() (int, msg.Message) {
	rows := 0
	var few []msg.Message
	for _, c := range f.analysis.Cells {
		if c.NotRun != nil || c.TCG {
			continue
		}
		if rows++; c.Counted() < Enough && !certain(f.analysis) {
			few = append(few, msg.T("grade.few-row", c.Name, msg.T("trials", c.Counted())))
		}
	}
	switch {
	case rows == 0:
		return 0, msg.T("grade.no-row")
	case few != nil:
		return 0, msg.T("grade.few", msg.Join("join.comma", few...), Enough)
	}
	return 1, msg.T("grade.enough", rows, Enough)
}

// certain reports whether all that a run measured are answers or facts, of which one
// trial tells as much as six.
func certain(a *analysis.Analysis) bool {
	return !slices.ContainsFunc(a.Metrics, func(m results.Metric) bool { return !m.Certain() })
}

// claims: the verdicts that the folder states are those of its trials, and one of them
// at least was decided.
func (f *Folder) claims() (int, msg.Message) {
	decided := 0
	is := map[[2]string]string{}
	for _, v := range f.analysis.Verdicts {
		is[[2]string{v.Finding.Name, v.Cell.String()}] = v.Outcome
		if v.Outcome == analysis.Holds || v.Outcome == analysis.Fails {
			decided++
		}
	}
	said, err := f.summary()
	if err != nil {
		return 0, msg.T("grade.no-summary", err.Error())
	}
	for _, v := range said.Verdicts {
		if now, ok := is[[2]string{v.Name, v.Cell}]; !ok || now != v.Outcome {
			return 0, msg.T("grade.contradicts", v.Statement, analysis.OutcomeText(v.Outcome))
		}
	}
	switch n := len(f.analysis.Verdicts); {
	case n == 0:
		return 1, msg.T("grade.no-claims")
	case decided == 0:
		return 0, msg.T("grade.undecided", n)
	default:
		return 1, msg.T("grade.claims", decided, n)
	}
}

func (f *Folder) summary() (s reports.Summary, err error) {
	root, err := input.OpenRoot(f.Dir)
	if err != nil {
		return s, err
	}
	defer root.Close()
	data, err := input.ReadIn(root, "summary.json", 64<<20)
	if errors.Is(err, fs.ErrNotExist) { // it states nothing
		return s, nil
	}
	if err == nil {
		err = json.Unmarshal(data, &s)
	}
	return s, err
}

// machine: the folder says what kind of machine it is of, and no row contradicts it.
func (f *Folder) machine() (int, msg.Message) {
	k := f.Run.Machine
	if k.ID == "" || k.CPU == "" || k.Kernel == "" {
		return 0, msg.T("grade.no-machine")
	}
	kind := analysis.KindOf(f.Run)
	for _, c := range f.analysis.Cells {
		if accel := c.Settings["accel"]; c.NotRun == nil && accel == "kvm" && k.Acceleration.Use == "" {
			return 0, msg.T("grade.other-kind", kind, c.Name)
		}
	}
	return 1, msg.T("grade.kind", kind)
}

// own: no other folder has the same trials.
func (f *Folder) own() (int, msg.Message) {
	if f.Same == nil {
		return 1, msg.T("grade.own")
	}
	var who []msg.Message
	for _, s := range f.Same {
		who = append(who, msg.T("grade.shared", s.Shared, s.Of, analysis.ShortDir(s.Dir)))
	}
	return 0, msg.T("grade.same", msg.Join("join.semicolon", who...))
}
