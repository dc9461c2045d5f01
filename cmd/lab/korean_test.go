package main

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// translations are the texts that have a Korean one: the English and the Korean file.
var translations = [][2]string{{"LAB.md", "docs/ko/LAB.md"}, {"docs/ANSWERS.md", "docs/ko/ANSWERS.md"}}

// spelled are numbers that an English text may write as a word, where the Korean one
// has digits ("a third": "3분의 1").
var spelled = map[string]string{
	"1": "one|first|a|an|each", "2": "two|second|twice|half|both", "3": "three|third", "4": "four|fourth|quarter", "5": "five|fifth", "6": "six",
	"8": "eight", "10": "ten|tenths?", "12": "dozens?", "15": "quarter", "16": "sixteen", "20": "twenty", "30": "half", "40": "forty", "50": "fifty", "60": "sixty",
	"100": "hundreds?|hundredth", "1000": "thousand|thousandth",
}

var (
	stamp   = regexp.MustCompile(`<!-- translates ([0-9a-f]{8}) -->\n`)
	comment = regexp.MustCompile(`<!--.*?-->`)
	link    = regexp.MustCompile(`\]\(([^)]*)\)`)
	number  = regexp.MustCompile(`[0-9]+(?:[.,][0-9]+)*`)
	begins  = regexp.MustCompile(`(?m)^(#+ |[0-9]+\. |\* |\*\*[0-9A-Za-z]+\.[0-9]+\*\* |\|.*$)`)
	plain   = regexp.MustCompile(`(?m)[^니시]다\.(?: |$)`)
	latin   = regexp.MustCompile(`(?:[A-Za-z]{2,}[ ,]+){3}`)
	hangul  = regexp.MustCompile(`[가-힣]`)
)

// The Korean course is the English one: the same chapters, steps, commands, numbers
// and links, and no older than it.
func TestKorean(t *testing.T) {
	for _, f := range translations {
		english, korean := chaptersOf(t, f[0]), chaptersOf(t, f[1])
		if len(english) != len(korean) {
			t.Errorf("%s has %d chapters, %s has %d", f[1], len(korean), f[0], len(english))
		}
		for i := range min(len(english), len(korean)) {
			title, _, _ := strings.Cut(english[i], "\n")
			where := f[1] + ": " + strings.Trim(title, "# ")
			want := fmt.Sprintf("%x", sha256.Sum256([]byte(english[i])))[:8]
			if has := stamp.FindStringSubmatch(korean[i]); *update {
				text := stamp.ReplaceAllString(korean[i], "")
				head, rest, _ := strings.Cut(text, "\n")
				korean[i] = head + "\n<!-- translates " + want + " -->\n" + rest
			} else if has == nil || has[1] != want {
				t.Errorf("%s: translates an older text; read it again, then go test ./cmd/lab -run TestKorean -update", where)
			}
			sameCourse(t, where, f, english[i], stamp.ReplaceAllString(korean[i], ""))
		}
		if *update {
			if err := os.WriteFile(filepath.Join(top, f[1]), []byte(strings.Join(korean, "")), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// chaptersOf cuts a text before each heading of the second level.
func chaptersOf(t *testing.T, name string) (out []string) {
	text, err := os.ReadFile(filepath.Join(top, name))
	if err != nil {
		t.Fatal(err)
	}
	rest := string(text)
	for rest != "" {
		n := strings.Index(rest[1:], "\n## ") + 2
		if n == 1 {
			n = len(rest)
		}
		out, rest = append(out, rest[:n]), rest[n:]
	}
	return out
}

// sameCourse compares a chapter with its translation.
func sameCourse(t *testing.T, where string, f [2]string, english, korean string) {
	same := func(what string, get func(text, file string) []string) {
		e, k := get(english, f[0]), get(korean, f[1])
		if !slices.Equal(e, k) {
			t.Errorf("%s: other %s:\n missing %q\n too many %q", where, what, lacking(e, k), lacking(k, e))
		}
	}
	same("headings, steps or tables, or another order", func(text, _ string) (out []string) {
		for _, m := range begins.FindAllString(fence.ReplaceAllString(text, ""), -1) {
			if m[0] == '|' {
				m = fmt.Sprintf("a row of %d", strings.Count(m, "|"))
			}
			out = append(out, m)
		}
		return out
	})
	same("blocks of code", func(text, _ string) []string { return fence.FindAllString(text, -1) })
	same("code", func(text, _ string) (out []string) {
		for _, m := range span.FindAllString(fence.ReplaceAllString(text, ""), -1) {
			out = append(out, strings.Join(strings.Fields(m), " "))
		}
		slices.Sort(out)
		return out
	})
	same("links", func(text, file string) (out []string) {
		for _, m := range link.FindAllStringSubmatch(fence.ReplaceAllString(text, ""), -1) {
			to := m[1]
			if !strings.Contains(to, "://") {
				to = path.Join(path.Dir(file), to)
				if _, err := os.Stat(filepath.Join(top, to)); err != nil {
					t.Errorf("%s: %v", where, err)
				}
			}
			for _, x := range translations {
				if to == x[1] {
					to = x[0]
				}
			}
			out = append(out, to)
		}
		slices.Sort(out)
		return out
	})
	e, k := numbersIn(english), numbersIn(korean)
	if missing := lacking(e, k); len(missing) > 0 {
		t.Errorf("%s: numbers are missing: %q", where, missing)
	}
	for _, n := range lacking(k, e) {
		if !regexp.MustCompile(`(?i)\b(?:` + cmp.Or(spelled[n], "never") + `)\b`).MatchString(english) {
			t.Errorf("%s: the number %s isn't in the English text", where, n)
		}
	}
	for line := range strings.Lines(prose(korean)) {
		if m := plain.FindString(line); m != "" {
			t.Errorf("%s: a sentence ends with %q, not with -니다: %s", where, m, line)
		}
		if latin.MatchString(line) && !hangul.MatchString(line) {
			t.Errorf("%s: isn't Korean: %s", where, line)
		}
	}
}

// prose is a text without code, addresses and comments.
func prose(s string) string {
	s = comment.ReplaceAllString(fence.ReplaceAllString(s, ""), "")
	return link.ReplaceAllString(span.ReplaceAllString(s, "CODE"), "]")
}

func numbersIn(s string) []string { return number.FindAllString(prose(s), -1) }

// lacking lists what of a is not in b, as often as it is too often.
func lacking(a, b []string) (out []string) {
	left := slices.Clone(b)
	for _, x := range a {
		if i := slices.Index(left, x); i >= 0 {
			left = slices.Delete(left, i, i+1)
		} else {
			out = append(out, x)
		}
	}
	return out
}
