package container

import (
	"context"
	"io"
	"net/netip"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"lab/bench"
	"lab/bench/launch"
	"lab/bench/testbed"
)

// An Env is the environment "container".
type Env struct {
	tb   *testbed.Testbed
	jail bool
}

// New returns the environment.
func New() *Env { return new(Env) }

// Name is "container", or "jail".
func (e *Env) Name() string {
	if e.jail {
		return "jail"
	}
	return "container"
}

// About says what it is.
func (e *Env) About() bench.About {
	a := bench.About{Default: true, Needs: "root, overlayfs, Linux 5.12 or later",
		More: "Limits of memory and processor time are kept by the kernel and not shown by /proc: free, top and nproc inside see the whole machine. " +
			"The limits are in the container's cgroup; --cpuset is what nproc follows.",
		Rests: append(bench.RestsOn("root", "limits", "mnt namespace", "pid namespace", "net namespace", "uts namespace", "ipc namespace", "cgroup namespace",
			"overlayfs", "mount API", "busybox", "disk"),
			bench.Rest{Check: "user namespace", Variant: "user=yes"}, bench.Rest{Check: "idmapped mounts", Variant: "user=yes"},
			bench.Rest{Check: "time namespace", Variant: "time=yes"}, bench.Rest{Check: "veth and bridge", Variant: "net=bridge"},
			bench.Rest{Check: "nftables", Variant: "publish=nftables"})}
	a.Is = "namespaces, an overlay, cgroups and fewer capabilities"
	a.LowerBound, a.Caveat = true, "our minimal runtime, called in process, without engine or client"
	if e.jail {
		a.Default, a.Extra, a.Is, a.More = false, true, jailIs, jailMore
		a.Rests = slices.DeleteFunc(a.Rests, func(r bench.Rest) bool { return !e.offers(r.Variant) })
	}
	return a
}

// offers says whether a setting as it is typed, "net=bridge", can be asked for; ""
// is none.
func (e *Env) offers(typed string) bool {
	name, value, _ := strings.Cut(typed, "=")
	return typed == "" || bench.About{Settings: e.Settings()}.Has(name, value)
}

// Settings are the ingredients: each can be left out by itself, to see what it
// costs and what it keeps apart.
func (e *Env) Settings() []bench.Setting {
	yesno := []string{"yes", "no"}
	all := []bench.Setting{
		{Name: "net", Values: []string{"none", "bridge", "host"}, Default: "none", Without: "host",
			Help: "network: none but loopback, a port of the testbed's bridge, or the testbed's own"},
		{Name: "publish", Values: []string{"forward", "nftables"}, Default: "forward",
			Help: "how a published port works: the lab passes bytes on, or the kernel rewrites addresses (only in the testbed's own network)"},
		{Name: "cgroup", Values: yesno, Default: "yes", Without: "no", Help: "its own cgroup and cgroup namespace"},
		{Name: "pid", Values: yesno, Default: "yes", Without: "no", Help: "a PID namespace: the workload is PID 1 and sees only its own"},
		{Name: "ipc", Values: yesno, Default: "yes", Without: "no", Help: "an IPC namespace: its own System V IPC and message queues"},
		{Name: "uts", Values: yesno, Default: "yes", Without: "no", Help: "a UTS namespace: its own host name"},
		{Name: "user", Values: []string{"no", "yes"}, Default: "no", Without: "no", Help: "a user namespace: root inside is an unprivileged user outside"},
		{Name: "time", Values: []string{"no", "yes"}, Default: "no", Without: "no", Help: "a time namespace: clocks that count from boot start with the container"},
		{Name: "overlay", Values: yesno, Default: "yes", Help: "a writable layer over the image; without it the image is read-only"},
		{Name: "data", Values: []string{"layer", "bind"}, Default: "layer",
			Help: "where its data go, if a scenario writes to a disk: the overlay's layer, or a folder of the host bound to " + dataDir},
		{Name: "caps", Values: []string{"default", "all"}, Default: "default", Without: "all", Help: "what root inside may do: what engines such as Docker allow, or everything"},
		{Name: "seccomp", Values: []string{"default", "none"}, Default: "default", Without: "none", Help: "which system calls are allowed: those that engines such as Docker allow, or all"},
		bench.PageCache,
	}
	if e.jail {
		return jailed(all)
	}
	return all
}

