// Package clean makes text that somebody else wrote harmless where it is shown:
// texts of results folders, images, guests and engines. There is a function for
// each target, to be called where a text is written to it:
//
//	a terminal      [Writer], or [Text] and [Line]
//	Markdown, HTML  [Markdown]
//	CSV             [CSV]
//	LaTeX           [TeX], [TeXName]
//
// In all of them a character that can't be seen (a terminal's escape, a mark that
// turns the direction of writing, a byte that isn't UTF-8) becomes U+FFFD, so that
// one sees that there was something.
package clean

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Line makes a text one line.
func Line(s string) string { return visible(s, "") }

// Text makes a text of several lines harmless; tabs stay, too.
func Text(s string) string { return visible(s, "\n\t") }

// visible keeps what can be seen, and the white space given; other white space
// becomes a space.
func visible(s, keep string) string {
	if plain(s) { // nearly always
		return s
	}
	return strings.Map(func(r rune) rune {
		switch {
		case strings.ContainsRune(keep, r) || unicode.IsGraphic(r):
			return r
		case unicode.IsSpace(r) || r == '\u2028' || r == '\u2029':
			return ' '
		}
		return utf8.RuneError
	}, strings.ToValidUTF8(s, "\uFFFD"))
}

func plain(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

var markdown = strings.NewReplacer(`\`, `\\`, "|", `\|`, "<", `\<`, "`", "'", "*", `\*`, "[", `\[`, "~", `\~`, "$", `\$`, "&", `\&`)

// block says whether a line is a block of Markdown's by what it begins with (a heading, a
// list, a quotation, a rule), and how many digits come before that. It is no regular
// expression, as the program that starts fast links this.
func block(s string) (digits int, is bool) {
	alone := func(rest string) bool { return rest == "" || rest[0] == ' ' }
	of := func(c string) int { return len(s) - len(strings.TrimLeft(s, c)) }
	hashes := of("#")
	digits = of("0123456789")
	switch rest := s[digits:]; {
	case s == "":
		return 0, false
	case digits > 0:
		return digits, rest != "" && (rest[0] == '.' || rest[0] == ')') && alone(rest[1:])
	case hashes > 0:
		return 0, hashes <= 6 && alone(s[hashes:])
	case s[0] == '>', of("-") == len(s), of("=") == len(s):
		return 0, true
	}
	return 0, (s[0] == '-' || s[0] == '+') && alone(s[1:])
}

// Markdown makes a text one line in which nothing is Markdown or HTML.
func Markdown(s string) string {
	s = markdown.Replace(strings.Join(strings.Fields(Line(s)), " "))
	if digits, is := block(s); is {
		s = s[:digits] + `\` + s[digits:]
	}
	return underlines(s)
}

// underlines quotes those that aren't within a word: they would be emphasis.
func underlines(s string) string {
	if !strings.Contains(s, "_") {
		return s
	}
	within := func(i int) bool {
		if i < 0 || i >= len(s) {
			return false
		}
		r := rune(s[i])
		return r >= utf8.RuneSelf || unicode.IsLetter(r) || unicode.IsDigit(r)
	}
	var b strings.Builder
	for i := range len(s) {
		if s[i] == '_' && !(within(i-1) && within(i+1)) {
			b.WriteByte('\\')
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// CSV makes a text one field that no spreadsheet takes for a formula; a number
// stays one.
func CSV(s string) string {
	s = Line(s)
	if s == "" || !strings.ContainsRune("=+-@", rune(s[0])) {
		return s
	}
	if _, err := strconv.ParseFloat(s, 64); err == nil {
		return s
	}
	return "'" + s
}

// Fields are the fields of a row of CSV.
func Fields(row []string) []string {
	out := make([]string, len(row))
	for i, s := range row {
		out[i] = CSV(s)
	}
	return out
}

// In plain ASCII, where older engines need it.
var tex = strings.NewReplacer(`\`, `\textbackslash{}`, "{", `\{`, "}", `\}`, "$", `\$`, "&", `\&`, "#", `\#`,
	"_", `\_`, "%", `\%`, "^", `\textasciicircum{}`, "~", `\textasciitilde{}`, "<", `\textless{}`, ">", `\textgreater{}`,
	"µ", `\textmu{}`, "×", `$\times$`, "−", "$-$", "±", `$\pm$`, "“", "``", "”", "''", "–", "--", "—", "---", "→", `$\to$`, "…", `\dots{}`)

// TeX makes a text one line in which nothing is LaTeX.
func TeX(s string) string { return tex.Replace(strings.Join(strings.Fields(Line(s)), " ")) }

// TeXName makes a text fit for a comment, or a label: ^^ would be a character's
// code there, too.
func TeXName(s string) string {
	return strings.NewReplacer("{", "", "}", "", `\`, "", "%", "", "^", "").Replace(strings.Join(strings.Fields(Line(s)), " "))
}
