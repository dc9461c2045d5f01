package results

import (
	"bytes"
	"encoding/json"
	"flag"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

var update = flag.Bool("update", false, "write schema/ anew, from the types")

// enums are the words that a field may have, where there are only some.
var enums = map[string][]any{
	"Manifest.Accel":    {"auto", "kvm", "tcg"},
	"Experiment.Accel":  {"auto", "kvm", "tcg"},
	"Experiment.Format": {1},
	"Manifest.Outcome":  {"complete", "failures", "interrupted", "nothing", ""},
	"Metric.Better":     {"lower", "higher", ""},
	"Line.Better":       {"lower", "higher", ""},
	"Finding.Compare":   {"ratio", "difference", "value", "share", "slope"},
	"Finding.Op":        {"below", "above", "within"},
}

// limits are what else a field's values keep to.
var limits = map[string]map[string]any{
	"Experiment.Scenarios":    {"minItems": 1},
	"Experiment.Trials":       {"minimum": 1},
	"Experiment.Warmup":       {"minimum": 0},
	"Experiment.Seed":         {"minimum": 0},
	"Experiment.Precision":    {"pattern": "^[0-9.]+ *%?$"},
	"Experiment.ImageDigest":  {"pattern": "^sha256:[0-9a-f]{64}$"},
	"Experiment.KernelDigest": {"pattern": "^sha256:[0-9a-f]{64}$"},
}

// The published schemas say what the types say, field by field, with the
// types' own comments: change these, and go test -update.
func TestSchema(t *testing.T) {
	docs := comments(t)
	for name, v := range map[string]any{"manifest": Manifest{}, "machine": Machine{}, "trial": Line{}, "experiment": Experiment{}} {
		g := &generator{docs: docs, defs: map[string]any{}}
		s := g.object(reflect.TypeOf(v))
		s["$schema"] = "https://json-schema.org/draft/2020-12/schema"
		s["title"] = map[string]string{"manifest": "manifest.json", "machine": "machine.json", "trial": "a line of trials.jsonl", "experiment": "an experiment file (YAML), for lab run -f"}[name]
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
	docs map[string]string // "Line.Env": its comment; "Line": the type's
	defs map[string]any
}

func (g *generator) object(t reflect.Type) map[string]any {
	props, required := map[string]any{}, []string{}
	for i := range t.NumField() {
		f := t.Field(i)
		name, opts, _ := strings.Cut(f.Tag.Get("json"), ",")
		s := g.of(f.Type)
		if types, ok := s["type"].([]any); ok && t == reflect.TypeFor[Experiment]() {
			s["type"] = types[0] // a person wrote it, who leaves out what there isn't
		}
		if strings.Contains(opts, "string") {
			s = map[string]any{"type": "string", "pattern": "^[0-9]+$"}
		}
		key := t.Name() + "." + f.Name
		if e := enums[key]; e != nil {
			s["enum"] = e
		}
		maps.Copy(s, limits[key])
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
		if t == reflect.TypeFor[Values]() {
			word := map[string]any{"type": []any{"string", "number", "boolean"}}
			return map[string]any{"anyOf": []any{word, map[string]any{"type": "array", "items": word, "minItems": 1}}}
		}
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
