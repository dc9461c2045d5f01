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
var translations = [][2]string{{"LAB.md", "docs/ko/LAB.md"}, {"docs/ANSWERS.md", "docs/ko/ANSWERS.md"}, {"docs/CHAOS.md", "docs/ko/CHAOS.md"}}

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
	begins  = regexp.MustCompile(`(?m)^(#+ (?:[0-9A-Z]+\. )?|[0-9]+\. |\* |\*\*[0-9A-Za-z]+\.[0-9]+\*\* |\|.*$)`)
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
			for _, what := range differ(english[i], stamp.ReplaceAllString(korean[i], ""), f) {
				t.Errorf("%s: %s", where, what)
			}
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

// A test of the test: whatever is lost or added is named.
func TestKoreanDiffers(t *testing.T) {
	const english = "## 3. Two (`a b`)\n\n1. See `x` in 5 ms, twice: [y](go.mod).\n\n```\nls # 1\n```\n\n| a | b |\n"
	const korean = "## 3. 둘 (`a b`)\n\n1. 5 ms 만에 `x`를 2번 봅니다. [y](../../go.mod).\n\n```\nls # 1\n```\n\n| 가 | 나 |\n"
	if got := differ(english, korean, translations[0]); got != nil {
		t.Errorf("the same text differs: %q", got)
	}
	for _, x := range [][3]string{
		{"## 3.", "## 4.", "headings"}, {"1. 5", "5", "headings"}, {"| 나 |", "|", "headings"}, {"ls", "ls -l", "blocks"}, {"`x`를", "", "code"},
		{"go.mod", "go.sum", "links"}, {"go.mod", "go.mood", "no such file"}, {"5 ms", "6 ms", "numbers are missing"}, {"5 ms", "5 ms, 6 ms", "number 6"},
		{"봅니다", "본다", "not with"}, {"5 ms 만에 `x`를 2번 봅니다.", "See the `x` after 5 ms, and then again.", "isn't Korean"},
	} {
		if got := differ(english, strings.Replace(korean, x[0], x[1], 1), translations[0]); !strings.Contains(strings.Join(got, "\n"), x[2]) {
			t.Errorf("%q for %q isn't found: %q", x[1], x[0], got)
		}
	}
}

// differ lists in what a chapter (of the files f) differs from its translation.
func differ(english, korean string, f [2]string) (out []string) {
	say := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	same := func(what string, get func(text, file string) []string) {
		if e, k := get(english, f[0]), get(korean, f[1]); !slices.Equal(e, k) {
			say("other %s:\n missing %q\n too many %q", what, lacking(e, k), lacking(k, e))
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
					say("%v", err)
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
		say("numbers are missing: %q", missing)
	}
	for _, n := range lacking(k, e) {
		if !regexp.MustCompile(`(?i)\b(?:` + cmp.Or(spelled[n], "never") + `)\b`).MatchString(english) {
			say("the number %s isn't in the English text", n)
		}
	}
	for line := range strings.Lines(prose(korean)) {
		if m := plain.FindString(line); m != "" {
			say("a sentence ends with %q, not with -니다: %s", m, line)
		}
		if latin.MatchString(line) && !hangul.MatchString(line) {
			say("isn't Korean: %s", line)
		}
	}
	return out
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
