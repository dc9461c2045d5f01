package msg

import (
	"crypto/sha256"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// used lists the ids that reports and the command say, with the number of arguments;
// -1: any.
func used(t *testing.T) map[string][]int {
	t.Helper()
	out := map[string][]int{}
	id := regexp.MustCompile(`^[a-z][a-z0-9-]*(\.[a-z0-9-]+)*$`)
	all := ids(t)
	for _, root := range []string{"..", "../../cmd/lab"} {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			f, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
			if err != nil {
				return err
			}
			text := func(e ast.Expr) (string, bool) {
				lit, ok := e.(*ast.BasicLit)
				if !ok || lit.Kind != token.STRING {
					return "", false
				}
				s, err := strconv.Unquote(lit.Value)
				return s, err == nil && id.MatchString(s)
			}
			ast.Inspect(f, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.CallExpr:
					name := ""
					switch f := n.Fun.(type) {
					case *ast.Ident:
						name = f.Name
					case *ast.SelectorExpr:
						if x, ok := f.X.(*ast.Ident); ok && x.Name == "msg" {
							name = f.Sel.Name
						}
					}
					if len(n.Args) == 0 || name != "T" && name != "Join" {
						return true
					}
					if s, ok := text(n.Args[0]); ok {
						many := len(n.Args) - 1
						if name == "Join" {
							many = 2
						} else if n.Ellipsis.IsValid() {
							many = -1
						}
						out[s] = append(out[s], many)
					}
				case *ast.BasicLit: // one that a variable or a helper's argument holds
					if s, ok := text(n); ok && all[s] != nil {
						out[s] = append(out[s], -1)
					}
				}
				return true
			})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"../html/page.html", "../html/page.js", "../html/view.js"} {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`["'](page\.[a-z0-9-]+|verdicts\.title)["']`).FindAllStringSubmatch(string(data), -1) {
			out[m[1]] = append(out[m[1]], -1)
		}
	}
	return out
}

func ids(t *testing.T) map[string]*text {
	t.Helper()
	out := map[string]*text{}
	for id, x := range English().texts {
		out[id] = &x
	}
	return out
}

// What is said is in the file, with as many arguments, and what is in the file is
// said somewhere.
func TestEveryMessageIsThere(t *testing.T) {
	all, said := ids(t), used(t)
	for id, counts := range said {
		x := all[id]
		if x == nil {
			t.Errorf("%s is said, and not in en.txt", id)
			continue
		}
		for _, n := range counts {
			if n >= 0 && n != len(x.args) {
				t.Errorf("%s is said with %d arguments, and has %v", id, n, x.args)
			}
		}
	}
	for id := range all {
		if base, one := strings.CutSuffix(id, ".one"); said[id] == nil && (!one || said[base] == nil) {
			t.Errorf("%s is in en.txt, and said nowhere", id)
		}
	}
}

var renew = flag.Bool("renew", false, "write the hashes of the English texts into the other languages' files")

// hashed is a line of English as another language's file knows it.
func hashed(words string) string { return fmt.Sprintf("%.6x", sha256.Sum256([]byte(words)))[:6] }

// words are the English texts as the file has them, by id.
func words(t *testing.T) map[string]string {
	t.Helper()
	data, err := fs.ReadFile(files, "en.txt")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for line := range strings.Lines(strings.ReplaceAll(string(data), "\n\t", " ")) {
		if head, text, ok := strings.Cut(strings.TrimSpace(line), ": "); ok && line[0] != '#' {
			id, _, _ := strings.Cut(head, "(")
			out[id] = text
		}
	}
	return out
}

// A language's file has each message of the English one, with the same arguments, and
// was looked at since that was changed.
func TestLanguagesAreWhole(t *testing.T) {
	all, english := ids(t), words(t)
	for _, name := range Languages() {
		l, err := Load(name)
		if err != nil {
			t.Fatal(err)
		}
		for id, x := range all {
			y, ok := l.texts[id]
			switch {
			case !ok && strings.HasSuffix(id, ".one"): // not every language has one
			case !ok || !slices.Equal(x.args, y.args):
				t.Errorf("%s.txt: %s isn't there, or hasn't the arguments %v", name, id, x.args)
			case name != "en" && y.of != hashed(english[id]) && !*renew:
				t.Errorf("%s.txt: %s#%s is of an English text that has changed since. It is now: %s. Look at the text, then: go test ./reports/msg -run TestLanguagesAreWhole -renew", name, id, y.of, english[id])
			}
		}
		for id := range l.texts {
			if all[id] == nil {
				t.Errorf("%s.txt: %s is no message", name, id)
			}
		}
		if *renew && name != "en" {
			file := name + ".txt"
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			head := regexp.MustCompile(`(?m)^([a-z][a-z0-9.-]*)((?:\([^)]*\))?)(?:#[0-9a-f]*)?: `)
			data = head.ReplaceAllFunc(data, func(b []byte) []byte {
				m := head.FindSubmatch(b)
				return fmt.Appendf(nil, "%s%s#%s: ", m[1], m[2], hashed(english[string(m[1])]))
			})
			if err := os.WriteFile(file, data, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// No two messages have the same words.
func TestNoTextTwice(t *testing.T) {
	seen := map[string]string{}
	for id, x := range ids(t) {
		words := ""
		for _, p := range x.parts {
			if words += p.words; p.arg >= 0 {
				words += "{" + strconv.Itoa(p.arg) + "}"
			}
		}
		if other, twice := seen[words]; twice && len(words) > 20 {
			t.Errorf("%s and %s both say %q", other, id, words)
		}
		seen[words] = id
	}
}

func TestRender(t *testing.T) {
	l, err := Parse("xx", "# a comment\na(n, what): **{n}** {what|capital},\n\tand more\na.one(n, what): one {what}\n\"a title\": un titre\nb(x, y): {y} {x}\n")
	if err != nil {
		t.Fatal(err)
	}
	angry := Markup{Words: func(s string) string { return s }, Escape: strings.ToUpper}
	for _, x := range []struct {
		m           Message
		plain, loud string
	}{
		{T("a", 2, "pots"), "2 Pots, and more", "**2** POTS, and more"},
		{T("a", 1, "pot"), "one pot", "one POT"},
		{T("b", "x", T("b", 1, "y")), "y 1 x", "Y 1 X"},
		{T("none", "x", 3), "x 3", "X 3"},
		{T("a", 3, "a title"), "3 Un titre, and more", "**3** UN TITRE, and more"},
		{Message{}, "", ""},
		{Join("b", Message{}, Verbatim("p"), Message{}, Verbatim("q")), "q p", "Q P"},
	} {
		if got := l.Text(x.m); got != x.plain {
			t.Errorf("%v: %q, want %q", x.m, got, x.plain)
		}
		if got := l.Render(x.m, angry); got != x.loud {
			t.Errorf("%v: %q, want %q", x.m, got, x.loud)
		}
	}
	if got := English().Text(And(All([]string{"a", "b", "c"})...)); got != "a, b and c" {
		t.Error(got)
	}
	for _, bad := range []string{"a", "a: {x}", "a(x): {x", "a(x): {x|loud}", "a: b\na: c"} {
		if _, err := Parse("xx", bad); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
}
