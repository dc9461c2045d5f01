package results

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"lab/bench/input"
)

// What takes little in a file and much in memory, or a report hours, is refused before it
// does: a folder is somebody else's.
func TestFewValues(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{ManifestFile: `{"format":1,"cells":[{}` + strings.Repeat(",{}", MaxValues) + "]}", MachineFile: "{}", TrialsFile: ""} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Read(dir); !errors.Is(err, input.ErrMany) || !strings.Contains(err.Error(), ManifestFile) {
		t.Errorf("a manifest of empty cells: %v", err)
	}
	var pairs strings.Builder
	for i := range 400 { // 400 cells, and as many metrics, one each
		fmt.Fprintf(&pairs, `{"env":"e%d","metric":"m%d","value":1,"trial":%d,"last":true}`+"\n", i, i, i)
	}
	if _, _, err := ReadTrials(strings.NewReader(pairs.String())); err == nil || !strings.Contains(err.Error(), "which no run has") {
		t.Errorf("400 cells times 400 metrics: %v", err)
	}
	was := maxLines
	t.Cleanup(func() { maxLines = was })
	maxLines = 100
	if _, _, err := ReadTrials(strings.NewReader(strings.Repeat(`{"env":"e","metric":"m","value":1,"last":true}`+"\n", 101))); err == nil || !strings.HasPrefix(err.Error(), "101: ") {
		t.Errorf("many short lines: %v", err)
	}
}

// A number of which no report can be made is refused where it stands.
func TestMeasurable(t *testing.T) {
	for value, ok := range map[string]bool{"0": true, "-1e30": true, "5e-324": true, "1e31": false, "-1.7e308": false} {
		text := fmt.Sprintf(`{"env":"e","metric":"m","value":%s,"last":true}`+"\n", value)
		if _, _, err := ReadTrials(strings.NewReader(text)); (err == nil) != ok || err != nil && !strings.Contains(err.Error(), "metric m: a value of ") {
			t.Errorf("%s: %v", value, err)
		}
	}
}
