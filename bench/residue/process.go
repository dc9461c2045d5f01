package residue

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"lab/bench/cgroup"
	"lab/bench/launch"
	"lab/bench/proc"
)

// A process is what /proc says of one.
type process struct {
	proc.Stat
	pid        int
	args       string
	exe        string
	groups     string // of /proc/PID/cgroup
	ours, used bool
}

// processes are all but the kernel's own and this one, and the namespaces that they
// are in and this one isn't.
func processes(o Options) ([]Item, error) {
	all := map[int]*process{}
	for _, pid := range proc.PIDs() {
		if p := readProc(pid); p != nil {
			all[pid] = p
		}
	}
	for _, p := range all {
		p.judge(o, all)
	}
	var out []Item
	spaces := map[string]*Item{}
	for _, p := range all {
		if p.pid == os.Getpid() || p.pid == 2 || p.Parent == 2 {
			continue
		}
		if (p.Parent == 1 && o.Tree != 1 || p.Parent == o.Tree) && (p.State == 'Z' || p.State == 'X') { // dead, and to be buried by whoever inherited it
			continue
		}
		out = append(out, Item{Kind: Process, Name: fmt.Sprintf("%d %s", p.pid, p.Name), Ours: p.ours, Used: p.used,
			Detail: strings.TrimSpace("since tick " + p.Began + ": " + p.args)})
		for _, link := range glob("/proc", strconv.Itoa(p.pid), "ns/*") {
			ns, err := os.Readlink(link)
			mine, _ := os.Readlink("/proc/self/ns/" + filepath.Base(link))
			if err != nil || ns == mine || strings.HasSuffix(link, "_for_children") {
				continue
			}
			if spaces[ns] == nil {
				spaces[ns] = &Item{Kind: Namespace, Name: ns, Used: true}
			}
			i := spaces[ns]
			i.Ours, i.Used = i.Ours || p.ours, i.Used && (p.used || !p.ours)
		}
	}
	for _, i := range spaces {
		out = append(out, *i)
	}
	return out, nil
}

// readProc reads what is known of a process; nil where it has ended.
func readProc(pid int) *process {
	s, ok := proc.Read(pid)
	if !ok {
		return nil
	}
	dir := "/proc/" + strconv.Itoa(pid)
	exe, _ := os.Readlink(dir + "/exe")
	return &process{Stat: s, pid: pid, exe: exe,
		args: strings.TrimSpace(strings.ReplaceAll(contents(dir+"/cmdline"), "\x00", " ")), groups: contents(dir + "/cgroup")}
}

// judge says whether a process is the lab's, and whether it is in use: whether it
// is a lab, or has one among its forebears.
func (p *process) judge(o Options, all map[int]*process) {
	tree := false
	for up, n := all[p.Parent], 0; up != nil && n < 1000; up, n = all[up.Parent], n+1 {
		p.used = p.used || up.isLab()
		tree = tree || o.Tree != 0 && up.pid == o.Tree
	}
	ours, used := named(o, p.groups+"\n"+p.args)
	p.ours, p.used = ours || tree || p.isLab() || p.Name == launch.WatcherName, p.used || used || p.isLab()
	if tree { // of whom the caller knows that none is to live
		p.used = false
	}
}

// isLab says whether a process is the lab's own program, or a test of Go's, and lives.
func (p *process) isLab() bool {
	exe := filepath.Base(strings.TrimSuffix(p.exe, " (deleted)"))
	return p.State != 'Z' && (exe == "lab" || exe == "lab-full" || strings.HasSuffix(exe, ".test"))
}

// cgroups are the folders of all hierarchies.
func cgroups(o Options) ([]Item, error) {
	all, err := mounts(o)
	if err != nil {
		return nil, err
	}
	// Those of controllers that the lab has no use for, too: others have.
	var points []string
	for _, m := range all {
		if begins(m.Detail, "cgroup ", "cgroup2 ") && !strings.Contains(m.Name, " #") {
			points = append(points, m.Name)
		}
	}
	var out []Item
	for _, point := range points {
		var walk func(dir string, ours, used bool)
		walk = func(dir string, ours, used bool) {
			entries, _ := os.ReadDir(dir)
			for _, e := range entries {
				if !e.IsDir() {
					continue
				}
				name := filepath.Join(dir, e.Name())
				mine, alive := ours, used
				id, tagged := tag(name)
				if byName, lives := named(o, e.Name()); byName || tagged {
					mine = true
					alive = used || lives || cgroup.Owned(name) || tagged && filepath.Base(id) == id && cgroup.Owned(filepath.Join(o.Run, id))
				}
				out = append(out, Item{Kind: Cgroup, Name: name, Ours: mine, Used: alive})
				walk(name, mine, alive)
			}
		}
		walk(point, false, false)
	}
	return out, nil
}

// tag is the testbed's ID that a cgroup folder bears.
func tag(dir string) (id string, ok bool) {
	var buf [64]byte
	n, err := unix.Getxattr(dir, cgroup.Tag, buf[:])
	if err != nil {
		return "", false
	}
	return string(buf[:n]), true
}
