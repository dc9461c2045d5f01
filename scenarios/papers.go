package scenarios

import (
	"embed"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"lab/bench/paper"
	"lab/bench/request"
)

//go:embed papers/*.yaml
var papers embed.FS

// Papers are the names of the papers that the lab has files of.
func Papers() (out []string) {
	files, _ := fs.Glob(papers, "papers/*.yaml") // the pattern is right
	for _, f := range files {
		out = append(out, strings.TrimSuffix(path.Base(f), ".yaml"))
	}
	return out
}

// FindPaper is the paper with a name, and its file.
func FindPaper(name string) (*paper.Suite, []byte, error) {
	data, err := papers.ReadFile("papers/" + name + ".yaml")
	if err != nil {
		return nil, nil, &request.UnknownError{What: "paper", Word: name, Known: Papers()}
	}
	s, err := ParsePaper(name+".yaml", data)
	return s, data, err
}

// ParsePaper reads a paper's file, whose measures have to be this lab's. Its errors are
// [*paper.Error].
func ParsePaper(name string, data []byte) (*paper.Suite, error) { return paper.Parse(name, data, ours) }

// ours says which key of a paper names no scenario or metric of this lab's, or a unit of
// something else.
func ours(s *paper.Suite) (string, error) {
	for i, r := range s.Rows {
		if r.Here == nil {
			continue
		}
		at := fmt.Sprintf("rows[%d].", i)
		sc := Find(r.Here.Scenario)
		if sc == nil {
			return at + "here.scenario", fmt.Errorf("there is no scenario %q", r.Here.Scenario)
		}
		name, stat, more := strings.Cut(r.Here.Metric, " ")
		var names []string
		for _, m := range sc.Metrics {
			names = append(names, m.Name)
		}
		j := slices.Index(names, name)
		if j < 0 {
			return at + "here.metric", fmt.Errorf("scenario %s has no %q; it has: %s", sc.Name, name, strings.Join(names, ", "))
		}
		if more && !slices.Contains(statistics, stat) {
			return at + "here.metric", fmt.Errorf("there is no statistic %q; there are: %s", stat, strings.Join(statistics, ", "))
		}
		if !slices.Contains(s.Env, r.Here.Of) {
			return at + "here.of", fmt.Errorf("%s isn't among env", r.Here.Of)
		}
		if r.Here.To != "" && !slices.Contains(s.Env, r.Here.To) {
			return at + "here.to", fmt.Errorf("%s isn't among env", r.Here.To)
		}
		if r.Published == nil {
			continue
		}
		switch unit, base := sc.Metrics[j].Unit, paper.Units[r.Published.Unit].Base; {
		case r.Here.Inverse && !inverse(unit, base) && !inverse(base, unit):
			return at + "here.inverse", fmt.Errorf("%s is in %s, and %s of scenario %s in %s: of a time and a rate one is the other's inverse, and of nothing else", r.Published.Unit, base, name, sc.Name, unit)
		case !r.Here.Inverse && unit != base:
			return at + "published.unit", fmt.Errorf("%s is in %s, and %s of scenario %s in %s; if one is the other's inverse, write inverse: true", r.Published.Unit, base, name, sc.Name, unit)
		}
	}
	return "", nil
}

// statistics are those that a metric can have of the many values of one trial.
var statistics = []string{"p50", "p99"}

// inverse says whether the units are a time's and a rate's.
func inverse(time, rate string) bool { return time == "s" && strings.HasSuffix(rate, "/s") }
