package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// translated are words by which what the lab says reads as translated, and the
// plain ones.
var translated = map[string]string{
	`\bcure: `:                       "fix: and something to type or do",
	`\bdear(er|est)?\b`:              "expensive, costs more",
	`where nothing is said`:          "by default",
	`\bgone on with\b`:               "resumed",
	`\bof no (use|matter)\b`:         "unusable; doesn't matter",
	`\bmanieth\b`:                    "every nth",
	`\btold of\b`:                    "given for",
	`\bbroken off\b`:                 "interrupted",
	`(what|than|and) .* beside what`: "beyond, compared with",
}

// untrue are sentences that were said without being computed, and found false: a number
// or a rank belongs to a run, in its report.
var untrue = map[string]string{
	`among the (dearest|most expensive)`:    "what a report computes, or no rank",
	`few dozen bytes`:                       "the size, as the file has it",
	`--quick.{0,40}(under|within) a minute`: "--predict says how long it takes here",
	`\(claim [0-9]+\)`:                      "the claim's own words",
}

// Neither the program's texts nor the course has them. (Those that reports
// compute are in package reports' families_test.go, slopes_test.go and golden files.)
func TestSaidAndFoundFalse(t *testing.T) {
	files := []string{"LAB.md", "README.md", "docs/ANSWERS.md", "reports/msg/en.txt", "cmd/lab/help.txt", "cmd/lab/words.txt"}
	for _, f := range sources(t) {
		if !strings.HasSuffix(f.name, "_test.go") {
			files = append(files, f.name)
		}
	}
	for _, name := range files {
		data, err := os.ReadFile(filepath.Join(top, filepath.FromSlash(name)))
		if err != nil {
			t.Fatal(err)
		}
		for said, better := range untrue {
			if m := regexp.MustCompile(said).Find(data); m != nil {
				t.Errorf("%s says %q: better: %s", name, m, better)
			}
		}
	}
}

// TestPlainWords looks through every text of the program that people may read.
func TestPlainWords(t *testing.T) {
	looked := 0
	for _, f := range sources(t) {
		if strings.HasSuffix(f.name, "_test.go") || f.pkg == "bench/benchtest" {
			continue
		}
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, filepath.Join(top, filepath.FromSlash(f.name)), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			lit, ok := n.(*ast.BasicLit)
			if !ok || lit.Kind != token.STRING {
				return true
			}
			looked++
			for word, plain := range translated {
				if regexp.MustCompile(word).MatchString(lit.Value) {
					t.Errorf("%s: %s says %s: better: %s", set.Position(lit.Pos()), lit.Value, word, plain)
				}
			}
			return true
		})
	}
	// What reports and --help say is no literal: it is a line of a file of texts.
	for _, name := range []string{"reports/msg/en.txt", "cmd/lab/help.txt"} {
		data, err := os.ReadFile(filepath.Join(top, name))
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(data)) {
			looked++
			for word, plain := range translated {
				if regexp.MustCompile(word).MatchString(line) {
					t.Errorf("%s: %s says %s: better: %s", name, line, word, plain)
				}
			}
		}
	}
	if looked < 5000 {
		t.Errorf("only %d texts were looked at", looked)
	}
}
