package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The page in bench/optional.go says of each optional interface who has it and
// who asks for it, and nobody asks for one without a name.
func TestOptionalInterfaces(t *testing.T) {
	set := token.NewFileSet()
	parse := func(name string) *ast.File {
		f, err := parser.ParseFile(set, filepath.Join(top, name), nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	const page = "bench/optional.go"
	doc := ""
	want := map[string][]string{} // by interface: its methods, with how many go in and out
	for _, d := range parse(page).Decls {
		g, ok := d.(*ast.GenDecl)
		if !ok || g.Tok != token.TYPE {
			continue
		}
		doc += g.Doc.Text()
		for _, s := range g.Specs {
			s := s.(*ast.TypeSpec)
			for _, m := range s.Type.(*ast.InterfaceType).Methods.List {
				want[s.Name.Name] = append(want[s.Name.Name], shape(m.Names[0].Name, m.Type.(*ast.FuncType)))
			}
		}
	}
	if len(want) < 10 {
		t.Fatalf("%s has %d interfaces", page, len(want))
	}
	has, asks := map[string]map[string]bool{}, map[string]map[string]bool{}
	note := func(m map[string]map[string]bool, name, pkg string) {
		if m[name] == nil {
			m[name] = map[string]bool{}
		}
		m[name][pkg] = true
	}
	unnamed := func(n ast.Expr) {
		if i, ok := n.(*ast.InterfaceType); ok && i.Methods.NumFields() > 0 {
			t.Errorf("%s: an optional interface without a name", set.Position(n.Pos()))
		}
	}
	methods := map[string][]string{} // by package and type
	for _, x := range sources(t) {
		ast.Inspect(parse(x.name), func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CaseClause:
				for _, y := range n.List {
					unnamed(y)
				}
			case *ast.TypeAssertExpr:
				name := ""
				unnamed(n.Type)
				switch y := n.Type.(type) {
				case *ast.SelectorExpr:
					if p, ok := y.X.(*ast.Ident); ok && p.Name == "bench" {
						name = y.Sel.Name
					}
				case *ast.Ident:
					if x.pkg == "bench" {
						name = y.Name
					}
				}
				if want[name] != nil && !strings.HasSuffix(x.name, "_test.go") {
					note(asks, name, x.pkg)
				}
			case *ast.FuncDecl:
				of, _, _ := strings.Cut(x.pkg, "/")
				if n.Recv == nil || strings.HasSuffix(x.name, "_test.go") || x.pkg != "bench/launch" && x.pkg != "bench/foreign" && !strings.HasPrefix(x.pkg, "bench/engines/") && (of == "bench" || of == "cmd" || of == "reports" || of == "scenarios") {
					return true
				}
				r := n.Recv.List[0].Type
				if p, ok := r.(*ast.StarExpr); ok {
					r = p.X
				}
				key := x.pkg + " " + fmt.Sprint(r)
				methods[key] = append(methods[key], shape(n.Name.Name, n.Type))
			}
			return true
		})
	}
	// What engines have is bench/foreign's, but for what one alone has.
	some := map[string]map[string]bool{}
	for key, have := range methods {
		for name, need := range want {
			if !slices.ContainsFunc(need, func(m string) bool { return !slices.Contains(have, m) }) {
				pkg, _, _ := strings.Cut(key, " ")
				if strings.HasPrefix(pkg, "bench/engines/") {
					note(some, name, pkg)
				} else {
					note(has, name, pkg)
				}
			}
		}
	}
	for name := range some {
		if has[name] == nil {
			has[name] = some[name]
		}
	}
	for name := range want {
		row := fmt.Sprintf("%-12s %-37s %s", name, list(has[name]), list(asks[name]))
		if !strings.Contains(doc, row+"\n") {
			t.Errorf("%s doesn't say:\n//\t%s", page, row)
		}
		if asks[name] == nil || has[name] == nil {
			t.Errorf("%s: nobody has it, or nobody asks for it", name)
		}
	}
}

// shape is a method's name, and how many values go in and come out.
func shape(name string, f *ast.FuncType) string {
	return fmt.Sprintf("%s %d %d", name, f.Params.NumFields(), f.Results.NumFields())
}

func list(pkgs map[string]bool) string {
	return strings.Join(slices.Sorted(maps.Keys(pkgs)), ", ")
}
