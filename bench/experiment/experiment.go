// Package experiment reads experiment files: what lab run is to do, as a file
// that is kept under version control, handed to others, and named in a paper.
//
//	format: 1
//	scenarios: [startup]
//	environments: [host, container]
//	trials: 200
//	seed: 7
//	precision: 2%
//	max_time: 10m
//
// Its keys are those of [request.Request]; its schema, for editors and other
// programs, is bench/results/schema/experiment.schema.json. It is YAML of the
// plain kind, read strictly: no anchors, aliases, tags or second documents, each
// key once and with a value of its type. What words there are (scenarios,
// environments, settings) this package doesn't know; the command checks them, and
// says where they are with [File.At].
package experiment

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"lab/bench/input"
	"lab/bench/request"
	"lab/bench/results"
	"lab/bench/yamlfile"
)

// maxSize is more than any experiment needs.
const maxSize = 64 << 10

// A File is an experiment file that was read.
type File struct {
	*request.Request
	Name     string // as the user named it
	Data     []byte // its bytes
	Digested results.Digested

	values map[string]ast.Node // by key
}

// An Error is what is wrong with an experiment file, and where; columns are in characters.
type Error = yamlfile.Error

// Read reads the file name into r, beside what is there. What is wrong with its
// content is an [*Error].
func Read(name string, r *request.Request) (*File, error) {
	data, err := input.ReadNamed(name, maxSize)
	if errors.Is(err, input.ErrSize) {
		return nil, &Error{File: name, Err: fmt.Errorf("it has more than %d bytes: this is no experiment file", maxSize)}
	}
	if err != nil {
		return nil, err
	}
	return Parse(name, data, r)
}

// Kept is the copy in a results folder, which must be the one that its manifest
// names; nil where no file asked for the run.
func Kept(run *results.Run) ([]byte, error) {
	want := run.Manifest.Experiment
	if want == nil {
		return nil, nil
	}
	root, err := input.OpenRoot(run.Dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	data, err := input.ReadIn(root, results.ExperimentFile, maxSize)
	if err != nil {
		return nil, err
	}
	if d := digest(data); d != want.Digest {
		return nil, fmt.Errorf("%s isn't the experiment of this run: its digest is %s, and the manifest says %s", filepath.Join(run.Dir, results.ExperimentFile), d, want.Digest)
	}
	return data, nil
}

func digest(data []byte) string { return fmt.Sprintf("sha256:%x", sha256.Sum256(data)) }

// Parse reads an experiment file's bytes into r; name is for errors.
func Parse(name string, data []byte, r *request.Request) (*File, error) {
	f := &File{Request: r, Name: name, Data: data, values: map[string]ast.Node{}}
	f.Digested = results.Digested{Name: filepath.Base(name), Digest: digest(data), Size: int64(len(data))}
	if err := input.Shallow(string(data)); err != nil {
		return nil, f.wrong(nil, err)
	}
	tree, err := parser.ParseBytes([]byte(input.Text(data)), 0)
	if err != nil {
		return nil, f.wrong(nil, err)
	}
	docs := slices.DeleteFunc(tree.Docs, func(d *ast.DocumentNode) bool { return d.Body == nil })
	switch {
	case len(docs) == 0:
		return nil, f.wrong(nil, errors.New("it is empty"))
	case len(docs) > 1:
		return nil, f.wrong(docs[1].Body, errors.New("a second document: one file is one experiment"))
	}
	for _, odd := range []ast.NodeType{ast.AnchorType, ast.AliasType, ast.TagType, ast.MergeKeyType, ast.MappingKeyType, ast.NullType} {
		if found := ast.Filter(odd, docs[0].Body); len(found) > 0 {
			return nil, f.wrong(found[0], errors.New("a value is missing, or is an anchor, an alias or a tag; write it out"))
		}
	}
	pairs, ok := docs[0].Body.(ast.MapNode)
	if !ok {
		return nil, f.wrong(docs[0].Body, errors.New("not a list of keys with values; write key: value, one a line"))
	}
	fields := f.Fields()
	for each := pairs.MapRange(); each.Next(); {
		key, value := each.Key().String(), each.Value()
		if quoted, ok := each.Key().(*ast.StringNode); ok {
			key = quoted.Value
		}
		i := slices.IndexFunc(fields, func(x request.Field) bool { return x.Key == key })
		if i < 0 {
			return nil, f.wrong(each.Key(), &request.UnknownError{What: "key", Word: key, Known: request.Keys()})
		}
		f.values[key] = value
		if err := read(fields[i], value); err != nil {
			return nil, f.At(err)
		}
	}
	switch {
	case f.Format == 0:
		return nil, f.wrong(nil, fmt.Errorf("no format: write format: %d at its beginning", request.Format))
	case len(f.Scenarios) == 0:
		return nil, f.wrong(nil, errors.New("no scenario: write scenarios: [startup]"))
	}
	if err := f.Check(); err != nil {
		return nil, f.At(err)
	}
	return f, nil
}

// read decodes one key's value.
func read(x request.Field, value ast.Node) error {
	to := x.Into()
	err := yaml.NodeToValue(value, to, yaml.Strict())
	switch to.(type) {
	case *int, *uint64:
		if value.Type() != ast.IntegerType { // of 1.5 or 1e30 the library makes some number
			return x.Wrong()
		}
	}
	if errors.As(err, new(yaml.Error)) {
		return x.Wrong()
	}
	if err != nil {
		return &request.Error{At: []any{x.Key}, Err: err}
	}
	return x.Check()
}

// Has reports whether the file says anything of a key.
func (f *File) Has(key string) bool { return f.values[key] != nil }

// At puts before an error where in the file what it is about is: for a
// [*request.Error] the value, or the part of it.
func (f *File) At(err error) error {
	var e *request.Error
	if !errors.As(err, &e) {
		return f.wrong(nil, err)
	}
	at := f.values[e.At[0].(string)]
	for _, part := range e.At[1:] {
		path := (&yaml.PathBuilder{}).Root()
		switch part := part.(type) {
		case int:
			path = path.Index(uint(part))
		case string:
			path = path.Child(part)
		}
		if n, err := path.Build().FilterNode(at); err == nil && n != nil { // one value isn't a list
			at = n
		}
	}
	return f.wrong(at, err)
}

// wrong is an error about a node, or about where the library found it.
func (f *File) wrong(n ast.Node, err error) error {
	out := &Error{File: f.Name, Err: err}
	var t *token.Token
	var found yaml.Error
	if errors.As(err, &found) {
		out.Err, t = fmt.Errorf("not YAML: %s", found.GetMessage()), found.GetToken()
	} else if m, ok := n.(*ast.MappingValueNode); ok { // its own token is the colon
		t = m.Key.GetToken()
	} else if n != nil {
		t = n.GetToken()
	}
	if t != nil && t.Position != nil {
		out.Line, out.Column = t.Position.Line, t.Position.Column
	}
	return out
}

// Path is a file that the experiment names, from its own folder on; "" stays.
func (f *File) Path(named string) string {
	if named == "" || filepath.IsAbs(named) {
		return named
	}
	return filepath.Join(filepath.Dir(f.Name), named)
}
