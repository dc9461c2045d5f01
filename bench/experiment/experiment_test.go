package experiment

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"lab/bench/request"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

const whole = `# A paper's second figure.
format: 1
title: "Start-up, as in figure 2"
scenarios: [startup]
environments:
  - host
  - container
variant: {net: [none, bridge], cgroup: "no"}
accel: auto
cpus: 0-1,3
trials: 200
warmup: 0
seed: 18446744073709551615
precision: 2%
max_time: 10m
strict: true
image: tree
image_digest: sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
kernel: /boot/vmlinuz
`

func TestParse(t *testing.T) {
	f, err := Parse("papers/two.yaml", []byte(whole), new(request.Request))
	if err != nil {
		t.Fatal(err)
	}
	warmup, seed := 0, uint64(1<<64-1)
	want := request.Request{Format: 1, Title: "Start-up, as in figure 2", Scenarios: []string{"startup"},
		Environments: []string{"host", "container"}, Variant: request.Settings{"net": {"none", "bridge"}, "cgroup": {"no"}},
		Accel: "auto", CPUs: "0-1,3", Trials: 200, Warmup: &warmup, Seed: &seed, Precision: 0.02, MaxTime: request.Span(10 * time.Minute), Strict: true, Image: "tree",
		ImageDigest: "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", Kernel: "/boot/vmlinuz"}
	if !reflect.DeepEqual(*f.Request, want) {
		t.Errorf("got %+v", f.Request)
	}
	if !f.Has("warmup") || f.Has("quick") {
		t.Error("what the file says and what it doesn't")
	}
	if got := f.At(&request.Error{At: []any{"environments", 1}, Err: errors.New("no")}).Error(); got != "papers/two.yaml:7:5: environments: no" {
		t.Error(got)
	}
	if got := f.At(&request.Error{At: []any{"variant", "cgroup", 0}, Err: errors.New("no")}).Error(); got != "papers/two.yaml:8:40: variant: no" {
		t.Error(got)
	}
	if f.Path(f.Image) != "papers/tree" || f.Path(f.Kernel) != "/boot/vmlinuz" || f.Path("") != "" {
		t.Error(f.Path(f.Image), f.Path(f.Kernel))
	}
	if f.Digested.Name != "two.yaml" || f.Digested.Size != int64(len(whole)) || len(f.Digested.Digest) != len("sha256:")+64 {
		t.Errorf("%+v", f.Digested)
	}
}

// Each mistake is named with its place.
func TestParseRefuses(t *testing.T) {
	const head = "format: 1\nscenarios: [startup]\n"
	for in, want := range map[string]string{
		"":                                      "x: it is empty",
		"# nothing\n":                           "x: it is empty",
		"- a\n- b\n":                            "x:1:1: not a list of keys",
		"startup":                               "x:1:1: not a list of keys",
		"scenarios: [startup]\n":                "x: no format",
		"format: 2\nscenarios: [a]\n":           "x:1:9: format: not a number from 1 to 1",
		"format: 1\n":                           "x: no scenario",
		head + "trails: 3\n":                    `x:3:1: unknown key "trails"`,
		head + "trials: 0\n":                    "x:3:9: trials: not a number from 1 to 1000000",
		head + "trials: 1.5\n":                  "x:3:9: trials: not a number from 1 to 1000000",
		head + "trials: 1e30\n":                 "x:3:9: trials: not a number from 1 to 1000000",
		head + "trials: \"6\"\n":                "x:3:9: trials: not a number from 1 to 1000000",
		head + "strict: \"true\"\n":             "x:3:9: strict: not true or false",
		head + "strict: yes\n":                  "x:3:9: strict: not true or false",
		head + "strict: 1\n":                    "x:3:9: strict: not true or false",
		head + "work: [a]\n":                    "x:3:7: work: not one word",
		head + "work: {a: b}\n":                 "x:3:7: work: not one word",
		head + "disk_budget: much\n":            "x:3:14: disk_budget: not a size",
		head + "cpus: all\n":                    "x:3:7: cpus: not a list of processors",
		head + "anyway: true\n":                 "x:3:9: anyway: it is for --accel kvm",
		head + "variant:\n  net: a\n  net: b\n": "x:5:3: ",
		head + "sessions: 1001\n":               "x:3:11: sessions: not a number from 1 to 1000",
		head + "trials: six\n":                  "x:3:9: trials: not a number",
		head + "trials:\n":                      "x:3:",
		head + "warmup: -1\n":                   "x:3:9: warmup: not a number from 0 to 1000000",
		head + "seed: -1\n":                     "x:3:7: seed: not a number",
		head + "seed: 18446744073709551616":     "x:3:7: seed: not a number",
		head + "precision: 2x\n":                `x:3:12: precision: not a share`,
		head + "precision: 0\n":                 "x:3:12: precision",
		head + "max_time: soon\n":               "x:3:11: max_time",
		head + "strict: perhaps\n":              "x:3:9: strict: not true or false",
		head + "accel: fast\n":                  "x:3:8: accel",
		head + "image_digest: sha256:12\n":      "x:3:15: image_digest",
		head + "variant: none\n":                "x:3:10: variant: not a list of keys",
		head + "variant:\n  net: 'a\"b'\n":      "x:4:8: variant: \"a\\\"b\" isn't a value",
		head + "environments: host\n":           "x:3:15: environments: not a list",
		head + "environments: []\n":             "x:3:15: environments: it is empty",
		head + "environments: [a, a]\n":         "x:3:19: environments: a is given twice",
		head + "environments: [\"a,b\"]\n":      "x:3:16: environments: \"a,b\" isn't one word",
		head + "seed: 1\nseed: 2\n":             "x:4:1:",
		head + "title: &a b\nimage: *a\n":       "x:3:8: a value is missing, or is an anchor",
		head + "<<: {a: b}\n":                   "x:3:1:",
		head + "---\nformat: 1\n":               "second document",
		"format: [1\n":                          "x:1:",
		"a:\n\t- b\n":                           "x:2:",
	} {
		_, err := Parse("x", []byte(in), new(request.Request))
		var e *Error
		if !errors.As(err, &e) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v; want %s", in, err, want)
		}
	}
	var u *request.UnknownError
	if _, err := Parse("x", []byte(head+"trails: 3\n"), new(request.Request)); !errors.As(err, &u) || u.Word != "trails" || !slices.Contains(u.Known, "trials") {
		t.Errorf("%+v", u)
	}
	if _, err := Read(filepath.Join(t.TempDir(), "none.yaml"), new(request.Request)); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	large := filepath.Join(t.TempDir(), "large")
	if err := os.WriteFile(large, make([]byte, maxSize+1), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(large, new(request.Request)); err == nil || !strings.Contains(err.Error(), "no experiment file") {
		t.Error(err)
	}
}

