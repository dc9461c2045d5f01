package fleet

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"lab/bench/input"
	"lab/bench/results"
)

// A fleet.json that somebody wrote by hand, or that was begun alone, is refused: nothing of
// it may lead out of folders here, or on other machines.
func TestDoctored(t *testing.T) {
	good := `{"format":1,"id":"0123456789abcdef","bundle":{"name":"b","digest":"sha256:` + strings.Repeat("ab", 32) + `"},"scenarios":["startup"],"hosts":[{"name":"pc01","folder":"pc01","state":"failed"}]}`
	for name, x := range map[string]struct{ old, new, want string }{
		"good":          {"", "", ""},
		"no bundle":     {`"digest":"sha256:` + strings.Repeat("ab", 32), `"digest":"`, "it has no bundle"},
		"bundle out":    {`sha256:` + strings.Repeat("ab", 32), `../../../../tmp/x`, "it has no bundle"},
		"null host":     {`[{"name"`, `[null,{"name"`, "isn't a machine's name"},
		"host out":      {`"folder":"pc01"`, `"folder":"../x"`, "isn't a machine's name"},
		"option":        {`"name":"pc01"`, `"name":"-oProxyCommand=x"`, "isn't a machine's name"},
		"twice":         {`"hosts":[`, `"hosts":[{"name":"pc01","folder":"pc01"},`, "is there twice"},
		"task twice":    {`"hosts":[`, `"slurm":{},"hosts":[{"name":"pc02","folder":"pc02"},`, "is there twice"},
		"scenario out":  {`"startup"`, `"../x"`, "isn't a scenario"},
		"escape":        {`"startup"`, `"a\u001b[2Jb"`, "isn't a scenario"},
		"nodes' folder": {`"scenarios"`, `"slurm":{"folder":"x"},"scenarios"`, "isn't a folder of its nodes"},
		"no id":         {"0123456789abcdef", "../../../../tmp/x", "no id"},
		"another's":     {`"format":1`, `"format":2`, "format 2"},
		"no such thing": {good, "[]", "cannot unmarshal"},
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, File), []byte(strings.Replace(good, x.old, x.new, 1)), 0o644); err != nil {
			t.Fatal(err)
		}
		_, err := Open(dir)
		if (err == nil) != (x.want == "") || err != nil && !strings.Contains(err.Error(), x.want) {
			t.Errorf("%s: %v, want %q", name, err, x.want)
		}
	}
	dir := t.TempDir()
	long := strings.Replace(good, `"state"`, `"notes":["a\nb\u001b[2J","`+strings.Repeat("x", 9000)+`"],"state"`, 1)
	if err := os.WriteFile(filepath.Join(dir, File), []byte(long), 0o644); err != nil {
		t.Fatal(err)
	}
	f, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if n := f.Hosts[0].Notes; n[0] != "a b\uFFFD[2J" || len(n[1]) > 600 {
		t.Errorf("%q", n)
	}
}

