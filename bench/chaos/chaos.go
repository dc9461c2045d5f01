// Package chaos kills launchers with SIGKILL at random points of their lives, and says
// what they leave: the lab's own environments, and those of others.
//
// What is killed is the process that the user started, as a terminal that is closed, an
// out-of-memory killer or an impatient hand would. Whether something is left is looked
// at again and again for a time; then it is taken away.
package chaos

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"lab/bench/cgroup"
	"lab/bench/proc"
	"lab/bench/residue"
)

// Patience is how long after the kill something may still be there.
const Patience = 3 * time.Second

// A Row is what one victim left.
type Row struct {
	Victim string `json:"victim"`
	NotRun string `json:"not_run,omitempty"` // why
	Kills  int    `json:"kills"`
	Clean  int    `json:"clean"` // after so many nothing was left

	// Left is after how many kills something of a kind was.
	Left     map[residue.Kind]int `json:"left,omitempty"`
	Examples []residue.Item       `json:"examples,omitempty"` // of the last kill that left something

	// Gone is how long it took until nothing was left, at the most, where nothing was.
	Gone time.Duration `json:"gone_ns"`
}

// kinds are looked for.
var kinds = []residue.Kind{residue.Process, residue.Mount, residue.Cgroup, residue.Link, residue.File}

// A Run is one experiment. It makes this process the one that orphans fall to.
type Run struct {
	Image string // a root folder
	Dir   string // an own folder, for bundles
	Kills int    // of each victim
	Rand  *rand.Rand
	Said  func(Victim, int) // called before each kill; may be nil
}

// Of kills one victim again and again.
func (r *Run) Of(ctx context.Context, v Victim) (row Row, err error) {
	row = Row{Victim: v.Name, Left: map[residue.Kind]int{}}
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return row, os.NewSyscallError("prctl", err)
	}
	began := time.Now()
	if why := r.try(ctx, v); why != "" {
		row.NotRun = why
		return row, nil
	}
	// As long as a whole life takes here and now, and as long again.
	window := max(2*time.Since(began), 20*time.Millisecond)
	for n := range r.Kills {
		if r.Said != nil {
			r.Said(v, n)
		}
		left, gone, err := r.one(ctx, v, time.Duration(r.Rand.Int64N(int64(window))))
		if err != nil {
			return row, err
		}
		row.Kills++
		if len(left) == 0 {
			row.Clean++
			row.Gone = max(row.Gone, gone)
			continue
		}
		row.Examples = left
		seen := map[residue.Kind]bool{}
		for _, i := range left {
			if !seen[i.Kind] {
				seen[i.Kind] = true
				row.Left[i.Kind]++
			}
		}
	}
	return row, nil
}

// life is one instance: its name, its folder and its command.
type life struct {
	id, dir string
	cmd     *exec.Cmd
	said    bytes.Buffer
}

func (r *Run) life(v Victim, argv ...string) (*life, error) {
	l := &life{id: fmt.Sprintf("lab-chaos-%08x", r.Rand.Uint32())}
	l.dir = filepath.Join(r.Dir, l.id)
	if err := os.Mkdir(l.dir, 0o755); err != nil {
		return nil, err
	}
	args, err := v.args(l.id, l.dir, r.Image, argv)
	if err != nil {
		return nil, err
	}
	l.cmd = exec.Command(args[0], args[1:]...)
	l.cmd.Stderr = &l.said
	l.cmd.WaitDelay = 10 * time.Millisecond // survivors hold it
	return l, nil
}

// try lets a victim live undisturbed; why it can't is its own first line.
func (r *Run) try(ctx context.Context, v Victim) (why string) {
	l, err := r.life(v, "true")
	if err != nil {
		return err.Error()
	}
	defer r.tidy(ctx, v, l)
	if err := l.cmd.Run(); err != nil {
		line, _, _ := strings.Cut(strings.TrimSpace(l.said.String()), "\n")
		return cmp.Or(line, err.Error())
	}
	return ""
}

// one starts a victim, kills it after a time, and returns what is left of it, or how
// long it took until nothing was.
func (r *Run) one(ctx context.Context, v Victim, after time.Duration) (left []residue.Item, gone time.Duration, err error) {
	before := r.look()
	l, err := r.life(v, "sleep", "1000")
	if err != nil {
		return nil, 0, err
	}
	defer r.tidy(ctx, v, l)
	if err := l.cmd.Start(); err != nil {
		return nil, 0, err
	}
	select {
	case <-time.After(after):
	case <-ctx.Done():
		err = ctx.Err()
	}
	l.cmd.Process.Kill()
	killed := time.Now()
	l.cmd.Wait()
	for pause := time.Millisecond; ; pause = min(2*pause, 100*time.Millisecond) {
		left = l.left(r.look().Since(before), v)
		if len(left) == 0 || time.Since(killed) > Patience {
			return left, time.Since(killed), err
		}
		time.Sleep(pause)
	}
}

func (r *Run) look() residue.Snapshot {
	return residue.Take(residue.Options{Tree: os.Getpid(), Kinds: kinds})
}

// left picks what is a victim's: what bears its name, or the lab's where it is that; of
// processes, those that fell to us. Others live on this machine.
func (l *life) left(diff []residue.Difference, v Victim) (out []residue.Item) {
	for _, d := range diff {
		bears := strings.Contains(d.Item.Name+" "+d.Item.Detail, l.id)
		if d.Change == residue.Made && (bears || d.Counts && d.Item.Ours && (v.Own || d.Item.Kind == residue.Process)) {
			out = append(out, d.Item)
		}
	}
	// What a runtime notes down of an instance.
	for _, f := range []string{"state/*", "state/.*"} {
		names, _ := filepath.Glob(filepath.Join(l.dir, f))
		for _, name := range names {
			out = append(out, residue.Item{Kind: residue.File, Name: name})
		}
	}
	return out
}

// tidy takes away all that a victim left.
func (r *Run) tidy(ctx context.Context, v Victim, l *life) {
	for _, args := range v.undo(l.id, l.dir) {
		exec.CommandContext(ctx, args[0], args[1:]...).Run()
	}
	for _, i := range r.look().Items {
		switch bears := strings.Contains(i.Name+" "+i.Detail, l.id); {
		case i.Kind == residue.Process && i.Ours && !i.Used:
			var pid int
			if _, err := fmt.Sscan(i.Name, &pid); err == nil && ours(pid) {
				end(pid)
			}
		case i.Kind == residue.Mount && bears:
			unix.Unmount(i.Name, unix.MNT_DETACH)
		case i.Kind == residue.Cgroup && bears:
			cgroup.RemoveAll(i.Name)
		}
	}
	os.RemoveAll(l.dir)
}

// end kills an orphan that fell to this process, and buries it.
func end(pid int) {
	unix.Kill(pid, unix.SIGKILL)
	for deadline := time.Now().Add(Patience); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if n, err := unix.Wait4(pid, nil, unix.WNOHANG, nil); n == pid || err == unix.ECHILD {
			return
		}
	}
}

// ours says whether a process is a child of this one's, as an orphan is.
func ours(pid int) bool {
	s, ok := proc.Read(pid)
	return ok && s.Parent == os.Getpid()
}

// Kinds are those that some row has, in order.
func Kinds(rows []Row) (out []residue.Kind) {
	for _, k := range kinds {
		if slices.ContainsFunc(rows, func(r Row) bool { return r.Left[k] > 0 }) {
			out = append(out, k)
		}
	}
	return out
}
