package paper

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

const good = `format: 1
title: a toy
paper: A. Author, 2015
env: [host, container]
minutes: {cpu: 2}
rows:
- name: one
  published: {value: 2, native: 1, unit: ms, source: "table 1"}
  here: {scenario: cpu, metric: float, of: container, to: host}
  agrees: {rule: within, by: 0.1, why: a tenth}
- name: two
  cannot: 10 GbE
`

// What is wrong with a file is said with its place; an empty one, a wrong unit, a missing source.
func TestParse(t *testing.T) {
	s, err := Parse("toy.yaml", []byte(good), nil)
	if err != nil || s.Rows[0].Published.Ratio() != 2 || len(s.Scenarios()) != 1 {
		t.Fatalf("%+v, %v", s, err)
	}
	for name, x := range map[string]struct {
		old, with string
		line, col int
		says      string
	}{
		"empty":          {good, "", 1, 1, "empty"},
		"unit":           {"unit: ms", "unit: furlong", 8, 42, "furlong"},
		"no source":      {`, source: "table 1"`, "", 8, 15, "published.source: it is missing"},
		"blank source":   {`source: "table 1"`, `source: " "`, 8, 54, "published.source: it is missing"},
		"blank why":      {"why: a tenth", `why: " "`, 10, 40, "agrees.why: it is missing"},
		"text":           {"value: 2", "value: two", 8, 22, `"two" isn't a number`},
		"no whole":       {"{cpu: 2}", "{cpu: two}", 5, 16, `"two" isn't a whole number`},
		"neither of two": {"unit: ms", "unit: ms, abstract: 2", 8, 56, `"2" isn't true or false`},
		"unknown key":    {"paper:", "papers:", 3, 1, "papers"},
		"no rule":        {"  agrees: {rule: within, by: 0.1, why: a tenth}\n", "", 7, 3, "rule of agreement"},
		"rule":           {"rule: within", "rule: near", 10, 18, "rank"},
		"by":             {"by: 0.1", "by: 2", 10, 30, "between 0 and 1"},
		"why":            {", why: a tenth", "", 10, 12, "why"},
		"twice":          {"name: two", "name: one", 11, 9, "two rows"},
		"neither":        {"  cannot: 10 GbE\n", "", 11, 3, "cannot"},
		"minutes":        {"{cpu: 2}", "{disk: 2}", 5, 11, "cpu"},
		"value":          {"value: 2", "value: -2", 8, 22, "above zero"},
		"infinite":       {"value: 2", "value: .inf", 8, 22, "above zero"},
		"nothing":        {"native: 1", "native: 0", 8, 33, "above zero"},
		"half a minute":  {"{cpu: 2}", "{cpu: 1.5}", 5, 16, `"1.5" isn't a whole number`},
		"no number":      {"native: 1", "native: .nan", 8, 33, "above zero"},
		"its ratio is":   {"native: 1", "native: 1e-308", 8, 33, "above zero"},
		"an alias":       {"paper: A. Author, 2015", "paper: &a x\nnote: *a", 3, 8, "write it out"},
		"a second paper": {good, good + "---\n" + good, 0, 0, "second document"},
	} {
		var e *Error
		_, err := Parse("toy.yaml", []byte(strings.Replace(good, x.old, x.with, 1)), nil)
		if !errors.As(err, &e) || e.Line != x.line || e.Column != x.col || !strings.Contains(e.Error(), x.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A few lines that mean more than memory has: said at once.
func TestBomb(t *testing.T) {
	text := strings.Replace(good, "- name: two\n  cannot: 10 GbE\n", "", 1)
	for i := range 40 {
		of := "{a: x}"
		if i > 0 {
			of = fmt.Sprintf("\n      <<: [*v%d, *v%d]", i-1, i-1)
		}
		text += fmt.Sprintf("- name: n%d\n  here:\n    scenario: cpu\n    metric: float\n    of: container\n    of-variant: &v%d %s\n", i, i, of)
	}
	ended := make(chan error, 1)
	go func() { _, err := Parse("bomb.yaml", []byte(text), nil); ended <- err }()
	select {
	case err := <-ended:
		if err == nil || !strings.Contains(err.Error(), "write it out") {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Error("it is still being read")
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(good))
	f.Fuzz(func(t *testing.T, data []byte) {
		if s, err := Parse("x", data, nil); err == nil && (len(s.Rows) == 0 || s.Paper == "") {
			t.Errorf("%+v", s)
		}
	})
}
