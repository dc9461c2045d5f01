package fleet

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"lab/bench/results"
)

func TestReadHosts(t *testing.T) {
	file := filepath.Join(t.TempDir(), "hosts")
	read := func(text string) ([]string, error) {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return ReadHosts(file)
	}
	got, err := read("# a class\r\npc01\r\n\n  ann@pc02 # the one by the door\n[2001:db8::1]:22\nfe80::1%eth0\n")
	if want := []string{"pc01", "ann@pc02", "fe80::1%eth0"}; err == nil || !strings.Contains(err.Error(), ":5: ") {
		t.Errorf("%v, %v", got, err)
	} else if got, err = read("pc01\nann@pc02 # x\nfe80::1%eth0\n"); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%q, %v", got, err)
	}
	for text, want := range map[string]string{
		"": "names no machine", "# none\n": "names no machine", "-oProxyCommand=x\n": `:1: "-oProxyCommand=x" isn't`, "a b\n": ":1: ",
		"a;b\n": ":1: ", "a\nb\na\n": ":3: a is named in line 1", "../x\n": ":1: ", "a$(x)\n": ":1: ", "..\n": ":1: ", "x@y\nx:y\n": ":2: ",
		"ann@\n": ":1: ", "pc01:22\n": "a port is set in ssh's own configuration: Host pc01, Port 22", "\xff\xfep\x00c\x00": "is UTF-16; fix: save it as UTF-8",
	} {
		if got, err := read(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %q, %v; want %s", text, got, err, want)
		}
	}
}

// archive is a tar of these entries.
func archive(t *testing.T, entries ...tar.Header) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range entries {
		data := []byte(h.Linkname)
		if h.Typeflag == tar.TypeReg {
			h.Size, h.Linkname = int64(len(data)), ""
		}
		h.Mode = 0o777
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if h.Typeflag == tar.TypeReg {
			w.Write(data)
		}
	}
	w.Close()
	return b.Bytes()
}

func file(name, data string) tar.Header {
	return tar.Header{Typeflag: tar.TypeReg, Name: name, Linkname: data}
}

// What a machine sends is hostile: nothing leaves the folder, and nothing but plain
// files comes in.
func TestHostileArchive(t *testing.T) {
	link := func(name, to string) tar.Header {
		return tar.Header{Typeflag: tar.TypeSymlink, Name: name, Linkname: to}
	}
	const log = "results/s/logs/a.log"
	for name, x := range map[string]struct {
		data []byte
		want string
	}{
		"good":       {archive(t, tar.Header{Typeflag: tar.TypeDir, Name: "results/"}, file(log, "x"), file("results/s/samples/m.jsonl", "x"), file("node", "x")), ""},
		"up":         {archive(t, file("../a", "x")), "has a file"},
		"absolute":   {archive(t, file("/tmp/a", "x")), "has a file"},
		"within":     {archive(t, file("results/../../a", "x")), "has a file"},
		"twice":      {archive(t, file(log, "x"), file(log, "y")), "file exists"},
		"a link":     {archive(t, link("results/s/logs", "/tmp"), file(log, "x")), ""}, // the link is left out
		"hard link":  {archive(t, tar.Header{Typeflag: tar.TypeLink, Name: log, Linkname: "/etc/passwd"}), ""},
		"device":     {archive(t, tar.Header{Typeflag: tar.TypeChar, Name: log}), ""},
		"deep":       {archive(t, file(strings.Repeat("d/", 100)+"a", "x")), "has a file"},
		"file below": {archive(t, file("results/s/samples", "x"), file("results/s/samples/b", "y")), ""},
		"pages": {archive(t, file("results/s/report.html", "y"), file("results/s/analysis.ipynb", "y"), file("results/s/logs/\x1b[2J", "y"), file("results/s/logs/.a", "y"),
			file("results/s/SHA256SUMS", "y"), file("results/a", "y"), file("manifest.json", "y"), file("results/s/saved/x", "y")), ""},
		"cut off":    {archive(t, file(log, strings.Repeat("x", 4096)))[:1500], "not whole"},
		"no archive": {[]byte(strings.Repeat("welcome to pc01\n", 100)), "no archive"},
	} {
		dir := t.TempDir()
		root, err := os.OpenRoot(dir)
		if err != nil {
			t.Fatal(err)
		}
		err = unpack(root, bytes.NewReader(x.data))
		if (err == nil) != (x.want == "") || err != nil && !strings.Contains(err.Error(), x.want) {
			t.Errorf("%s: %v, want %q", name, err, x.want)
		}
		var files []string
		filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
			if err != nil || !info.IsDir() && !info.Mode().IsRegular() || info.Mode().Perm()&0o022 != 0 {
				t.Errorf("%s: %s is %v, %v", name, path, info.Mode(), err)
			}
			files = append(files, strings.TrimPrefix(path, dir+"/"))
			return nil
		})
		root.Close()
		if name == "pages" && len(files) > 1 {
			t.Errorf("what no run writes is kept: %q", files)
		}
	}
}

