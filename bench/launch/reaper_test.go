package launch_test

import (
	"context"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"lab/bench/launch"
)

// A program that stays keeps no thread of the lab's, and its end is seen as ever: what
// it exits with, and what it is killed by.
func TestOutlived(t *testing.T) {
	defer launch.SetOutlived(true)()
	const many = 30
	before := count(t, "/proc/self/task")
	start := func(argv ...string) *launch.Process {
		launch.Ready(1)
		plan := inImage(t, argv...)
		plan.Flags |= unix.CLONE_NEWPID
		p := launch.New(plan)
		if err := p.Start(context.Background()); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { p.Close() })
		return p
	}
	ends := start("/bin/sh", "-c", "sleep 0.3; exit 7")
	short := start("/bin/sh", "-c", "exit 3")
	var stay []*launch.Process
	for range many {
		stay = append(stay, start("/bin/sleep", "1000"))
	}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		n := count(t, "/proc/self/task") - before
		if n < many/2 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d threads more than before, with %d programs that stay", n, many)
		}
	}
	for p, code := range map[*launch.Process]int{ends: 7, short: 3} {
		if exit, err := p.Wait(context.Background()); err != nil || exit.Code != code {
			t.Errorf("%v, %v; want %d", exit, err, code)
		}
	}
	for _, p := range stay[:3] {
		if err := p.Signal(syscall.SIGKILL); err != nil { // as PID 1 it hears no other
			t.Error(err)
		}
		if exit, err := p.Wait(context.Background()); err != nil || exit.Signal != int(syscall.SIGKILL) {
			t.Errorf("%v, %v", exit, err)
		}
	}
	for _, p := range stay {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}
}
