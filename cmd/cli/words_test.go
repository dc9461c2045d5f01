package cli

import (
	"strings"
	"testing"
)

func TestNearest(t *testing.T) {
	known := []string{"host", "chroot", "container", "vm", "vm-bare"}
	for word, want := range map[string]string{
		"hsot": "host", "contaner": "container", "cont": "container", "Container": "container",
		"chrot": "chroot", "wm": "vm", "docker": "", "": "",
	} {
		if got := nearest(word, known); got != want {
			t.Errorf("nearest(%q) = %q, want %q", word, got, want)
		}
	}
}

func TestSize(t *testing.T) {
	for word, want := range map[string]int64{
		"": 0, "1": 1, "4k": 4 << 10, "64M": 64 << 20, "64MiB": 64 << 20, "2g": 2 << 30, "1T": 1 << 40,
		"x": -1, "M": -1, "B": -1, "-1M": -1, "0": -1, "99999999T": -1, "1.5G": -1,
	} {
		got, err := size(word)
		if err != nil {
			got = -1
		}
		if got != want {
			t.Errorf("size(%q) = %d, %v, want %d", word, got, err, want)
		}
	}
}

func TestQuote(t *testing.T) {
	for word, want := range map[string]string{
		"plain-1=a,b": "plain-1=a,b", "": "''", "a b": "'a b'", "it's": `'it'\''s'`, "$HOME": "'$HOME'", "é": "'é'",
	} {
		if got := quote(word); got != want {
			t.Errorf("quote(%q) = %s, want %s", word, got, want)
		}
	}
}

func TestParseUser(t *testing.T) {
	u, err := parseUser("1000:100")
	if err != nil || u.UID != 1000 || u.GID != 100 {
		t.Errorf("1000:100 is %+v, %v", u, err)
	}
	for _, bad := range []string{"root", ":", "1:", "-1", "1:2:3", "4294967296"} {
		if u, err := parseUser(bad); err == nil {
			t.Errorf("%s is %+v, want an error", bad, u)
		}
	}
}

// Each variable has one value, the last.
func TestSetVar(t *testing.T) {
	env := []string{"PATH=/bin"}
	for _, e := range []string{"A=1", "PATH=/sbin", "A=2=3", "AB=4"} {
		env = setVar(env, e)
	}
	if got := strings.Join(env, " "); got != "PATH=/sbin A=2=3 AB=4" {
		t.Error(got)
	}
}

// What other tools call a flag leads to ours, on a command that has it.
func TestOtherwise(t *testing.T) {
	run := []string{"--env", "--runs", "--warmup", "--out", "--work", "--seed", "--max-time", "--cpus", "--json", "--predict"}
	for word, want := range map[string]string{
		"trials": "--runs", "trails": "--runs", "n": "--runs", "repeat": "--runs", "output": "--out", "environment": "--env",
		"dry-run": "--predict", "timeout": "--max-time", "workdir": "--work", "cpuset": "--cpus",
		"rnus": "", "sede": "", "mount": "", "nosuch": "", "x": "",
	} {
		if got := otherwise(word, run); got != want {
			t.Errorf("otherwise(%q) = %q, want %q", word, got, want)
		}
	}
	if got := otherwise("env", []string{"--env-file", "--env-var"}); got != "--env-var" {
		t.Errorf("exec --env is %q", got)
	}
}

// Of many words only the few that may be meant are named.
func TestFewNearest(t *testing.T) {
	known := []string{"direct-read", "direct-write", "latency", "latency-p99", "net", "nic", "ready", "startup", "steal", "stream", "streams"}
	for word, want := range map[string]string{
		"strtup": "startup", "nosuch": "", "latncy": "latency", "laten": "latency latency-p99", "stream": "stream streams steal",
		"read": "ready direct-read", "READY": "ready", "": "", "nik": "nic",
	} {
		if got := strings.Join(fewNearest(word, known, 5), " "); got != want {
			t.Errorf("fewNearest(%q) = %q, want %q", word, got, want)
		}
	}
	if got := len(fewNearest("direct", []string{"direct-a", "direct-b", "direct-c"}, 2)); got != 2 {
		t.Errorf("%d of 2", got)
	}
}

func TestWholeDisk(t *testing.T) {
	if d, err := wholeDisk("/nosuch"); err == nil {
		t.Error("a disk that isn't there:", d)
	}
}
