package chaos

import (
	"context"
	"math/rand/v2"
	"os"
	"testing"

	"lab/bench/benchtest"
	"lab/bench/residue"
)

func TestMain(m *testing.M) { benchtest.Main(m) }

// What a victim leaves is seen, and taken away; one that leaves nothing is clean; one
// that can't be started says why.
func TestVictims(t *testing.T) {
	benchtest.Testbed(t)
	shell := func(script string) Victim {
		return Victim{Name: "sh", args: func(_, _, _ string, argv []string) ([]string, error) {
			if argv[0] == "true" {
				return []string{"sleep", "0.1"}, nil
			}
			return []string{"sh", "-c", script}, nil
		}, undo: func(string, string) [][]string { return nil }}
	}
	r := Run{Dir: t.TempDir(), Kills: 3, Rand: rand.New(rand.NewPCG(1, 2))}
	of := func(v Victim) Row {
		t.Helper()
		row, err := r.Of(context.Background(), v)
		if err != nil {
			t.Fatal(err)
		}
		return row
	}
	if row := of(shell("exec sleep 1000")); row.Kills != 3 || row.Clean != 3 || len(row.Left) != 0 {
		t.Errorf("what leaves nothing: %+v", row)
	}
	before := residue.Take(residue.Options{Tree: os.Getpid(), Kinds: []residue.Kind{residue.Process}})
	// At once, so that no kill comes before.
	row := of(shell("sleep 1000 & exec sleep 1000"))
	if row.Kills != 3 || row.Clean == 3 || row.Left[residue.Process] != 3-row.Clean || len(row.Examples) == 0 {
		t.Errorf("what leaves a process: %+v", row)
	}
	for _, d := range residue.Take(residue.Options{Tree: os.Getpid(), Kinds: []residue.Kind{residue.Process}}).Since(before) {
		if d.Counts {
			t.Errorf("not taken away: %v", d)
		}
	}
	if row := of(Victim{Name: "absent", args: oci("no-such-runtime")}); row.NotRun != "no-such-runtime isn't installed" || row.Kills != 0 {
		t.Errorf("what isn't there: %+v", row)
	}
}
