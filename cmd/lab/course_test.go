package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The scripts say which command of README.md and LAB.md they try, and which
// exercise:
//
//	# tries: sudo ./lab run startup --quick
//	# exercise: 1.6
//
// and what they then run is that, or a shorter form of it, with what the text says
// about its output.

// triedElsewhere are commands that no script can run.
var triedElsewhere = map[string]string{
	"make test-long":           ".ci/run",
	"make run":                 ".ci/run",
	"make test":                ".ci/run",
	"make parity":              "TestParity in bench",
	"make full-kernel":         "cmd/setup",
	"make build":               ".ci/run",
	"make uninstall":           "cmd/setup",
	"make generate build":      ".ci/run",
	"ps -ef --forest":          "TestKilledAtAnyPoint",
	"sudo kill -9":             "killed.txt, TestKilledAtAnyPoint",
	"kill %1":                  "a shell's",
	"yes > /dev/null &":        "course.txt, with a limit of time",
	"strace -f -c iperf3 -c …": "TestParity in bench",
}

func TestCourse(t *testing.T) {
	tried, done := tries(t)
	used := map[string]bool{}
	for _, doc := range []string{"README.md", "LAB.md"} {
		text, err := os.ReadFile(filepath.Join(top, doc))
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range typedIn(string(text)) {
			if triedElsewhere[c] == "" && !tried[c] {
				t.Errorf("%s says to type %q, and no script has \"# tries: %s\"", doc, c, c)
			}
			used[c] = true
		}
		if doc != "LAB.md" {
			continue
		}
		for _, x := range exercisesIn(string(text)) {
			if !done[x] {
				t.Errorf("no script has \"# exercise: %s\"", x)
			}
			delete(done, x)
		}
	}
	for c := range tried {
		if !used[c] {
			t.Errorf("a script tries %q, which neither README.md nor LAB.md says to type", c)
		}
	}
	for x := range done {
		t.Errorf("a script tries exercise %s, which LAB.md hasn't", x)
	}
}

// tries is what the scripts say they try.
func tries(t *testing.T) (commands, exercises map[string]bool) {
	files, err := filepath.Glob("testdata/script/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no scripts:", err)
	}
	commands, exercises = map[string]bool{}, map[string]bool{}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(b)) {
			line = strings.TrimSpace(line)
			if c, ok := strings.CutPrefix(line, "# tries: "); ok {
				commands[c] = true
			}
			if x, ok := strings.CutPrefix(line, "# exercise: "); ok {
				exercises[x] = true
			}
		}
	}
	return commands, exercises
}

var (
	fence = regexp.MustCompile("(?ms)^```$(.*?)^```$")
	span  = regexp.MustCompile("`([^`]+)`")
	types = regexp.MustCompile(`^(sudo |\./lab |make |yes |kill %|ps |strace |--env |--variant |--cpus |--fail-if |--seed )`)
)

// typedIn lists what a text tells people to type: the lines of its blocks, and
// spans of code that are commands or flags of one.
func typedIn(text string) (out []string) {
	add := func(c string) {
		c, _, _ = strings.Cut(c, " #")
		if c = strings.TrimSpace(c); types.MatchString(c) && !slices.Contains(out, c) {
			out = append(out, c)
		}
	}
	for _, b := range fence.FindAllStringSubmatch(text, -1) {
		for line := range strings.Lines(b[1]) {
			add(line)
		}
	}
	for _, s := range span.FindAllStringSubmatch(fence.ReplaceAllString(text, ""), -1) {
		add(strings.Join(strings.Fields(s[1]), " "))
	}
	return out
}

// exercisesIn lists the exercises as "1.6": the chapter, and the number.
func exercisesIn(text string) (out []string) {
	chapter, in := "", false
	for line := range strings.Lines(text) {
		switch {
		case strings.HasPrefix(line, "## "):
			chapter, in = "trust", false
			if n, _, ok := strings.Cut(line[3:], ". "); ok && len(n) <= 2 {
				chapter = n
			}
		case strings.HasPrefix(line, "### "):
			in = strings.TrimSpace(line) == "### Exercises"
		case in:
			if n, _, ok := strings.Cut(line, ". "); ok && regexp.MustCompile(`^[0-9]+$`).MatchString(n) {
				out = append(out, fmt.Sprintf("%s.%s", chapter, n))
			}
		}
	}
	return out
}
