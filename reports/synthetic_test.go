package reports

import (
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"lab/bench/results"
)

// synthetic makes a run whose numbers were made up: nothing here was measured,
// and every part of it says so. It has what reports must cope with: variants,
// an emulated guest, warm-ups, disturbed and failed trials, a row not run.
func synthetic(trials int) *results.Run {
	run := &results.Run{
		Manifest: results.Manifest{
			Format: results.Format, ID: "5e00000000000001", Lab: "v0-synthetic", Scenario: "startup",
			Question: "How long does it take until a program runs, in each kind of isolation?",
			Method:   "SYNTHETIC DATA, made up for tests. A trial starts the workload once, waits for the token that it writes, and waits until nothing of the instance is left. This text is long on purpose: what a scenario says of its method must reach the reader whole, however many sentences it takes.",
			Started:  time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Ended: time.Date(2026, 1, 2, 3, 9, 5, 0, time.UTC),
			Command: []string{"run", "startup", "--out", "some where", "--seed", "7"}, Seed: 7, Accel: "auto", Outcome: "failures",
			Image:    results.Digested{Name: "default", Digest: "sha256:1111111111111111111111111111111111111111111111111111111111111111", Size: 2 << 20},
			Workload: results.Digested{Name: "ready", Digest: "sha256:2222222222222222222222222222222222222222222222222222222222222222", Size: 204},
			Kernel:   results.Digested{Name: "0.0.0-synthetic", Digest: "sha256:3333333333333333333333333333333333333333333333333333333333333333", Size: 40 << 20},
			Metrics: []results.Metric{
				{Name: "ready", Title: "Time until ready", Unit: "s", Better: "lower", Help: "From the call of Start until the host sees the first byte of the workload's token."},
				{Name: "gone", Title: "Time until gone", Unit: "s", Better: "lower", Help: "From the call of Start until nothing of the instance is left."},
				{Name: "first_byte", Title: "first byte"},
			},
			Figures: []results.Figure{
				{Name: "ready", Title: "How long it takes until the program runs", Kind: "distribution", Metrics: []string{"ready"}, Log: true, Caption: "SYNTHETIC DATA, made up for tests."},
				{Name: "phases", Title: "What a start consists of", Kind: "phases", Metrics: []string{"ready"}, Caption: "SYNTHETIC DATA, made up for tests."},
			},
			Findings: []results.Finding{
				{Name: "container-second", Claim: 1, Statement: "Starting a container takes a second or two.", Metric: "ready", Of: "container", Compare: "value", Op: "above", Threshold: 1, Reason: "one second is the least that the claim names"},
				{Name: "container-process", Statement: "A container starts like a process.", Metric: "ready", Of: "container", To: "host", Compare: "ratio", Op: "within", Threshold: 0.05, Reason: "near native means within 5 %"},
				{Name: "chroot-free", Statement: "chroot costs next to nothing.", Metric: "ready", Of: "chroot", To: "host", Compare: "difference", Op: "below", Threshold: 20e-6, Reason: "20 µs is what one more system call could take"},
				{Name: "vm-slower", Claim: 1, Statement: "No VM comes near a container.", Metric: "ready", Of: "vm", To: "container", Compare: "ratio", Op: "above", Threshold: 10, Reason: "an order of magnitude", NeedsKVM: true},
				{Name: "vm-kernel", Claim: 2, Statement: "A VM is heavy because each one boots its own operating system.", Metric: "ready", Of: "vm", Compare: "share", Part: "kernel", Op: "above", Threshold: 0.5, Reason: "more than half of the start"},
				{Name: "docker", Claim: 20, Statement: "Docker's engine is a comfort on top.", Metric: "ready", Of: "docker", To: "container", Compare: "difference", Op: "above", Threshold: 0.05, Reason: "50 ms"},
			},
		},
		Machine: results.Machine{ID: "synthetic", OS: "Synthetic OS 1", Kernel: "0.0.0-synthetic", Arch: "amd64", CPU: "Synthetic CPU @ 0 GHz", CPUs: 2, Memory: 4 << 30,
			Virtual: true, Hypervisor: "synthetic", CgroupLayout: "v2", Controllers: []string{"cpu:v2", "memory:v2"}, Init: "systemd", Load: 0.12, Go: "go1.26",
			Mitigations: []string{"spectre_v2: Mitigation: synthetic"}, Versions: map[string]string{"qemu": "0.0", "libvirt": "0.0"},
			Acceleration: results.Acceleration{Use: "tcg", Device: "/dev/kvm opens", Reason: "KVM is there but can't run a Linux guest: its proof took 5 s under KVM and 0.13 s under emulation.", Kind: results.KVMParavirtual, KVMPace: results.Pace{Unpaged: 1.5e6, Ring0: 1.5e6, Ring3: 2e9}, TCGPace: results.Pace{Unpaged: 4e8, Ring0: 4e8, Ring3: 4e8, Faults: 1e6, Calls: 5e6}}},
	}
	type phase struct {
		name  string
		share float64
	}
	cells := []struct {
		results.Cell
		typical, spread float64
		phases          []phase
	}{
		{results.Cell{Env: "host", N: 1, Trials: trials, Warmup: 2, Prepare: []string{"open the program"}, Start: []string{"clone", "enter the cgroup", "exec"}},
			310e-6, 0.08, []phase{{"clone", .4}, {"cgroup", .1}, {"exec", .2}, {"first_byte", .28}}},
		{results.Cell{Env: "chroot", N: 1, Trials: trials, Warmup: 2, Prepare: []string{"unpack the image"}, Start: []string{"clone", "chroot", "exec"}},
			331e-6, 0.09, []phase{{"clone", .38}, {"cgroup", .1}, {"chroot", .05}, {"exec", .2}, {"first_byte", .25}}},
		{results.Cell{Env: "container", Variant: map[string]string{"net": "bridge"}, N: 1, Trials: trials, Warmup: 2, Prepare: []string{"unpack the image", "reserve an address"}, Start: []string{"namespaces", "mounts", "cgroup", "veth", "pivot_root", "exec"}},
			2.43e-3, 0.12, []phase{{"clone", .04}, {"namespaces", .31}, {"mounts", .27}, {"cgroup", .06}, {"veth", .17}, {"exec", .06}, {"first_byte", .05}}},
		{results.Cell{Env: "vm", N: 1, Trials: max(trials/3, 6), Warmup: 1, Settings: map[string]string{"accel": "tcg", "machine": "q35"}, Prepare: []string{"build the initramfs", "connect to libvirt"}, Start: []string{"define the domain", "start QEMU", "boot the kernel", "run init"}},
			3.11, 0.03, []phase{{"libvirt", .12}, {"qemu", .09}, {"kernel", .72}, {"init", .04}, {"first_byte", .01}}},
	}
	shared := map[string]string{"kernel": "the host's", "namespaces": "none", "mounts": "21", "cgroup": "the lab's", "limits": "none", "seccomp": "off", "capabilities": "41 of 41", "network": "lo"}
	cells[0].Within, cells[1].Within, cells[3].Within = shared, shared, map[string]string{"kernel": "its own"}
	cells[2].Within = map[string]string{"kernel": "the host's", "namespaces": "mnt, pid, net, ipc, uts", "mounts": "14", "cgroup": "its own", "limits": "none", "seccomp": "filter", "capabilities": "14 of 41", "network": "eth, lo"}
	for i := range cells {
		if cells[i].Variant == nil {
			cells[i].Variant = map[string]string{}
		}
		run.Manifest.Cells = append(run.Manifest.Cells, cells[i].Cell)
	}
	run.Manifest.Cells = append(run.Manifest.Cells, results.Cell{Env: "docker", Variant: map[string]string{}, N: 1, Trials: trials,
		NotRun: &results.NotRun{Kind: "unavailable", Reason: "the program docker isn't installed", Cure: "apt-get install docker.io"}})

	rng := rand.New(rand.NewPCG(7, 7))
	trial := 0
	for block := range trials + 2 {
		for pos, i := range rng.Perm(len(cells)) {
			c := cells[i]
			if block >= c.Trials+c.Warmup {
				continue
			}
			warm := block < c.Warmup
			l := results.Line{ID: run.Manifest.ID, Scenario: "startup", Env: c.Env, Variant: c.Variant, N: 1, Block: block, Pos: pos, Trial: trial,
				Warmup: warm, Samples: 1, Better: "lower", Unit: "s", At: float64(trial) * 0.4}
			trial++
			if c.Env == "container" && (block == 5 || block == 41) {
				l.Err, l.Blame = "start: mount overlay: device or resource busy (made up)", "lab"
				l.Last = true
				run.Lines = append(run.Lines, l)
				continue
			}
			value := c.typical * (1 + c.spread*rng.ExpFloat64() - c.spread/2)
			if warm {
				value *= 1.8
			}
			if block%17 == 9 {
				l.Taint = []string{"cpu pressure"}
				value *= 1.3
			}
			add := func(metric, whole string, seq int, v float64) {
				m := l
				m.Metric, m.PartOf, m.Seq, m.Value = metric, whole, seq, &v
				run.Lines = append(run.Lines, m)
			}
			add("ready", "", 0, value)
			add("gone", "", 0, value*1.2+0.0004)
			for seq, p := range c.phases {
				add(p.name, "ready", seq, value*p.share*(0.97+0.06*rng.Float64()))
			}
			run.Lines[len(run.Lines)-1].Last = true
		}
	}
	return run
}

// folder writes a run as a results folder and returns it read back.
func folder(t testing.TB, run *results.Run, dir string) *results.Run {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, v := range map[string]any{results.ManifestFile: run.Manifest, results.MachineFile: run.Machine} {
		data, err := json.MarshalIndent(v, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), append(data, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	f, err := os.Create(filepath.Join(dir, results.TrialsFile))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	enc := json.NewEncoder(f)
	enc.SetEscapeHTML(false)
	for _, l := range run.Lines {
		if err := enc.Encode(l); err != nil {
			t.Fatal(err)
		}
	}
	back, err := results.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	return back
}
