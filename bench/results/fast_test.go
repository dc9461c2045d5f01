package results

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// Lines that the lab writes, and what looks like them and is something else.
var linesOfAllKinds = []string{
	`{"id":"5e","scenario":"startup","env":"vm","variant":{},"n":1,"block":0,"pos":0,"trial":0,"warmup":true,"metric":"ready","value":5.703827786832307,"unit":"s","better":"lower","stat":"","samples":1,"part_of":"","seq":0,"instance":0,"text":"","err":"","blame":"","taint":null,"at":0}`,
	`{"id":"5e","scenario":"startup","env":"vm","variant":{"net":"bridge","accel":"tcg"},"n":4,"session":2,"block":1,"pos":3,"trial":7,"warmup":false,"metric":"gone","value":-1.5e-07,"unit":"s","better":"lower","stat":"p99","samples":12,"part_of":"ready","seq":2,"instance":1,"text":"","err":"","blame":"","taint":["load","steal"],"repeated":true,"at":12.5,"last":true}`,
	`{"env":"host","variant":null,"metric":"m","value":null,"err":"it failed","blame":"lab","taint":[]}`,
	`{"env":"host","variant":{"a":"}"},"text":"a \\"quoted\\" word, ü, \\u0007"}`, `{"env":"host","variant":{"a":"1","a":"2"},"metric":"m","value":1}`,
	` { "env" : "host" , "metric" : "m" } `, `{"ENV":"host","Metric":"m","value":1}`, `{"env":"host","what":1,"metric":"m"}`, `{"env":"host","env":"vm"}`,
	`{"env":"host","value":01}`, `{"env":"host","value":1.}`, `{"env":"host","value":+1}`, `{"env":"host","value":.5}`, `{"env":"host","value":1e999}`,
	`{"env":"host","n":1.5}`, `{"env":"host","n":1e2}`, `{"env":"host","n":-0,"at":-0.0}`, `{"env":"host","n":99999999999999999999}`, `{"env":7}`, `{"env":null}`,
	`{"env":"host"}}`, `{"env":"host"`, `{"env":"host",}`, `{}`, `[]`, `null`, ``, `{"env":"host","taint":["a",]}`, `{"env":"host","warmup":tru}`, `{"env":"a\tb\x01"}`,
}

// What the quick reader reads is what the thorough one does, or it leaves it alone.
func FuzzLineReader(f *testing.F) {
	for _, l := range linesOfAllKinds {
		f.Add(l)
	}
	r := newLineReader()
	f.Fuzz(func(t *testing.T, line string) {
		for range 2 { // a text that it has seen is another way
			var l, want Line
			if !r.read([]byte(line), &l) {
				return
			}
			if err := decode([]byte(line), &want); err != nil || !reflect.DeepEqual(l, want) {
				t.Errorf("%q:\n%+v, want\n%+v, %v", line, l, want, err)
			}
		}
	})
}

// The lab's own lines are read by it.
func TestLineReader(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("..", "..", "reports", "testdata", "synthetic", TrialsFile))
	if err != nil {
		t.Fatal(err)
	}
	r := newLineReader()
	for _, line := range append(strings.Split(strings.TrimSpace(string(data)), "\n"), linesOfAllKinds[:3]...) {
		var l, want Line
		if err := decode([]byte(line), &want); err != nil {
			t.Fatal(err)
		}
		if !r.read([]byte(line), &l) || !reflect.DeepEqual(l, want) {
			t.Fatalf("%s:\n%+v, want\n%+v", line, l, want)
		}
	}
	// Whatever field a line gets.
	full := Line{Variant: map[string]string{"net": "bridge"}, Taint: []string{"load"}, Value: new(float64)}
	v := reflect.ValueOf(&full).Elem()
	for i := range v.NumField() {
		switch f := v.Field(i); f.Kind() {
		case reflect.String:
			f.SetString("x")
		case reflect.Int:
			f.SetInt(int64(i + 1))
		case reflect.Bool:
			f.SetBool(true)
		case reflect.Float64:
			f.SetFloat(1.5)
		}
	}
	line, err := json.Marshal(full)
	if err != nil {
		t.Fatal(err)
	}
	var l Line
	if !r.read(line, &l) || !reflect.DeepEqual(l, full) {
		t.Errorf("%s is left to the slow way, or read as %+v", line, l)
	}
	if len(r.texts) > 100 || len(r.variants) > 10 {
		t.Errorf("%d texts, %d variants", len(r.texts), len(r.variants))
	}
}
