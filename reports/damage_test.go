package reports

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"lab/bench/results"
)

// damaged is the form of a reader's error: which file, which line.
var damaged = regexp.MustCompile(`(manifest\.json|machine\.json|trials\.jsonl):[0-9]+: `)

// A byte that changed, or is missing, in any file of a folder: the reader says
// file and line where the file can't be what was written, and what can still be
// read is found by its sum.
func TestDamage(t *testing.T) {
	dir := t.TempDir()
	folder(t, synthetic(6), dir)
	if err := Write(dir, -1, -1); err != nil {
		t.Fatal(err)
	}
	if wrong, err := CheckSums(dir); err != nil || wrong != nil {
		t.Fatal(wrong, err)
	}
	var files []string
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			files = append(files, name)
		}
		return err
	})
	if err != nil || len(files) < 12 {
		t.Fatal(files, err)
	}
	read := map[string]int{}
	for _, name := range files {
		rel, _ := filepath.Rel(dir, name)
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		input := slices.Contains([]string{results.ManifestFile, results.MachineFile, results.TrialsFile}, rel)
		step := max(1, len(data)/8)
		if input {
			step = max(1, len(data)/60)
		}
		for at := 0; at < len(data); at += step {
			for _, bad := range [][]byte{flip(data, at, 0x01), flip(data, at, 0x80), slices.Delete(slices.Clone(data), at, at+1), data[:at]} {
				if err := os.WriteFile(name, bad, 0o644); err != nil {
					t.Fatal(err)
				}
				if _, err := results.Read(dir); err != nil {
					if read[rel]++; !input || !damaged.MatchString(err.Error()) && !strings.Contains(err.Error(), "use a newer lab") {
						t.Fatalf("%s, damaged at byte %d: %v", rel, at, err)
					}
				}
				wrong, err := CheckSums(dir)
				switch {
				case rel == SumsFile && err == nil && wrong == nil:
					t.Fatalf("%s, damaged at byte %d: not noticed", rel, at)
				case rel != SumsFile && (err != nil || !slices.ContainsFunc(wrong, func(w Wrong) bool { return w.Name == rel })):
					t.Fatalf("%s, damaged at byte %d: %v, %v", rel, at, wrong, err)
				}
			}
		}
		if err := os.WriteFile(name, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{results.ManifestFile, results.MachineFile, results.TrialsFile} {
		if read[name] < 40 {
			t.Errorf("%s: the reader noticed %d damages of some 240", name, read[name])
		}
	}
}

func flip(data []byte, at int, bits byte) []byte {
	out := slices.Clone(data)
	out[at] ^= bits
	return out
}
