package scenarios

import (
	"slices"
	"strings"
	"testing"
)

// Each probe names ingredients that there are, another kernel stops all of them,
// and what an ingredient's lack lets through follows from the data.
func TestIsolationProbes(t *testing.T) {
	if n := len(isolationProbes); n < 40 {
		t.Errorf("%d probes", n)
	}
	known := strings.Fields("kernel root bare mnt nodev pid net ipc uts cgroup user time caps seccomp covers readonly")
	names := map[string]bool{}
	for _, p := range isolationProbes {
		if names[p.name] {
			t.Errorf("%s: twice", p.name)
		}
		names[p.name] = true
		for _, w := range strings.Fields(p.hides + " " + p.guards) {
			if !slices.Contains(known, w) {
				t.Errorf("%s: no ingredient %s", p.name, w)
			}
		}
		if p.by == "" || p.title == "" {
			t.Errorf("%s: what decides it?", p.name)
		}
		if got := p.follows(isolationOutside{has: map[string]bool{"kernel": true}}); got != isolationNeither {
			t.Errorf("%s: another kernel leaves %s", p.name, isolationWords[got])
		}
		if got := p.follows(isolationOutside{}); got != p.open || got == isolationNeither {
			t.Errorf("%s: without any ingredient %s", p.name, isolationWords[got])
		}
	}
	all := map[string]bool{}
	for _, k := range strings.Fields("root mnt nodev pid net ipc uts cgroup caps seccomp") {
		all[k] = true
	}
	for without, flips := range map[string]string{"pid": "process-list", "net": "net-port", "ipc": "ipc-queue", "uts": "host-name", "cgroup": "cgroup-path", "caps": "clock", "seccomp": "keyring"} {
		i := slices.IndexFunc(isolationProbes, func(p isolationProbe) bool { return p.name == flips })
		whole := isolationProbes[i].follows(isolationOutside{has: all})
		all[without] = false // what root may then do, too
		if got := isolationProbes[i].follows(isolationOutside{has: all}); got <= whole {
			t.Errorf("without %s %s is %s, and was %s", without, flips, isolationWords[got], isolationWords[whole])
		}
		all[without] = true
	}
}
