package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Each step of bench's "Where a measurement begins" names a file, and an identifier
// that is declared in it.
func TestWhereAMeasurementBegins(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(top, "bench", "doc.go"))
	if err != nil {
		t.Fatal(err)
	}
	_, chapter, _ := strings.Cut(strings.ReplaceAll(string(text), "\n//     ", " "), "# Where a measurement begins")
	steps := regexp.MustCompile(`(?m)^//  (\d)\. (.*)$`).FindAllStringSubmatch(chapter, -1)
	if len(steps) == 0 || len(steps) > 8 {
		t.Fatalf("%d steps; wants 1 to 8", len(steps))
	}
	named := regexp.MustCompile(`([\w/]+\.go), (?:\[lab/[a-z/]+\.)?([A-Za-z.]*[A-Za-z])`)
	for n, step := range steps {
		names := named.FindAllStringSubmatch(step[2], -1)
		if len(names) == 0 || step[1] != fmt.Sprint(n+1) {
			t.Errorf("step %d: %s: wants its number, a file and what is declared in it", n+1, step[0])
		}
		for _, x := range names {
			f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(top, filepath.FromSlash(x[1])), nil, 0)
			if err != nil {
				t.Error(err)
			} else if !declares(f, x[2]) {
				t.Errorf("step %d: %s has no function %s", n+1, x[1], x[2])
			}
		}
	}
}

// declares says whether a file has a function of that name, or a method "type.name".
func declares(f *ast.File, name string) bool {
	for _, d := range f.Decls {
		fn, ok := d.(*ast.FuncDecl)
		if !ok {
			continue
		}
		of := ""
		if fn.Recv != nil {
			to := fn.Recv.List[0].Type
			if star, ok := to.(*ast.StarExpr); ok {
				to = star.X
			}
			of = fmt.Sprint(to) + "."
		}
		if of+fn.Name.Name == name {
			return true
		}
	}
	return false
}
