package docker

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"lab/bench"
	"lab/bench/cgroup"
	"lab/bench/foreign"
	"lab/bench/probe"
	"lab/bench/testbed"
)

// An engine that isn't the lab's own: the machine's, another machine's, a guest's. What is
// made there is a container for each instance and an image, both with the lab's label or
// name, and both are removed. What it can't be asked for is a cgroup of the lab's, a port
// of the testbed's bridge, and files in the work folder.

// systemSocket is where the machine's listens.
var systemSocket = "/run/docker.sock"

// label is on all containers of the lab's; its value is the testbed's ID.
const label = "lab"

// ownCure has an engine of the lab's asked in place of another's.
func (e *Env) ownCure() string {
	if e.guest != nil {
		return "--env docker"
	}
	return "--variant engine=private"
}

// checkOthers says what of a Spec such an engine can't do.
func (e *Env) checkOthers(s bench.Spec) error {
	cure, at := e.ownCure(), e.which(s).engine
	l := s.Limits
	l.CPU, l.CPUSet, l.Memory, l.Pids = 0, "", 0, 0
	switch {
	case s.Work || bench.Cold(s):
		return bench.NotApplicable("that engine keeps its images and containers where it does, and not in the work folder", cure)
	case len(s.Ports) > 0:
		return bench.NotApplicable("its containers are on its own bridge, and not on the testbed's", cure)
	case len(s.Mounts) > 0 && at != system:
		return bench.NotApplicable("that engine sees another machine's folders", cure)
	case l != cgroup.Limits{}:
		return bench.NotApplicable("limits of CPU weight, swap or I/O are kept by a cgroup of the lab's, and its containers stand in the engine's", cure)
	}
	switch _, err := os.Stat(systemSocket); {
	case at == inside:
		return e.guest.Check(context.Background(), e.guestSpec(s))
	case at == remote && s.Settings["client"] == "docker":
		return bench.NotApplicable("the command docker would need the machine's network, and the testbed has one of its own", "--variant client=lab, or engine=tcp")
	case at == remote && e.tb.Outside == nil:
		return bench.Unavailable("DOCKER_HOST names no engine", "DOCKER_HOST=tcp://HOST:PORT, or "+cure)
	case at == system && err != nil:
		return bench.Unavailable("no engine listens on "+systemSocket, "systemctl start docker, or "+cure)
	}
	layout, err := cgroup.Read()
	if err != nil {
		return nil // the limits can't be told
	}
	return bench.CheckElsewhere(layout.Bounds(), "that engine", cure)
}

// theirs is an engine that runs already.
func theirs(ctx context.Context, tb *testbed.Testbed, to route) (*daemon, error) {
	d := &daemon{tb: tb, others: true, route: to, ended: make(chan struct{}), images: map[string]stored{}}
	if err := d.await(ctx); err != nil {
		return nil, fmt.Errorf("docker: another's engine: %w", err)
	}
	return d, nil
}

// sweep removes what killed labs of this machine left in its engine.
func (d *daemon) sweep(ctx context.Context) error {
	return d.clear(ctx, func(owner string) bool {
		_, err := os.Stat(filepath.Join(filepath.Dir(d.tb.Dir), owner))
		return owner != d.tb.ID && os.IsNotExist(err)
	})
}

// bringInit copies the lab's init into a container that is to have one, where its engine
// sees no file of the lab's.
func (i *instance) bringInit(ctx context.Context) error {
	if !i.spec.Init || !i.engine.others {
		return nil
	}
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	err := w.WriteHeader(&tar.Header{Name: foreign.InitPath[1:], Mode: 0o755, Size: int64(len(probe.Init()))})
	if err == nil {
		_, err = w.Write(probe.Init())
		err = errors.Join(err, w.Close())
	}
	if err == nil {
		_, err = i.api.CopyToContainer(ctx, i.id, client.CopyToContainerOptions{DestinationPath: "/", Content: &b})
	}
	return err
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
	switch {
	case i.parent != "":
		r.CgroupParent = "/" + i.parent
		return r
	case i.group != nil:
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

// othersOOM says whether another's engine has seen the container run out of memory.
func (i *instance) othersOOM() bool {
	ctx, cancel := context.WithTimeout(i.life, endWithin)
	defer cancel()
	c, err := i.api.ContainerInspect(ctx, i.id, client.ContainerInspectOptions{})
	return err == nil && c.Container.State != nil && c.Container.State.OOMKilled
}
