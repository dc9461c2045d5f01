package msg

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"sync"
)

// A Name is a word that is the same in each language, though it may also be a text: a
// scenario's name, a setting's value.
type Name string

// A form is a text with arguments that others wrote: it is known by what stands
// between these.
type form struct {
	between []string // one more than arguments
	text    text
}

var bracketed = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`\{[a-z]+\}`) })

// give takes a text that others wrote, and what the language says for it.
func (l *Language) give(other, words string) error {
	var t text
	for _, a := range bracketed().FindAllString(other, -1) {
		t.args = append(t.args, strings.Trim(a, "{}"))
	}
	if t.args == nil {
		t.parts = []part{{words: words, arg: -1}}
	} else if err := t.parse(words); err != nil {
		return fmt.Errorf("%q: %w", other, err)
	} else {
		l.forms = append(l.forms, form{bracketed().Split(other, -1), t})
	}
	if _, twice := l.given[other]; twice {
		return fmt.Errorf("%q is there twice", other)
	}
	l.given[other] = t
	return nil
}

// match finds a form's arguments in a text, the shortest that there are.
func (f form) match(s string) (args []any, ok bool) {
	last := len(f.between) - 1
	s, ok = strings.CutPrefix(s, f.between[0])
	for i, b := range f.between[1:] {
		if !ok {
			return nil, false
		}
		var arg string
		if i+1 < last {
			arg, s, ok = strings.Cut(s, b)
		} else {
			arg, ok = strings.CutSuffix(s, b)
		}
		if ok = ok && arg != ""; ok {
			args = append(args, arg)
		}
	}
	return args, ok
}

// other is a text that others wrote, in the language, if that has it: a text, a form
// with its arguments, or several of these with commas between.
func (l *Language) other(s string, k Markup) string {
	if words, ok := l.known(s, k); ok {
		return words
	}
	return k.Escape(s)
}

func (l *Language) known(s string, k Markup) (string, bool) {
	if words, ok := l.one(s, k); ok || len(l.given) == 0 {
		return words, ok
	}
	// Of a list each item has to be known; an item may itself have commas.
	list := ""
	for s != "" {
		end := len(s)
		words, ok := l.one(s, k)
		for !ok {
			if end = strings.LastIndex(s[:end], ", "); end < 0 {
				return "", false
			}
			words, ok = l.one(s[:end], k)
		}
		list += words
		if s = s[end:]; s != "" {
			list, s = list+", ", s[2:]
		}
	}
	return list, true
}

// one is a single text.
func (l *Language) one(s string, k Markup) (string, bool) {
	if t, ok := l.given[s]; ok && len(t.args) == 0 {
		return k.Escape(t.parts[0].words), true
	}
	for _, f := range l.forms {
		if args, ok := f.match(s); ok {
			return l.put(f.text, args, k), true
		}
	}
	return "", false
}

// Has says whether the language has its own words for a text that others wrote.
func (l *Language) Has(other string) bool {
	_, ok := l.known(other, Plain)
	return ok || l.Name == "en" || other == ""
}

// Sprintf is fmt.Sprintf with the language's own words in place of a format, if it has
// these; they may name arguments by number, as %[2]s does.
func (l *Language) Sprintf(format string, args ...any) string {
	if t, ok := l.given[format]; ok && len(t.args) == 0 {
		format = t.parts[0].words
	}
	return fmt.Sprintf(format, args...)
}

// reader is the language of whoever reads what this process writes for people.
var reader = struct {
	sync.RWMutex
	*Language
}{}

// Reader is the language of whoever reads what this process writes for people: English,
// if nothing else was set. What programs read (summary.json, CSV) is English always.
func Reader() *Language {
	reader.RLock()
	defer reader.RUnlock()
	if reader.Language == nil {
		return English()
	}
	return reader.Language
}

// Speak sets the reader's language by its name. The command does it, once, at its
// start. An unknown one is an [fs.ErrNotExist].
func Speak(name string) error {
	l, err := Load(name)
	if err != nil {
		return err
	}
	reader.Lock()
	defer reader.Unlock()
	reader.Language = l
	return nil
}

// Languages are those that there are.
func Languages() []string { return []string{"en", "ko"} }

// Wanted is the language that the environment variables ask for, by POSIX's rules: the
// first of LC_ALL, LC_MESSAGES and LANG that isn't empty. One that there isn't is
// English.
func Wanted() string {
	for _, name := range []string{"LC_ALL", "LC_MESSAGES", "LANG"} {
		if v := os.Getenv(name); v != "" {
			for _, l := range Languages() {
				if v == l || strings.HasPrefix(v, l+"_") || strings.HasPrefix(v, l+".") {
					return l
				}
			}
			break
		}
	}
	return "en"
}
