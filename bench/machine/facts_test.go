package machine

import (
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"lab/bench/results"
)

// unpack makes a machine's file tree from testdata/NAME.txt: a line that says
// what it is, then the files, each after a line "-- path --".
func unpack(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile("testdata/" + name + ".txt")
	if err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	for part := range strings.SplitSeq("\n"+string(text), "\n-- ") {
		path, content, ok := strings.Cut(part, " --\n")
		if !ok {
			continue
		}
		path = filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestFacts(t *testing.T) {
	const kib = 1024
	tests := []struct {
		name string
		want results.Machine
	}{
		{"debian", results.Machine{
			OS: "Debian GNU/Linux 12 (bookworm)", Kernel: "6.1.0-28-amd64",
			CPU: "Intel(R) Core(TM) i5-8250U CPU @ 1.60GHz", CPUs: 8, Memory: 16243436 * kib, Swap: 1000444 * kib, Governor: "powersave",
			Mitigations: []string{"meltdown: Mitigation: PTI", "spectre_v2: Mitigation: Retpolines; IBPB: conditional; IBRS_FW"},
			Security:    []string{"apparmor: enabled", "yama: ptrace_scope 0"}, CgroupLayout: "v2",
			Controllers: []string{"cpu:v2", "cpuset:v2", "io:v2", "memory:v2", "pids:v2"}, Init: "systemd", Load: 0.35,
			Limits: []results.Bound{{What: "memory", Value: 8 << 30, Text: "8192 MiB"}}}},
		{"hybrid", results.Machine{
			ID: "kind-", OS: "Debian GNU/Linux 12 (bookworm)", Kernel: "6.18.5", CPU: "Intel(R) Xeon(R) Processor", CPUs: 2,
			Memory: 24 << 30, Hypervisor: "KVM", Virtual: true, Security: []string{}, CgroupLayout: "hybrid",
			Controllers: []string{"blkio:v1", "cpu:v1", "memory:v1", "pids:v1"}, Init: "init", Load: 1.96}},
		{"ubuntu", results.Machine{
			OS: "Ubuntu 24.04.1 LTS", Kernel: "6.8.0-51-generic", CPU: "AMD Ryzen 7 5800U with Radeon Graphics", CPUs: 3,
			Memory: 4000000 * kib, Hypervisor: "VirtualBox", Virtual: true,
			Security:     []string{"apparmor: enabled, no user namespaces without root", "yama: ptrace_scope 1"},
			CgroupLayout: "v2", Controllers: []string{"cpu:v2", "cpuset:v2", "io:v2", "memory:v2", "pids:v2"}, Init: "systemd"}},
		{"fedora", results.Machine{
			OS: "Fedora Linux 41 (Server Edition)", Kernel: "6.11.4-301.fc41.x86_64", CPU: "13th Gen Intel(R) Core(TM) i7-13700", CPUs: 20,
			Memory: 65536000 * kib, Swap: 8388604 * kib, Governor: "performance, powersave",
			Security: []string{"selinux: enforcing", "lockdown: integrity"}, CgroupLayout: "v2",
			Controllers: []string{"cpu:v2", "io:v2", "memory:v2", "pids:v2"}, Init: "systemd", Load: 0.1}},
		{"arch", results.Machine{
			OS: "Arch Linux", Kernel: "6.12.1-arch1-1", CPU: "AMD Ryzen 9 7950X 16-Core Processor", CPUs: 32,
			Memory: 65000000 * kib, Swap: 4194300 * kib, Load: 0.25,
			Security: []string{"yama: ptrace_scope 1"}, CgroupLayout: "v2",
			Controllers: []string{"cpu:v2", "io:v2", "memory:v2", "pids:v2"}, Init: "systemd"}},
		{"wsl2", results.Machine{
			OS: "Ubuntu 22.04.5 LTS", Kernel: "5.15.167.4-microsoft-standard-WSL2", CPU: "11th Gen Intel(R) Core(TM) i7-1165G7 @ 2.80GHz", CPUs: 8,
			Memory: 8000000 * kib, Hypervisor: "Hyper-V", Virtual: true, WSL: true, Security: []string{}, CgroupLayout: "hybrid",
			Controllers: []string{"cpu:v1", "memory:v1", "pids:v1"}, Init: "init(Ubuntu)"}},
		{"aws", results.Machine{
			OS: "Debian GNU/Linux 13 (trixie)", Kernel: "6.12.12+deb13-cloud-amd64", CPU: "Intel(R) Xeon(R) Platinum 8488C", CPUs: 2,
			Memory: 3900000 * kib, Hypervisor: "AWS", Virtual: true, Security: []string{}, CgroupLayout: "v2",
			Controllers: []string{"cpu:v2", "memory:v2", "pids:v2"}, Init: "systemd"}},
		{"aws-metal", results.Machine{
			OS: "Debian GNU/Linux 13 (trixie)", Kernel: "6.12.12+deb13-cloud-amd64", CPU: "Intel(R) Xeon(R) Platinum 8488C", CPUs: 2,
			Memory: 3900000 * kib, Security: []string{}, CgroupLayout: "v2",
			Controllers: []string{"cpu:v2", "memory:v2", "pids:v2"}, Init: "systemd"}},
		{"gcp", results.Machine{
			OS: "Debian GNU/Linux 12 (bookworm)", Kernel: "6.1.0-28-cloud-arm64", CPU: "implementer 0x41 part 0xd0c", CPUs: 4,
			Memory: 16000000 * kib, Hypervisor: "Google Compute Engine", Virtual: true, Security: []string{}, CgroupLayout: "v2",
			Controllers: []string{"cpu:v2", "memory:v2"}, Init: "systemd"}},
		{"emulated", results.Machine{
			OS: "Debian GNU/Linux 12 (bookworm)", Kernel: "6.1.0-28-cloud-amd64", CPU: "QEMU TCG CPU version 2.5+", CPUs: 2,
			Memory: 3000000 * kib, Hypervisor: "QEMU", Virtual: true, Emulated: true, Security: []string{}, CgroupLayout: "v2",
			Controllers: []string{"memory:v2", "pids:v2"}, Init: "systemd"}},
	}
	ids := map[string]string{}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := Facts(unpack(t, test.name))
			if err != nil {
				t.Fatal(err)
			}
			if strings.HasPrefix(got.ID, "kind-") != (test.want.ID == "kind-") {
				t.Errorf("id %q", got.ID)
			}
			if other, ok := ids[got.ID]; ok && test.name != "aws-metal" { // it is aws's text, edited
				t.Errorf("the same id as %s", other)
			}
			ids[got.ID] = test.name
			test.want.ID, test.want.Arch, test.want.Go, test.want.Versions = got.ID, runtime.GOARCH, runtime.Version(), map[string]string{}
			if !reflect.DeepEqual(got, test.want) {
				t.Errorf("got\n%+v\nwant\n%+v", got, test.want)
			}
		})
	}
	if _, err := Facts(t.TempDir()); err == nil {
		t.Error("an empty tree is no machine")
	}
}

