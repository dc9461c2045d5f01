package container

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"lab/bench"
	"lab/bench/benchtest"
	"lab/bench/clock"
)

// An image's layers are lower folders of the overlay, the last one uppermost; of
// more than fit there, the tree of all is the one.
func TestLayers(t *testing.T) {
	tb := benchtest.Testbed(t)
	env := New()
	if err := env.Open(t.Context(), tb); err != nil {
		t.Fatal(err)
	}
	defer env.Close()
	layer := func(data string) string {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "layer"), []byte(data+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	img := benchtest.Image(t)
	few := []string{img.Dir, layer("lower"), layer("upper")}
	many := few
	for len(many) <= maxStack {
		many = append(many, layer("one of many"))
	}
	for _, x := range []struct {
		layers []string
		want   string
		set    map[string]string
	}{
		{few, "upper", nil},
		{many[:maxStack], "one of many", nil},
		{many, "none", nil},
		{few, "none", map[string]string{"user": "yes"}},
	} {
		settings, err := bench.Resolve(env, x.set)
		if err != nil {
			t.Fatal(err)
		}
		s := bench.Spec{Image: img, Settings: settings}
		s.Image.Layers = x.layers
		if x.set != nil && checkUsers(s) != nil {
			continue
		}
		s.Command = bench.Command{Argv: []string{"/bin/sh", "-c", "cat /layer 2>/dev/null || echo none"}}
		i, err := env.Prepare(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		if err := i.Start(t.Context()); err != nil {
			t.Fatalf("%d layers: %v", len(x.layers), err)
		}
		if _, err := clock.AwaitToken(i.Ready(), []byte(x.want), 10*time.Second); err != nil {
			t.Errorf("%d layers, %v: want %q: %v", len(x.layers), x.set, x.want, err)
		}
		if err := i.Close(); err != nil {
			t.Error(err)
		}
	}
}