// Open keeps the testbed.
func (e *Env) Open(_ context.Context, tb *testbed.Testbed) error {
	e.tb = tb
	return nil
}

// Close has nothing to end.
func (e *Env) Close() error { return nil }

// Check says what this machine lacks.
func (e *Env) Check(_ context.Context, s bench.Spec) error {
	if os.Geteuid() != 0 {
		return bench.Unavailable("making namespaces and mounts needs root", "sudo lab …")
	}
	if s.Settings["cgroup"] == "no" && !s.Limits.None() {
		return bench.NotApplicable("limits need a cgroup, and cgroup=no was asked for", "--variant cgroup=yes")
	}
	// mount_setattr(2) is the newest system call that has no older way here; a
	// wrong descriptor tells whether it is there.
	if err := unix.MountSetattr(-1, "", unix.AT_EMPTY_PATH, &unix.MountAttr{}); err == unix.ENOSYS || err == unix.EPERM {
		return bench.Unavailable("mount_setattr(2) is missing or forbidden: "+err.Error(), "use Linux 5.12 or later, outside of another container")
	}
	if _, err := os.Stat("/proc/self/ns/cgroup"); err != nil {
		return bench.Unavailable("this kernel has no cgroup namespaces", "use a kernel with CONFIG_CGROUPS and CONFIG_NAMESPACES")
	}
	if err := testbed.CheckPorts(s.Ports); err != nil {
		return bench.NotApplicable(err.Error(), "")
	}
	if net := s.Settings["net"]; len(s.Ports) > 0 && net != "bridge" {
		return bench.NotApplicable("with net="+net+" a container has no address that a port could be published from", "--net bridge")
	}
	if len(s.Ports) > 0 && s.Settings["publish"] == "nftables" && e.tb.NAT == nil {
		return bench.NotApplicable("the port would be the machine's, whose firewall the lab never touches", "--variant publish=forward")
	}
	if s.Hostname != "" && s.Settings["uts"] == "no" {
		return bench.NotApplicable("with uts=no the host's name is the container's", "--variant uts=yes")
	}
	if s.Work && e.tb.Work == "" {
		return bench.ErrNoWork
	}
	if s.Work && s.Settings["overlay"] == "no" {
		return bench.NotApplicable("without an overlay a container writes nothing", "--variant overlay=yes")
	}
	for _, m := range s.Mounts {
		if _, err := os.Stat(m.Source); err != nil {
			return bench.Unavailable("mount: "+err.Error(), "name a folder that exists")
		}
	}
	if s.Settings["user"] == "yes" {
		if err := checkUsers(s); err != nil {
			return err
		}
	}
	if s.Settings["time"] == "yes" {
		if err := checkTime(); err != nil {
			return err
		}
	}
	return bench.CheckLimits(e.tb, s.Limits)
}

// Groups is 1 unless it was left out.
func (e *Env) Groups(s bench.Spec) int {
	if s.Settings["cgroup"] == "no" {
		return 0
	}
	return 1
}

// Prepare reserves an address and makes sure that a disposable thread is there.
// Everything else is made once an instance, in Start.
func (e *Env) Prepare(_ context.Context, s bench.Spec) (bench.Instance, error) {
	c := &container{env: e, spec: s}
	if c.mapped() {
		c.base = newRange()
	}
	if s.Settings["net"] == "bridge" {
		n, err := e.tb.Network()
		if err != nil {
			return nil, err
		}
		if c.addr, err = n.Lease(); err != nil {
			return nil, err
		}
		c.network = n
	}
	launch.Ready(1)
	e.filter()
	c.Process = launch.New(c.plan())
	return c, nil
}

