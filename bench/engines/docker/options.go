package docker

import (
	"fmt"
	"net/netip"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"

	"lab/bench"
	"lab/bench/foreign"
)

// options are the container.
func (i *instance) options() client.ContainerCreateOptions {
	c, s := i.spec.Command, &i.spec
	h := &container.HostConfig{NetworkMode: container.NetworkMode(s.Settings["net"]), Runtime: s.Settings["runtime"], CgroupnsMode: container.CgroupnsModePrivate,
		Resources: i.resources(), LogConfig: container.LogConfig{Type: "none"}}
	if s.Settings["seccomp"] == "none" {
		h.SecurityOpt = []string{"seccomp=unconfined"}
	}
	for _, m := range i.mounts() {
		how := ":rprivate"
		if m.ReadOnly {
			how = ":ro,rprivate"
		}
		h.Binds = append(h.Binds, m.Source+":"+m.Target+how)
	}
	for _, g := range c.User.Groups {
		h.GroupAdd = append(h.GroupAdd, fmt.Sprint(g))
	}
	o := client.ContainerCreateOptions{Name: i.order.ID, HostConfig: h, Config: &container.Config{
		Image: i.image.id, Cmd: i.order.Argv, Env: c.Env, WorkingDir: i.order.Spec.Command.Dir, Hostname: i.order.Host,
		User: fmt.Sprintf("%d:%d", c.User.UID, c.User.GID), Tty: c.TTY, AttachStdout: true, Labels: map[string]string{label: i.env.tb.ID}}}
	if s := i.io; s != nil { // nil for docker run, which sees to it
		in := s.in != nil
		o.Config.AttachStderr, o.Config.AttachStdin, o.Config.OpenStdin, o.Config.StdinOnce = s.errs != nil, in, in, in
	}
	if i.net != "" {
		h.NetworkMode = container.NetworkMode(i.net)
		o.NetworkingConfig = onNetwork(i.net, i.addr.Addr())
	}
	return o
}

// mounts are the Spec's, and the lab's init where the engine sees it.
func (i *instance) mounts() []bench.Mount {
	if i.engine.others {
		return i.spec.Mounts
	}
	return foreign.Mounts(i.spec, i.engine.init)
}

// onNetwork asks for an address on a network of the engine's.
func onNetwork(name string, a netip.Addr) *network.NetworkingConfig {
	return &network.NetworkingConfig{EndpointsConfig: map[string]*network.EndpointSettings{name: {IPAMConfig: &network.EndpointIPAMConfig{IPv4Address: a}}}}
}
