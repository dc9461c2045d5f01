package chaos

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"lab/bench/cgroup"
	"lab/bench/foreign"
	"lab/bench/image"
	"lab/bench/residue"
	"lab/bench/testbed"
)

// A Run is what all scenes have in common.
type Run struct {
	Image image.Ref
	Dir   string // an own folder; "" is none, which the lab's own environments don't need
	Seed  uint64 // of the points at which it is killed

	// Private is the testbed that this process is alone in: all that is new there is a
	// victim's. Nil: this is the machine itself.
	Private *testbed.Testbed
}

// How long what a scene runs may take.
const (
	startWithin = 30 * time.Second // a daemon, until it answers
	nextWithin  = 30 * time.Second // the next start
	undoWithin  = 10 * time.Second // a command that removes what is left
)

// A Scene is a victim that is killed again and again, in one of its parts.
type Scene struct {
	run    *Run
	victim Victim
	part   string
	root   string // the image, or in a testbed a writable root over it
	bed    string // in a testbed: where what is written to /etc and /var goes

	// hidden begins the paths where the second generation of cgroups was; "": nowhere.
	hidden string

	// watch are the folders in which what is new is the victim's, by what they are called.
	watch map[string]string

	// It is killed between these two times of its life: from its first instruction to as
	// long as a whole life takes here and now, and as long again.
	from, window time.Duration

	daemon   *daemon // or nil
	patience time.Duration
	rand     *rand.Rand
}

// Open makes a scene ready: what a victim keeps between its lives is there, and one life
// was lived undisturbed. An error says why it can't be.
func (r *Run) Open(ctx context.Context, v Victim, part string) (_ *Scene, err error) {
	s := &Scene{run: r, victim: v, part: part, root: r.Image.Dir, rand: r.random(v, part, -1), patience: Patience}
	if v.program != "" {
		if _, err := exec.LookPath(v.program); err != nil {
			return nil, fmt.Errorf("%s isn't installed", v.program)
		}
	}
	// Orphans fall to this process; the first one's do anyway.
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return nil, os.NewSyscallError("prctl", err)
	}
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	if r.Private != nil && v.secluded {
		if err := s.seclude(); err != nil {
			return nil, err
		}
	}
	if err := s.up(ctx); err != nil {
		return nil, err
	}
	if v.open != nil {
		if err := v.open(ctx, s); err != nil {
			return nil, err
		}
	}
	if why := s.next(ctx); why != "" {
		return nil, errors.New(why)
	}
	began := time.Now() // a second life: the first may have made what stays
	if why := s.next(ctx); why != "" {
		return nil, errors.New(why)
	}
	s.window = max(2*time.Since(began), 20*time.Millisecond)
	return s, nil
}

// random is what decides about the kill of this number: the same with the same seed,
// whatever else was killed before.
func (r *Run) random(v Victim, part string, n int) *rand.Rand {
	h := fnv.New64a()
	fmt.Fprint(h, v.Name, "\x00", part, "\x00", n)
	return rand.New(rand.NewPCG(r.Seed, h.Sum64()))
}

