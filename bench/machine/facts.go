package machine

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"lab/bench/cgroup"
	"lab/bench/results"
)

// Facts describes the machine whose file tree is at root, "" being the one that
// we run on. What can't be found out stays zero; the error says that a machine
// isn't recognisable at all, as where /proc isn't mounted. Acceleration and
// Versions are the caller's to fill in. Call it before entering a PID namespace:
// the machine's init is its PID 1.
func Facts(root string) (results.Machine, error) {
	t := tree(root)
	m := results.Machine{
		ID:          id(t),
		OS:          osName(t),
		Kernel:      t.read("/proc/sys/kernel/osrelease"),
		Arch:        runtime.GOARCH,
		CPU:         cpuModel(t.read("/proc/cpuinfo")),
		CPUs:        countCPUs(field(t.read("/proc/self/status"), "Cpus_allowed_list")),
		Memory:      meminfo(t, "MemTotal"),
		Swap:        meminfo(t, "SwapTotal"),
		KSM:         ksm(t),
		HugePages:   hugePages(t),
		RCU:         rcu(t),
		Governor:    governor(t),
		Mitigations: mitigations(t),
		WSL:         isWSL(t),
		Security:    security(t),
		Init:        t.read("/proc/1/comm"),
		Go:          runtime.Version(),
		Versions:    map[string]string{},
	}
	m.Hypervisor, m.Virtual = hypervisor(t)
	m.Emulated = m.Virtual && emulated(t.read("/proc/cpuinfo"), root == "")
	if load, _, ok := strings.Cut(t.read("/proc/loadavg"), " "); ok {
		m.Load, _ = strconv.ParseFloat(load, 64)
	}
	l, _ := cgroup.ReadIn(root)
	m.CgroupLayout, m.Controllers = l.Kind(), controllers(l)
	for _, b := range l.Bounds() {
		m.Limits = append(m.Limits, results.Bound{What: b.What, Value: b.Value, Text: b.Text, Above: b.Above})
	}
	m.Inherited = inherited(t)
	if m.Kernel == "" {
		return m, errors.New("machine facts: nothing to read in /proc; fix: mount -t proc proc /proc")
	}
	return m, nil
}

// A tree is a machine's file tree. Most of what the kernel tells is a word in a
// file, which is there or isn't: hence no errors.
type tree string

func (t tree) path(name string) string { return filepath.Join("/", string(t), name) }

// read returns a file's text without the white space around it, "" where there
// is none.
func (t tree) read(name string) string {
	b, _ := os.ReadFile(t.path(name))
	return strings.TrimSpace(string(b))
}

func (t tree) has(name string) bool {
	_, err := os.Stat(t.path(name))
	return err == nil
}

// field returns the value in a text of lines "name: value".
func field(text, name string) string {
	for line := range strings.Lines(text) {
		if k, v, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(k) == name {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

// meminfo returns a row of /proc/meminfo in bytes.
func meminfo(t tree, row string) int64 {
	kib, _, _ := strings.Cut(field(t.read("/proc/meminfo"), row), " ")
	n, _ := strconv.ParseInt(kib, 10, 64)
	return n * 1024
}

// osRelease returns a variable of os-release(5).
func osRelease(t tree, name string) string {
	text := t.read("/etc/os-release")
	if text == "" {
		text = t.read("/usr/lib/os-release")
	}
	for line := range strings.Lines(text) {
		if v, ok := strings.CutPrefix(line, name+"="); ok {
			return strings.Trim(strings.TrimSpace(v), `"'`)
		}
	}
	return ""
}

func osName(t tree) string {
	if name := osRelease(t, "PRETTY_NAME"); name != "" {
		return name
	}
	return "Linux"
}

// controllers lists where each controller that the lab uses lives: "cpu:v1".
func controllers(l cgroup.Layout) []string {
	list := []string{}
	for _, c := range []string{"cpu", "cpuset", "memory", "pids", "io", "blkio"} {
		if where := l.Where(c); where != "" {
			list = append(list, c+":"+where)
		}
	}
	slices.Sort(list)
	return list
}

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
