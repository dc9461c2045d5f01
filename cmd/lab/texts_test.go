package main

import (
	"crypto/sha256"
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
)

var renew = flag.Bool("renew", false, "write the hashes of the English texts into the files in other languages")

// TestKoreanTexts compares the files of help and of words with the English ones: they
// have the same commands and names in the same order, the same lines to copy, and were
// looked at since the English text was changed.
func TestKoreanTexts(t *testing.T) {
	for name, section := range map[string]*regexp.Regexp{
		"help":  regexp.MustCompile(`(?m)^== (.*)\n`),
		"words": regexp.MustCompile(`(?m)^([^\s#\[][^:\n]*): `),
	} {
		file := name + ".ko.txt"
		en, ko := readText(t, name+".txt"), readText(t, file)
		body, _, _ := strings.Cut(ko, "\n# Hashes\n")
		was, is := sections(section, en), sections(section, body)
		var sums strings.Builder
		for i, s := range was {
			if i >= len(is) || is[i].name != s.name {
				t.Fatalf("%s: %q isn't there, or not in this place", file, s.name)
			}
			if _, lines, ok := strings.Cut(s.text, "\nExamples:\n"); ok && !strings.HasSuffix(strings.TrimSpace(is[i].text), strings.TrimSpace(lines)) {
				t.Errorf("%s: the examples of %s are others", file, s.name)
			}
			sum := fmt.Sprintf("# %s: %.3x\n", s.name, sha256.Sum256([]byte(s.text)))
			if sums.WriteString(sum); !*renew && !strings.Contains(ko, "\n"+sum) {
				t.Errorf("%s: the English text of %q has changed since. Look at it, then: go test ./cmd/lab -run TestKoreanTexts -renew", file, s.name)
			}
		}
		if len(is) > len(was) {
			t.Errorf("%s has %d texts, and there are %d", file, len(is), len(was))
		}
		if *renew {
			if err := os.WriteFile(file, []byte(strings.TrimRight(body, "\n")+"\n\n# Hashes\n"+sums.String()), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}

type namedText struct{ name, text string }

// sections cuts a file into its texts, each behind a match with its name.
func sections(begin *regexp.Regexp, file string) (out []namedText) {
	all := begin.FindAllStringSubmatchIndex(file, -1)
	for i, m := range all {
		end := len(file)
		if i+1 < len(all) {
			end = all[i+1][0]
		}
		out = append(out, namedText{file[m[2]:m[3]], strings.TrimSpace(file[m[1]:end])})
	}
	return out
}

func readText(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