// A few bytes that take much memory are refused before they do: of a machine's trials, and in
// a fleet.json.
func TestFewValues(t *testing.T) {
	root, err := os.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	if err := unpack(root, bytes.NewReader(archive(t, file("results/s/trials.jsonl", strings.Repeat("{}\n", maxLines+1))))); !errors.Is(err, errMany) {
		t.Errorf("many short lines: %v", err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, File), []byte(`{"format":1,"hosts":[{}`+strings.Repeat(",{}", maxValues)+"]}"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir); !errors.Is(err, input.ErrMany) {
		t.Errorf("many hosts of nothing: %v", err)
	}
}

// A machine that says nothing any more in the middle of a step holds nobody up, and one
// that says much isn't quoted whole.
func TestSilent(t *testing.T) {
	quick(t)
	was := [...]time.Duration{heardWithin, stepWithin, aheadWithin}
	heardWithin, stepWithin, aheadWithin = 300*time.Millisecond, 300*time.Millisecond, time.Second
	t.Cleanup(func() { heardWithin, stepWithin, aheadWithin = was[0], was[1], was[2] })
	fake(t, here+`step=$(echo "$3" | sed 's/.*echo \([^ ]*\) |.*/\1/' | base64 -d | tail -n 1)
hang() { exec sleep 100; }
case $step in
*look*) bundle=yes; [ "$2" != put ] || bundle=no
	if [ "$2" = long ]; then printf 'arch='; head -c 3000000 /dev/zero | tr '\0' x; fi
	printf 'arch=x86_64\nroot=yes\nroom=9999999\nbundle=%s\n' $bundle ;;
*put*) hang ;;
*begin*) if [ "$2" = begin ]; then hang; fi; cat >/dev/null; echo '{}' ;;
*work*) if [ "$2" = work ]; then hang; fi; while [ "$2" = drip ]; do echo '{"scenario":"startup","done":1,"total":2}'; sleep 0.1; done; echo '{"done":0,"total":0,"end":true}' ;;
*fetch*) hang ;;
esac`)
	f := newFleet(t, "put", "begin", "work", "fetch", "drip")
	if err := os.Truncate(f.BundlePath(), 10<<20); err != nil { // more than a pipe holds
		t.Fatal(err)
	}
	began := time.Now()
	if err := f.Run(context.Background(), 10); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took > 30*time.Second {
		t.Errorf("it took %v", took)
	}
	for _, h := range f.Hosts {
		if want := map[bool]string{true: "it gets no further", false: "it hangs: "}[h.Name == "drip"]; h.State != Failed || !strings.HasPrefix(h.Reason, want) {
			t.Errorf("%s: %s, %q", h.Name, h.State, h.Reason)
		}
	}
	f = newFleet(t, "long")
	f.set(f.Hosts[0], Failed, &Failure{Reason: strings.Repeat("x", 3<<20)})
	if n := len(f.Hosts[0].Reason); n > 600 {
		t.Errorf("a reason has %d bytes", n)
	}
}

// A machine that says something without an end, on either output, ends with its step, and
// not when its time is over.
func TestEndless(t *testing.T) {
	quick(t)
	fake(t, here+`step=$(echo "$3" | sed 's/.*echo \([^ ]*\) |.*/\1/' | base64 -d | tail -n 1)
case $2$step in
out*left*) exec yes startup=5 ;;
err*left*) exec yes >&2 ;;
minus*left*) echo startup=-5 ;;
work*look*) printf 'arch=x86_64\nroot=yes\nroom=9999999\nbundle=yes\n' ;;
work*begin*) cat >/dev/null; echo '{}' ;;
work*work*) yes >&2 & while sleep 0.1; do echo '{"scenario":"startup","done":1,"total":2}'; done ;;
esac`)
	f := newFleet(t, "out", "err", "minus", "work")
	began := time.Now()
	for _, r := range f.Remains(context.Background(), []string{"out", "err", "minus"}, 3) {
		if bad := r.Host != "minus"; errors.Is(r.Err, errMuch) != bad || len(r.Away) > 0 && !bad {
			t.Errorf("%s: %v, %v", r.Host, r.Away, r.Err)
		}
	}
	f.Hosts = f.Hosts[3:]
	if err := f.Run(context.Background(), 1); err != nil {
		t.Fatal(err)
	}
	if h := f.Hosts[0]; h.State != Failed || h.Reason != errMuch.Reason {
		t.Errorf("%s: %s, %q", h.Name, h.State, h.Reason)
	}
	if took := time.Since(began); took > 30*time.Second {
		t.Errorf("it took %v", took)
	}
}

// The names of results that have come are saved before their archive is removed; a task
// that says it has measured, and whose results are nowhere, is measured again; and a node
// that is always measured already is asked for some times, not for ever.
func TestSlurmKilled(t *testing.T) {
	place := t.TempDir()
	node := func(name string) string {
		entries := append(measuredEntries(t), file("node", name))
		if err := os.WriteFile(filepath.Join(place, name), archive(t, entries...), 0o644); err != nil {
			t.Fatal(err)
		}
		return filepath.Join(place, name)
	}
	f := newSlurm(t, 3)
	f.Experiment.Digest = "sha256:e"
	t.Setenv("LAB_FLEET_FOLDER", f.Dir)
	slurm := filepath.Join(f.Dir, slurmDir)
	if err := os.Mkdir(slurm, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"1.done": "n2", "measured-n2": "1"} {
		if err := os.WriteFile(filepath.Join(slurm, name), []byte(text+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	asked := fakes(t, map[string]string{
		"sbatch": `cat >/dev/null; cd "$LAB_FLEET_FOLDER/slurm"
[ -e 0.tar ] || cp ` + node("n1") + ` 0.tar
if [ ! -e 1.done ] && [ ! -e measured-n2 ]; then cp ` + node("n2") + ` 1.tar; fi
echo n1 >2.measured; echo 7`,
		"squeue": `cd "$LAB_FLEET_FOLDER"; if ! grep -q sbatch $PLACE/asked || [ -e slurm/0.tar ] || [ ! -d slurm ]; then :; elif ! grep -q '"n1"' fleet.json; then echo x >slurm/unsaved; fi
printf '7|2|FAILED|x|n1\n'`,
	})
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := f.Run(ctx, 10); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(slurm, "unsaved")); err == nil {
		t.Error("an archive was removed before its results' name was saved")
	}
	if f.Hosts[0].Name != "n1" || f.Hosts[1].State != Done || !strings.Contains(f.Hosts[2].Reason, "a node that is measured") {
		t.Errorf("%+v, %+v, %+v", f.Hosts[0], f.Hosts[1], f.Hosts[2])
	}
	if n := strings.Count(asked(), "sbatch "); n > 15 {
		t.Errorf("%d jobs", n)
	}
}

// Nodes can write into a fleet's folder. No link there leads to what only this user may
// read, and no results go where one leads; a pipe is waited for by nobody.
func TestSlurmLinks(t *testing.T) {
	f := newSlurm(t, 4)
	f.Experiment.Digest = "sha256:e"
	t.Setenv("LAB_FLEET_FOLDER", f.Dir)
	outside := t.TempDir()
	for name, text := range map[string]string{"secret": "root:secret:1\n", "tar": string(archive(t, measuredEntries(t)...))} {
		if err := os.WriteFile(filepath.Join(outside, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(outside, filepath.Join(f.Dir, "startup")); err != nil {
		t.Fatal(err)
	}
	fakes(t, map[string]string{
		"sbatch": `cat >/dev/null; cd "$LAB_FLEET_FOLDER/slurm"; ln -s ` + outside + `/secret 0.out; cp ` + outside + `/tar 1.tar; mkfifo 2.tar 3.out 3.log; ln -s ` + outside + `/secret 3.doctor; echo 7`,
		"squeue": `printf '7|0|FAILED|x|n0\n7|3|FAILED|x|n3\n'`,
	})
	if err := f.Run(context.Background(), 10); err != nil {
		t.Fatal(err)
	}
	for _, h := range f.Hosts {
		if h.State != Failed || h.Reason == "" || strings.Contains(h.Reason, "secret:1") {
			t.Errorf("task %d: %s, %q", h.Task, h.State, h.Reason)
		}
	}
	if left, _ := os.ReadDir(outside); len(left) != 2 {
		t.Errorf("it wrote outside: %v", left)
	}
}

// What a killed one left is swept from any folder, and results belong to the user.
func TestSweep(t *testing.T) {
	f := newFleet(t, "pc01")
	odd := filepath.Join(filepath.Dir(f.Dir), "out[1]*")
	if err := os.Rename(f.Dir, odd); err != nil {
		t.Fatal(err)
	}
	f.Dir = odd
	if err := os.MkdirAll(filepath.Join(f.Dir, unfinished+"1", "x"), 0o755); err != nil {
		t.Fatal(err)
	}
	f.sweep()
	if _, err := os.Stat(filepath.Join(f.Dir, unfinished+"1")); err == nil {
		t.Error("it is still there")
	}
	if os.Getuid() != 0 {
		return
	}
	t.Setenv("SUDO_UID", "12345")
	t.Setenv("SUDO_GID", "12345")
	f.Experiment.Digest = "sha256:e"
	if missing, err := f.take(f.Hosts[0], strings.NewReader(string(archive(t, measuredEntries(t)...)))); err != nil || len(missing) > 0 {
		t.Fatal(missing, err)
	}
	to := f.results(f.Hosts[0], "startup")
	for _, name := range []string{filepath.Dir(to), to, filepath.Join(to, results.ManifestFile)} {
		st, err := os.Stat(name)
		if err != nil || st.Sys().(*syscall.Stat_t).Uid != 12345 {
			t.Errorf("%s: %+v, %v", name, st, err)
		}
	}
}

// While an archive is written nothing of it has a name: who is killed leaves nothing. An
// older one is replaced when the new one is whole, and stays when that failed.
func TestSaveKilled(t *testing.T) {
	dir := t.TempDir()
	if f, err := os.OpenFile(dir, unix.O_TMPFILE|os.O_RDWR, 0o600); err != nil {
		t.Skip("SKIPPED: the file system has no files without a name; fix: another TMPDIR")
	} else {
		f.Close()
	}
	file := filepath.Join(dir, "x.tar.gz")
	broken := false
	for _, want := range []string{"one", "two", "two"} {
		_, _, err := save(file, os.Getuid(), os.Getgid(), func(w io.Writer) (string, error) {
			if all, _ := filepath.Glob(filepath.Join(dir, ".*")); len(all) > 0 {
				t.Errorf("there is %q", all)
			}
			if broken {
				return "", errors.New("broken")
			}
			_, err := io.WriteString(w, want)
			return "", err
		})
		got, _ := os.ReadFile(file)
		if (err != nil) != broken || string(got) != want {
			t.Errorf("%q, %v, want %q", got, err, want)
		}
		broken = want == "two"
	}
	if all, _ := os.ReadDir(dir); len(all) != 1 {
		t.Errorf("left: %v", all)
	}
	// Nothing takes the place of a device, a pipe or a folder.
	pipe := filepath.Join(dir, "pipe")
	if err := unix.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, at := range []string{pipe, dir} {
		if _, _, err := save(at, os.Getuid(), os.Getgid(), func(io.Writer) (string, error) { return "", nil }); err == nil || !strings.Contains(err.Error(), "no regular file") {
			t.Errorf("%s: %v", at, err)
		}
	}
	if st, err := os.Stat(pipe); err != nil || st.Mode().IsRegular() {
		t.Errorf("it was replaced: %v, %v", st, err)
	}
}

// Options that would have sbatch wait, or name nodes, are refused in all their forms.
func TestSlurmOptions(t *testing.T) {
	fakes(t, nil)
	for o, ok := range map[string]bool{"--wait": false, "--wai": false, "-W": false, "-wn1": false, "-Mx": false, "--cluster=x": false, "--nodel=n1": false, "--wrap=x": false, "x": false,
		"--partition=a": true, "-pa": true, "--nodes=1": true, "--wait-all-nodes=1": true, "--mem=1G": true, "--time=1": true} {
		if err := CheckSlurm([]string{o}); (err == nil) != ok {
			t.Errorf("%s: %v", o, err)
		}
	}
}