// fake puts a program named ssh before the real one.
func fake(t *testing.T, script string) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "ssh"), []byte("#!/bin/sh\n"+script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	t.Setenv("PLACE", dir)
}

// here is a fake that runs the line on this machine, as if it were the one that is named.
const here = `while [ "$1" != -- ]; do shift; done
export LAB_FLEET_FOLDER=$PLACE/$2
mkdir -p "$LAB_FLEET_FOLDER"
`

// quick has no pauses before a lost connection is made again.
func quick(t *testing.T) {
	was := pauses
	pauses = []time.Duration{time.Millisecond}
	t.Cleanup(func() { pauses = was })
}

// newFleet is one of some machines, with a bundle that is no bundle.
func newFleet(t *testing.T, names ...string) *Fleet {
	t.Helper()
	f := &Fleet{Machine: "x86_64", Scenarios: []string{"startup"}, Bundle: results.Digested{Digest: "sha256:" + strings.Repeat("ab", 32), Size: 1 << 20}}
	f.SetHosts(names)
	if err := New(filepath.Join(t.TempDir(), "fleet"), []byte("format: 1\n"), f); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(f.BundlePath(), []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	return f
}

// What can be wrong with a machine has a name; the others go on; and it is in the
// fleet's folder afterwards.
func TestFailures(t *testing.T) {
	quick(t)
	fake(t, here+`say() { echo "$1" >&2; exit 255; }
case $2 in
refuses) say "ssh: connect to host refuses port 22: Connection refused" ;;
hangs) say "ssh: connect to host hangs port 22: Connection timed out" ;;
unknown) say "ssh: Could not resolve hostname unknown: Name or service not known" ;;
stranger) say "Host key verification failed." ;;
shut) say "ann@shut: Permission denied (publickey)." ;;
lost) say "Connection to lost closed by remote host." ;;
full) echo "mkdir: cannot create directory: No space left on device" >&2; exit 1 ;;
arm) printf 'arch=aarch64\nroot=yes\nroom=9999999\n' ;;
norooot) printf 'arch=x86_64\nroom=9999999\n' ;;
small) printf 'arch=x86_64\nroot=yes\nroom=1000\n' ;;
liar) yes | head -c 9000000 ;;
odd) exec sh -c "$3" ;;
esac`)
	want := map[string]string{
		"refuses": "it refuses connections", "hangs": "it hangs", "unknown": "its name isn't known", "stranger": "its host key isn't known",
		"shut": "it lets this user in by no key", "lost": "the connection was lost (Connection to lost closed", "full": "its disk is full (mkdir",
		"arm": "it is aarch64, and the bundle is for x86_64", "norooot": "its user can't become root", "small": "its disk is full: 0 MB left", "liar": "",
		"odd": "the bundle didn't arrive as it was sent",
	}
	var names []string
	for name := range want {
		names = append(names, name)
	}
	f := newFleet(t, names...)
	if err := f.Run(context.Background(), 4); err != nil {
		t.Fatal(err)
	}
	f, err := Open(f.Dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range f.Hosts {
		if h.State != Failed || !strings.HasPrefix(h.Reason, want[h.Name]) || h.Reason == "" {
			t.Errorf("%s: %s, %q", h.Name, h.State, h.Reason)
		}
		if there := strings.Contains("full arm norooot small odd", h.Name); h.Reached != there {
			t.Errorf("%s: the lab's folder may be there: %v, want %v", h.Name, h.Reached, there)
		}
	}
}

// measuredEntries are the files of a run of the experiment sha256:e.
func measuredEntries(t *testing.T) (entries []tar.Header) {
	t.Helper()
	run := filepath.Join("..", "..", "reports", "testdata", "synthetic")
	for _, name := range []string{results.ManifestFile, results.MachineFile, results.TrialsFile} {
		data, err := os.ReadFile(filepath.Join(run, name))
		if err != nil {
			t.Fatal(err)
		}
		if name == results.ManifestFile {
			data = bytes.Replace(data, []byte(`"format"`), []byte(`"experiment":{"name":"x","digest":"sha256:e"},"format"`), 1)
		}
		entries = append(entries, tar.Header{Typeflag: tar.TypeReg, Name: "results/startup/" + name, Linkname: string(data)})
	}
	return entries
}

// A machine's task is followed, a lost connection is made again, and a clock that is
// off is said; a second start leaves alone what is there.
func TestDrive(t *testing.T) {
	quick(t)
	fake(t, here+`echo "$3" | sed 's/.*echo \([^ ]*\) |.*/\1/' | base64 -d | tail -n 1 >>"$PLACE/steps"
echo >>"$PLACE/steps"
case $(tail -n 1 "$PLACE/steps") in
*look*) printf 'arch=x86_64\nroot=yes\nroom=9999999\nbundle=yes\ntime=%s\n' $(($(date +%s) + 3600)) ;;
*begin*) cat >/dev/null; echo '{"checks":[{"name":"QEMU","result":"fail"},{"name":"x","result":"ok"}]}' ;;
*work*)
	echo '{"scenario":"startup","done":1,"total":2}'
	if [ ! -e "$PLACE/once" ]; then touch "$PLACE/once"; echo "Connection reset by peer" >&2; exit 255; fi
	echo '{"done":0,"total":0,"end":true}' ;;
*fetch*) cat "$PLACE/tar" ;;
esac`)
	f := newFleet(t, "pc01")
	place := os.Getenv("PLACE")
	if err := os.WriteFile(filepath.Join(place, "tar"), archive(t, append(measuredEntries(t), file("results/startup/report.html", "<script>"))...), 0o644); err != nil {
		t.Fatal(err)
	}
	f.Draw = func(run *results.Run) error { return os.WriteFile(filepath.Join(run.Dir, "report.md"), nil, 0o644) }
	// Another experiment's isn't taken.
	f.Experiment.Digest = "sha256:d"
	if err := f.Run(context.Background(), 1); err != nil || !strings.Contains(f.Hosts[0].Reason, "isn't of this fleet's experiment") {
		t.Errorf("%v, %q", err, f.Hosts[0].Reason)
	}
	f.Experiment.Digest = "sha256:e"
	os.Remove(filepath.Join(place, "once"))
	for range 2 {
		if err := f.Run(context.Background(), 1); err != nil {
			t.Fatal(err)
		}
		h := f.Hosts[0]
		if h.State != Done || len(h.Notes) != 2 || !strings.HasPrefix(h.Notes[0], "its clock is 1h0m0s off") || h.Notes[1] != "doctor: QEMU" {
			t.Errorf("%+v", h)
		}
		if dirs := f.Folders("startup"); len(dirs) != 1 {
			t.Errorf("%q", dirs)
		} else if pages, _ := filepath.Glob(filepath.Join(dirs[0], "report.*")); len(pages) != 1 || filepath.Base(pages[0]) != "report.md" {
			t.Errorf("the report isn't drawn here: %q", pages)
		}
	}
	steps, _ := os.ReadFile(filepath.Join(place, "steps"))
	if n := strings.Count(string(steps), "'work'"); n != 4 || strings.Count(string(steps), "'finish'") != 1 {
		t.Errorf("%d tasks, want 4:\n%s", n, steps)
	}
	if left, _ := filepath.Glob(filepath.Join(f.Dir, ".*")); len(left) > 0 {
		t.Errorf("left: %q", left)
	}
	// One that was killed before it removed the machine's folder is asked to by the next.
	f.Hosts[0].State = Fetching
	if err := f.Run(context.Background(), 1); err != nil || f.Hosts[0].State != Done {
		t.Errorf("%v, %+v", err, f.Hosts[0])
	}
	steps, _ = os.ReadFile(filepath.Join(place, "steps"))
	if strings.Count(string(steps), "'work'") != 4 || strings.Count(string(steps), "'finish'") != 2 {
		t.Errorf("nobody tidied up:\n%s", steps)
	}
}

// What came isn't thrown away for a fault of this machine's, and a report that can't be
// drawn costs no results.
func TestLocalFault(t *testing.T) {
	f := newSlurm(t, 1)
	f.Experiment.Digest = "sha256:e"
	f.Draw = func(*results.Run) error { return errors.New("no ink") }
	h, tar := f.Hosts[0], f.taskFile(f.Hosts[0], "tar")
	inTheWay := filepath.Join(f.results(h, "startup"), "x")
	for _, dir := range []string{filepath.Dir(tar), inTheWay} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(tar, archive(t, measuredEntries(t)...), 0o644); err != nil {
		t.Fatal(err)
	}
	if !f.arrived(h) || h.State != Failed || !strings.Contains(h.Reason, "isn't a whole run; fix: remove it") || !strings.Contains(h.Reason, tar) {
		t.Errorf("%s, %q", h.State, h.Reason)
	}
	if _, err := os.Stat(tar); err != nil {
		t.Fatalf("what was measured is lost: %v", err)
	}
	if _, err := f.standing(h); err == nil {
		t.Error("it would be measured for nothing")
	}
	os.RemoveAll(filepath.Dir(inTheWay))
	if !f.arrived(h) || h.State != Done || len(h.Notes) != 1 || !strings.Contains(h.Notes[0], "no ink") {
		t.Errorf("%+v", h)
	}
	for _, err := range []error{&os.PathError{Op: "write", Path: "x", Err: unix.ENOSPC}, &reworded{&os.PathError{Op: "write", Path: "x", Err: unix.EDQUOT}, "x"}} {
		if !local(err) {
			t.Errorf("%v is taken for the machine's", err)
		}
	}
}

// A bundle says itself which machines it is for.
func TestUseBundle(t *testing.T) {
	program := func(machine byte) string { return "\x7fELF" + strings.Repeat("\x00", 14) + string([]byte{machine, 0}) }
	zip := func(data []byte) []byte {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		w.Write(data)
		w.Close()
		return b.Bytes()
	}
	for name, x := range map[string]struct {
		data    []byte
		machine string
	}{
		"x86":     {zip(archive(t, file("lab-1/README.md", "x"), file("lab-1/lab", program(62)))), "x86_64"},
		"arm":     {zip(archive(t, file("lab-1/lab", program(183)))), "aarch64"},
		"other":   {zip(archive(t, file("lab-1/lab", program(243)))), ""},
		"deeper":  {zip(archive(t, file("lab-1/x/lab", program(62)))), ""},
		"cut off": {zip(archive(t, file("lab-1/lab", "\x7fELF"))), ""},
		"text":    {[]byte("pc01\n"), ""},
	} {
		f := newFleet(t)
		os.Remove(f.BundlePath())
		from := filepath.Join(t.TempDir(), "bundle")
		if err := os.WriteFile(from, x.data, 0o644); err != nil {
			t.Fatal(err)
		}
		err := f.UseBundle(from)
		if (err == nil) != (x.machine != "") || err == nil && (f.Machine != x.machine || f.Bundle.Size != int64(len(x.data))) || err != nil && !strings.Contains(err.Error(), "isn't an archive of lab bundle") {
			t.Errorf("%s: %v, %s, %+v", name, err, f.Machine, f.Bundle)
		}
	}
}

// A commit's version is before any number; dpkg takes it.
func TestDebianVersion(t *testing.T) {
	for in, want := range map[string]string{"v1.2.3": "1.2.3", "0.1.0": "0.1.0", "v0.1.0-4-gabcdef": "0.1.0.4.gabcdef", "abcdef0-dirty": "0~gitabcdef0.dirty",
		"4abcdef": "0~git4abcdef", "": "0~git", "0.1.0/x y": "0.1.0.x.y"} {
		if got := DebianVersion(in); got != want {
			t.Errorf("%q is %q, want %q", in, got, want)
		}
	}
}

// fakes puts Slurm's commands, as scripts, before the real ones. What they are asked is
// in the file asked.
func fakes(t *testing.T, scripts map[string]string) (asked func() string) {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"sbatch", "squeue", "sinfo", "scancel", "sacct"} {
		script := "#!/bin/sh\nPLACE=" + dir + "\necho " + name + " \"$@\" >>$PLACE/asked\n" + scripts[name]
		if err := os.WriteFile(filepath.Join(dir, name), []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	was := [...]time.Duration{askEvery, arriveAfter, endWithin}
	askEvery, arriveAfter, endWithin = 10*time.Millisecond, 100*time.Millisecond, 2*time.Second
	t.Cleanup(func() { askEvery, arriveAfter, endWithin = was[0], was[1], was[2] })
	return func() string {
		data, _ := os.ReadFile(filepath.Join(dir, "asked"))
		return string(data)
	}
}

// newSlurm is a fleet of n tasks, with a bundle that is no bundle.
func newSlurm(t *testing.T, n int) *Fleet {
	t.Helper()
	f := newFleet(t)
	f.Slurm = &Slurm{Options: []string{"--partition=bench"}}
	f.SetTasks(n)
	return f
}

// How a task can end has a name; one that Slurm doesn't know any more is looked up in
// its accounting, if it has any.
func TestSlurmEnds(t *testing.T) {
	f := newSlurm(t, 11)
	fakes(t, map[string]string{
		"sbatch": `cat >/dev/null; cd "$LAB_FLEET_FOLDER/slurm"; : >5.out; echo '{"done":0,"total":0,"end":true,"err":"lab: another lab measures here"}' >4.log; echo 7`,
		"squeue": `grep -q sbatch $PLACE/asked || exit 0
printf '7|0|CANCELLED|None|n0\n7|1|TIMEOUT|TimeLimit|n1\n7|2|NODE_FAIL|NodeDown|n2\n7|3|OUT_OF_MEMORY|OOM|n3\n7|4|FAILED|NonZeroExitCode|n4\n7|5|FAILED|NonZeroExitCode|n5\n7|6|FAILED|x|n6\n6|7|RUNNING|None|n7\n7|9|PENDING|Resources|\n7|10|PENDING|JobHeldAdmin|\n'`,
		"sacct": `printf '6_7|RUNNING|n7\n7_7|CANCELLED by 1000|n7\n'`,
		"sinfo": `printf 'n9|drained*|bench*|a disk\033[2J is dead\nn10|down|bench|none\n'`,
	})
	t.Setenv("LAB_FLEET_FOLDER", f.Dir)
	if err := f.Run(context.Background(), 10); err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"its job was cancelled (n0)", "Slurm's time limit came in the middle (n1)", "its node failed (n2)", "its job ran out of memory (n3)",
		"another lab measures here (n4)", "its task ended early (n5)",
		"its node wrote nothing into the fleet's folder; fix: --out in a folder that all nodes see (n6)", "its job was cancelled (n7)",
		"Slurm doesn't know its job any more, and no results came", "Slurm has no node for it: n10 is down, n9 is drained (a disk\uFFFD[2J is dead)",
		"Slurm holds its job (jobheldadmin); fix: scontrol release, or lab fleet resume"} {
		if h := f.Hosts[i]; h.State != Failed || h.Reason != want {
			t.Errorf("task %d: %s, %q, want %q", i, h.State, h.Reason, want)
		}
	}
}

// A task that gets a node which is measured is submitted again without that; results are
// named after their node, unless that is no name; and a job that was submitted is
// followed, not submitted once more.
func TestSlurmAgain(t *testing.T) {
	f := newSlurm(t, 3)
	f.Experiment.Digest = "sha256:e"
	place := t.TempDir()
	for file, name := range map[string]string{"good": "n1", "odd": "../../etc", "third": "n1"} {
		entries := append(measuredEntries(t), tar.Header{Typeflag: tar.TypeReg, Name: "node", Linkname: name + "\n"})
		if err := os.WriteFile(filepath.Join(place, file), archive(t, entries...), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	asked := fakes(t, map[string]string{
		"sbatch": `cat >$PLACE/script; cd "$LAB_FLEET_FOLDER/slurm"
case $(grep -c '^sbatch' $PLACE/asked) in
1) cp ` + place + `/good 0.tar; echo n1 >1.measured; echo '7;cluster' ;;
*) cp ` + place + `/odd 1.tar; cp ` + place + `/third 2.tar; echo 8 ;;
esac`,
		"squeue": `case $(grep -c '^sbatch' $PLACE/asked) in
1) printf '7|1|FAILED|NonZeroExitCode|n1\n7|2|RUNNING|None|n2\n' ;;
2) printf '8|1|COMPLETED|None|n3\n7|2|COMPLETED|None|n2\n' ;;
esac`,
		"sinfo": `printf 'n1|idle|bench|none\n'`,
	})
	t.Setenv("LAB_FLEET_FOLDER", f.Dir)
	if err := f.Run(context.Background(), 10); err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"n1", "task-1", "task-2"} {
		if h := f.Hosts[i]; h.State != Done || h.Name != want || len(f.Folders("startup")) != 3 {
			t.Errorf("%+v, %q; want %s", h, f.Folders("startup"), want)
		}
	}
	said := asked()
	for _, want := range []string{"--array=0-2%10 ", "--array=1%10 ", "--exclude=n1\n", "sbatch --mem=0 --partition=bench --parsable --job-name=lab-fleet-" + f.ID + " "} {
		if !strings.Contains(said, want) {
			t.Errorf("nobody asked %q:\n%s", want, said)
		}
	}
	if n := strings.Count(said, "sbatch "); n != 2 {
		t.Errorf("%d jobs, want 2:\n%s", n, said)
	}
	bin, _, _ := strings.Cut(os.Getenv("PATH"), ":")
	script, _ := os.ReadFile(filepath.Join(bin, "script"))
	if !bytes.HasPrefix(script, []byte("#!/bin/sh\n")) || !bytes.Contains(script, []byte("\n'task' '"+f.Dir+"' ")) {
		t.Errorf("the job is\n%s", script)
	}
	if got, err := Open(f.Dir); err != nil || got.Hosts[0].Name != "n1" || got.Slurm.Job != "8" || got.Slurm.Folder != f.Dir {
		t.Errorf("%+v, %v", got, err)
	}
	if got := ranges([]int{0, 1, 2, 5, 7, 8}); got != "0-2,5,7-8" {
		t.Error(got)
	}
}

// The reason for a failure is the line that says so, with the cure that stands under it.
func TestLast(t *testing.T) {
	for in, want := range map[string]string{"": "", "a\nb\n": "b", "lab: another lab is here (run 7)\n     fix: --wait\n": "lab: another lab is here (run 7); fix: --wait", "fix: x": "fix: x"} {
		if got := lastLine(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}
