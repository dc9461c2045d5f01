// Package paper reads what a paper has measured, as far as a lab can measure it again: a
// small YAML file with a row for each of its figures.
//
//	format: 1
//	title: Containers, a virtual machine and native
//	paper: A. Author, Some Conference 2015
//	env: [host, container, vm]
//	minutes: {cpu: 2}
//	rows:
//	- name: Linpack, container
//	  published: {value: 290.87, native: 290.83, unit: Gflop/s, source: "table 1, page 4"}
//	  here: {scenario: cpu, metric: float, of: container, to: host}
//	  differs: one thread, without vector units
//	  agrees: {rule: direction, by: 0.05, why: near native is a twentieth}
//
// The rule of agreement is part of the row, so that it is written before the result. The
// schema is scenarios/papers/paper.schema.json; files are read strictly.
package paper

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"lab/bench/yamlfile"
)

// Format is the version of the form of the files.
const Format = 1

// MaxSize is more than any such file needs, in bytes.
const MaxSize = 256 << 10

// How a ratio that was published and one that was measured agree.
const (
	Within    = "within"    // the one here divided by the published one lies within 1 ± by
	Direction = "direction" // both are above 1 + by, both below 1 − by, or both between
	Rank      = "rank"      // among the rows of the same group both stand in the same order
)

// A Suite is what one paper has measured.
type Suite struct {
	Format  int            `json:"format"`
	Title   string         `json:"title"`
	Paper   string         `json:"paper"`             // as one cites it
	Note    string         `json:"note,omitempty"`    // what holds for all rows
	Env     []string       `json:"env,omitempty"`     // environments to measure
	App     string         `json:"app,omitempty"`     // application of the scenarios that run one
	Minutes map[string]int `json:"minutes,omitempty"` // by scenario: about how long it takes with --quick
	Rows    []Row          `json:"rows"`
}

// A Row is one figure of the paper: with Here what gives the same measure, with Cannot why
// nothing does.
type Row struct {
	Name      string     `json:"name"`
	Published *Published `json:"published,omitempty"` // nil: a measure without a value
	Here      *Here      `json:"here,omitempty"`
	Cannot    string     `json:"cannot,omitempty"`
	Differs   string     `json:"differs,omitempty"` // what isn't the same here, and why
	Agrees    *Agrees    `json:"agrees,omitempty"`
}

// Published is a value that was read in a source.
type Published struct {
	Value    float64  `json:"value"`
	Native   *float64 `json:"native,omitempty"` // of what it is compared with; nil: none, and there is no ratio
	Unit     string   `json:"unit"`             // of both: see Units
	Source   string   `json:"source"`           // page, table, figure, or raw file
	Abstract bool     `json:"abstract,omitempty"`
}

// Here is what of this lab gives the same measure.
type Here struct {
	Scenario  string            `json:"scenario"`
	Metric    string            `json:"metric"` // with its statistic: "latency p50"
	Of        string            `json:"of"`     // an environment
	OfVariant map[string]string `json:"of-variant,omitempty"`
	To        string            `json:"to,omitempty"` // what Native is here
	ToVariant map[string]string `json:"to-variant,omitempty"`
	Inverse   bool              `json:"inverse,omitempty"` // a time here, a rate in the paper; or the other way round
}

// Agrees is the rule by which the two ratios agree.
type Agrees struct {
	Rule  string  `json:"rule"`
	By    float64 `json:"by,omitempty"`
	Group string  `json:"group,omitempty"` // of rule rank
	Why   string  `json:"why"`
}

// A Unit is one that papers use, by how many of the lab's base units it is.
type Unit struct {
	Base string
	Is   float64
}

// Units are those that a value can have.
var Units = map[string]Unit{
	"s": {"s", 1}, "ms": {"s", 1e-3}, "us": {"s", 1e-6}, "ns": {"s", 1e-9},
	"B": {"B", 1}, "KB": {"B", 1e3}, "MB": {"B", 1e6}, "KiB": {"B", 1 << 10}, "MiB": {"B", 1 << 20},
	"B/s": {"B/s", 1}, "MB/s": {"B/s", 1e6}, "GB/s": {"B/s", 1e9}, "Mbit/s": {"B/s", 1e6 / 8}, "Gbit/s": {"B/s", 1e9 / 8},
	"1/s": {"1/s", 1}, "Gflop/s": {"1/s", 1e9}, "GUPS": {"1/s", 1e9}, "1": {"1", 1},
}

// Ratio is the published one, or 0 if there is none.
func (p *Published) Ratio() float64 {
	if p == nil || p.Native == nil {
		return 0
	}
	return p.Value / *p.Native
}

