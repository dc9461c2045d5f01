package docker

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"lab/bench"
	"lab/bench/cgroup"
	"lab/bench/probe"
	"lab/bench/testbed"
	"lab/bench/usercache"
)

// The machine's own engine. It isn't the lab's: what is made there is a container for each
// instance and an image, both with the lab's label or name, and both are removed. What it
// can't be asked for is a cgroup of the lab's (under systemd it has none but its own), a
// port of the testbed's bridge, and files in the work folder.

// systemSocket is where it listens.
var systemSocket = "/run/docker.sock"

// label is on all containers of the lab's; its value is the testbed's ID.
const label = "lab"

// checkSystem says what of a Spec the machine's engine can't do.
func (e *Env) checkSystem(s bench.Spec) error {
	const cure = "--variant engine=private"
	l := s.Limits
	l.CPU, l.CPUSet, l.Memory, l.Pids = 0, "", 0, 0
	switch {
	case s.Work || bench.Cold(s):
		return bench.NotApplicable("the machine's engine keeps its images and containers where it does, and not in the work folder", cure)
	case len(s.Ports) > 0:
		return bench.NotApplicable("its containers are on its own bridge, and not on the testbed's", cure)
	case l != cgroup.Limits{}:
		return bench.NotApplicable("limits of CPU weight, swap or I/O are kept by a cgroup of the lab's, and its containers stand in the engine's", cure)
	}
	if _, err := os.Stat(systemSocket); err != nil {
		return bench.Unavailable("no engine listens on "+systemSocket, "systemctl start docker, or "+cure)
	}
	layout, err := cgroup.Read()
	if err != nil {
		return nil // the limits can't be told
	}
	return bench.CheckElsewhere(layout.Bounds(), "the machine's engine", cure)
}

// theirs is the machine's engine, without what killed labs left there.
func theirs(ctx context.Context, tb *testbed.Testbed) (*daemon, error) {
	d := &daemon{tb: tb, system: true, ended: make(chan struct{}), images: map[string]stored{}}
	if err := d.await(ctx); err != nil {
		return nil, fmt.Errorf("docker: the machine's engine: %w", err)
	}
	var err error
	sum := sha256.Sum256(probe.Init())
	// Where the engine sees it, too: the testbed's folder is the testbed's alone.
	if d.init, err = usercache.Keep(filepath.Join(tb.Cache, "docker-init-"+hex.EncodeToString(sum[:8])), func(file string) error {
		return os.WriteFile(file, probe.Init(), 0o755)
	}); err != nil {
		return nil, err
	}
	return d, d.clear(ctx, func(owner string) bool {
		_, err := os.Stat(filepath.Join(filepath.Dir(tb.Dir), owner))
		return owner != tb.ID && os.IsNotExist(err)
	})
}

// clear removes the lab's containers of those owners.
func (d *daemon) clear(ctx context.Context, of func(owner string) bool) error {
	api, err := d.dial()
	if err != nil {
		return err
	}
	defer api.close()
	all, err := api.ContainerList(ctx, client.ContainerListOptions{All: true, Filters: make(client.Filters).Add("label", label)})
	if err != nil {
		return err
	}
	for _, c := range all.Items {
		if of(c.Labels[label]) {
			if _, err := api.ContainerRemove(ctx, c.ID, client.ContainerRemoveOptions{Force: true, RemoveVolumes: true}); err != nil {
				return err
			}
		}
	}
	return nil
}

// leave removes what the lab has made there.
func (d *daemon) leave() {
	ctx, cancel := context.WithTimeout(context.Background(), endWithin)
	defer cancel()
	d.clear(ctx, func(owner string) bool { return owner == d.tb.ID })
	api, err := d.dial()
	if err != nil {
		return
	}
	defer api.close()
	for _, s := range d.images {
		api.ImageRemove(ctx, s.id, client.ImageRemoveOptions{Force: true})
	}
}

// resources are the container's limits: those of the cgroup around it, or else its own.
func (i *instance) resources() (r container.Resources) {
	if i.group != nil {
		r.CgroupParent = "/" + i.group.Name()
		return r
	}
	l := i.spec.Limits
	r.NanoCPUs, r.CpusetCpus, r.Memory, r.MemorySwap = int64(l.CPU*1e9), l.CPUSet, l.Memory, l.Memory
	if l.Pids > 0 {
		r.PidsLimit = &l.Pids
	}
	return r
}

// systemOOM says whether the machine's engine has seen the container run out of memory.
func (i *instance) systemOOM() bool {
	ctx, cancel := context.WithTimeout(i.life, endWithin)
	defer cancel()
	c, err := i.api.ContainerInspect(ctx, i.id, client.ContainerInspectOptions{})
	return err == nil && c.Container.State != nil && c.Container.State.OOMKilled
}
