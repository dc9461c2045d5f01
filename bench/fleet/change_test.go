package fleet

import (
	"bytes"
	"cmp"
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
	// One that is off now is asked all the same, if the lab was there; one that never answered isn't.
	f.Hosts[0].State, f.Hosts[1].State, f.Hosts[1].Reached = Failed, Failed, true
	if got := f.Machines(); !reflect.DeepEqual(got, []string{"pc01", "pc04", "pc03", "pc05"}) {
		t.Errorf("%q", got)
	}
	f.Hosts[0].State, f.Hosts[1].State, f.Hosts[1].Reached = Waiting, Done, false
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

// A machine that was taken out with a part of its results may have the rest, and has the
// lab's folder; back again it is asked for the rest, for which it needs the bundle.
func TestReturned(t *testing.T) {
	quick(t)
	fake(t, here+`echo "$2" >>"$PLACE/asked"; echo "ssh: connect to host x port 22: Connection refused" >&2; exit 255`)
	asked := func() string {
		data, _ := os.ReadFile(filepath.Join(os.Getenv("PLACE"), "asked"))
		return string(data)
	}
	f := newFleet(t, "pc01", "pc02", "pc03")
	f.Scenarios = append(f.Scenarios, "command")
	ran(t, f, "pc01")
	copied := func(h *Host, name string) {
		if err := os.CopyFS(f.results(h, name), os.DirFS(filepath.Join(f.Dir, "startup", "pc01"))); err != nil {
			t.Fatal(err)
		}
	}
	copied(f.Hosts[1], "startup")
	copied(f.Hosts[1], "command")
	if err := os.MkdirAll(filepath.Join(f.results(f.Hosts[2], "startup"), "x"), 0o755); err != nil { // in the way
		t.Fatal(err)
	}
	for i, state := range []string{Failed, Fetching, Failed} {
		f.Hosts[i].State, f.Hosts[i].Reached = state, i < 2
	}
	c, err := f.SetNames([]string{"pc04"})
	if want := (Change{Added: []string{"pc04"}, Kept: []string{"pc01", "pc02", "pc03"}, Dirty: []string{"pc01", "pc02"}}); err != nil || !reflect.DeepEqual(c, want) {
		t.Errorf("%+v, %v, want %+v", c, err, want)
	}
	if got := f.Machines(); strings.Join(got, " ") != "pc04 pc01 pc02 pc03" {
		t.Errorf("%q: one of them is asked twice", got)
	}
	// What isn't in the list is left alone, whatever is in the place of its results.
	for range 2 {
		if err := f.Run(context.Background(), 2); err != nil {
			t.Fatal(err)
		}
	}
	if got := asked(); strings.Trim(strings.ReplaceAll(got, "pc04", ""), "\n") != "" || f.Hosts[1].State != Dropped || f.Hosts[3].State != Dropped || f.Hosts[3].Reason != errDropped.Error() {
		t.Errorf("asked %q: %+v", got, f.Hosts[3])
	}
	if f.RemoveBundle(); f.LacksBundle() {
		t.Error("pc04 has no bundle any more")
	}
	// All but what was dropped is there: the fleet is complete, and keeps its bundle for
	// machines that are added, until it is removed.
	copied(f.Hosts[0], "startup")
	copied(f.Hosts[0], "command")
	f.Hosts[0].State = Done
	if err := f.Run(context.Background(), 2); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(f.BundlePath()); err != nil {
		t.Error(err)
	}
	f.RemoveBundle()
	if _, err := os.Stat(f.BundlePath()); err == nil || f.LacksBundle() {
		t.Errorf("a bundle is kept for nobody: %v", err)
	}
	if c, err = f.SetNames([]string{"pc04", "pc01"}); err != nil || !reflect.DeepEqual(c.Returned, []string{"pc01"}) || len(c.Added) != 0 || !f.LacksBundle() {
		t.Errorf("%+v, %v, lacks its bundle: %v", c, err, f.LacksBundle())
	}
}

// To a fleet of Slurm's no machine is added: its bundle goes when all is there.
func TestSlurmCompletes(t *testing.T) {
	f := newSlurm(t, 1)
	f.Experiment.Digest = "sha256:e"
	fakes(t, nil)
	if err := os.MkdirAll(filepath.Join(f.Dir, slurmDir), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(f.taskFile(f.Hosts[0], "tar"), archive(t, measuredEntries(t)...), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := f.Run(context.Background(), 1); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{f.BundlePath(), filepath.Join(f.Dir, slurmDir)} {
		if _, err := os.Stat(file); err == nil {
			t.Errorf("%s still is there", file)
		}
	}
}

// Who holds a fleet's folder may write its file until it is given back: it is read after that.
func TestOpenLocked(t *testing.T) {
	f := newFleet(t, "pc01")
	held, err := f.Lock()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(f.Dir, File)
	whole, _ := os.ReadFile(file)
	if err := os.WriteFile(file, nil, 0o644); err != nil { // half written
		t.Fatal(err)
	}
	if _, _, err := OpenLocked(f.Dir); err == nil || !strings.Contains(err.Error(), "another lab fleet is at it") {
		t.Errorf("it was read before it was locked: %v", err)
	}
	if err := os.WriteFile(file, whole, 0o644); err != nil {
		t.Fatal(err)
	}
	held.Close()
	_, lock, err := OpenLocked(f.Dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Lock(); err == nil {
		t.Error("it isn't held")
	}
	lock.Close()
	for _, dir := range []string{t.TempDir(), filepath.Join(f.Dir, "none"), file} {
		if _, _, err := OpenLocked(dir); err == nil || !strings.Contains(err.Error(), "isn't a fleet's folder") {
			t.Error(err)
		}
	}
}

// What a fleet left is known by its trials, and removed with its results when that is
// asked for; another fleet's, and what is being measured, stays.
func TestDiscard(t *testing.T) {
	fake(t, here+`exec sh -c "$3"`)
	place := os.Getenv("PLACE")
	for name, script := range map[string]string{
		"sudo": `shift; exec "$@"`,
		// Nobody begins to measure in what is being removed.
		"rm": `for a; do case $a in */run-*) [ ! -d "$a" ] || ! flock -n "$a" true || echo "$a" >>"$PLACE/free" ;; esac; done; exec /bin/rm "$@"`,
	} {
		if err := os.WriteFile(filepath.Join(place, name), []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	uid := strconv.Itoa(os.Getuid())
	f := newFleet(t, "half", "home", "other", "busy", "none", "empty", "slurm")
	ran(t, f, "home")
	tag, _, _ := strings.Cut(hostScript[strings.Index(hostScript, "mark='")+len("mark='"):], "'")
	for _, name := range []string{"half", "home", "other", "busy", "empty", "slurm"} {
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
		put(trials, strings.Repeat(`{"warmup":false,"value":1,"last":true}`+"\n", 3)+`{"value":1}`+"\n"+strings.Repeat(`{"warmup":true,"last":true}`+"\n", 2))
		if name == "other" {
			put("run-0123456789abcdef/results/startup/trials.jsonl", "")
		}
	}
	// A task holds its run's folder; one of Slurm's, of another fleet, the one above.
	for _, held := range []string{filepath.Join("busy", "lab-fleet-"+uid, "run-"+f.ID), filepath.Join("slurm", "lab-fleet-"+uid)} {
		lock, err := os.Open(filepath.Join(place, held))
		if err == nil {
			err = unix.Flock(int(lock.Fd()), unix.LOCK_EX)
		}
		if err != nil {
			t.Fatal(err)
		}
		defer lock.Close()
	}
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
	for _, h := range f.Hosts {
		h.Reached = true
	}
	r := f.Discard(context.Background(), f.Machines()[:7], 3)
	if len(r.Failed) != 1 || r.Failed["busy"] == nil || !strings.HasPrefix(r.Failed["busy"].Error(), "a task still measures there") ||
		!reflect.DeepEqual(r.Others, []string{"other", "slurm"}) || r.Nothing != 1 || !reflect.DeepEqual(f.Former, []string{"busy"}) {
		t.Errorf("%+v, former %q", r, f.Former)
	}
	for _, h := range f.Hosts {
		if h.Reached != (h.Name == "busy") {
			t.Errorf("%s still has something: %v", h.Name, h.Reached)
		}
	}
	if free, _ := os.ReadFile(filepath.Join(place, "free")); len(free) > 0 {
		t.Errorf("not held while it is removed: %s", free)
	}
	for name, want := range map[string]string{"half": "", "home": "", "none": "", "empty": "", "other": "bundle-x run-0123456789abcdef tag", "slurm": "bundle-x tag", "busy": "bundle-x run-" + f.ID + " tag"} {
		all, _ := filepath.Glob(filepath.Join(place, name, "lab-fleet-"+uid, "*"))
		for i := range all {
			all[i] = filepath.Base(all[i])
		}
		if got := strings.Join(all, " "); got != want {
			t.Errorf("%s has %q, want %q", name, got, want)
		}
	}
}

// Nodes of Slurm's are tidied up where their tasks have measured, and what is held there may
// be this fleet's.
func TestDiscardSlurm(t *testing.T) {
	fake(t, `while [ "$1" != -- ]; do shift; done
unset LAB_FLEET_FOLDER # ssh passes none on
exec sh -c "$3"`)
	place := os.Getenv("PLACE")
	if err := os.WriteFile(filepath.Join(place, "sudo"), []byte("#!/bin/sh\nshift; exec \"$@\"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	f := newSlurm(t, 1)
	tag, _, _ := strings.Cut(hostScript[strings.Index(hostScript, "mark='")+len("mark='"):], "'")
	for name, folder := range map[string]string{"submitted": "", "asked": filepath.Join(place, "as'ked")} {
		f.Slurm.Folder = filepath.Join(place, "submitted")
		t.Setenv("LAB_FLEET_FOLDER", folder)
		folder = cmp.Or(folder, f.Slurm.Folder)
		dir := filepath.Join(folder, "lab-fleet-"+strconv.Itoa(os.Getuid()))
		results := filepath.Join(dir, "run-"+f.ID, "results", "startup")
		if err := os.MkdirAll(results, 0o755); err != nil {
			t.Fatal(err)
		}
		for file, text := range map[string]string{filepath.Join(dir, "tag"): tag, filepath.Join(results, "trials.jsonl"): `{"last":true}` + "\n"} {
			if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if r := f.Remains(context.Background(), []string{"n1"}, 1)[0]; r.Err != nil || r.Away["startup"] != 1 {
			t.Errorf("%s: %+v", name, r)
		}
		lock, err := os.Open(dir)
		if err == nil {
			err = unix.Flock(int(lock.Fd()), unix.LOCK_EX)
		}
		if err != nil {
			t.Fatal(err)
		}
		if r := f.Discard(context.Background(), []string{"n1"}, 1); r.Failed["n1"] == nil || !strings.HasPrefix(r.Failed["n1"].Error(), "a task of Slurm's is at work there, this fleet's or another's") {
			t.Errorf("%s: %+v", name, r)
		}
		lock.Close()
		if r := f.Discard(context.Background(), []string{"n1"}, 1); len(r.Failed) != 0 || r.Nothing != 0 {
			t.Errorf("%s: %+v", name, r)
		}
		if _, err := os.Stat(dir); err == nil {
			t.Errorf("%s: %s still is there", name, dir)
		}
		if r := f.Discard(context.Background(), []string{"n1"}, 1); r.Nothing != 1 {
			t.Errorf("%s: %+v", name, r)
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
*work*) if [ -e "$PLACE/both" ]; then n=0; until [ -e "$PLACE/pc01.looked" ] && [ -e "$PLACE/pc02.looked" ] || [ $n -gt 2000 ]; do n=$((n + 1)); sleep 0.01; done; sleep 0.5; fi; echo '{"done":0,"total":0,"end":true}' ;;
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
		all := Of([]string{filepath.Join(f.Dir, "startup", "pc02")})
		if len(all.order) != 1 || all.order[0].count(Done) != 2 {
			t.Fatalf("%s: %+v", name, all)
		}
		f = all.order[0]
		machine := machineIn(f.results(f.Hosts[0], "startup")).ID
		for _, h := range f.Hosts {
			want := map[bool]string{true: h.Name}[x.apart]
			if got := all.Apart("startup", f.results(h, "startup"), machine); machine == "" || got != want {
				t.Errorf("%s: %q is %q, want %q: %+v", name, h.Name, got, want, h.Boot)
			}
		}
		for _, h := range f.Hosts { // as the next start does
			f.standing(h)
		}
		if same := f.SameMachines(); len(same) != 1 || same[0].Apart != x.apart || same[0].Once != (name == "one boot") || len(same[0].Names) != 2 {
			t.Errorf("%s: %+v", name, same)
		}
	}
	if s := Of([]string{t.TempDir()}); len(s.order) > 0 || s.Apart("startup", "x", "y") != "" || s.Absent("startup", nil) != nil {
		t.Error("a folder of no fleet is one's")
	}
	now := time.Now()
	a, b := &Boot{"a", now, now.Add(time.Second)}, &Boot{"b", now.Add(2 * time.Second), now.Add(time.Second)}
	if a.apart(b) || a.apart(nil) || a.apart(a) {
		t.Error("what was seen once was seen at no certain time")
	}
}

// A machine that is named twice, and whose disk was copied to another, is one of two; and
// each folder is its own fleet's, of however many.
func TestFleets(t *testing.T) {
	now := time.Now()
	boot := func(id string) *Boot { return &Boot{id, now, now.Add(time.Minute)} }
	fleet := func(names string) *Fleet {
		f := newFleet(t, strings.Fields(names)...)
		for _, h := range f.Hosts {
			if strings.HasPrefix(h.Name, "off") {
				h.State, h.Reason = Failed, "it is off"
				continue
			}
			ran(t, f, h.Name)
			h.State = Done
		}
		return f
	}
	a, b := fleet("pc1 192.0.2.1 pc2 off1 off2"), fleet("pc3 off1 off3 off4")
	a.Hosts[0].Boot, a.Hosts[1].Boot, a.Hosts[2].Boot, b.Hosts[0].Boot = boot("1"), boot("1"), boot("2"), boot("3")
	machine := machineIn(a.results(a.Hosts[0], "startup")).ID
	for _, f := range []*Fleet{a, b} {
		for _, h := range f.Hosts {
			f.standing(h)
		}
		f.share()
		if err := f.Save(); err != nil {
			t.Fatal(err)
		}
	}
	if same := a.SameMachines(); !reflect.DeepEqual(same, []Same{{Names: []string{"pc1", "192.0.2.1"}, Once: true}, {Names: []string{"pc1", "pc2"}, Apart: true}}) {
		t.Errorf("%+v", same)
	}
	// off2 is measured in the other fleet.
	other := b.results(&Host{Folder: "off2"}, "startup")
	if err := os.CopyFS(other, os.DirFS(b.results(b.Hosts[0], "startup"))); err != nil {
		t.Fatal(err)
	}
	b.Hosts = append(b.Hosts, &Host{Name: "off2", Folder: "off2", State: Done})
	if err := b.Save(); err != nil {
		t.Fatal(err)
	}
	dirs := append(a.Folders("startup"), b.Folders("startup")...)
	all := Of(dirs)
	var names []string
	for _, dir := range dirs {
		names = append(names, all.Apart("startup", dir, machine))
	}
	if got := strings.Join(names, " "); got != "pc1 pc1 pc2 pc3 off2" || all.Apart("startup", dirs[0], "another") != "" || all.Apart("startup", t.TempDir(), machine) != "" {
		t.Errorf("%q", names)
	}
	absent := func(dirs []string) (out string) {
		for _, x := range all.Absent("startup", dirs) {
			out += x.Name + ": " + x.Reason + "\n"
		}
		return out
	}
	if got := absent(dirs); got != "off1: it is off\noff3: it is off\noff4: it is off\n" {
		t.Errorf("%q", got)
	}
	if got := absent(dirs[1:]); got != "off1: it is off\noff3: it is off\noff4: it is off\n" {
		t.Errorf("of a fleet of which a folder isn't given: %q", got)
	}
	if got := absent(dirs[:len(dirs)-1]); got != "off1: it is off\noff2: it is off\n" {
		t.Errorf("of a fleet of which a folder isn't given: %q", got)
	}
}

// A machine whose user can't become root keeps nothing of the lab, and cleaning it needs
// no root.
func TestNoRoot(t *testing.T) {
	fake(t, here+`exec sh -c "$3"`)
	place := os.Getenv("PLACE")
	for name, script := range map[string]string{
		"id":   "echo 1500",
		"sudo": `echo "sudo: a password is required" >&2; exit 1`,
	} {
		if err := os.WriteFile(filepath.Join(place, name), []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	f := newFleet(t, "new", "tagged", "full")
	folder := func(host string) string { return filepath.Join(place, host, "lab-fleet-1500") }
	tag, _, _ := strings.Cut(hostScript[strings.Index(hostScript, "mark='")+len("mark='"):], "'")
	for _, host := range []string{"tagged", "full"} {
		if err := os.MkdirAll(folder(host), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder(host), "tag"), []byte(tag+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(folder("full"), "bundle-x"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := f.examine(t.Context(), f.Hosts[0]); err == nil || err.Error() != noRoot {
		t.Errorf("%v", err)
	}
	if _, err := os.Lstat(folder("new")); err == nil {
		t.Error("its folder stays")
	}
	r := f.Discard(t.Context(), []string{"new", "tagged", "full"}, 2)
	if len(r.Failed) != 1 || r.Failed["full"] == nil || r.Failed["full"].Error() != noRoot || r.Nothing != 1 {
		t.Errorf("%+v", r)
	}
	if _, err := os.Lstat(folder("tagged")); err == nil {
		t.Error("its folder stays")
	}
}
