package vm

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/digitalocean/go-libvirt"

	"lab/bench"
	"lab/vm/domain"
)

// A savedState is a guest that booted, was saved as its init waited for work,
// and can be restored any number of times, also several times at once.
//
// It lies in the testbed, which is a tmpfs, and ends with the run. In the cache
// it would outlive QEMU's and the kernel's next update, and a guest from the
// day before would have that day's clock and random numbers.
type savedState struct {
	path  string
	image *domain.Saved
}

// saveTimeout bounds libvirt's work on a save: some hundred megabytes written
// to memory.
const saveTimeout = createTimeout

// saved returns the state for guests like i, after booting and saving one where
// there is none.
func (e *Env) saved(ctx context.Context, i *instance) (*savedState, error) {
	key, err := i.cfg.Kind()
	if err != nil {
		return nil, err
	}
	e.saving.Lock()
	defer e.saving.Unlock()
	if s, ok := e.states[key]; ok {
		return s, nil
	}
	s, err := e.save(ctx, i.spec)
	if err != nil {
		return nil, fmt.Errorf("save a guest: %w", err)
	}
	e.states[key] = s
	return s, nil
}

// save boots a guest until its init waits for work, and saves it.
func (e *Env) save(ctx context.Context, spec bench.Spec) (s *savedState, err error) {
	i, err := e.define(ctx, spec)
	if err != nil {
		return nil, err
	}
	i.idle = true
	defer func() { err = errors.Join(err, i.Close()) }()
	if err := i.Start(ctx); err != nil {
		return nil, err
	}
	s = &savedState{path: i.file(".saved")}
	err = i.conn.Call(ctx, "save domain", saveTimeout, func(l *libvirt.Libvirt) error {
		d, err := l.DomainLookupByName(i.cfg.Name)
		if err != nil {
			return err
		}
		return l.DomainSaveFlags(d, e.inside(s.path), nil, uint32(libvirt.DomainSaveRunning))
	})
	if err == nil {
		s.image, err = domain.ReadSaved(s.path)
	}
	if err != nil {
		os.Remove(s.path)
		return nil, i.explain(err)
	}
	return s, nil
}
