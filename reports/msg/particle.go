package msg

import (
	"regexp"
	"strings"
	"sync"
	"unicode/utf8"
)

// A Korean particle follows a word without a space, and has two forms: one behind a
// final consonant, one behind a vowel. Which it is follows from how the word's end is
// said, digits and Latin letters included.

// final says what a text ends in when it is said: 0 a vowel, 'ㄹ', or 1 another
// consonant. What is in brackets at the end, and quotation marks, are not said.
func final(s string) rune {
	s = tail().ReplaceAllString(s, "")
	r, _ := utf8.DecodeLastRuneInString(s)
	switch {
	case r >= '가' && r <= '힣':
		switch (r - '가') % 28 {
		case 0:
			return 0
		case 8:
			return 'ㄹ'
		}
		return 1
	case r >= '0' && r <= '9':
		return [...]rune{1, 'ㄹ', 0, 1, 0, 0, 1, 'ㄹ', 'ㄹ', 0}[r-'0']
	case r == 'l' || r == 'L':
		return 'ㄹ'
	case strings.ContainsRune("mnMN", r), strings.HasSuffix(s, "ng"), strings.HasSuffix(s, "ap"), strings.HasSuffix(s, "ck"):
		return 1 // vm, podman, bwrap, 브이엠, 포드맨, 비랩
	}
	return 0 // container, host, %, MiB: 컨테이너, 호스트, 퍼센트, 메비바이트
}

var tail = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile("(\\s*\\([^()]*\\)|[”’\"'`*»)\\s]|<[^<>]*>|&#?[a-z0-9]+;)+$")
})

// particle sets one behind a text.
func particle(consonant, vowel string) func(string) string {
	return func(s string) string {
		if final(s) == 0 {
			return s + vowel
		}
		return s + consonant
	}
}

// towards sets 으로 or 로 behind a text; ㄹ takes 로.
func towards(s string) string {
	if final(s) == 1 {
		return s + "으로"
	}
	return s + "로"
}
