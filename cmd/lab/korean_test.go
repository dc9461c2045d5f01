package main

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"lab/bench"
	"lab/bench/machine"
	"lab/reports/msg"
	"lab/scenarios"
)

var missing = flag.String("missing", "", "write the texts that aren't in Korean yet to this file, as reports/msg/ko.txt has them")

// mayWait is how many texts may be new, and shown in English until they have their Korean: none.
const mayWait = 0

// A placed text is one that people read, with where it is from.
type placed struct{ at, text string }

// TestEveryTextIsTranslated walks over all that scenarios, environments, claims, flags
// and checks say, and over what the command prints, and names what a language lacks.
func TestEveryTextIsTranslated(t *testing.T) {
	texts := append(dataTexts(), sourceTexts(t)...)
	if len(texts) < 1000 {
		t.Errorf("only %d texts were found", len(texts))
	}
	for _, name := range msg.Languages() {
		l, err := msg.Load(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range texts { // a format has the same verbs
			var args []any
			for _, verb := range regexp.MustCompile(`%[-+ #.0-9]*[a-zA-Z]`).FindAllString(strings.ReplaceAll(x.text, "%%", ""), -1) {
				args = append(args, map[byte]any{'d': 1, 'f': 1., 'g': 1.}[verb[len(verb)-1]])
				if args[len(args)-1] == nil {
					args[len(args)-1] = "x"
				}
			}
			if said := l.Sprintf(x.text, args...); strings.HasPrefix(x.at, "cmd/") && strings.Contains(said, "%!") {
				t.Errorf("%s.txt: %q: %s", name, x.text, said)
			}
		}
		var out strings.Builder
		seen := map[string]bool{}
		for _, x := range texts {
			if l.Has(x.text) || seen[x.text] {
				continue
			}
			seen[x.text] = true
			fmt.Fprintf(&out, "# %s\n\"%s\": \n", x.at, strings.ReplaceAll(x.text, "\n", `\n`))
			if *missing == "" && len(seen) > mayWait {
				t.Errorf("%s.txt: %s: %q isn't there (go test ./cmd/lab -run TestEveryTextIsTranslated -missing FILE lists all)", name, x.at, x.text)
			}
		}
		if len(seen) > 0 {
			t.Logf("%s.txt: %d texts are new, and shown in English:\n%s", name, len(seen), out.String())
		}
		if *missing != "" && name != "en" {
			if err := os.WriteFile(*missing, []byte(out.String()), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// dataTexts are what scenarios, environments, claims and flags say, as data.
func dataTexts() (out []placed) {
	add := func(at, text string) {
		if letters(text) {
			out = append(out, placed{at, text})
		}
	}
	all := slices.Concat(scenarios.All(), scenarios.Calibration(), scenarios.InPairs(), []*bench.Scenario{scenarios.Disturbed()})
	for _, s := range all {
		at := "scenario " + s.Name
		add(at+" question", s.Question)
		add(at+" method", s.Method)
		for _, m := range s.Metrics {
			add(at+" metric "+m.Name, m.Title)
			add(at+" metric "+m.Name+" help", m.Help)
			for _, w := range m.Words {
				add(at+" metric "+m.Name+" word", w)
			}
		}
		for _, f := range s.Figures {
			add(at+" figure "+f.Name, f.Title)
			add(at+" figure "+f.Name+" caption", f.Caption)
		}
		for _, f := range s.Findings {
			add(at+" finding "+f.Name, f.Statement)
			add(at+" finding "+f.Name+" reason", strings.TrimRight(f.Reason, "."))
		}
	}
	for _, c := range scenarios.Claims {
		add(fmt.Sprint("claim ", c.Number), c.Text)
		add(fmt.Sprint("claim ", c.Number), c.Lacks)
	}
	for _, a := range bench.AboutAll(environments()) {
		at := "environment " + a.Name
		add(at, a.Is)
		add(at, a.Caveat)
		add(at, a.Needs)
		for _, p := range strings.Split(a.More, "\n\n") {
			add(at+" more", p)
		}
		for _, s := range a.Settings {
			add(at+" setting "+s.Name, s.Help)
		}
	}
	for _, x := range machine.Explained {
		add("taint "+x.Name, x.Means)
	}
	for _, x := range defined(textOf(wordsTexts, "words")) {
		if x.Kind == "part" { // a plot names it
			add("words.txt part", x.Name)
		}
	}
	for _, table := range []map[string]string{kinds, groupFiles, options, elements} {
		for _, name := range slices.Sorted(maps.Keys(table)) {
			add("lab explain --live "+name, table[name])
		}
	}
	for _, x := range privileges {
		add("lab explain --live "+x.name, x.why)
	}
	var look func(cmd *cobra.Command)
	look = func(cmd *cobra.Command) {
		cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
			text := f.Usage
			if strings.HasPrefix(text, "`") {
				_, text, _ = strings.Cut(text[1:], "` ")
			}
			add("lab "+cmd.Name()+" --"+f.Name, text)
		})
		for _, c := range cmd.Commands() {
			if c.Name() != "completion" && c.Name() != "help" {
				look(c)
			}
		}
	}
	look(newApp([]string{"lab"}, os.Stdin, os.Stdout, os.Stderr).root())
	return out
}

// letters says whether a text has words that could be in another language: it isn't a
// command, a name or a number alone.
func letters(s string) bool {
	s = regexp.MustCompile(`%[-+ #.0-9\[\]*]*[a-zA-Z]|\\.|\{[a-z]+\}`).ReplaceAllString(s, " ")
	return regexp.MustCompile(`[A-Za-z]{2,}|\b[as]\b`).MatchString(s) && !typed.MatchString(s)
}

// typed is a text that is to be typed as it is.
var typed = regexp.MustCompile(`^\s*(--[a-z-]+[ =a-zA-Z0-9{},.-]*|(sudo|make|apt-get|modprobe|virsh|mount|sysctl|lab|cpupower|setenforce|ulimit) [^;:,]*)$`)

// sourceTexts are what the program's source says to people by these calls, with {a},
// {b} for what differs each time: the formats of say and tell, why a row can't run, and
// what doctor finds.
func sourceTexts(t *testing.T) (out []placed) {
	t.Helper()
	for _, f := range sources(t) {
		if strings.HasSuffix(f.name, "_test.go") || strings.HasPrefix(f.pkg, "bench/benchtest") {
			continue
		}
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, filepath.Join(top, filepath.FromSlash(f.name)), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		add := func(e ast.Expr) {
			names := 'a'
			if s, ok := pattern(e, &names); ok && letters(s) {
				at := set.Position(e.Pos())
				out = append(out, placed{fmt.Sprintf("%s:%d", f.name, at.Line), s})
			}
		}
		found := []string{"Detail", "More", "Why", "Cure"}
		step := func(n ast.Node) bool {
			if s, ok := n.(*ast.BasicLit); ok && strings.Contains(strings.Trim(s.Value, " "), " ") {
				if !strings.ContainsAny(s.Value[1:2], " ,;") && !strings.HasSuffix(s.Value, ` "`) { // what goes on with another is in a form of its own
					add(s)
				}
			}
			return true
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CallExpr:
				name := called(n)
				switch {
				case f.pkg == "cmd/lab" && (name == "say" || name == "sayTo"):
					i := map[string]int{"say": 0, "sayTo": 1}[name]
					if lit, ok := n.Args[i].(*ast.BasicLit); ok {
						if s, err := strconv.Unquote(lit.Value); err == nil && letters(s) {
							out = append(out, placed{fmt.Sprint(f.name, ":", set.Position(n.Pos()).Line), s})
						}
					}
				case name == "Unavailable" || name == "NotApplicable":
					add(n.Args[0])
					add(n.Args[1])
				}
			case *ast.AssignStmt: // c.Result, c.Detail = Warn, "…"
				for i, to := range n.Lhs {
					f2, ok := to.(*ast.SelectorExpr)
					if !ok || f.pkg != "bench/machine" || !slices.Contains(found, f2.Sel.Name) || len(n.Rhs) != len(n.Lhs) {
						continue
					}
					if n.Tok == token.ADD_ASSIGN {
						add(&ast.BinaryExpr{X: ast.NewIdent("before"), Op: token.ADD, Y: n.Rhs[i], OpPos: n.Pos()})
						continue
					}
					add(n.Rhs[i])
				}
			case *ast.FuncDecl: // the steps of a start
				if n.Name.Name == "Describe" || n.Name.Name == "describeMapped" {
					ast.Inspect(n, step)
				}
			case *ast.ValueSpec:
				if n.Names[0].Name == "describe" {
					ast.Inspect(n, step)
				}
			case *ast.KeyValueExpr:
				if k, ok := n.Key.(*ast.Ident); ok && f.pkg == "bench/machine" && slices.Contains(found, k.Name) {
					add(n.Value)
				}
			}
			return true
		})
	}
	return out
}

// called is the name of the function that is called.
func called(n *ast.CallExpr) string {
	switch f := n.Fun.(type) {
	case *ast.Ident:
		return f.Name
	case *ast.SelectorExpr:
		return f.Sel.Name
	}
	return ""
}

// pattern is a text that is put together, with a name in brackets for each part that
// isn't in the source: "the image {a} has no {b}".
func pattern(e ast.Expr, next *rune) (string, bool) {
	argument := func() string { *next++; return "{" + string(*next-1) + "}" }
	switch e := e.(type) {
	case *ast.BasicLit:
		s, err := strconv.Unquote(e.Value)
		return s, err == nil && e.Kind == token.STRING
	case *ast.BinaryExpr:
		a, _ := pattern(e.X, next)
		b, _ := pattern(e.Y, next)
		return a + b, true
	case *ast.CallExpr:
		if called(e) == "Sprintf" {
			s, ok := pattern(e.Args[0], next)
			s = regexp.MustCompile(`%%|%[-+#.0-9]*[a-zA-Z]`).ReplaceAllStringFunc(s, func(verb string) string {
				if verb == "%%" {
					return "%"
				}
				return argument()
			})
			return s, ok
		}
	}
	return argument(), true
}
