package scenarios

import (
	"errors"
	"fmt"
	"os"
	"path"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/goccy/go-yaml"

	"lab/bench/paper"
)

// Each paper's file is right, and the schema next to them says the same of it; one
// that names what this lab doesn't have is refused with its place.
func TestPapers(t *testing.T) {
	schema, err := jsonschema.NewCompiler().Compile("papers/paper.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	valid := func(data string) error {
		j, err := yaml.YAMLToJSON([]byte(data))
		if err != nil {
			return err
		}
		v, err := jsonschema.UnmarshalJSON(strings.NewReader(string(j)))
		if err != nil {
			return err
		}
		return schema.Validate(v)
	}
	if len(Papers()) < 7 {
		t.Errorf("papers: %q", Papers())
	}
	for _, name := range Papers() {
		_, data, err := FindPaper(name)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := valid(string(data)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	data, err := os.ReadFile(path.Join("papers", "felter2015.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	good := string(data)
	for _, x := range []struct {
		old, with, says string
		schema          bool // it sees it, too
	}{
		{"scenario: hpcc", "scenario: gpu", "gpu", false},
		{"metric: linpack", "metric: linpakc", `no "linpakc"`, false},
		{"unit: Gflop/s", "unit: ms", "is in s, and linpack of scenario hpcc in 1/s", false},
		{"unit: Gflop/s", "unit: furlong", "furlong", true},
		{", source: \"", ", sauce: \"", "sauce", true},
		{"source: \"github.com/thewmf/kvm-docker-comparison@6820500, linpack/results/docker.two-socket.interleavedalloc.log, average of 10; native: linux\"", "source: \" \"", "source: it is missing", true},
		{"env: [host, chroot, container, vm]", "env: [host]", "container isn't among env", false},
		{"rule: direction", "rule: nearly", "direction", true},
		{"metric: latency p50", "metric: latency p95", `no statistic "p95"`, false},
		{"metric: linpack, of: container, to: host", "metric: linpack, of: container, to: host, inverse: true", "of a time and a rate one is the other's inverse", false},
		{"metric: randread-1, of: container", "metric: randread-1, of: docker", "docker isn't among env", false}, // without a value
		{"of: container, of-variant: {net: host}, to: chroot", "of: container, of-variant: {net: host}, to: crun", "crun isn't among env", false},
	} {
		bad := strings.Replace(good, x.old, x.with, 1)
		var e *paper.Error
		if _, err := ParsePaper("bad.yaml", []byte(bad)); bad == good || !errors.As(err, &e) || e.Line < 2 || e.Column < 1 || !strings.Contains(fmt.Sprint(err), x.says) {
			t.Errorf("%s: %v", x.with, err)
		}
		if err := valid(bad); (err != nil) != x.schema {
			t.Errorf("schema: %s: %v", x.with, err)
		}
	}
}
