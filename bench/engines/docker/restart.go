package docker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/moby/moby/api/pkg/stdcopy"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
)

// mostOutput is how much of what a container says that was started again is kept, in bytes.
const mostOutput = 64 << 10

// Restart has the engine start its container once more, as docker start does: it has kept
// its layer and its settings.
func (i *instance) Restart(ctx context.Context) ([]byte, error) {
	if !i.over() || !i.running || done(i.life.Done()) {
		return nil, errors.New("restart: it never ran, still runs, or was closed")
	}
	ctx, cancel := context.WithTimeout(ctx, startWithin)
	defer cancel()
	defer context.AfterFunc(i.life, cancel)()
	attached, err := i.api.ContainerAttach(ctx, i.id, client.ContainerAttachOptions{Stream: true, Stdout: true})
	if err != nil {
		return nil, i.engine.call("attach", err)
	}
	defer attached.Close()
	defer context.AfterFunc(ctx, attached.Close)() // which ends the reading
	end := i.api.ContainerWait(ctx, i.id, client.ContainerWaitOptions{Condition: container.WaitConditionNextExit})
	if _, err := i.api.ContainerStart(ctx, i.id, client.ContainerStartOptions{}); err != nil {
		return nil, i.engine.call("start it again", err)
	}
	var out bytes.Buffer
	if _, err := stdcopy.StdCopy(&out, io.Discard, io.LimitReader(attached.Reader, mostOutput)); err != nil && ctx.Err() == nil {
		return nil, fmt.Errorf("restart: %w", err)
	}
	select {
	case r := <-end.Result:
		if r.StatusCode != 0 {
			return out.Bytes(), fmt.Errorf("restart: exit status %d", r.StatusCode)
		}
		return out.Bytes(), nil
	case err := <-end.Error:
		return out.Bytes(), i.engine.call("wait for its end", err)
	}
}
