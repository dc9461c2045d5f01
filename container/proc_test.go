package container

import (
	"testing"

	"lab/bench"
	"lab/bench/confine"
)

// Each place below /proc that is hidden shows an empty folder that can't be
// written to, however many there are: of acpi, asound and scsi a machine may have
// any. This kernel's other folders stand for those that it lacks. Before Linux
// 6.15 a mount that is attached nowhere can't be cloned: .ci/guest and .ci/stock
// run this on 6.1.
func TestHiddenFolders(t *testing.T) {
	h := newHostile(t)
	before := confine.HiddenFolders
	t.Cleanup(func() { confine.HiddenFolders = before })
	for _, folders := range [][]string{nil, {"driver"}, {"acpi", "asound", "scsi", "driver", "sysvipc", "tty"}} {
		confine.HiddenFolders = folders
		script := "true"
		for _, f := range folders {
			if exists("/proc/" + f) {
				script += " && [ -d /proc/" + f + " ] && [ -z \"$(ls /proc/" + f + ")\" ] && ! touch /proc/" + f + "/x"
			}
		}
		if out, x, err := h.run(bench.Spec{}, "("+script+") 2>/dev/null"); err != nil || x.Status() != 0 {
			t.Errorf("hidden %q: %q, %v, %v", folders, out, x, err)
		}
	}
}