// TestID: the id stays as it is, or old results were another machine's; and
// nothing of the machine's own id is in it.
func TestID(t *testing.T) {
	root := unpack(t, "debian")
	m, _ := Facts(root)
	if want := "2c08d5b0cadd36c6"; m.ID != want {
		t.Errorf("id %q, want %q", m.ID, want)
	}
	if strings.Contains("0123456789abcdef0123456789abcdef", m.ID) {
		t.Error("the id shows the machine's")
	}
	// An image that wasn't started yet has this word, many times over.
	os.WriteFile(root+"/etc/machine-id", []byte("uninitialized\n"), 0o644)
	if m, _ = Facts(root); !strings.HasPrefix(m.ID, "kind-") {
		t.Errorf("uninitialized: id %q", m.ID)
	}
}

// TestFactsHere: the machine that we run on is recognised, and not named.
func TestFactsHere(t *testing.T) {
	m, err := Facts("")
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%+v", m)
	if m.CPUs != runtime.NumCPU() {
		t.Errorf("%d processors, Go says %d", m.CPUs, runtime.NumCPU())
	}
	if m.Memory < 1<<20 || m.OS == "" || m.Init == "" || m.CgroupLayout == "" || len(m.ID) < 16 {
		t.Errorf("too little is known: %+v", m)
	}
}

func TestCountCPUs(t *testing.T) {
	for list, want := range map[string]int{"0": 1, "0-3": 4, "0-1,4,6-7": 5, "": 0, "x": 0, "3-1": 0, "0-127": 128, "0-2,4-255": 255} {
		if got := countCPUs(list); got != want {
			t.Errorf("countCPUs(%q) = %d, want %d", list, got, want)
		}
	}
}
