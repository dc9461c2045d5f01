package results

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

func num(v float64) *float64 { return &v }

// started makes a results folder with a manifest and a machine.
func started(t *testing.T) (dir string, w *Writer) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "made", "on the way", "run")
	f, err := Create(dir, os.Getuid(), os.Getgid(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	w, err = NewWriter(f, os.Getuid(), os.Getgid())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	if err := w.Manifest(manifest()); err != nil {
		t.Fatal(err)
	}
	if err := w.Machine(&Machine{Kernel: "6.1", CPUs: 2, Acceleration: Acceleration{Use: "tcg", TCGPace: Pace{Ring0: 4e8}}}); err != nil {
		t.Fatal(err)
	}
	return dir, w
}

func manifest() *Manifest {
	return &Manifest{
		Format: Format, ID: "0123456789abcdef", Scenario: "startup", Seed: 1<<63 + 1,
		Started: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		Cells: []Cell{{Env: "host", N: 1, Trials: 2}, {Env: "vm", Variant: map[string]string{"accel": "tcg"}, N: 1,
			NotRun: &NotRun{Kind: "unavailable", Reason: "no QEMU", Cure: "install it"}}},
		Findings: []Finding{{Name: "f", Of: "vm", OfVariant: map[string]string{"accel": "tcg"}, Op: "below"}},
	}
}

func trial(n int) []Line {
	return []Line{
		{Env: "host", N: 1, Block: n, Trial: n, Metric: "ready", Value: num(0.001 * float64(n+1)), Unit: "s"},
		{Env: "host", N: 1, Block: n, Trial: n, Metric: "exec", Value: num(0.0005), Unit: "s", PartOf: "ready", Seq: 1},
		{Env: "host", N: 1, Block: n, Trial: n, Metric: "uname", Text: "<Linux> & more", Taint: []string{"steal"}},
	}
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	dir, w := started(t)
	var want []Line
	for n := range 3 {
		lines := trial(n)
		if err := w.Trial(lines); err != nil {
			t.Fatal(err)
		}
		lines[len(lines)-1].Last = true
		want = append(want, lines...)
	}
	failed := []Line{{Env: "vm", Block: 3, Trial: 3, Err: "start: no console", Blame: "lab"}}
	if err := w.Trial(failed); err != nil {
		t.Fatal(err)
	}
	failed[0].Last = true
	want = append(want, failed...)

	run, err := Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(run.Lines, want) || run.Dropped != 0 {
		t.Errorf("read %d dropped and\n%+v\nwant\n%+v", run.Dropped, run.Lines, want)
	}
	if got := run.Manifest; got.Seed != 1<<63+1 || !reflect.DeepEqual(got.Findings, manifest().Findings) || got.Cells[1].NotRun.Cure != "install it" {
		t.Errorf("manifest: %+v", got)
	}
	if run.Machine.Acceleration.TCGPace.Ring0 != 4e8 {
		t.Errorf("machine: %+v", run.Machine)
	}
	data, _ := os.ReadFile(filepath.Join(dir, TrialsFile))
	if !bytes.Contains(data, []byte("<Linux> & more")) {
		t.Error("text is written as HTML")
	}
}

func TestCreateRefusesWhatExists(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink("nowhere", link); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{dir, file, link} {
		if f, err := Create(name, os.Getuid(), os.Getgid(), nil); err == nil {
			f.Close()
			t.Errorf("%s was taken for a new folder", name)
		} else if !strings.Contains(err.Error(), "--out") {
			t.Errorf("no fix: %v", err)
		}
	}
}

func TestWriterRefuses(t *testing.T) {
	dir, w := started(t)
	nan := 0.0
	nan /= nan
	for name, err := range map[string]error{
		"an empty trial":       w.Trial(nil),
		"NaN":                  w.Trial([]Line{{Env: "host", Metric: "ready", Value: &nan}}),
		"a path out of folder": w.File("../x", nil),
	} {
		if err == nil {
			t.Errorf("%s is written", name)
		}
	}
	if st, err := os.Stat(filepath.Join(dir, TrialsFile)); err != nil || st.Size() != 0 {
		t.Errorf("something of a refused trial is left: %v, %v", st.Size(), err)
	}
}

// A file of the folder's is named as its reader knows it, any other by its path.
func TestWriterNamesFiles(t *testing.T) {
	_, w := started(t)
	if err := w.File("no/such", nil); err != nil {
		t.Fatal(err)
	}
	if err := w.File("no/such/folder", nil); err == nil || strings.Contains(err.Error(), "/proc/") || !strings.HasPrefix(err.Error(), "write no/such/folder: ") {
		t.Errorf("a file where a folder is wanted: %v", err)
	}
	err := w.Stream("a", func(io.Writer) error { _, err := os.Open("/no/such/source"); return err })
	if err == nil || !strings.Contains(err.Error(), "/no/such/source") {
		t.Errorf("a source that isn't there: %v", err)
	}
}

// The file cut at each byte, as SIGKILL or a full disk may leave it: whole
// trials are read, the cut one is counted, and nothing else happens.
func TestCutAtEachByte(t *testing.T) {
	dir, w := started(t)
	for n := range 3 {
		if err := w.Trial(trial(n)); err != nil {
			t.Fatal(err)
		}
	}
	data, err := os.ReadFile(filepath.Join(dir, TrialsFile))
	if err != nil {
		t.Fatal(err)
	}
	third := len(data) / 3
	for cut := range len(data) + 1 {
		lines, dropped, err := ReadTrials(bytes.NewReader(data[:cut]))
		if err != nil {
			t.Fatalf("cut at %d: %v", cut, err)
		}
		whole, rest := cut/third, cut%third
		if len(lines) != 3*whole || (dropped == 1) != (rest > 0) {
			t.Fatalf("cut at %d of %d: %d lines, %d dropped", cut, len(data), len(lines), dropped)
		}
	}
}

// A cut trial, followed by others: what a run leaves that was killed and
// resumed.
func TestCutInTheMiddle(t *testing.T) {
	text := `{"env":"host","trial":1,"metric":"ready","value":1}
{"env":"host","trial":2,"metric":"ready","value":2,"last":true}
`
	lines, dropped, err := ReadTrials(strings.NewReader(text))
	if err != nil || len(lines) != 1 || lines[0].Trial != 2 || dropped != 1 {
		t.Errorf("%v, %d dropped, %v", lines, dropped, err)
	}
}

func TestDamageNamesFileAndLine(t *testing.T) {
	good := `{"env":"host","metric":"ready","value":1,"last":true}` + "\n"
	for name, c := range map[string]struct{ file, data, want string }{
		"a damaged line":   {TrialsFile, good + "{\n" + good, "trials.jsonl:2: "},
		"another type":     {TrialsFile, good + good + `{"env":1}` + "\n", "trials.jsonl:3: "},
		"an empty line":    {TrialsFile, good + "\n" + good, "trials.jsonl:2: "},
		"no env":           {TrialsFile, `{"metric":"ready","value":1}` + "\n", "trials.jsonl:1: no env"},
		"no value":         {TrialsFile, `{"env":"host","metric":"ready"}` + "\n", "trials.jsonl:1: metric ready: "},
		"below zero":       {TrialsFile, `{"env":"host","metric":"ready","value":1,"n":-1}` + "\n", "trials.jsonl:1: a negative"},
		"a cut manifest":   {ManifestFile, "{\n\"format\": 1,\n", "manifest.json:3: "},
		"a wrong manifest": {ManifestFile, "{\n\"format\": 1,\n\"id\": 7\n}", "manifest.json:3: "},
		"a later format":   {ManifestFile, `{"format": 99}`, "use a newer lab"},
		"no format":        {ManifestFile, `{}`, "format 0"},
		"a wrong machine":  {MachineFile, "[]", "machine.json:1: "},
	} {
		t.Run(name, func(t *testing.T) {
			dir, _ := started(t)
			if err := os.WriteFile(filepath.Join(dir, c.file), []byte(c.data), 0o644); err != nil {
				t.Fatal(err)
			}
			if _, err := Read(dir); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want …%s…", err, c.want)
			}
		})
	}
	if _, err := Read(t.TempDir()); err == nil || !strings.Contains(err.Error(), "isn't a results folder") {
		t.Errorf("an empty folder: %v", err)
	}
	gathers := t.TempDir()
	for _, name := range []string{"doctor/pc1.json", "startup/pc1/" + ManifestFile, "startup/pc2/" + ManifestFile, "cpu/pc1/" + ManifestFile} {
		if err := os.MkdirAll(filepath.Join(gathers, filepath.Dir(name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(gathers, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Read(gathers); err == nil || !strings.HasSuffix(err.Error(), "; fix: name those in it: "+gathers+"/cpu/* "+gathers+"/startup/*") {
		t.Errorf("a fleet's folder: %v", err)
	}
	dir, w := started(t)
	w.Close()
	if err := os.Remove(filepath.Join(dir, TrialsFile)); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no trials: %v", err)
	}
}

func TestLabel(t *testing.T) {
	for want, c := range map[string]Cell{
		"host":                        {Env: "host"},
		"container net=bridge":        {Env: "container", Variant: map[string]string{"net": "bridge"}, N: 1},
		"vm accel=tcg disk=virtio ×4": {Env: "vm", Variant: map[string]string{"disk": "virtio", "accel": "tcg"}, N: 4},
	} {
		if got := c.Label(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// Whatever a file holds: an error that begins with a line's number, or whole
// trials that can be written and read again.
func FuzzReadTrials(f *testing.F) {
	var b bytes.Buffer
	for n := range 2 {
		for i, l := range trial(n) {
			l.Last = i == 2
			data, err := json.Marshal(l)
			if err != nil {
				f.Fatal(err)
			}
			b.Write(append(data, '\n'))
		}
	}
	f.Add(b.Bytes())
	f.Add(b.Bytes()[:b.Len()-7])
	f.Add([]byte("{}\n"))
	f.Add([]byte("\n"))
	f.Add([]byte(`{"env":"e","err":"x","last":true}` + "\n"))
	f.Add([]byte(`{"env":"e","metric":"m","value":1e999}` + "\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		lines, dropped, err := ReadTrials(bytes.NewReader(data))
		if err != nil {
			number, _, ok := strings.Cut(err.Error(), ":")
			if !ok || strings.Trim(number, "0123456789") != "" {
				t.Fatalf("no line in: %v", err)
			}
			return
		}
		if dropped < 0 || len(lines) > bytes.Count(data, []byte("\n")) {
			t.Fatalf("%d lines, %d dropped", len(lines), dropped)
		}
		if len(lines) > 0 && !lines[len(lines)-1].Last {
			t.Fatal("an open trial")
		}
		var again bytes.Buffer
		enc := json.NewEncoder(&again)
		for _, l := range lines {
			if err := enc.Encode(l); err != nil {
				t.Fatal(err)
			}
		}
		back, dropped, err := ReadTrials(&again)
		if err != nil || dropped != 0 || len(back) != len(lines) {
			t.Fatalf("written and read again: %d of %d lines, %d dropped, %v", len(back), len(lines), dropped, err)
		}
	})
}

// FuzzRead damages the two JSON files: an error that names one of them, or a
// run.
func FuzzRead(f *testing.F) {
	data, err := json.MarshalIndent(manifest(), "", "  ")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data, []byte("{}"))
	f.Add([]byte(`{"format":1,"cells":[{"n":-1,"not_run":{}}]}`), []byte(`{"cpus":"two"}`))
	f.Add([]byte(`{"format":1,"seed":7}`), []byte("null"))
	dir := f.TempDir()
	if err := os.WriteFile(filepath.Join(dir, TrialsFile), nil, 0o644); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, m, k []byte) {
		for name, data := range map[string][]byte{ManifestFile: m, MachineFile: k} {
			if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		run, err := Read(dir)
		switch {
		case err != nil && !strings.Contains(err.Error(), ManifestFile) && !strings.Contains(err.Error(), MachineFile):
			t.Fatalf("no file in: %v", err)
		case err == nil && (run.Manifest.Format < 1 || run.Manifest.Format > Format):
			t.Fatalf("format %d is read", run.Manifest.Format)
		}
	})
}

// Two trials in one write, as those of a pair, are two: each has its last line, and each
// half of the time that they took together.
func TestPairIsTwoTrials(t *testing.T) {
	dir, w := started(t)
	for n := range 2 {
		var both []Line
		for k := range 2 {
			for _, l := range trial(2*n + k) {
				l.Block, l.Pair, l.CPUs, l.At = n, 2*n+1, string('0'+rune(k)), 3*float64(n)
				l.Env = []string{"container", "host"}[k]
				both = append(both, l)
			}
		}
		if err := w.Trial(both); err != nil {
			t.Fatal(err)
		}
	}
	run, err := Read(dir)
	if err != nil || len(run.Lines) != 12 || run.Dropped != 0 {
		t.Fatalf("%d lines, %d dropped, %v", len(run.Lines), run.Dropped, err)
	}
	for i, l := range run.Lines {
		if l.Last != (i%3 == 2) {
			t.Errorf("line %d of trial %d is the last: %v", i, l.Trial, l.Last)
		}
	}
	if got, want := run.Spent(), map[string][]float64{"container": {1.5}, "host": {1.5}}; !reflect.DeepEqual(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
