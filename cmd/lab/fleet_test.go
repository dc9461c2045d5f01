package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// room runs a script of testdata/fleet in namespaces of its own, among machines that
// sshd answers for, and returns what it said. All of it ends with the script. The bundle
// is small: no guest kernel is in it.
func room(t *testing.T, script string) string {
	t.Helper()
	needs(t)
	nothingLeft(t)
	for name, path := range map[string]string{"sshd": "/usr/sbin/sshd", "ssh": "/usr/bin/ssh"} {
		if _, err := os.Stat(path); err != nil {
			t.Skip("SKIPPED: no " + name + "; fix: apt-get install openssh-server openssh-client")
		}
	}
	dir := programsBuilt(t)
	abs := func(name string) string {
		name, err := filepath.Abs(name)
		if err != nil {
			t.Fatal(err)
		}
		return name
	}
	cmd := exec.Command("unshare", "--net", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child", "sh", abs("testdata/fleet/"+script))
	cmd.Env = append(os.Environ(), "WORK="+t.TempDir(), "ROOM="+abs("testdata/fleet/room.sh"), "LABDIR="+dir, "LAB_CACHE="+t.TempDir(), "LC_ALL=C", "COLUMNS=1000")
	said, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%v:\n%s", err, said)
	}
	t.Logf("%s", said)
	return string(said)
}

func wants(t *testing.T, said string, all ...string) {
	t.Helper()
	for _, want := range all {
		if !strings.Contains(said, want) {
			t.Errorf("it doesn't say %q:\n%s", want, said)
		}
	}
}

// One machine is measured through a real sshd, the others are named with what is wrong,
// and nothing stays but the bundle, and not that after lab fleet clean.
func TestFleet(t *testing.T) {
	wants(t, room(t, "quick.sh"), "status 1\n", "1 of 4 machines measured: out\n", "- pc2: not measured: its disk is full: ", "- pc3: not measured: its host key isn't known",
		"- 192.0.2.1: not measured: it refuses connections", "left: \n", "2 of 2 machines have nothing of lab fleet\nthen: pc1/tmp:\n\npc2/tmp:\n")
}

// A machine that goes away loses itself alone, and resumes when it is back; the lab on
// the machines ends when whoever asked for it is killed; and no trial is missing or twice.
func TestFleetLong(t *testing.T) {
	if os.Getenv("LAB_LONG") == "" {
		t.Skip("SKIPPED: takes 3 minutes; fix: LAB_LONG=1")
	}
	said := room(t, "long.sh")
	wants(t, said, "- pc2: not measured: ", "then: pc1\npc3\n", "it comes back\nstatus 0\n", "- pc1: not measured: ", "2 of 3 machines measured: other")
	for _, pc := range []string{"pc1", "pc2", "pc3"} {
		wants(t, said, pc+" startup: 3004 trials", pc+" command: 3004 trials", pc+" has bundle tag \n")
	}
	if strings.Contains(said, "still runs") {
		t.Error(said)
	}
}
