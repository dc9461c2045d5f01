package machine

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"strconv"
)

// salt makes the id the lab's own: it can't be compared with what others derive
// from the same machine id, nor can the machine id be had from it. machine-id(5)
// asks for a keyed hash, since the id itself is confidential.
const salt = "lab: one workload, four environments"

// id tells whether two results are from the same machine, without telling which.
// Where there is no machine id, as in minimal images, it is made from what is the
// same at each start, and then says so: two machines bought together share it.
func id(t tree) string {
	for _, name := range []string{"/etc/machine-id", "/var/lib/dbus/machine-id"} {
		if v := t.read(name); v != "" && v != "uninitialized" {
			return hash("machine-id", v)
		}
	}
	kind := cpuModel(t.read("/proc/cpuinfo")) + "\n" + strconv.FormatInt(meminfo(t, "MemTotal"), 10) + "\n" +
		t.read("/sys/class/dmi/id/product_name")
	return "kind-" + hash("kind", kind)
}

// hash keys with the kind of text, so that one never stands for another.
func hash(kind, text string) string {
	h := hmac.New(sha256.New, []byte(salt))
	h.Write([]byte(kind + "\x00" + text))
	return hex.EncodeToString(h.Sum(nil)[:8])
}
