// Package yamlfile reads the small YAML files that say what an application or a paper is.
// They are read strictly: each key once, none that isn't known, each value of its type; and
// what is wrong is said with its line and column.
package yamlfile

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"lab/bench/input"
)

// An Error is what is wrong with a file, and where. Line and Column count from 1; Line 0
// is the file as a whole.
type Error struct {
	File         string
	Line, Column int
	Err          error
}

func (e *Error) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("%s: %v", e.File, e.Err)
	}
	return fmt.Sprintf("%s:%d:%d: %v", e.File, e.Line, e.Column, e.Err)
}

func (e *Error) Unwrap() error { return e.Err }

// Parse reads a file's bytes into v, a pointer to a struct; name and what, "application",
// are for errors, which are [*Error]. Of a file that is of the right form, check says which
// key is wrong, "rows[2].name", if one is.
func Parse(name, what string, data []byte, max int, v any, check func() (key string, err error)) error {
	if len(data) > max {
		return &Error{File: name, Err: fmt.Errorf("it has more than %d bytes: this is no %s", max, what)}
	}
	if err := input.Shallow(string(data)); err != nil {
		return &Error{File: name, Err: err}
	}
	if tree, err := parser.ParseBytes([]byte(input.Text(data)), 0); err == nil { // else it is the decoder's to say
		for _, d := range tree.Docs {
			if err := cmp.Or(spelledOut(d.Body), whole(d.Body, reflect.TypeOf(v))); err != nil {
				err.File = name
				return err
			}
		}
	}
	in := yaml.NewDecoder(strings.NewReader(input.Text(data)), yaml.Strict())
	err := in.Decode(v)
	if err == io.EOF {
		return &Error{name, 1, 1, errors.New("the file is empty")}
	}
	if err == nil && in.Decode(new(any)) != io.EOF {
		err = fmt.Errorf("a second document: one file is one %s", what)
	}
	if err != nil {
		e := &Error{File: name, Err: err}
		var y yaml.Error
		if errors.As(err, &y) {
			e.Err = errors.New(y.GetMessage())
			if t := y.GetToken(); t != nil && t.Position != nil {
				e.Line, e.Column = t.Position.Line, t.Position.Column
				var other *yaml.TypeError
				if errors.As(err, &other) && other.DstType != nil {
					e.Err = fmt.Errorf("%q isn't %s", t.Value, kindOf(other.DstType))
				}
			}
		}
		return e
	}
	if key, err := check(); err != nil {
		return At(name, data, key, err)
	}
	return nil
}

const aWhole = "a whole number"

// kindOf is what a value of a type is called in a file.
func kindOf(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Float32, reflect.Float64:
		return "a number"
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Int64, reflect.Uint16, reflect.Uint64:
		return aWhole
	}
	return "what belongs here"
}

// spelledOut is an error about a file with anchors and what refers to them: a few lines of
// such can mean more than any memory has, and be read for more than any time.
func spelledOut(n ast.Node) *Error {
	if n == nil {
		return nil
	}
	for _, odd := range []ast.NodeType{ast.AnchorType, ast.AliasType, ast.MergeKeyType} {
		if found := ast.Filter(odd, n); len(found) > 0 {
			return wrong(found[0], "an anchor or an alias; write it out")
		}
	}
	return nil
}

// whole is an error about a number that isn't whole where a whole one belongs: the library
// would make one of it.
func whole(n ast.Node, t reflect.Type) *Error {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch n := n.(type) {
	case *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		if kindOf(t) == aWhole {
			return wrong(n, fmt.Sprintf("%q isn't %s", n.GetToken().Value, aWhole))
		}
	case *ast.SequenceNode:
		if t.Kind() == reflect.Slice {
			for _, x := range n.Values {
				if err := whole(x, t.Elem()); err != nil {
					return err
				}
			}
		}
	case *ast.MappingNode:
		for _, x := range n.Values {
			if err := whole(x, t); err != nil {
				return err
			}
		}
	case *ast.MappingValueNode:
		switch t.Kind() {
		case reflect.Map:
			return whole(n.Value, t.Elem())
		case reflect.Struct:
			for f := range t.Fields() {
				if key, _, _ := strings.Cut(f.Tag.Get("json"), ","); key == n.Key.GetToken().Value {
					return whole(n.Value, f.Type)
				}
			}
		}
	}
	return nil
}

func wrong(n ast.Node, what string) *Error {
	at := n.GetToken().Position
	return &Error{Line: at.Line, Column: at.Column, Err: errors.New(what)}
}

// At says that a key of a file is wrong: where it is, or if it is missing where what it
// belongs to begins.
func At(name string, data []byte, key string, err error) error {
	e := &Error{name, 1, 1, fmt.Errorf("%s: %w", key, err)}
	for key != "" {
		path, perr := yaml.PathString("$." + key)
		if perr == nil {
			if n, perr := path.ReadNode(strings.NewReader(input.Text(data))); perr == nil && n != nil {
				if m, ok := n.(*ast.MappingNode); ok && len(m.Values) > 0 {
					n = m.Values[0].Key
				}
				e.Line, e.Column = n.GetToken().Position.Line, n.GetToken().Position.Column
				break
			}
		}
		key = key[:max(strings.LastIndexAny(key, ".["), 0)]
	}
	return e
}

// Bytes is the file of what Parse reads.
func Bytes(v any) ([]byte, error) { return yaml.Marshal(v) }