// Scenarios are those that the rows need, each once, in their order.
func (s *Suite) Scenarios() (out []string) {
	for _, r := range s.Rows {
		if r.Here != nil && !slices.Contains(out, r.Here.Scenario) {
			out = append(out, r.Here.Scenario)
		}
	}
	return out
}

// Bytes is the file of a suite.
func (s *Suite) Bytes() ([]byte, error) { return yamlfile.Bytes(s) }

// An Error is what is wrong with a file, and where.
type Error = yamlfile.Error

// Parse reads a file's bytes; name is for errors, which are [*Error]. Also, if it isn't nil,
// says of a file that is right by itself which key is wrong for whoever reads it.
func Parse(name string, data []byte, also func(*Suite) (key string, err error)) (*Suite, error) {
	s := &Suite{}
	check := func() (string, error) {
		key, err := s.check()
		if err == nil && also != nil {
			key, err = also(s)
		}
		return key, err
	}
	if err := yamlfile.Parse(name, "paper", data, MaxSize, s, check); err != nil {
		return nil, err
	}
	return s, nil
}

// Measurable says whether something can have this value: neither infinite, nor such that
// it or its ratio would be.
func Measurable(x float64) bool { return x >= 1e-30 && x <= 1e30 }

var errNumber = errors.New("not a number above zero, from 1e-30 to 1e30")

var errMissing = errors.New("it is missing")

// A wrong key, of a row or of the file.
type wrong struct {
	key string
	is  bool
	err error
}

func first(of []wrong) (string, error) {
	for _, x := range of {
		if x.is {
			return x.key, x.err
		}
	}
	return "", nil
}

// check says which key is wrong.
func (s *Suite) check() (string, error) {
	key, err := first([]wrong{
		{"format", s.Format != Format, fmt.Errorf("write format: %d", Format)},
		{"title", s.Title == "", errMissing},
		{"paper", s.Paper == "", errMissing},
		{"rows", len(s.Rows) == 0, errMissing},
	})
	seen := map[string]bool{}
	for i, r := range s.Rows {
		at := fmt.Sprintf("rows[%d]", i)
		if err == nil && seen[r.Name] {
			return at + ".name", fmt.Errorf("there are two rows %q", r.Name)
		}
		seen[r.Name] = true
		if err == nil {
			if key, err = r.check(); err != nil {
				key = at + "." + key
			}
		}
		if err == nil && r.Here != nil && s.Minutes[r.Here.Scenario] <= 0 {
			return "minutes", fmt.Errorf("how long scenario %s takes is missing", r.Here.Scenario)
		}
	}
	return key, err
}

func (r Row) check() (string, error) {
	of := []wrong{
		{"name", r.Name == "", errMissing},
		{"here", r.Here == nil && r.Cannot == "", errors.New("it is missing; if nothing here gives the measure, write cannot: and why")},
		{"cannot", r.Here != nil && r.Cannot != "", errors.New("the row has here, too: leave one of the two out")},
	}
	if p := r.Published; p != nil {
		_, known := Units[p.Unit]
		of = append(of,
			wrong{"published.source", strings.TrimSpace(p.Source) == "", errMissing},
			wrong{"published.unit", !known, fmt.Errorf("unit %q isn't known; there are: %s", p.Unit, strings.Join(slices.Sorted(maps.Keys(Units)), ", "))},
			wrong{"published.value", !Measurable(p.Value), errNumber},
			wrong{"published.native", p.Native != nil && !Measurable(*p.Native), errNumber})
	}
	if h := r.Here; h != nil {
		of = append(of, wrong{"here.scenario", h.Scenario == "", errMissing}, wrong{"here.metric", h.Metric == "", errMissing}, wrong{"here.of", h.Of == "", errMissing})
		if r.Published.Ratio() != 0 && !r.Published.Abstract {
			of = append(of, wrong{"here.to", h.To == "", errMissing}, wrong{"agrees", r.Agrees == nil, errors.New("the rule of agreement is missing")})
		}
	}
	if a := r.Agrees; a != nil {
		of = append(of,
			wrong{"agrees.rule", !slices.Contains([]string{Within, Direction, Rank}, a.Rule), fmt.Errorf("there are %s, %s and %s", Within, Direction, Rank)},
			wrong{"agrees.by", a.Rule != Rank && !(a.By > 0 && a.By < 1), errors.New("not a number between 0 and 1")},
			wrong{"agrees.group", (a.Rule == Rank) != (a.Group != ""), fmt.Errorf("rule %s needs one, others have none", Rank)},
			wrong{"agrees.why", strings.TrimSpace(a.Why) == "", errMissing})
	}
	return first(of)
}
