// Package msg holds what people read in a report, a verdict or a plot: messages,
// numbers and their units.
//
// A [Message] is an id with arguments. A [Language] turns it into text, with the
// words of a file (en.txt): a further language is one more file. Results and
// analyses hold messages and numbers; whoever shows them has a language.
//
// A file has a line for each message, its arguments' names in brackets:
//
//	trials(n): {n} trials
//	trials.one(n): 1 trial
//	verdict.value(metric, row, value): {metric|capital} of {row}: {value}
//
// What is indented goes on with the line before. {name|lower} and {name|capital}
// change the first letter, {name|은} sets a Korean particle behind it (particle.go).
//
// In a language other than English a number sign and a hash of the English text come
// before the colon: a test fails where that has changed since. After the text was looked
// at, go test ./reports/msg -run TestLanguagesAreWhole -renew writes the hashes anew.
//
//	trials(n)#5c1e: 시행 {n}회
//
// A text that others wrote (a scenario's question, a metric's title, a statement, a
// step, a command's line) is its own id, in quotation marks, and so can't be shown for a
// text that has changed, or that an old folder has otherwise. What differs each time has
// a name in brackets:
//
//	"time until ready": 준비까지 걸리는 시간
//	"the program {name} isn't installed": 프로그램 {name|이} 설치되어 있지 않음
//
// Text between ** is bold, between backquotes code. If
// the first argument is 1, the message's ".one" is taken, where there is one.
package msg

