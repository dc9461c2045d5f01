package chaos

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"lab/bench/benchtest"
	"lab/bench/cgroup"
	"lab/bench/residue"
)

func TestMain(m *testing.M) { benchtest.Main(m) }

// toy is a launcher that does what a script says, with its id as $0 and a folder as $1;
// its last word is to execute "$@", the workload.
func toy(script string, undo ...string) Victim {
	v := Victim{Name: "toy", args: func(s *Scene, l *life) ([]string, error) {
		return append([]string{"sh", "-c", `data=$1; shift; ` + script, l.id, s.data()}, l.argv...), nil
	}}
	if len(undo) > 0 {
		v.undo = func(s *Scene, l *life) [][]string {
			return [][]string{{"sh", "-c", undo[0], l.id, s.data()}}
		}
	}
	return v
}

// run is one in the tests' own testbed.
func run(t *testing.T) *Run {
	return &Run{Dir: t.TempDir(), Seed: 1, Private: benchtest.Testbed(t)}
}

// watch has the scene look at its data folder.
func watch(s *Scene) *Scene {
	s.watch = map[string]string{"data": s.data()}
	return s
}

// What a victim leaves is seen, each kind by itself, and taken away; what the next start
// takes away is told apart; one that leaves nothing is clean.
func TestVictims(t *testing.T) {
	r := run(t)
	l, err := cgroup.Read()
	if err != nil {
		t.Fatal(err)
	}
	group := "/sys/fs/cgroup"
	for _, dir := range l.V1 {
		group = dir
	}
	whole := func() residue.Snapshot { return watch(&Scene{run: r}).snapshot() }
	if err := os.Mkdir(filepath.Join(r.Dir, "data"), 0o755); err != nil {
		t.Fatal(err)
	}
	before := whole()
	const alive = `[ "$1" != true ] || exit 0; ` // only the one that is killed leaves it
	for name, x := range map[string]struct {
		victim Victim
		part   string
		left   []residue.Kind // after each kill
		next   []residue.Kind
	}{
		"nothing":             {toy(`exec "$@"`), Client, nil, nil},
		"nobody killed":       {toy(`exec "$@"`), Nobody, nil, nil},
		"the workload killed": {toy(`"$@" & wait`), Workload, nil, nil},
		"a process":           {toy(alive + `sleep 1000 & exec "$@"`), Client, []residue.Kind{residue.Process}, []residue.Kind{residue.Process}},
		"a network namespace": {toy(alive + `unshare -n sleep 1000 & exec "$@"`), Client,
			[]residue.Kind{residue.Process, residue.Namespace}, []residue.Kind{residue.Process, residue.Namespace}},
		// The workload of those whose shell waits for it runs on as well.
		"a mount": {toy(`mount -t tmpfs "$0" /mnt; "$@"; umount /mnt`), Client,
			[]residue.Kind{residue.Mount, residue.Process}, []residue.Kind{residue.Mount, residue.Process}},
		"a network device": {toy(`ip link add "t$$" type bridge && "$@"; ip link del "t$$"`), Client,
			[]residue.Kind{residue.Link, residue.Process}, []residue.Kind{residue.Link, residue.Process}},
		"a cgroup": {toy(`mkdir ` + group + `/"$0"; "$@"; rmdir ` + group + `/"$0"`), Client,
			[]residue.Kind{residue.Cgroup, residue.Process}, []residue.Kind{residue.Cgroup, residue.Process}},
		"a folder with a file": {toy(`mkdir "$data/$0"; echo >"$data/$0/state"; "$@"; rm -r "$data/$0"`), Client,
			[]residue.Kind{residue.File, residue.Process}, []residue.Kind{residue.File, residue.Process}},
		"until the next start": {toy(`rm -rf "$data"/*; ` + alive + `mkdir "$data/$0"; exec "$@"`), Client, []residue.Kind{residue.File}, nil},
		"the workload's folder": {toy(`mkdir "$data/$0"; "$@" & wait $! || exit 1; rm -r "$data/$0"`), Workload,
			[]residue.Kind{residue.File}, []residue.Kind{residue.File}},
	} {
		t.Run(name, func(t *testing.T) {
			const kills = 2
			row := NewRow(x.victim.Name, x.part)
			s, err := r.Open(context.Background(), x.victim, x.part)
			if err != nil {
				t.Fatal(err)
			}
			defer watch(s).Close()
			s.from, s.window = 400*time.Millisecond, 500*time.Millisecond // what is left was made by then
			s.patience = 300 * time.Millisecond
			for n := range kills {
				k, err := s.Kill(context.Background(), n)
				if err != nil {
					t.Fatal(err)
				}
				row.Add(k)
			}
			want := func(counts map[residue.Kind]int, all []residue.Kind, when string) {
				for _, k := range kinds {
					n := 0
					if slices.Contains(all, k) {
						n = kills
					}
					if counts[k] != n {
						t.Errorf("%s: %d of %d kills left a %s, and not %d: %v %v", when, counts[k], row.Kills, k, n, row.Examples, row.Later)
					}
				}
			}
			if row.Kills != kills || row.Missed > 0 || row.Failed > 0 {
				t.Errorf("%+v", row)
			}
			want(row.Left, x.left, "then")
			want(row.Next, x.next, "after the next start")
			for _, d := range whole().Since(before) {
				if d.Change == residue.Made && (d.Item.Kind != residue.Cgroup || strings.Contains(d.Item.Name, "lab-chaos-")) { // others test, too
					t.Errorf("not taken away: %v", d)
				}
			}
		})
	}
}

// One that isn't there says so, and one that fails says its own first line.
func TestNotRun(t *testing.T) {
	r := run(t)
	for why, v := range map[string]Victim{
		"no-such-runtime isn't installed": oci("no-such-runtime"),
		"toy: it can't":                   toy(`echo "toy: it can't" >&2; exit 1`),
	} {
		if row, err := r.Of(context.Background(), v, Client, 1); err != nil || row.NotRun != why || row.Kills != 0 {
			t.Errorf("%v: %+v, want %q", err, row, why)
		}
	}
}

// A part that isn't there any more is no kill, and the time's end is no error.
func TestMissed(t *testing.T) {
	r := run(t)
	v := toy(`exec "$@"`)
	row, err := r.Of(context.Background(), v, "nosuchpart", 1)
	if err != nil || row.Kills != 0 || row.Missed != 4 {
		t.Errorf("%v: %+v", err, row)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if row, err = r.Of(ctx, v, Nobody, 1000); err != nil || !row.Short || row.Kills >= 1000 {
		t.Errorf("%v: %+v", err, row)
	}
}

// The points come of the seed, whatever was killed before.
func TestSeed(t *testing.T) {
	v := toy("")
	at := func(seed uint64, part string, n int) uint64 { return (&Run{Seed: seed}).random(v, part, n).Uint64() }
	if at(1, Client, 7) != at(1, Client, 7) {
		t.Error("the same seed gives another point")
	}
	if at(1, Client, 7) == at(2, Client, 7) || at(1, Client, 7) == at(1, Workload, 7) || at(1, Client, 7) == at(1, Client, 8) {
		t.Error("another seed, part or number gives the same point")
	}
}
