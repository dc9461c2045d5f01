// Package live shows a running instance as the kernel of the host sees it: its
// namespaces, cgroup, mounts, privileges and processes; of a guest, the command line of
// its kernel or of QEMU, and the domain that libvirt made it from.
//
// All of it is read from /proc and the cgroup file system, by a process that has
// nothing to do with the instance: what is shown is there for everybody with root.
package live

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"lab/bench/input"
	"lab/bench/proc"
)

// A Shown is what there is to see of an instance.
type Shown struct {
	PID        int               `json:"pid"`       // of the workload, or of the kernel that hides it, as this process numbers it
	Guest      bool              `json:"guest"`     // it is that kernel's
	SameRoot   bool              `json:"same_root"` // its / is that of whoever looks
	Namespaces []Namespace       `json:"namespaces"`
	Status     map[string]string `json:"status"` // of /proc/PID/status: "NSpid", "CapEff", "Seccomp", …
	Groups     []File            `json:"cgroup"`
	Mounts     []Mount           `json:"mounts"`
	Tree       []Node            `json:"tree"`
	Command    []string          `json:"command"`          // the process's command line
	Domain     string            `json:"domain,omitempty"` // a guest's, as libvirt wrote it down: XML; "" if it can't be read
}

// A Namespace is one of the process's, beside the one of whoever looks.
type Namespace struct {
	Kind   string `json:"kind"`   // "mnt", "pid", …
	Inside string `json:"inside"` // inode numbers: what tells one from another
	Here   string `json:"here"`
}

// Own says whether the process has one that the one who looks doesn't share.
func (n Namespace) Own() bool { return n.Inside != n.Here }

// A File is one of a cgroup's, with what can be read from it.
type File struct {
	Path  string `json:"path"`
	Value string `json:"value"`
}

// A Mount is a line of /proc/PID/mountinfo.
type Mount struct {
	At      string `json:"at"`
	Type    string `json:"type"`
	Source  string `json:"source"`
	Options string `json:"options"`
}

// A Node is a process of the tree, so many steps below its root.
type Node struct {
	Depth int    `json:"depth"`
	PID   int    `json:"pid"`
	Line  string `json:"line"` // its command line
}

// Below finds the first process below root that has the given command line, with the
// program's path or without, or, if kernel is named (see bench.About), is that kernel; 0
// if there is none.
func Below(root int, argv []string, kernel string) (pid int) {
	for _, n := range tree(root) {
		line := words(n.PID)
		name := filepath.Base(line[0])
		if kernel != "" && strings.HasPrefix(name, kernel) || kernel == "" && name == argv[0] && slices.Equal(line[1:], argv[1:]) {
			return n.PID
		}
	}
	return 0
}

// Look reads what there is of process pid, and of the tree from root down. The
// instance must not end meanwhile.
func Look(root, pid int, guest bool) (*Shown, error) {
	s := &Shown{PID: pid, Guest: guest, Tree: tree(root), Command: words(pid), Status: proc.Status(pid)}
	dir := "/proc/" + strconv.Itoa(pid)
	list, err := os.ReadDir(dir + "/ns")
	if err != nil {
		return nil, fmt.Errorf("look at process %d: %w", pid, err)
	}
	for _, e := range list {
		kind := e.Name()
		if strings.HasSuffix(kind, "_for_children") {
			continue
		}
		s.Namespaces = append(s.Namespaces, Namespace{kind, inode(dir, kind), inode("/proc/self", kind)})
	}
	theirs, err := os.Stat(dir + "/root/")
	if err != nil {
		return nil, fmt.Errorf("look at process %d: %w", pid, err)
	}
	ours, err := os.Stat("/")
	s.SameRoot = err == nil && os.SameFile(theirs, ours)
	s.Groups = groups(dir)
	s.Mounts = mounts(dir)
	if guest {
		s.Domain = domain(pid, s.Command)
	}
	return s, nil
}

// inode is the number in a link such as "mnt:[4026531832]".
func inode(dir, kind string) string {
	to, _ := os.Readlink(dir + "/ns/" + kind)
	_, n, _ := strings.Cut(to, "[")
	return strings.TrimSuffix(n, "]")
}

// words are a process's command line; never none.
func words(pid int) []string {
	b, _ := input.Kernel("/proc/" + strconv.Itoa(pid) + "/cmdline")
	return strings.Split(strings.TrimSuffix(string(b), "\x00"), "\x00")
}

// tree is a process with all that descend from it, each behind its parent.
func tree(root int) (out []Node) {
	children := map[int][]int{}
	for _, pid := range proc.PIDs() {
		if s, ok := proc.Read(pid); ok && s.State != 'Z' {
			children[s.Parent] = append(children[s.Parent], pid)
		}
	}
	var add func(pid, depth int)
	add = func(pid, depth int) {
		out = append(out, Node{depth, pid, strings.Join(words(pid), " ")})
		slices.Sort(children[pid])
		for _, c := range children[pid] {
			add(c, depth+1)
		}
	}
	add(root, 0)
	return out
}

// files are those of a cgroup that say something at first sight, in version 2 and 1.
var files = []string{"cgroup.procs", "memory.max", "memory.current", "cpu.max", "pids.max", "pids.current",
	"memory.limit_in_bytes", "memory.usage_in_bytes", "cpu.cfs_quota_us"}

// groups reads the files of the cgroups that the process doesn't share with us.
func groups(dir string) (out []File) {
	ours, theirs, mounted := paths("/proc/self"), paths(dir), mounts("/proc/self")
	for _, controller := range slices.Sorted(maps.Keys(ours)) {
		path := theirs[controller]
		if path == ours[controller] || path == "" {
			continue
		}
		for _, m := range mounted {
			v2 := controller == "" && m.Type == "cgroup2"
			if !v2 && (m.Type != "cgroup" || !slices.Contains(strings.Split(m.Options, ","), controller)) {
				continue
			}
			for _, f := range files {
				name := filepath.Join(m.At, path, f)
				if b, err := input.Kernel(name); err == nil {
					out = append(out, File{name, strings.Join(strings.Fields(string(b)), " ")})
				}
			}
			break
		}
	}
	return out
}

// paths are the process's cgroups by controller; "" is version 2's.
func paths(dir string) map[string]string {
	out := map[string]string{}
	b, _ := input.Kernel(dir + "/cgroup")
	for line := range strings.Lines(string(b)) {
		f := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(f) != 3 {
			continue
		}
		for _, c := range strings.Split(f[1], ",") {
			out[c] = f[2]
		}
	}
	return out
}

// mounts reads a process's, in the order in which they were made.
func mounts(dir string) (out []Mount) {
	b, _ := input.Kernel(dir + "/mountinfo")
	for line := range strings.Lines(string(b)) {
		head, tail, _ := strings.Cut(strings.TrimSpace(line), " - ")
		h, t := strings.Fields(head), strings.Fields(tail)
		if len(h) < 6 || len(t) < 3 {
			continue
		}
		out = append(out, Mount{At: h[4], Type: t[0], Source: t[1], Options: h[5] + "," + t[2]})
	}
	return out
}

// domain is what libvirt wrote down of QEMU's domain, in the private /run that it
// shares with it.
func domain(pid int, command []string) string {
	for _, w := range command {
		name, ok := strings.CutPrefix(w, "guest=")
		if !ok {
			continue
		}
		name, _, _ = strings.Cut(name, ",")
		b, err := input.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "root/run/libvirt/qemu", filepath.Base(name)+".xml"), 1<<20)
		if err == nil {
			return string(b)
		}
	}
	return ""
}