import (
	"embed"
	"fmt"
	"io/fs"
	"iter"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// A Message is a text for people, as data. One without an id is its only
// argument; the zero Message says nothing.
type Message struct {
	ID   string
	Args []any // strings, ints and Messages
}

// String is a message in English, for errors and tests; a page has a language.
func (m Message) String() string { return English().Text(m) }

// T is the message with an id. Its arguments have the order that the file states.
func T(id string, args ...any) Message { return Message{id, args} }

// Verbatim is a text from elsewhere, which is in no language's file.
func Verbatim(s string) Message { return Message{Args: []any{s}} }

// IsZero reports whether a message says nothing.
func (m Message) IsZero() bool { return m.ID == "" && len(m.Args) == 0 }

// Join puts what isn't zero together with a message of two arguments.
func Join(id string, list ...Message) (all Message) {
	for _, m := range list {
		switch {
		case m.IsZero():
		case all.IsZero():
			all = m
		default:
			all = T(id, all, m)
		}
	}
	return all
}

// And lists texts: "a, b and c".
func And(list ...Message) Message {
	if len(list) < 2 {
		return Join("join.and", list...)
	}
	return T("join.and", Join("join.comma", list[:len(list)-1]...), list[len(list)-1])
}

// All are messages of texts that are no messages.
func All(texts []string) (out []Message) {
	for _, s := range texts {
		out = append(out, Verbatim(s))
	}
	return out
}

// Gathered is what is said, each text once and in the order in which it came first,
// with those that it is said of. Texts are told apart by their English.
type Gathered struct {
	said  []Message
	of    map[string][]Message
	known map[[2]string]bool // what was said, of whom
}

// Add says it of one more, unless it was said of that already.
func (g *Gathered) Add(said, of Message) {
	if g.of == nil {
		g.of, g.known = map[string][]Message{}, map[[2]string]bool{}
	}
	both := [2]string{said.String(), of.String()}
	if g.known[both] {
		return
	}
	g.known[both] = true
	if g.of[both[0]] == nil {
		g.said = append(g.said, said)
	}
	g.of[both[0]] = append(g.of[both[0]], of)
}

// All are the texts, each with those that it is said of.
func (g *Gathered) All() iter.Seq2[Message, []Message] {
	return func(yield func(Message, []Message) bool) {
		for _, m := range g.said {
			if !yield(m, g.of[m.String()]) {
				return
			}
		}
	}
}

// A Language has a text for each message.
type Language struct {
	Name  string // "en": its file's
	texts map[string]text
	given map[string]text // texts that others wrote, by these
	forms []form          // those of given that have arguments
}

// A text is a line of a language's file: what is at odd places of parts are arguments.
type text struct {
	args  []string
	parts []part
	of    string // hash of the English text
}

type part struct {
	words  string
	arg    int // of the message, or -1
	change func(string) string
	names  bool // of a name that others gave there is no change
}

//go:embed *.txt
var files embed.FS

// English is the language in which the lab itself is written.
var English = sync.OnceValue(func() *Language {
	l, err := Load("en")
	if err != nil {
		panic(err)
	}
	return l
})

// Load reads a language's file. An unknown one is an [fs.ErrNotExist].
func Load(name string) (*Language, error) {
	data, err := fs.ReadFile(files, name+".txt")
	if err != nil {
		return nil, fmt.Errorf("language %q: %w", name, err)
	}
	return Parse(name, string(data))
}

// Parse makes a language of a file's text. An error names the line.
func Parse(name, file string) (*Language, error) {
	l := &Language{Name: name, texts: map[string]text{}, given: map[string]text{}}
	lines := strings.Split(file, "\n")
	for i := 0; i < len(lines); i++ {
		line, at := strings.TrimSpace(lines[i]), i+1
		if line == "" || line[0] == '#' {
			continue
		}
		for i+1 < len(lines) && strings.HasPrefix(lines[i+1], "\t") {
			i++
			line += " " + strings.TrimSpace(lines[i])
		}
		if line[0] == '"' {
			text, words, ok := strings.Cut(strings.ReplaceAll(line[1:], `\n`, "\n"), "\": ")
			if !ok {
				return nil, fmt.Errorf("%s.txt:%d: no “\"text\": text”", name, at)
			}
			if err := l.give(text, words); err != nil {
				return nil, fmt.Errorf("%s.txt:%d: %w", name, at, err)
			}
			continue
		}
		id, words, ok := strings.Cut(line, ": ")
		if !ok {
			return nil, fmt.Errorf("%s.txt:%d: no “id: text”", name, at)
		}
		var t text
		id, t.of, _ = strings.Cut(id, "#")
		if head, args, ok := strings.Cut(strings.TrimSuffix(id, ")"), "("); ok {
			id, t.args = head, strings.Split(args, ", ")
		}
		if _, twice := l.texts[id]; twice {
			return nil, fmt.Errorf("%s.txt:%d: %s is there twice", name, at, id)
		}
		if err := t.parse(words); err != nil {
			return nil, fmt.Errorf("%s.txt:%d: %s: %w", name, at, id, err)
		}
		l.texts[id] = t
	}
	return l, nil
}

// changes are what is done to an argument; begin is capital, but for a name that others gave.
var changes = map[string]func(string) string{"": nil, "lower": Lower, "capital": Capital, "begin": Capital,
	"은": particle("은", "는"), "이": particle("이", "가"), "을": particle("을", "를"), "과": particle("과", "와"), "으로": towards}

func (t *text) parse(words string) error {
	for words != "" {
		head, rest, found := strings.Cut(words, "{")
		t.parts = append(t.parts, part{words: head, arg: -1})
		if !found {
			break
		}
		name, rest, found := strings.Cut(rest, "}")
		name, change, _ := strings.Cut(name, "|")
		f, known := changes[change]
		p := part{arg: slices.Index(t.args, name), change: f, names: change == "begin"}
		if !found || p.arg < 0 || !known {
			return fmt.Errorf("{%s}: no such argument", name)
		}
		t.parts = append(t.parts, p)
		words = rest
	}
	return nil
}

// A Markup is how a place takes text: Words is given what a language's file has,
// with its marks of bold and code, Escape what comes from outside.
type Markup struct{ Words, Escape func(string) string }

// Plain is text without any markup.
var Plain = Markup{Words: strings.NewReplacer("**", "").Replace, Escape: func(s string) string { return s }}

// Text is x, a Message, string or number, as plain text.
func (l *Language) Text(x any) string { return l.Render(x, Plain) }

// Texts are several of them.
func (l *Language) Texts(list []Message) []string {
	out := make([]string, len(list))
	for i, m := range list {
		out[i] = l.Text(m)
	}
	return out
}

// Render is x as text for a place. A message that the language doesn't have is its
// id and arguments.
func (l *Language) Render(x any, k Markup) string {
	switch x := x.(type) {
	case nil:
		return ""
	case int:
		return strconv.Itoa(x)
	case Message:
		return l.render(x, k)
	case string:
		return l.other(x, k)
	}
	return k.Escape(fmt.Sprint(x))
}

func (l *Language) render(m Message, k Markup) string {
	t, ok := l.texts[m.ID]
	if !ok && l.Name == "ko" { // which may wait for a new text, in English
		t, ok = English().texts[m.ID]
	}
	if len(m.Args) > 0 && m.Args[0] == 1 {
		if one, has := l.texts[m.ID+".one"]; has {
			t = one
		}
	}
	if !ok {
		var b strings.Builder
		for i, a := range m.Args {
			if i > 0 {
				b.WriteByte(' ')
			}
			b.WriteString(l.Render(a, k))
		}
		return b.String()
	}
	return l.put(t, m.Args, k)
}

// put puts arguments into a text.
func (l *Language) put(t text, args []any, k Markup) string {
	var b strings.Builder
	for _, p := range t.parts {
		switch {
		case p.arg < 0:
			b.WriteString(k.Words(p.words))
		case p.arg < len(args):
			a := args[p.arg]
			if s, ok := a.(string); ok && slices.Contains([]string{"command", "verb", "scenario"}, t.args[p.arg]) {
				a = Name(s) // what is typed is typed in any language, though "run" is also a text
			}
			s := l.Render(a, k)
			if p.change != nil && !(p.names && isNamed(a)) {
				s = p.change(s)
			}
			b.WriteString(s)
		}
	}
	return b.String()
}

// isNamed says whether an argument begins with a text from elsewhere: a machine's name
// begins as it is.
func isNamed(arg any) bool {
	m, ok := arg.(Message)
	for ok && strings.HasPrefix(m.ID, "join.") && len(m.Args) > 0 {
		m, ok = m.Args[0].(Message)
	}
	return ok && m.ID == "" && len(m.Args) > 0
}

// Patterns are the texts whose ids begin with a word, for a program that puts the
// arguments in by itself: "{0} of {1}".
func (l *Language) Patterns(begin string) map[string]string {
	out := map[string]string{}
	for id, t := range l.texts {
		if strings.HasPrefix(id, begin) {
			args := make([]any, len(t.args))
			for i := range args {
				args[i] = fmt.Sprintf("{%d}", i)
			}
			out[id] = l.Text(T(id, args...))
		}
	}
	return out
}
