package scenarios

import (
	"slices"

	"lab/bench/request"
)

// A Claim is a sentence that introductions to containers and virtual machines
// make. Findings bear its number; where a claim says several things, each of them
// is a finding of its own.
type Claim struct {
	Number int
	Text   string
	Lacks  string // what would have to be measured, where no finding answers it
}

// Claims are what people are told, in the order in which introductions tell it.
var Claims = []Claim{
	{1, "Starting a container takes a second or two, and no VM comes near it.", ""},
	{2, "A VM is heavy because each one boots its own operating system.", ""},
	{3, "A container is only an isolated process: its program runs directly on the host, and the host sees it.", ""},
	{4, "It takes only as much memory and CPU as the process needs.", ""},
	{5, "It loses next to no performance: compute, memory, file system and network are near native.", ""},
	{6, "Bridge networking costs a little; what depends on the network should use host networking.", ""},
	{7, "Many containers on one host don't disturb one another.", ""},
	{8, "CPU and memory can be limited.", ""},
	{9, "A host folder can be mounted inside, and a host port led inside.", ""},
	{10, "You can enter a running container and run commands in it.", ""},
	{11, "An image is read-only, a container writable; many containers come from one image, and the image doesn't change.", ""},
	{12, "Layers and copy-on-write make them small on disk and fast to start.", ""},
	{13, "The same image runs the same anywhere.", ""},
	{14, "Containers are cheap enough for one process each.", ""},
	{15, "Docker is namespaces + chroot + cgroups.", ""},
	{16, "chroot only narrows the view of the files: processes, network and IPC stay shared, and root gets out.", ""},
	{17, "Paravirtual devices win back what full virtualization loses.", ""},
	{18, "A hosted (type 2) hypervisor has large overhead.", ""},
	{19, "A hypervisor isolates more than a container does.", ""},
	{20, "Docker's engine (daemon, image store, network) is a comfort on top.", ""},
	{21, "Inside a container you can install packages, add users, run background processes.", ""},
	{22, "A VM can run another operating system; a container needs the host's kernel.", ""},
	{23, "Restarting a container brings back the image's state.", ""},
	{24, "Namespaces and cgroups separate processes completely.", ""},
	{25, "Cgroups also prioritise, and govern disk I/O.", ""},
	{26, "Containers stop quickly.", ""},
	{27, "Containers share volumes with the host and one another.", ""},
	{28, "Each has its own address, files and interfaces.", ""},
	{29, "A stopped container is kept and can be started again.", ""},
	{30, "Pushed here, pulled there: the same image.", ""},
	{31, "Nested virtualization is restricted.", ""},
	{32, "A jail (FreeBSD's rules: one address, no raw sockets, no mounts, no device nodes, no routes, no signals across) is more than chroot.", ""},
	{33, "A large operator starts two billion containers a week, 3,300 a second.", ""},
	{34, "Setting servers up by hand is slow and goes wrong; from an image every one is the same.", ""},
	{35, "A service is replaced by a new image, not patched (immutable infrastructure).", ""},
	{36, "One process a container, and several containers make one application.", ""},
	{37, "Docker's client drives a daemon, also over a network.", ""},
	{38, "Local and production machines differ in system, environment variables, users and permissions; an image takes the difference away.", ""},
	{39, "A full virtualization's hypervisor stands between guest and hardware at every instruction that matters, and that costs; a paravirtualized guest asks by a call instead.", ""},
	{40, "Without a guest operating system memory, files and network are much faster than in a VM.", ""},
	{41, "On Windows and macOS Docker runs in a virtual machine.", ""},
}

// A FurtherRun is one that claims need beside what their scenario does by default:
// other environments, or another application.
type FurtherRun struct {
	Claims   []int // the first names its folder
	Scenario string
	Ask      request.Request
	Long     bool // minutes a row: no part of a first look
}

// FurtherRuns are all of these. What they need may not be installed, which their rows say.
var FurtherRuns = []FurtherRun{
	{[]int{20}, "startup", request.Request{Environments: []string{"runc", "docker"}}, false},
	{[]int{23, 29}, "functions", request.Request{Environments: []string{"docker"}}, false},
	{[]int{34}, "provisioning", request.Request{Environments: []string{"container", "vm"}, App: "nginx", From: []string{"registry", "packages", "disk"}}, true},
	{[]int{36}, "app", request.Request{Environments: []string{"container", "vm"}, App: "visits", Variant: request.Settings{"net": {"bridge"}}}, false},
	{[]int{37}, "startup", request.Request{Environments: []string{"docker"}, Variant: request.Settings{"engine": {"private", "tcp"}, "client": {"lab", "docker"}}}, false},
	{[]int{41}, "startup", request.Request{Environments: []string{"docker", "docker-vm"}}, true},
}

// Answering are the names of the scenarios that have a finding on a claim.
func Answering(claim int) (names []string) {
	for _, s := range All() {
		for _, f := range s.Findings {
			if f.Claim == claim && !slices.Contains(names, s.Name) {
				names = append(names, s.Name)
			}
		}
	}
	return names
}

// OnClaims are the names of all scenarios that answer a claim, in their order.
func OnClaims() (names []string) {
	for _, s := range All() {
		for _, f := range s.Findings {
			if f.Claim > 0 && !slices.Contains(names, s.Name) {
				names = append(names, s.Name)
			}
		}
	}
	return names
}
