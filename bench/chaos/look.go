package chaos

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"lab/bench/cgroup"
	"lab/bench/input"
	"lab/bench/proc"
	"lab/bench/residue"
	"lab/bench/testbed"
)

// kinds are looked for. Of namespaces those of networks alone: the others are gone with
// their last process.
var kinds = []residue.Kind{residue.Process, residue.Cgroup, residue.Mount, residue.Link, residue.Namespace, residue.File}

// snapshot is what there is now.
func (s *Scene) snapshot() residue.Snapshot {
	if s.run.Private != nil {
		testbed.Reap()
	}
	snap := residue.Take(residue.Options{Tree: os.Getpid(), Kinds: kinds})
	snap.Items = slices.DeleteFunc(snap.Items, func(i residue.Item) bool {
		return !slices.Contains(kinds, i.Kind) || i.Kind == residue.Namespace && !strings.HasPrefix(i.Name, "net:") || i.Kind == residue.File && s.run.Private != nil
	})
	snap.Items = append(snap.Items, s.files()...)
	return snap
}

// mostFiles bounds how many files are looked at: a victim's may be many.
const mostFiles = 200_000

// files are those in the folders that a launcher writes to, in a testbed.
func (s *Scene) files() (out []residue.Item) {
	for as, dir := range s.watch {
		var top unix.Stat_t
		if unix.Stat(dir, &top) != nil {
			continue
		}
		filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
			switch {
			case err != nil || len(out) > mostFiles:
				return fs.SkipDir
			case name == dir:
				return nil
			case name == filepath.Dir(s.run.Private.Dir): // our own
				return fs.SkipDir
			}
			out = append(out, residue.Item{Kind: residue.File, Name: as + strings.TrimPrefix(name, dir), Ours: true})
			var st unix.Stat_t
			if d.IsDir() && (unix.Lstat(name, &st) != nil || st.Dev != top.Dev) { // something is mounted on it
				return fs.SkipDir
			}
			return nil
		})
	}
	return out
}

// path is where a file of files is; "" if there is no such folder.
func (s *Scene) path(name string) string {
	for as, dir := range s.watch {
		if rest, ok := strings.CutPrefix(name, as+"/"); ok {
			return filepath.Join(dir, rest)
		}
	}
	return ""
}

// left is what a victim has made since, and is there. On the machine itself that is what
// bears its name, or the lab's mark where it is the lab; of processes, those that fell to
// us. In a testbed it is all that is new; of a folder that is new, not what is in it.
func (s *Scene) left(l *life, before residue.Snapshot) (out []residue.Item) {
	made := map[string]bool{}
	for _, d := range s.snapshot().Since(before) {
		i := d.Item
		if d.Change != residue.Made {
			continue
		}
		bears := strings.Contains(i.Name+" "+i.Detail, l.id)
		if s.run.Private == nil {
			if bears || d.Counts && i.Ours && (s.victim.Own || i.Kind == residue.Process || i.Kind == residue.Namespace) {
				out = append(out, i)
			}
			continue
		}
		if i.Kind == residue.Process && slices.Contains(s.victim.daemons, comm(i)) {
			continue // it was started again
		}
		if i.Kind == residue.Cgroup && (s.bed == "" && !bears || s.hidden != "" && strings.HasPrefix(i.Name, s.hidden)) {
			continue // the machine's are seen, or these are folders and no cgroups
		}
		if i.Kind == residue.File {
			if slices.ContainsFunc(s.victim.lazy, func(begin string) bool { return strings.HasPrefix(i.Name, begin) }) {
				continue
			}
			made[i.Name] = true
		}
		out = append(out, i)
	}
	return slices.DeleteFunc(out, func(i residue.Item) bool { return i.Kind == residue.File && made[filepath.Dir(i.Name)] })
}

// comm is a process's name.
func comm(i residue.Item) string {
	_, name, _ := strings.Cut(i.Name, " ")
	return name
}

// find lists the processes that are the scene's part, among those that this one's
// children and their children are.
func (s *Scene) find(l *life) (out []int) {
	most := min(len(s.part), 15) // what the kernel keeps of a name
	for _, pid := range below(os.Getpid(), 0) {
		if pid == l.cmd.Process.Pid && s.part != Workload {
			continue
		}
		if s.part == Workload {
			b, _ := input.Kernel(fmt.Sprintf("/proc/%d/cmdline", pid))
			args := strings.Split(strings.TrimSuffix(string(b), "\x00"), "\x00")
			if n := len(args) - len(l.argv); n < 0 || n > 1 || !slices.Equal(args[n:][1:], l.argv[1:]) || filepath.Base(args[n]) != l.argv[0] {
				continue
			}
		} else if p, ok := proc.Read(pid); !ok || p.State == 'Z' || !strings.HasPrefix(p.Name, s.part[:most]) {
			continue
		}
		out = append(out, pid)
	}
	return out
}

// below are the descendants of a process, as deep as any tree of a launcher's is.
func below(pid, depth int) (out []int) {
	if depth > 20 {
		return nil
	}
	for _, n := range proc.Children(pid) {
		out = append(append(out, n), below(n, depth+1)...)
	}
	return out
}

// tidy takes away all that a victim left. It says whether the victim's own commands
// couldn't.
func (s *Scene) tidy(l *life, before residue.Snapshot) (spoiled bool) {
	ctx := context.Background()
	if s.victim.undo != nil {
		for _, args := range s.victim.undo(s, l) {
			s.ask(ctx, undoWithin, nil, args...)
		}
	}
	s.end(l)
	// What ends takes a moment.
	const moment, within = 300 * time.Millisecond, 10 * time.Second // longer than anybody's leavings are looked at: a busy machine ends things late
	for began := time.Now(); time.Since(began) < within; time.Sleep(20 * time.Millisecond) {
		left := s.left(l, before)
		if len(left) == 0 {
			break
		}
		if time.Since(began) < moment {
			continue
		}
		spoiled = true
		for _, i := range slices.Backward(left) { // a mount before the one that it is on
			s.remove(i)
		}
	}
	os.RemoveAll(l.dir)
	return spoiled
}

// remove takes one thing away.
func (s *Scene) remove(i residue.Item) {
	name, _, _ := strings.Cut(i.Name, " #")
	switch i.Kind {
	case residue.Process:
		var pid int
		if _, err := fmt.Sscan(i.Name, &pid); err == nil && pid > 1 && slices.Contains(below(os.Getpid(), 0), pid) {
			end(pid)
		}
	case residue.Mount:
		unix.Unmount(name, unix.MNT_DETACH)
	case residue.Cgroup:
		cgroup.RemoveAll(name)
	case residue.Link:
		if link, err := netlink.LinkByName(name); err == nil {
			netlink.LinkDel(link)
		}
	case residue.File:
		if path := s.path(name); path != "" {
			os.RemoveAll(path)
		}
	}
}

// end kills a descendant, and buries it where it fell to this process.
func end(pid int) {
	unix.Kill(pid, unix.SIGKILL)
	for deadline := time.Now().Add(100 * time.Millisecond); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if s, ok := proc.Read(pid); !ok || s.Parent != os.Getpid() {
			if !ok {
				return
			}
			continue
		}
		if n, err := unix.Wait4(pid, nil, unix.WNOHANG, nil); n == pid || err == unix.ECHILD {
			return
		}
	}
}
