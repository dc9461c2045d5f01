package main

import (
	"flag"
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

	"./lab bundle --deb": "TestDeb",
	"./lab fleet class --hosts room-204.txt --out room-204":                              "TestFleet, by fleet run",
	"./lab fleet class --hosts room.txt --out room":                                      "TestFleet, by fleet run",
	"./lab fleet run -f paper.yaml --hosts machines.txt":                                 "TestFleet",
	"./lab fleet run -f paper.yaml --slurm --tasks 8 --out cluster -- --partition=bench": "TestFleetSlurm",
	"./lab fleet resume room-204 --hosts room-204.txt":                                   "TestFleet",
	"./lab fleet clean room-204 --discard":                                               "TestFleet",
	"./lab fleet resume cluster":                                                         "TestFleetSlurm",
	"./lab fleet resume room":                                                            "TestFleetLong",
	"./lab report cluster/startup/* --out all":                                           "TestFleetLong, TestManyMachines",
	"./lab report room/startup/* brought/*":                                              "TestFleet",
}

var update = flag.Bool("update", false, "write the words of LAB.md anew, and which text each Korean chapter translates")

// What a word means is said in one file, which lab explain prints, and LAB.md has: in
// English and in Korean, the same words.
func TestWords(t *testing.T) {
	english := wordsIn(t, "LAB.md", "words.txt")
	if !slices.Equal(english, wordsIn(t, "docs/ko/LAB.md", "words.ko.txt")) {
		t.Error("words.ko.txt has other words than words.txt, or another order")
	}
	for _, w := range []string{"container", "image", "layer", "chroot", "jail", "zone", "namespace", "cgroup", "capability", "seccomp", "LXC", "engine", "runtime",
		"OCI", "registry", "hypervisor", "full virtualization", "paravirtualization", "HVM", "emulation", "guest", "virtio"} {
		if !slices.Contains(english, "word "+w) {
			t.Errorf("%s isn't explained", w)
		}
	}
}

// wordsIn compares a course's list of words with the file that it comes from (or
// updates it), and returns the kinds and names in that file.
func wordsIn(t *testing.T, course, file string) (names []string) {
	words, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(top, course)
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	from, to := "<!-- words of cmd/lab/"+file+" -->\n", "<!-- end of words -->"
	head, rest, ok := strings.Cut(string(text), from)
	list, tail, ok2 := strings.Cut(rest, to)
	if !ok || !ok2 {
		t.Fatalf("%s has no place for the words", course)
	}
	want := ""
	for _, x := range defined(string(words)) {
		if slices.Contains(names, x.Kind+" "+x.Name) {
			t.Errorf("%s: %s is explained twice", file, x.Name)
		}
		if names = append(names, x.Kind+" "+x.Name); x.Kind == "word" {
			want += "* **" + x.Name + "**: " + x.Text + "\n"
		}
	}
	if *update {
		if err := os.WriteFile(name, []byte(head+from+want+to+tail), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if list != want {
		t.Errorf("%s has other words than %s: go test ./cmd/lab -run TestWords -update", course, file)
	}
	return names
}

// The parts that plots name are explained: those of stored runs, and those that
// whoever starts something marks.
func TestPartsExplained(t *testing.T) {
	known := map[string]bool{}
	for _, x := range defined(textOf(wordsTexts, "words")) {
		known[x.Name] = known[x.Name] || x.Kind == "part"
	}
	marks := regexp.MustCompile(`(?:\bmark\(|Step\{|\t\{Name: |launch\.Step\{Name: )"?(?:Name: )?"([a-z/_ ]+)"`)
	looked := 0
	for _, f := range sources(t) {
		if strings.HasSuffix(f.name, "_test.go") || !matchesAny(f.pkg, []string{"bench/launch", "bench/foreign", "chroot", "container", "vm"}) {
			continue
		}
		text, err := os.ReadFile(filepath.Join(top, f.name))
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range strings.Split(string(text), "\n") {
			m := marks.FindStringSubmatch(line)
			if m == nil || strings.Contains(line, "Values:") || strings.Contains(line, "Help:") || strings.Contains(line, "Default:") {
				continue
			}
			if looked++; !known[m[1]] {
				t.Errorf("%s marks %q, which lab explain doesn't know", f.name, m[1])
			}
		}
	}
	if looked < 15 {
		t.Errorf("only %d marks were found", looked)
	}
}

// quoted is a line of the code next to a step: [`file`](file): `text`.
var quoted = regexp.MustCompile("\\[`([a-z_/]+\\.go)`\\]\\([^)]*\\): `([^`]+)`")

// The code that the course shows next to a step is there.
func TestCodeOfSteps(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(top, "LAB.md"))
	if err != nil {
		t.Fatal(err)
	}
	found := quoted.FindAllStringSubmatch(strings.Join(strings.Fields(string(text)), " "), -1)
	if len(found) < 10 {
		t.Errorf("only %d lines of code are quoted", len(found))
	}
	for _, m := range found {
		code, err := os.ReadFile(filepath.Join(top, m[1]))
		if err != nil || !strings.Contains(string(code), m[2]) {
			t.Errorf("%s has no %s: %v", m[1], m[2], err)
		}
	}
}

// Exercises have answers, and no answer is to a question that isn't asked.
func TestAnswers(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(top, "docs", "ANSWERS.md"))
	if err != nil {
		t.Fatal(err)
	}
	course, err := os.ReadFile(filepath.Join(top, "LAB.md"))
	if err != nil {
		t.Fatal(err)
	}
	answered := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^\*\*([0-9A-Za-z]+\.[0-9]+)\*\* \([0-9] marks?\)`).FindAllStringSubmatch(string(text), -1) {
		answered[m[1]] = true
	}
	var open []string
	for _, x := range exercisesIn(string(course)) {
		if !answered[x] {
			open = append(open, x)
		}
		delete(answered, x)
	}
	// A new chapter may come before its answers.
	if t.Logf("without an answer and its marks: %d: %s", len(open), strings.Join(open, ", ")); len(open) > 5 {
		t.Error("too many exercises have no answer")
	}
	for x := range answered {
		t.Errorf("there is an answer to %s, which isn't asked", x)
	}
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
