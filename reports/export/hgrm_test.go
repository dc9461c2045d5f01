package export

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"lab/bench/results"
)

// Counts that no run has, names of any length and more rows than a run has: the files
// are made at once or not at all, and none of them is large.
func TestHostileSamples(t *testing.T) {
	line := func(env string, buckets string) string {
		return fmt.Sprintf(`{"env":%q,"n":1,"metric":"latency","unit":"s","buckets":[%s]}`+"\n", env, buckets)
	}
	var many strings.Builder
	for i := range 20_000 {
		many.WriteString(line(fmt.Sprint("host", i), "[1,1]"))
	}
	for name, text := range map[string]string{
		"one in 2^60":     line("host", fmt.Sprintf("[0,%d],[5,1]", 1<<60)),
		"overflow":        line("host", fmt.Sprintf("[0,%d],[5,%d],[9,7]", math.MaxInt64, math.MaxInt64)),
		"overflow in one": line("host", fmt.Sprintf("[3,%d],[3,%d]", math.MaxInt64, math.MaxInt64)),
		"a long name":     line(strings.Repeat("x", 5000), "[1,1]"),
		"many rows":       many.String(),
	} {
		dir := t.TempDir()
		if err := os.Mkdir(filepath.Join(dir, results.SamplesDir), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, results.SamplesDir, "a.jsonl"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		made := make(chan []File, 1)
		go func() { made <- Histograms(&results.Run{Dir: dir}) }()
		select {
		case files := <-made:
			if len(files) > 1000 {
				t.Errorf("%s: %d files", name, len(files))
			}
			for _, f := range files {
				if len(f.Data) > 1<<20 || len(filepath.Base(f.Name)) > 255 || strings.Contains(string(f.Data), "NaN") || strings.Contains(string(f.Data), " -") {
					t.Errorf("%s: %s, %d bytes:\n%.500s", name, f.Name, len(f.Data), f.Data)
				}
			}
		case <-time.After(20 * time.Second):
			t.Fatalf("%s: no end", name)
		}
	}
}
