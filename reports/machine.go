package reports

import (
	"cmp"
	"strconv"
	"strings"

	"lab/bench/results"
	"lab/reports/analysis"
	"lab/reports/msg"
	"lab/reports/page"
)

// machinePage is machine.md.
func machinePage(a *analysis.Analysis) *page.Page {
	p := &page.Page{}
	p.Title(msg.T("machine.title", a.Run.Manifest.ID))
	machine(p, a.Run.Machine)
	return p
}

// machine is a table of what the run ran on, as machine.json has it.
func machine(p *page.Page, k results.Machine) {
	t := page.Table{Head: []page.Text{nil, nil}, Align: "ll"}
	add := func(name, value msg.Message) {
		if !value.IsZero() {
			t.Rows = append(t.Rows, []page.Text{name, value})
		}
	}
	text := func(name msg.Message, value string) {
		if value != "" {
			add(name, msg.Verbatim(value))
		}
	}
	size := func(name msg.Message, bytes int64) {
		if bytes > 0 {
			text(name, msg.Quantity(float64(bytes), "B"))
		}
	}
	text(msg.T("machine.system"), k.OS)
	text(msg.T("machine.kernel"), k.Kernel)
	text(msg.T("machine.processor"), k.CPU)
	if k.CPUs > 0 {
		text(msg.T("machine.cpus"), strconv.Itoa(k.CPUs))
	}
	text(msg.T("machine.architecture"), k.Arch)
	size(msg.T("machine.memory"), k.Memory)
	size(msg.T("machine.swap"), k.Swap)
	text(msg.T("machine.ksm"), k.KSM)
	text(msg.T("machine.huge-pages"), k.HugePages)
	if k.Virtual || k.Kernel != "" { // else nothing is known
		add(msg.T("machine.guest"), isGuest(k))
	}
	if k.WSL {
		add(msg.Verbatim("WSL"), msg.T("yes"))
	}
	text(msg.T("machine.rcu"), k.RCU)
	text(msg.T("machine.governor"), k.Governor)
	text(msg.T("machine.mitigations"), strings.Join(k.Mitigations, "; "))
	text(msg.T("machine.security"), strings.Join(k.Security, ", "))
	text(msg.T("machine.cgroups"), strings.TrimSpace(k.CgroupLayout+" "+strings.Join(k.Controllers, ", ")))
	text(msg.T("machine.cgroup-place"), k.CgroupPlace)
	add(msg.T("machine.limits"), analysis.BoundsOf(k))
	text(msg.T("machine.inherited"), strings.Join(msg.Pairs(k.Inherited), ", "))
	text(msg.T("machine.init"), k.Init)
	if k.Kernel != "" {
		text(msg.T("machine.load"), msg.Number(k.Load, 2))
	}
	x := k.Acceleration
	if said := msg.NonEmpty(x.Use, x.Device, x.Reason); len(said) > 0 {
		add(msg.T("machine.acceleration"), msg.Join("join.semicolon", msg.All(said)...))
	}
	text(msg.T("machine.versions"), strings.Join(msg.Pairs(k.Versions), ", "))
	text(msg.T("machine.built"), k.Go)
	text(msg.T("machine.id"), k.ID)
	if len(t.Rows) == 0 {
		p.Text(msg.T("machine.unknown"))
		return
	}
	p.Table(t)
}

// isGuest says what a machine is itself.
func isGuest(k results.Machine) msg.Message {
	switch {
	case !k.Virtual:
		return msg.T("no")
	case k.Emulated:
		return msg.T("machine.emulated-guest", k.Hypervisor)
	case k.Hypervisor != "":
		return msg.T("machine.guest-of", k.Hypervisor)
	}
	return msg.T("yes")
}

// machineSentence is the machine in the prose of a paper.
func machineSentence(k results.Machine) msg.Message {
	if k.Kernel == "" {
		return msg.T("machine.unknown")
	}
	list := []msg.Message{msg.T("cpus", k.CPUs), msg.T("machine.of-memory", msg.Quantity(float64(k.Memory), "B"))}
	if k.CPU != "" {
		list = append([]msg.Message{msg.Verbatim(k.CPU)}, list...)
	}
	list = append(list, msg.All(msg.NonEmpty(k.OS, "Linux "+k.Kernel, k.Arch))...)
	parts := []msg.Message{msg.Join("join.comma", list...)}
	if k.Virtual {
		id := "machine.itself"
		if k.Emulated {
			id = "machine.itself-emulated"
		}
		parts = append(parts, msg.T(id, cmp.Or(k.Hypervisor, "?")))
	}
	parts = append(parts, msg.All(msg.Pairs(k.Versions))...)
	if k.Governor != "" {
		parts = append(parts, msg.T("machine.with-governor", k.Governor))
	}
	if len(k.Mitigations) > 0 {
		parts = append(parts, msg.T("machine.with-mitigations", strings.Join(k.Mitigations, "; ")))
	}
	return msg.T("sentence", msg.Join("join.semicolon", append(parts, msg.T("machine.with-load", msg.Number(k.Load, 2)))...))
}