// The published schema and this reader agree on what is good and what isn't.
func TestSchema(t *testing.T) {
	schema := compile(t)
	const head = "format: 1\nscenarios: [startup]\n"
	for in, good := range map[string]bool{
		whole: true, head: true, head + "trials: 1\n": true,
		"format: 1\n": false, "format: 2\nscenarios: [a]\n": false, head + "trails: 1\n": false, head + "trials: 0\n": false,
		head + "warmup: -1\n": false, head + "precision: 2x\n": false, head + "strict: 1\n": false, head + "accel: fast\n": false,
		head + "image_digest: x\n": false, head + "environments: host\n": false, "format: 1\nscenarios: []\n": false,
		head + "trials: 1.5\n": false, head + "trials: \"6\"\n": false, head + "precision: 0.02\n": true, head + "precision: 2\n": false, head + "cpus: 0\n": true,
		head + "cpus: all\n": false, head + "max_time: 5m30s\n": true, head + "max_time: soon\n": false, head + "disk_budget: 2G\n": true, head + "disk_budget: much\n": false,
		head + "work: /srv\nconnect: qemu:///system\naccel: kvm\nanyway: true\n": true, head + "variant: {net: none, memory: [64, 128]}\n": true, head + "variant: {net: []}\n": false,
		head + "environments: [a, a]\n": false, head + "sessions: 1001\n": false, head + "seed: 18446744073709551615\n": true, head + "seed: -1\n": false,
	} {
		_, err := Parse("x", []byte(in), new(request.Request))
		if (err == nil) != good {
			t.Errorf("%q: %v", in, err)
		}
		if err := validate(t, schema, in); (err == nil) != good {
			t.Errorf("%q: the schema says %v", in, err)
		}
	}
}

func compile(t testing.TB) *jsonschema.Schema {
	s, err := jsonschema.NewCompiler().Compile(filepath.Join("..", "results", "schema", "experiment.schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func validate(t testing.TB, s *jsonschema.Schema, text string) error {
	data, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		return err
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	return s.Validate(v)
}

// Any bytes: an experiment, or an error that says where. What is read is read
// the same from the same keys and values written as JSON, which is YAML, too.
func FuzzParse(f *testing.F) {
	f.Add([]byte(whole))
	f.Add([]byte("format: 1\nscenarios: [startup]\nvariant:\n  net: none\n"))
	f.Add([]byte("{format: 1, scenarios: [a], seed: 3}"))
	f.Add([]byte("a: &x [*x]\n? b\n: !!int c\n---\n|\n  d"))
	f.Fuzz(func(t *testing.T, data []byte) {
		x, err := Parse("f.yaml", data, new(request.Request))
		if err != nil {
			var e *Error
			if !errors.As(err, &e) || !strings.HasPrefix(err.Error(), "f.yaml:") {
				t.Fatalf("%v", err)
			}
			return
		}
		again, err := json.Marshal(x.Request)
		if err != nil {
			t.Fatal(err)
		}
		y, err := Parse("f.yaml", again, new(request.Request))
		if err != nil {
			t.Fatalf("%s: %v", again, err)
		}
		if len(x.Variant)+len(y.Variant) == 0 {
			x.Variant, y.Variant = nil, nil
		}
		if !reflect.DeepEqual(x.Request, y.Request) {
			t.Fatalf("%+v, and again %+v", x.Request, y.Request)
		}
	})
}
