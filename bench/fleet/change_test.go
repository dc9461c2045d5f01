package fleet

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// ran puts results of the fleet's experiment where a machine's are.
func ran(t *testing.T, f *Fleet, name string) {
	t.Helper()
	f.Experiment.Digest = "sha256:e"
	h := &Host{Name: name, Folder: folderOf(name)}
	f.runs = nil
	if missing, err := f.take(h, bytes.NewReader(archive(t, measuredEntries(t)...))); err != nil || len(missing) != len(f.Scenarios)-1 {
		t.Fatal(missing, err)
	}
}

// A name that was wrong is replaced by the right one; a machine with results keeps them,
// whether all or a part; and where the lab was is known for whoever tidies up.
func TestSetNames(t *testing.T) {
	quick(t)
	f := newFleet(t, "pc01", "pcO2", "pc03", "pc04", "pc05")
	ran(t, f, "pc01")
	for i, state := range []string{Done, Failed, Failed, Done, Waiting} {
		f.Hosts[i].State = state
	}
	ran(t, f, "pc04")
	f.Hosts[2].Reached = true
	c, err := f.SetNames([]string{"pc02", "pc01"})
	want := Change{Added: []string{"pc02"}, Removed: []string{"pcO2", "pc03", "pc05"}, Dirty: []string{"pc03", "pc05"}, Kept: []string{"pc04"}}
	if err != nil || !reflect.DeepEqual(c, want) {
		t.Errorf("%+v, %v, want %+v", c, err, want)
	}
	if err := f.Save(); err != nil {
		t.Fatal(err)
	}
	if f, err = Open(f.Dir); err != nil {
		t.Fatal(err)
	}
	if got := f.Machines(); !reflect.DeepEqual(got, []string{"pc02", "pc01", "pc04", "pc03", "pc05"}) {
		t.Errorf("%q", got)
	}
	if dirs := f.Folders("startup"); len(dirs) != 2 {
		t.Errorf("%q", dirs)
	}
	// One that comes back is no former one; one with a part of its results isn't asked for
	// the rest, and is again when it is back.
	f.Scenarios = append(f.Scenarios, "command")
	for _, x := range []struct {
		names  []string
		state  string
		asked  bool
		former int
	}{{[]string{"pc03"}, Dropped, false, 2}, {[]string{"pc03", "pc04"}, Failed, true, 2}} {
		if _, err = f.SetNames(x.names); err != nil {
			t.Fatal(err)
		}
		fake(t, here+`echo "$2" >>"$PLACE/asked"; echo "ssh: connect to host x port 22: Connection refused" >&2; exit 255`)
		if err := f.Run(context.Background(), 3); err != nil {
			t.Fatal(err)
		}
		asked, _ := os.ReadFile(filepath.Join(os.Getenv("PLACE"), "asked"))
		if i := len(f.Hosts) - 1; strings.Contains(string(asked), "pc04") != x.asked || !strings.Contains(string(asked), "pc03") || len(f.Former) != x.former {
			t.Errorf("%q: %+v, asked %q, former %q", x.names, f.Hosts[i], asked, f.Former)
		}
		for _, h := range f.Hosts {
			if h.Name == "pc04" && (h.State != x.state || h.Reason == "") {
				t.Errorf("%q: %+v", x.names, h)
			}
		}
		absent := f.Absent("command")
		if len(absent) < 2 || absent[0].Name != "pc03" || absent[0].Reason == "" {
			t.Errorf("%+v", absent)
		}
	}
	// Where the lab was once is known also if nobody answers there any more.
	if c, err := f.SetNames([]string{"pc04"}); err != nil || !reflect.DeepEqual(c.Dirty, []string{"pc03"}) {
		t.Errorf("%+v, %v", c, err)
	}
	f.Slurm = &Slurm{}
	if _, err := f.SetNames([]string{"pc01"}); err == nil {
		t.Error("Slurm's machines were named")
	}
}

