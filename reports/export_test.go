package reports

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"lab/bench/histogram"
	"lab/bench/results"
	"lab/reports/analysis"
	"lab/reports/export"
)

// everyRun is the synthetic run and one of each scenario that is made up.
func everyRun(t *testing.T) map[string]*results.Run {
	t.Helper()
	out := map[string]*results.Run{"synthetic": synthetic(12)}
	for name, m := range made {
		out[name] = m.run(t, "kvm")
	}
	return out
}

// Each figure that is drawn has a Vega-Lite specification, whose fields are columns of
// its data.
func TestVega(t *testing.T) {
	kinds := map[string]bool{}
	for name, run := range everyRun(t) {
		a := analysis.Of(run)
		files, err := export.Vega(a)
		if err != nil {
			t.Fatal(err)
		}
		table, err := trialsCSV(a)
		if err != nil {
			t.Fatal(err)
		}
		keep(t, "trials.csv", name, table)
		columns, _ := csv.NewReader(bytes.NewReader(table)).Read()
		if len(files) != len(run.Manifest.Figures) {
			t.Errorf("%s: %d specifications of %d figures", name, len(files), len(run.Manifest.Figures))
		}
		for _, f := range files {
			keep(t, f.Name, name, f.Data)
			var spec map[string]any
			if err := json.Unmarshal(f.Data, &spec); err != nil {
				t.Fatal(err)
			}
			if spec["$schema"] != export.Schema || spec["title"] == nil {
				t.Errorf("%s: no schema or title", f.Name)
			}
			have := slices.Clone(columns)
			data, _ := spec["data"].(map[string]any)
			if rows, ok := data["values"].([]any); ok {
				have = nil
				for k := range rows[0].(map[string]any) {
					have = append(have, k)
				}
			} else if data["url"] != "../trials.csv" || filepath.Dir(f.Name) != "plots" {
				t.Errorf("%s: its data are %v", f.Name, data)
			}
			views := structure(t, f.Name, spec, have)
			if views == 0 {
				t.Errorf("%s draws nothing", f.Name)
			}
		}
		for _, f := range run.Manifest.Figures {
			kinds[f.Kind] = true
		}
	}
	if len(kinds) < 5 {
		t.Errorf("only these kinds were looked at: %v", kinds)
	}
}

// structure looks through a specification: each view has a mark and encodings, which
// name fields that there are. It returns how many marks there are.
func structure(t *testing.T, name string, spec map[string]any, columns []string) (marks int) {
	t.Helper()
	columns = slices.Clone(columns)
	transforms, _ := spec["transform"].([]any)
	for _, x := range transforms {
		list, _ := x.(map[string]any)["aggregate"].([]any)
		for _, y := range list {
			columns = append(columns, y.(map[string]any)["as"].(string))
		}
	}
	if _, ok := spec["mark"]; ok {
		marks++
		if spec["encoding"] == nil {
			t.Errorf("%s: a mark without an encoding", name)
		}
	}
	for _, part := range []string{"encoding", "facet"} {
		channels, _ := spec[part].(map[string]any)
		for channel, x := range channels {
			def := x.(map[string]any)
			if field, _ := def["field"].(string); !slices.Contains(columns, field) {
				t.Errorf("%s: %s is of %q, which there isn't: %v", name, channel, field, columns)
			}
			if kind, ok := def["type"]; ok && kind != "quantitative" && kind != "nominal" {
				t.Errorf("%s: %s is %v", name, channel, kind)
			}
		}
	}
	for _, part := range []string{"layer", "vconcat"} {
		list, _ := spec[part].([]any)
		for _, x := range list {
			marks += structure(t, name, x.(map[string]any), columns)
		}
	}
	if inner, ok := spec["spec"].(map[string]any); ok {
		marks += structure(t, name, inner, columns)
	}
	return marks
}

// keep leaves a file for people to look at, where LAB_KEEP says.
func keep(t *testing.T, name, run string, data []byte) {
	if dir := os.Getenv("LAB_KEEP"); dir != "" {
		name = filepath.Join(dir, run, name)
		os.MkdirAll(filepath.Dir(name), 0o755)
		os.WriteFile(name, data, 0o644)
	}
}