// A container is one instance.
type container struct {
	*launch.Process
	env     *Env
	spec    bench.Spec
	network *testbed.Network // nil without a bridge
	addr    netip.Prefix

	layer   string   // the upper layer's folder in the work folder, or ""
	lower   []int    // descriptors of the image's layers, if the overlay is made of these
	root    int      // descriptor of the root's top, while it is made
	scratch int      // of its own tmpfs
	proc    int      // of its folder /proc, on which the child mounts
	dev     int      // of the top of its /dev
	names   int      // of a folder beside its upper layer
	empty   int      // of an empty folder's mount, once something is hidden by it
	hidden  []mask   // paths below /proc that it hides
	locked  []string // and those that it makes read-only

	published []io.Closer // its ports

	base     int    // of the user namespace: which user outside its root is
	users    int    // descriptor of it
	offsets  string // of the time namespace
	hostProc int    // descriptor of the lab's /proc, where the child writes them
}

// Addr is the address on the bridge, or "".
func (c *container) Addr() string {
	if c.network == nil {
		return ""
	}
	return c.addr.Addr().String()
}

// dataDir is where a container has the folder that is bound into it.
const dataDir = "/data"

// Place is where what it writes lies in the work folder, with Spec.Work.
func (c *container) Place() string {
	if c.bound() {
		return dataDir
	}
	return "/tmp"
}

// bound says whether a folder of the work folder's is bound into it.
func (c *container) bound() bool { return c.spec.Work && c.spec.Settings["data"] == "bind" }

// on says whether an ingredient is there.
func (c *container) on(setting string) bool { return c.spec.Settings[setting] != "no" }

// Inspect names the namespaces that the running container lives in.
func (c *container) Inspect() (map[string]string, error) {
	return launch.Namespaces(c.PID())
}

// Describe says what Prepare and Start do.
func (e *Env) Describe(s bench.Spec) (prepare, start []string) {
	c := &container{env: e, spec: s}
	prepare = []string{"a thread waits"}
	if s.Settings["net"] == "bridge" {
		prepare = append(prepare, "the bridge exists, an address is reserved")
	}
	p := c.plan()
	if p.Group != nil {
		start = append(start, "make the cgroup")
	}
	for _, st := range p.Steps {
		what := describe[st.Name]
		if c.mapped() {
			what = describeMapped(st.Name, what)
		}
		if st.Name == "network" && s.Settings["net"] == "bridge" {
			what += ", make the veth pair, put one end on the bridge, set address and route"
		}
		start = append(start, what)
	}
	last := "clone"
	if c.on("pid") {
		last += " into a new PID namespace"
	}
	start = append(start, last, "mount /proc from inside, hide what the engines hide")
	if c.timed() {
		start = append(start, "unshare the time namespace, set its clocks back to zero")
	}
	if c.mapped() {
		start = append(start, "join the user namespace, become root of it, drop capabilities, copy the mounts into a mount namespace that it owns")
	}
	if p.Privileges != nil {
		start = append(start, "install the seccomp filter")
	}
	return prepare, append(start, "execute")
}

// describeMapped is what a step does beside, or instead, with a user namespace.
func describeMapped(step, what string) string {
	switch step {
	case "namespaces":
		return "make a process that holds a user namespace and those that it owns, write its table of users, unshare the mount namespace, join the others"
	case "root":
		return what + ", shown with the container's owners (idmapped mount)"
	}
	return what
}

var describe = map[string]string{
	"ports":      "listen to the published ports",
	"namespaces": "unshare the mount namespace and those that are asked for",
	"root":       "mount a tmpfs and the overlay over the image",
	"/dev":       "make /dev with its nodes, pts, shm and mqueue",
	"/sys":       "mount sysfs read-only",
	"volumes":    "bind the folders of the host",
	"network":    "set loopback up",
	"pivot_root": "make it the root and let go of the old one",
	"privileges": "drop capabilities, set no_new_privs",
}