// A fleet whose last missing machine was taken out is complete.
func TestDroppedIsComplete(t *testing.T) {
	f := newFleet(t, "pc01", "pc02")
	f.Scenarios = append(f.Scenarios, "command")
	ran(t, f, "pc01")
	if _, err := f.SetNames([]string{"pc02"}); err != nil {
		t.Fatal(err)
	}
	f.Hosts[0].State = Done
	for _, name := range f.Scenarios {
		from, to := f.results(f.Hosts[1], "startup"), f.results(f.Hosts[0], name)
		if err := os.CopyFS(to, os.DirFS(from)); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Run(context.Background(), 1); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(f.BundlePath()); err == nil || f.Hosts[1].State != Dropped {
		t.Errorf("the bundle still is there for %+v", f.Hosts[1])
	}
}

// What a fleet left is known by its trials, and removed with its results when that is
// asked for; another fleet's, and what is being measured, stays.
func TestDiscard(t *testing.T) {
	fake(t, here+`exec sh -c "$3"`)
	place := os.Getenv("PLACE")
	if err := os.WriteFile(filepath.Join(place, "sudo"), []byte("#!/bin/sh\nshift; exec \"$@\"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	uid := strconv.Itoa(os.Getuid())
	f := newFleet(t, "half", "home", "other", "busy", "none", "empty")
	ran(t, f, "home")
	tag, _, _ := strings.Cut(hostScript[strings.Index(hostScript, "mark='")+len("mark='"):], "'")
	for _, name := range []string{"half", "home", "other", "busy", "empty"} {
		dir := filepath.Join(place, name, "lab-fleet-"+uid)
		put := func(file, text string) {
			file = filepath.Join(dir, file)
			if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		put("tag", tag+"\n")
		put("bundle-x/lab", "no program")
		trials := "run-" + f.ID + "/results/startup/trials.jsonl"
		if name == "empty" {
			put(trials, `{"id":"x"}`+"\n")
			continue
		}
		put(trials, strings.Repeat(`{"value":1,"last":true}`+"\n", 3)+`{"value":1}`+"\n")
		if name == "other" {
			put("run-0123456789abcdef/results/startup/trials.jsonl", "")
		}
	}
	lock, err := os.Open(filepath.Join(place, "busy", "lab-fleet-"+uid, "run-"+f.ID))
	if err == nil {
		err = unix.Flock(int(lock.Fd()), unix.LOCK_EX)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	for _, r := range f.Remains(context.Background(), f.Machines(), 3) {
		want := map[string]int{"startup": 3}
		if r.Host == "home" || r.Host == "none" || r.Host == "empty" {
			want = map[string]int{}
		}
		if r.Err != nil || !reflect.DeepEqual(r.Away, want) {
			t.Errorf("%+v, want %v", r, want)
		}
	}
	f.Former = []string{"half", "busy"}
	failed, others := f.Discard(context.Background(), f.Machines()[:6], 3)
	if len(failed) != 1 || failed["busy"] == nil || !strings.HasPrefix(failed["busy"].Error(), "a task still measures there") || !reflect.DeepEqual(others, []string{"other"}) || !reflect.DeepEqual(f.Former, []string{"busy"}) {
		t.Errorf("%v, %q, former %q", failed, others, f.Former)
	}
	for name, want := range map[string]string{"half": "", "home": "", "none": "", "empty": "", "other": "bundle-x run-0123456789abcdef tag", "busy": "bundle-x run-" + f.ID + " tag"} {
		all, _ := filepath.Glob(filepath.Join(place, name, "lab-fleet-"+uid, "*"))
		for i := range all {
			all[i] = filepath.Base(all[i])
		}
		if got := strings.Join(all, " "); got != want {
			t.Errorf("%s has %q, want %q", name, got, want)
		}
	}
}

// Two machines with one id that are seen in two boots at once are two, also for who asks
// later; in one boot, or one after the other, they may be one.
func TestSharedID(t *testing.T) {
	const boot = "11111111-2222-3333-4444-55555555555"
	for name, x := range map[string]struct {
		boots    [2]string
		parallel int
		apart    bool
	}{
		"two boots at once":         {[2]string{boot + "5", boot + "6"}, 2, true},
		"one boot":                  {[2]string{boot + "5", boot + "5"}, 2, false},
		"one boot after the other":  {[2]string{boot + "5", boot + "6"}, 1, false},
		"no boot's id":              {[2]string{"5", "6"}, 2, false},
		"an id, and something else": {[2]string{boot + "5", "x\x1b[2J"}, 2, false},
	} {
		fake(t, here+`step=$(echo "$3" | sed 's/.*echo \([^ ]*\) |.*/\1/' | base64 -d | tail -n 1)
case $2 in pc01) boot=`+x.boots[0]+` ;; *) boot='`+x.boots[1]+`' ;; esac
case $step in
*look*) printf 'arch=x86_64\nroot=yes\nroom=9999999\nbundle=yes\nboot=%s\n' "$boot"; touch "$PLACE/$2.looked" ;;
*begin*) cat >/dev/null; echo '{}' ;;
*work*) if [ -e "$PLACE/both" ]; then until [ -e "$PLACE/pc01.looked" ] && [ -e "$PLACE/pc02.looked" ]; do sleep 0.01; done; sleep 0.5; fi; echo '{"done":0,"total":0,"end":true}' ;;
*fetch*) cat "$PLACE/$2.tar" ;;
*finish*) printf 'boot=%s\n' "$boot" ;;
esac`)
		place := os.Getenv("PLACE")
		f := newFleet(t, "pc01", "pc02")
		f.Experiment.Digest = "sha256:e"
		if x.parallel > 1 {
			if err := os.WriteFile(filepath.Join(place, "both"), nil, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		for i, h := range f.Hosts {
			entries := measuredEntries(t)
			for j := range entries { // two runs of one machine id
				entries[j].Linkname = strings.ReplaceAll(entries[j].Linkname, "5e00000000000001", "5e0000000000000"+string(rune('1'+i)))
			}
			if err := os.WriteFile(filepath.Join(place, h.Name+".tar"), archive(t, entries...), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if err := f.Run(context.Background(), x.parallel); err != nil {
			t.Fatal(err)
		}
		f = Of(filepath.Join(f.Dir, "startup", "pc02"))
		if f == nil || f.count(Done) != 2 {
			t.Fatalf("%s: %+v", name, f)
		}
		machine := machineIn(f.results(f.Hosts[0], "startup")).ID
		for _, h := range f.Hosts {
			want := map[bool]string{true: h.Name}[x.apart]
			if got := f.Apart("startup", f.results(h, "startup"), machine); machine == "" || got != want {
				t.Errorf("%s: %q is %q, want %q: %+v", name, h.Name, got, want, h.Boot)
			}
		}
		if !f.AllOf("startup", f.Folders("startup")) || f.AllOf("startup", f.Folders("startup")[:1]) {
			t.Errorf("%s: which folders are all isn't known", name)
		}
		for _, h := range f.Hosts { // as the next start does
			f.standing(h)
		}
		if same := f.SameMachines(); len(same) != 1 || same[0].Apart != x.apart || len(same[0].Names) != 2 {
			t.Errorf("%s: %+v", name, same)
		}
	}
	if Of(t.TempDir()) != nil {
		t.Error("a folder of no fleet is one's")
	}
	now := time.Now()
	a, b := &Boot{"a", now, now.Add(time.Second)}, &Boot{"b", now.Add(2 * time.Second), now.Add(time.Second)}
	if a.apart(b) || a.apart(nil) || a.apart(a) {
		t.Error("what was seen once was seen at no certain time")
	}
}