// The notebook is one of nbformat 4, and its code runs in the folder: with pandas if it
// is there, else it is compiled at least.
func TestNotebook(t *testing.T) {
	a := analysis.Of(synthetic(12))
	data, err := export.Notebook(a)
	if err != nil {
		t.Fatal(err)
	}
	var nb struct {
		Nbformat int `json:"nbformat"`
		Minor    int `json:"nbformat_minor"`
		Metadata map[string]any
		Cells    []struct {
			Type     string `json:"cell_type"`
			ID       string
			Metadata map[string]any
			Source   []string
			Outputs  *[]any
		}
	}
	if err := json.Unmarshal(data, &nb); err != nil || nb.Nbformat != 4 || nb.Minor != 5 || len(nb.Cells) < 4 || nb.Metadata["kernelspec"] == nil {
		t.Fatalf("%v: %+v", err, nb)
	}
	code, seen := "import matplotlib\nmatplotlib.use('Agg')\n", map[string]bool{}
	for _, c := range nb.Cells {
		if c.ID == "" || seen[c.ID] || c.Metadata == nil || c.Type == "code" != (c.Outputs != nil) {
			t.Errorf("cell %q isn't one of nbformat 4.5", c.ID)
		}
		if seen[c.ID] = true; c.Type == "code" {
			code += strings.Join(c.Source, "") + "\n"
		}
	}
	if strings.Contains(code, "{") && strings.Contains(code, "{metric}") {
		t.Error("a place wasn't filled in:\n" + code)
	}
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip("SKIPPED: the notebook's code wasn't run: no python3; fix: apt-get install python3")
	}
	dir := t.TempDir()
	table, err := trialsCSV(a)
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{"trials.csv": table, "code.py": []byte(code + "figure.savefig('out.png')\nprint(len(rows), len(values))\n")} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	python := func(args ...string) (string, error) {
		cmd := exec.Command("python3", args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "MPLCONFIGDIR="+dir)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	if out, err := python("-m", "py_compile", "code.py"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if _, err := python("-c", "import pandas, matplotlib"); err != nil {
		t.Skip("SKIPPED: the notebook's code was compiled, and not run: no pandas; fix: apt-get install python3-pandas python3-matplotlib")
	}
	out, err := python("code.py")
	if err != nil || strings.TrimSpace(out) != "4 41" { // rows, and trials that count
		t.Errorf("%v\n%s", err, out)
	}
	if st, err := os.Stat(filepath.Join(dir, "out.png")); err != nil || st.Size() < 5000 {
		t.Error("nothing was drawn", err)
	}
}

// A .hgrm file has HdrHistogram's columns: values and percentiles that rise to the
// largest and 1, and agree with the values that went in.
func TestHistograms(t *testing.T) {
	dir := t.TempDir()
	run := folder(t, synthetic(6), dir)
	r := rand.New(rand.NewPCG(5, 6))
	var all []float64
	var text bytes.Buffer
	for trial := range 4 {
		var h histogram.Histogram
		for range 5000 {
			ns := 50e3 * math.Exp(r.NormFloat64())
			h.Add(int64(ns))
			if trial > 0 { // the first is a warm-up
				all = append(all, ns/1e6)
			}
		}
		s := results.Sample{Trial: trial, Env: "container", Variant: map[string]string{"net": "bridge"}, N: 1, Warmup: trial == 0, Metric: "latency", Unit: "s"}
		for _, b := range h.Buckets() {
			s.Buckets = append(s.Buckets, [2]int64{int64(b.Index), b.Count})
		}
		json.NewEncoder(&text).Encode(s)
	}
	slices.Sort(all)
	os.Mkdir(filepath.Join(dir, results.SamplesDir), 0o755)
	if err := os.WriteFile(filepath.Join(dir, results.SamplesDir, "latency.jsonl"), text.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	files := export.Histograms(run)
	if len(files) != 1 || files[0].Name != "hgrm/latency-container_net=bridge.hgrm" {
		t.Fatalf("%d files", len(files))
	}
	keep(t, files[0].Name, "synthetic", files[0].Data)
	lines := strings.Split(strings.TrimSuffix(string(files[0].Data), "\n"), "\n")
	if lines[0] != "       Value     Percentile TotalCount 1/(1-Percentile)" || lines[1] != "" {
		t.Errorf("it begins with %q, %q", lines[0], lines[1])
	}
	n, last := 0, 0.0
	for _, l := range lines[2 : len(lines)-3] {
		f := strings.Fields(l)
		value, _ := strconv.ParseFloat(f[0], 64)
		p, err := strconv.ParseFloat(f[1], 64)
		if err != nil || value < last || len(f) == 3 != (p == 1) {
			t.Fatal(l)
		}
		want := all[min(int(math.Ceil(p*float64(len(all)))), len(all))-1+max(0, 1-int(math.Ceil(p*float64(len(all)))))]
		if math.Abs(value/want-1) > 0.017 {
			t.Errorf("%v, and the value is %g", l, want)
		}
		last = value
		n++
	}
	if n < 30 || !strings.HasSuffix(lines[len(lines)-2], "Total count    =        15000]") || !strings.HasPrefix(lines[len(lines)-1], "#[Buckets = ") {
		t.Errorf("%d lines; %q", n, lines[len(lines)-3:])
	}
	// A damaged file keeps nobody from the report.
	os.WriteFile(filepath.Join(dir, results.SamplesDir, "latency.jsonl"), []byte("{\"env\":\"x\",\"metric\":\"m\",\"unit\":\"s\",\"buckets\":[[-1,5]]}\n"), 0o644)
	if files := export.Histograms(run); len(files) != 0 {
		t.Error("a bucket that there isn't was counted")
	}
}