// seclude makes of a testbed a machine that a launcher may think itself alone on: its
// folders in /run, /var, /etc and /dev/shm are empty, and its root is writable.
func (s *Scene) seclude() error {
	s.bed = filepath.Join(s.run.Dir, "bed")
	s.root = filepath.Join(s.run.Dir, "root")
	layers := []string{filepath.Join(s.run.Dir, "upper"), filepath.Join(s.run.Dir, "work")}
	for _, dir := range append(layers, s.bed, s.root, s.data()) {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	// By a descriptor: a path could have a colon or a comma in it.
	img, err := os.Open(s.run.Image.Dir)
	if err != nil {
		return err
	}
	defer img.Close()
	if err := unix.Mount("lab", s.root, "overlay", 0, fmt.Sprintf("lowerdir=/proc/self/fd/%d,upperdir=%s,workdir=%s", img.Fd(), layers[0], layers[1])); err != nil {
		return fmt.Errorf("mount the overlay: %w", err)
	}
	if err := unix.Mount("lab", "/dev/shm", "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=1777"); err != nil {
		return fmt.Errorf("mount tmpfs on /dev/shm: %w", err)
	}
	s.watch = map[string]string{"/run": "/run", "/dev/shm": "/dev/shm", "/etc": filepath.Join(s.bed, "etc"), "/var": filepath.Join(s.bed, "var"), "data": s.data()}
	l, err := cgroup.Read()
	if err != nil {
		return err
	}
	if err := foreign.Seclude(s.run.Private, s.bed, "etc", "var"); err != nil {
		return err
	}
	// Of a machine with both generations only the first is shown, and crun makes folders
	// where the other was: not in the machine's tmpfs.
	if l.Kind() == "hybrid" {
		s.hidden = l.V2 + "/"
		return os.NewSyscallError("mount tmpfs on "+l.V2, unix.Mount("lab", l.V2, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=755"))
	}
	return nil
}

// data is a folder for images and the like.
func (s *Scene) data() string { return filepath.Join(s.run.Dir, "data") }

// Kill starts the victim, kills its part at a point that the seed and n decide, and says
// what was left. An error is one of this process's, or that the time is over.
func (s *Scene) Kill(ctx context.Context, n int) (k Killing, err error) {
	s.rand = s.run.random(s.victim, s.part, n)
	if err := s.up(ctx); err != nil {
		return k, err
	}
	before := s.snapshot()
	// Without its client it may run on without end; and where something else is killed it
	// ends by itself, so that what is there afterwards was left, and isn't at work.
	alive := time.Hour
	if s.part != Client {
		alive = s.window.Truncate(time.Second) + 2*time.Second
	}
	l, err := s.live("sleep", strconv.Itoa(int(alive.Seconds())))
	if err != nil {
		return k, err
	}
	k.Struck = s.strike(ctx, l, s.from+time.Duration(s.rand.Int64N(int64(s.window-s.from))))
	killed := time.Now()
	k.After = killed.Sub(l.began)
	if s.part != Client {
		select {
		case <-l.ended:
		case <-time.After(time.Until(l.began.Add(alive + s.window))):
		case <-ctx.Done():
		}
		killed = time.Now()
	}
	k.Left = s.await(ctx, l, before, s.patience)
	k.Gone = time.Since(killed)
	if ctx.Err() == nil {
		k.Failed = s.next(ctx)
		k.Next = s.await(ctx, l, before, s.patience/4) // what has ended takes a moment
	}
	k.Spoiled = s.tidy(l, before)
	return k, ctx.Err()
}

// await looks until nothing is left, or the time is over; then what is left is what was
// there a moment before, too: others may be at work on this machine.
func (s *Scene) await(ctx context.Context, l *life, before residue.Snapshot, within time.Duration) (left []residue.Item) {
	began := time.Now()
	var last []residue.Item
	for pause := time.Millisecond; ctx.Err() == nil; pause = min(2*pause, 100*time.Millisecond) {
		left = s.left(l, before)
		if len(left) == 0 {
			return nil
		}
		if time.Since(began) > within {
			return slices.DeleteFunc(left, func(i residue.Item) bool { return !slices.Contains(last, i) })
		}
		last = left
		time.Sleep(pause)
	}
	return left
}

// strike kills the part at a point of the victim's life. One that isn't there yet is
// killed in its first moments; false: it wasn't there any more.
func (s *Scene) strike(ctx context.Context, l *life, at time.Duration) bool {
	select {
	case <-time.After(at):
	case <-ctx.Done():
		return false
	}
	switch s.part {
	case Nobody:
		return true
	case Client:
		return l.cmd.Process.Kill() == nil
	}
	const first = 10 * time.Millisecond
	for found := true; time.Since(l.began) < s.window; time.Sleep(500 * time.Microsecond) {
		if pids := s.find(l); len(pids) > 0 {
			if !found {
				time.Sleep(time.Duration(s.rand.Int64N(int64(first))))
			}
			return unix.Kill(pids[s.rand.IntN(len(pids))], unix.SIGKILL) == nil
		}
		found = false
	}
	return false
}

// Close ends the scene's daemon.
func (s *Scene) Close() {
	if s.daemon != nil {
		s.daemon.stop()
		s.daemon = nil
	}
}

// Of kills one part of a victim again and again, in one scene.
func (r *Run) Of(ctx context.Context, v Victim, part string, kills int) (Row, error) {
	row := NewRow(v.Name, part)
	s, err := r.Open(ctx, v, part)
	if err != nil {
		row.NotRun = err.Error()
		return row, nil
	}
	defer s.Close()
	for n := 0; !row.Done(kills); n++ {
		k, err := s.Kill(ctx, n)
		if err != nil {
			row.Short = errors.Is(err, context.DeadlineExceeded)
			if row.Short {
				err = nil
			}
			return row, err
		}
		row.Add(k)
	}
	return row, nil
}
