package results

import (
	"bytes"
	"encoding/json"
	"flag"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"lab/bench/request"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

var update = flag.Bool("update", false, "write schema/ anew, from the types")

// enums are the words that a field may have, where there are only some.
var enums = map[string][]any{
	"Manifest.Accel":   {"auto", "kvm", "tcg"},
	"Manifest.Outcome": {"complete", "failures", "interrupted", "nothing", ""},
	"Metric.Better":    {"lower", "higher", ""},
	"Line.Better":      {"lower", "higher", ""},
	"Finding.Compare":  {"ratio", "difference", "value", "share", "slope"},
	"Finding.Op":       {"below", "above", "within"},
}

// The published schemas say what the types say, field by field, with the
// types' own comments: change these, and go test -update.
func TestSchema(t *testing.T) {
	docs := comments(t)
	for name, v := range map[string]any{"manifest": Manifest{}, "machine": Machine{}, "trial": Line{}, "experiment": Asked{}} {
		g := &generator{t: t, docs: docs, defs: map[string]any{}}
		s := g.object(reflect.TypeOf(v))
		s["$schema"] = "https://json-schema.org/draft/2020-12/schema"
		s["title"] = map[string]string{"manifest": "manifest.json", "machine": "machine.json", "trial": "a line of trials.jsonl", "experiment": "an experiment file (YAML), for lab run -f"}[name]
		if name == "experiment" {
			s["required"] = []string{"format", "scenarios"}
		}
		if len(g.defs) > 0 {
			s["$defs"] = g.defs
		}
		var b bytes.Buffer
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		if err := enc.Encode(s); err != nil {
			t.Fatal(err)
		}
		file := schemaFile(name)
		if *update {
			if err := os.WriteFile(file, b.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if want, err := os.ReadFile(file); err != nil || !bytes.Equal(b.Bytes(), want) {
			t.Errorf("%s isn't what the types say (%v): go test ./bench/results -run Schema -update", file, err)
		}
	}
}

func schemaFile(name string) string { return filepath.Join("schema", name+".schema.json") }

// A whole folder follows the schemas; one that is damaged in any of these ways
// doesn't.
func TestSchemaValidates(t *testing.T) {
	c := jsonschema.NewCompiler()
	schema := map[string]*jsonschema.Schema{}
	for _, name := range []string{"manifest", "machine", "trial"} {
		s, err := c.Compile(schemaFile(name))
		if err != nil {
			t.Fatal(err)
		}
		schema[name] = s
	}
	dir := filepath.Join("..", "..", "reports", "testdata", "synthetic")
	read := func(file string) []byte {
		data, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	check := func(name string, data []byte) error {
		v, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
		if err != nil {
			return err
		}
		return schema[name].Validate(v)
	}
	if err := check("manifest", read(ManifestFile)); err != nil {
		t.Error(err)
	}
	if err := check("machine", read(MachineFile)); err != nil {
		t.Error(err)
	}
	lines := bytes.Split(bytes.TrimSpace(read(TrialsFile)), []byte("\n"))
	for i, l := range lines {
		if err := check("trial", l); err != nil {
			t.Fatalf("line %d: %v", i+1, err)
		}
	}
	// What the writer makes of empty values follows them, too.
	for name, v := range map[string]any{"manifest": Manifest{Accel: "auto"}, "machine": Machine{}, "trial": Line{}} {
		data, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		if err := check(name, data); err != nil {
			t.Errorf("an empty %s: %v", name, err)
		}
	}
	for _, x := range []struct{ name, in, out string }{
		{"trial", `"block":0`, `"block":"0"`}, {"trial", `"metric":`, `"matric":`}, {"trial", `"better":"lower"`, `"better":"less"`},
	} {
		bad := strings.Replace(string(lines[0]), x.in, x.out, 1)
		if bad == string(lines[0]) {
			t.Fatalf("no %s in %s", x.in, lines[0])
		}
		if check(x.name, []byte(bad)) == nil {
			t.Errorf("%s passes", x.out)
		}
	}
	for in, out := range map[string]string{`"seed": "7"`: `"seed": 7`, `"accel": "auto"`: `"accel": "fast"`, `"op": "above"`: `"op": "over"`} {
		if text := string(read(ManifestFile)); !strings.Contains(text, in) || check("manifest", []byte(strings.Replace(text, in, out, 1))) == nil {
			t.Errorf("%s passes", out)
		}
	}
}

// A generator makes schemas of types.
type generator struct {
	t    *testing.T
	docs map[string]string // "Line.Env": its comment; "Line": the type's
	defs map[string]any
}

func (g *generator) object(t reflect.Type) map[string]any {
	if t == reflect.TypeFor[Asked]() {
		return asked(g.t)
	}
	props, required := map[string]any{}, []string{}
	for i := range t.NumField() {
		f := t.Field(i)
		name, opts, _ := strings.Cut(f.Tag.Get("json"), ",")
		s := g.of(f.Type)
		if strings.Contains(opts, "string") {
			s = map[string]any{"type": "string", "pattern": "^[0-9]+$"}
		}
		key := t.Name() + "." + f.Name
		if e := enums[key]; e != nil {
			s["enum"] = e
		}
		if d := g.docs[key]; d != "" {
			s["description"] = d
		}
		props[name] = s
		if !strings.Contains(opts, "omit") {
			required = append(required, name)
		}
	}
	out := map[string]any{"type": "object", "properties": props, "required": required, "additionalProperties": false}
	if d := g.docs[t.Name()]; d != "" {
		out["description"] = d
	}
	return out
}

func (g *generator) of(t reflect.Type) map[string]any {
	switch t.Kind() {
	case reflect.Pointer:
		s := g.of(t.Elem())
		if ref, ok := s["$ref"]; ok {
			return map[string]any{"anyOf": []any{map[string]any{"$ref": ref}, map[string]any{"type": "null"}}}
		}
		return map[string]any{"type": []any{s["type"], "null"}}
	case reflect.String:
		return map[string]any{"type": "string"}
	case reflect.Bool:
		return map[string]any{"type": "boolean"}
	case reflect.Float64:
		return map[string]any{"type": "number"}
	case reflect.Slice:
		return map[string]any{"type": []any{"array", "null"}, "items": g.of(t.Elem())}
	case reflect.Map:
		return map[string]any{"type": []any{"object", "null"}, "additionalProperties": g.of(t.Elem())}
	case reflect.Struct:
		if t == reflect.TypeFor[time.Time]() {
			return map[string]any{"type": "string", "format": "date-time"}
		}
		if _, ok := g.defs[t.Name()]; !ok {
			g.defs[t.Name()] = nil // it may hold itself
			g.defs[t.Name()] = g.object(t)
		}
		return map[string]any{"$ref": "#/$defs/" + t.Name()}
	}
	return map[string]any{"type": "integer"}
}

// asked is the schema of what may be asked of a run, which a person writes, too: by
// the fields' own tags.
func asked(t *testing.T) map[string]any {
	props := map[string]any{}
	word := map[string]any{"type": []any{"string", "number", "boolean"}}
	for _, f := range new(Asked).Fields() {
		s := map[string]any{"type": "string"}
		switch f.At.(type) {
		case *bool:
			s["type"] = "boolean"
		case *int, **int, **uint64:
			s["type"], s["minimum"] = "integer", f.From
			if f.To > 0 {
				s["maximum"] = f.To
			}
		case *[]string:
			s = map[string]any{"type": "array", "items": map[string]any{"type": "string"}, "minItems": 1, "uniqueItems": true}
		case *request.Argv:
			s = map[string]any{"type": "array", "items": map[string]any{"type": "string"}, "minItems": 1}
		case *request.Settings:
			s = map[string]any{"type": "object", "additionalProperties": map[string]any{"anyOf": []any{word,
				map[string]any{"type": "array", "items": word, "minItems": 1, "uniqueItems": true}}}}
		case *request.Share:
			s = map[string]any{"type": []any{"string", "number"}, "pattern": "^[0-9.]+ *%?$", "exclusiveMinimum": 0, "exclusiveMaximum": 1}
		case *request.Cores:
			s = map[string]any{"type": []any{"string", "number"}, "pattern": "^[0-9.]+$", "minimum": request.LeastCores, "maximum": request.MostCores}
		case *request.Span:
			s["pattern"] = "^([0-9.]+(ns|us|µs|ms|s|m|h))+$"
		case *request.Size:
			s = map[string]any{"type": []any{"string", "integer"}, "pattern": "^[0-9]+[KMGTkmgt]?[Ii]?[Bb]?$", "minimum": 1}
		case *request.CPUs:
			s = map[string]any{"type": []any{"string", "integer"}, "pattern": "^[0-9]+(-[0-9]+)?(,[0-9]+(-[0-9]+)?)*$", "minimum": 0}
		case *request.Digest:
			s["pattern"] = "^sha256:[0-9a-f]{64}$"
		case *string:
		default:
			t.Errorf("%s: a kind of value that has no schema: %T", f.Key, f.At)
		}
		if f.Words != nil {
			s["enum"] = f.Words
		}
		s["description"] = f.Help
		if f.Flag != "" {
			s["description"] = f.Help + " (--" + f.Flag + ")"
		}
		props[f.Key] = s
	}
	return map[string]any{"type": "object", "properties": props, "additionalProperties": false,
		"description": "What is asked of a run; what isn't there is left to the scenario and the machine."}
}

// comments reads what the package's types and their fields are said to be.
func comments(t *testing.T) map[string]string {
	out := map[string]string{}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	oneLine := func(g *ast.CommentGroup) string { return strings.Join(strings.Fields(g.Text()), " ") }
	for _, name := range files {
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			d, ok := n.(*ast.GenDecl)
			if !ok || d.Tok != token.TYPE || len(d.Specs) != 1 {
				return true
			}
			spec := d.Specs[0].(*ast.TypeSpec)
			out[spec.Name.Name] = oneLine(d.Doc)
			if st, ok := spec.Type.(*ast.StructType); ok {
				for _, field := range st.Fields.List {
					for _, id := range field.Names {
						out[spec.Name.Name+"."+id.Name] = strings.TrimSpace(oneLine(field.Doc) + " " + oneLine(field.Comment))
					}
				}
			}
			return true
		})
	}
	return out
}
