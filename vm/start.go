package vm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"lab/bench"
	"lab/bench/clock"
	"lab/vm/guest"
)

// createTimeout bounds libvirt's work on a start: half a second when all is
// well, several on a machine that does much else.
const createTimeout = 30 * time.Second

// Start defines and starts the domain. It returns when the guest's CPU runs;
// where the guest has an init, when that has executed the workload.
func (i *instance) Start(ctx context.Context) error {
	began := clock.Now()
	i.mu.Lock()
	if i.started {
		i.mu.Unlock()
		return errors.New("start: started before, or closed")
	}
	i.started, i.began = true, began
	ctx, i.cancel = context.WithCancel(ctx)
	i.mu.Unlock()
	defer close(i.tried)
	err := i.err
	if err == nil {
		err = i.start(ctx)
	}
	if err != nil {
		return fmt.Errorf("start: %w", err)
	}
	i.mu.Lock()
	i.ran = true
	i.mu.Unlock()
	return nil
}

func (i *instance) start(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	c, err := i.how.start(ctx, i)
	if err == nil && c == nil {
		return ctx.Err()
	}
	if err == nil {
		err = i.execute(ctx, c)
	}
	if errors.Is(err, io.EOF) {
		i.awaitEnd()
	}
	if err != nil {
		return i.explain(err)
	}
	return nil
}

// end writes down how the guest ended.
func (i *instance) end(at clock.Time) {
	i.exit, i.exitErr = i.status(at)
	close(i.ended)
}

// untilEnd is a context that the guest's end ends: it is an answer, too.
func (i *instance) untilEnd(ctx context.Context) (context.Context, context.CancelCauseFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	go func() {
		select {
		case <-i.ended:
			cancel(bench.Blamed(bench.BlameMachine, errors.New("the guest ended before its init said hello")))
		case <-ctx.Done():
		}
	}()
	return ctx, cancel
}

// execute has the guest's init execute the workload.
func (i *instance) execute(ctx context.Context, c net.Conn) (err error) {
	ctx, cancel := i.untilEnd(ctx)
	defer cancel(nil)
	step, greet := i.how.hello()
	if i.session, err = greet(ctx, c); err != nil {
		c.Close()
		return errors.Join(context.Cause(ctx), err)
	}
	i.mark(step, i.session.At)
	go i.session.EndAfter(i.ended)
	if i.idle {
		return nil
	}
	i.main = guest.NewProgram(i.session, i.spec.Command, i.spec.Limits)
	i.main.Unplug = i.unplug
	if err := i.main.Start(ctx); err != nil {
		return err
	}
	i.mark("exec", clock.Now())
	return nil
}

// mark marks the clock. The order is that of causes; a moment that was seen a
// little late, because it is told by another channel, doesn't come before one
// that it followed.
func (i *instance) mark(name string, at clock.Time) {
	if at == 0 {
		return
	}
	if n := len(i.marks); n > 0 {
		at = max(at, i.marks[n-1].At)
	}
	i.marks = append(i.marks, clock.Mark{Name: name, At: at})
}
