package container

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"lab/bench"
	"lab/bench/benchtest"
	"lab/bench/clock"
)

// What a container writes to its place lies in the work folder, in its layer or
// in the folder that is bound into it, and goes with the container.
func TestWork(t *testing.T) {
	tb := benchtest.Testbed(t)
	env := New()
	if err := env.Open(t.Context(), tb); err != nil {
		t.Fatal(err)
	}
	defer env.Close()
	spec := func(set map[string]string) bench.Spec {
		settings, err := bench.Resolve(env, set)
		if err != nil {
			t.Fatal(err)
		}
		return bench.Spec{Image: benchtest.Image(t), Settings: settings, Work: true}
	}
	// The testbed is the package's: an earlier test may have opened it.
	opened := tb.Work
	tb.Work = ""
	if err := env.Check(t.Context(), spec(nil)); err != bench.ErrNoWork {
		t.Errorf("without a work folder: %v", err)
	}
	if tb.Work = opened; opened == "" {
		if err := tb.OpenWork(os.TempDir()); err != nil {
			t.Fatal(err)
		}
	}
	for _, x := range []struct {
		set   map[string]string
		place string
		file  string // below the work folder
	}{
		{map[string]string{"data": "layer"}, "/tmp", "container-*/upper/tmp/f"},
		{map[string]string{"data": "bind"}, "/data", "container-*/data/f"},
		{map[string]string{"data": "layer", "user": "yes"}, "/tmp", "container-*/upper/tmp/f"},
		{map[string]string{"data": "bind", "user": "yes"}, "/data", "container-*/data/f"},
	} {
		s := spec(x.set)
		if err := env.Check(t.Context(), s); err != nil {
			t.Fatal(err)
		}
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()
		token := bench.Token()
		s.Command = bench.Command{Argv: []string{"/bin/sh", "-c", "echo written > " + x.place + "/f && echo " + token + " && cat"}, Stdin: r}
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		i, err := env.Prepare(ctx, s)
		if err != nil {
			t.Fatal(err)
		}
		if got := i.(bench.Placer).Place(); got != x.place {
			t.Errorf("%v: place %s", x.set, got)
		}
		if err := i.Start(ctx); err != nil {
			t.Fatalf("%v: %v", x.set, err)
		}
		r.Close()
		if _, err := clock.AwaitToken(i.Ready(), []byte(token), 10*time.Second); err != nil {
			t.Errorf("%v: %v", x.set, err)
		}
		found, _ := filepath.Glob(filepath.Join(tb.Work, x.file))
		if len(found) != 1 {
			t.Errorf("%v: %q", x.set, found)
		} else if b, err := os.ReadFile(found[0]); string(b) != "written\n" {
			t.Errorf("%v: %q, %v", x.set, b, err)
		}
		if err := i.Close(); err != nil {
			t.Error(err)
		}
		if left, err := os.ReadDir(tb.Work); err != nil || len(left) > 0 {
			t.Errorf("%v left %v, %v", x.set, left, err)
		}
	}
}
