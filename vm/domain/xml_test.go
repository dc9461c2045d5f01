package domain

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func testConfig() Config {
	return Config{
		Name: "lab-0123abcd-1", Testbed: "0123abcd",
		Accel: "tcg", Machine: "q35", Emulator: "/usr/bin/qemu-system-x86_64",
		Memory: 128 << 20, CPUs: 1, TBCache: 128 << 20,
		Kernel: "/run/vm/cache/kernel-elf/00.elf", Initrd: "/run/vm/cache/initramfs/00.cpio",
		Cmdline: `console=ttyS0 rdinit=/bin/ready -- <"&'>`,
		Console: "/run/vm/bed/lab-0123abcd-1.serial", ConsoleLog: "/run/vm/bed/lab-0123abcd-1.console",
	}
}

func TestXML(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*Config)
	}{
		{"tcg", func(*Config) {}},
		{"kvm", func(c *Config) { c.Accel, c.CPU, c.CPUs = "kvm", "host", 2 }},
		{"kvm-model", func(c *Config) { c.Accel, c.CPU = "kvm", "qemu64" }},
		{"init", func(c *Config) { c.Channel = "/run/vm/bed/lab-0123abcd-1.port" }},
		{"pc-qboot-acpi", func(c *Config) { c.Machine, c.Firmware, c.ACPI = "pc", "/usr/share/qemu/qboot.rom", true }},
		{"root", func(c *Config) {
			c.Root = &Disk{Serial: "lab-root", Bus: "virtio", File: "/run/vm/cache/rootdisk/00.ext4", ReadOnly: true}
		}},
		{"disks", func(c *Config) {
			c.Root = &Disk{Serial: "lab-root", Bus: "virtio", File: "/run/vm/cache/rootdisk/00.ext4", ReadOnly: true}
			c.Data = &Disk{Serial: "lab-data", Bus: "virtio", File: "/proc/1/fd/7", Cache: "none", IO: "native"}
		}},
		{"distro", func(c *Config) {
			c.Kernel, c.Initrd, c.Cmdline, c.ACPI = "", "", "", true
			c.System = &Disk{Serial: "lab-system", Bus: "virtio", File: "/run/vm/bed/lab-0123abcd-1.system", Backing: "/run/vm/files/distro-disk"}
			c.Root = &Disk{Serial: "lab-root", Bus: "virtio", File: "/run/vm/cache/rootdisk/00.ext4", ReadOnly: true}
			c.Init = &Disk{Serial: "lab-init", Bus: "virtio", File: "/run/vm/bed/init-", ReadOnly: true}
		}},
		{"svm", func(c *Config) { c.SVM = true }},
		{"ide", func(c *Config) {
			c.Machine, c.Data = "pc", &Disk{Serial: "lab-data", Bus: "ide", File: "/proc/1/fd/7", Cache: "writeback", IO: "threads"}
		}},
		{"shares", func(c *Config) {
			c.Shares = []Share{{"lab-0", "/run/vm/shares/lab-0123abcd-1-0"}, {"lab-1", "/run/vm/shares/lab-0123abcd-1-1"}}
		}},
		{"allowed", func(c *Config) { c.Allowed = "1" }}, // taskset around the lab
		{"pinned", func(c *Config) { c.CPUs, c.CPUSet = 2, "1,3" }},
		{"pinned-together", func(c *Config) { c.CPUs, c.CPUSet = 2, "1,3-4" }},
		{"bridge", func(c *Config) {
			c.Card = &Card{Model: "virtio", MAC: "52:54:00:12:00:02", Bridge: "lab0", Tap: "v120002"}
		}},
		{"bridge-vhost", func(c *Config) {
			c.Accel, c.CPU = "kvm", "host"
			c.Card = &Card{Model: "virtio", MAC: "52:54:00:12:00:02", Bridge: "lab0", Tap: "v120002", VHost: true}
		}},
		{"user-e1000", func(c *Config) {
			c.Card = &Card{Model: "e1000", MAC: "52:54:00:00:02:0f"}
		}},
		{"network", func(c *Config) {
			c.Remote, c.Card = true, &Card{Model: "virtio", MAC: "52:54:00:a8:7a:42", Network: "default"}
		}},
		{"network-e1000", func(c *Config) {
			c.Remote, c.Card = true, &Card{Model: "e1000", MAC: "52:54:00:a8:7a:42", Network: "students <&>"}
		}},
		{"bare", func(c *Config) { c.Initrd, c.ConsoleLog, c.Memory = "", "", 16<<20 }},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := testConfig()
			c.change(&cfg)
			got, err := XML(cfg)
			if err != nil {
				t.Fatal(err)
			}
			golden(t, filepath.Join("testdata", c.name+".xml"), got+"\n")
		})
	}
}

// golden compares with a file; what differs is left beside it, as FILE.got.
func golden(t *testing.T, file, got string) {
	t.Helper()
	want, err := os.ReadFile(file)
	if err == nil && string(want) == got {
		os.Remove(file + ".got")
		return
	}
	if err := os.WriteFile(file+".got", []byte(got), 0o644); err != nil {
		t.Error(err)
	}
	t.Errorf("%s differs (%v): see %s.got", file, err, file)
}

func TestXMLRefuses(t *testing.T) {
	for _, c := range []struct {
		say    string
		change func(*Config)
	}{
		{"name", func(c *Config) { c.Name = "" }},
		{"testbed", func(c *Config) { c.Testbed = "" }},
		{"neither kvm nor tcg", func(c *Config) { c.Accel = "auto" }},
		{"translation cache", func(c *Config) { c.TBCache = 0 }},
		{"memory", func(c *Config) { c.Memory = 4096 }},
		{"virtual CPUs", func(c *Config) { c.CPUs = 0 }},
		{"kernel", func(c *Config) { c.Kernel = "" }},
		{"console", func(c *Config) { c.Console = "" }},
		{"no IDE", func(c *Config) { c.Data = &Disk{Serial: "x", Bus: "ide", File: "/x"} }},
		{"bus", func(c *Config) { c.Root = &Disk{Serial: "x", Bus: "sata", File: "/x"} }},
		{"serial", func(c *Config) { c.Root = &Disk{Bus: "virtio", File: "/x"} }},
		{"e1000", func(c *Config) { c.Card = &Card{Model: "rtl8139", MAC: "x"} }},
		{"tag", func(c *Config) { c.Shares = []Share{{Dir: "/x"}} }},
		{"MAC", func(c *Config) { c.Card = &Card{Model: "virtio"} }},
		{"both their names", func(c *Config) { c.Card = &Card{Model: "virtio", MAC: "x", Bridge: "lab0"} }},
		{"not on both", func(c *Config) { c.Card = &Card{Model: "virtio", MAC: "x", Bridge: "b", Tap: "t", Network: "n"} }},
		{"vhost", func(c *Config) { c.Card = &Card{Model: "e1000", MAC: "x", Bridge: "b", Tap: "t", VHost: true} }},
		{"native", func(c *Config) {
			c.Data = &Disk{Serial: "x", Bus: "virtio", File: "/x", Cache: "writeback", IO: "native"}
		}},
	} {
		cfg := testConfig()
		c.change(&cfg)
		if _, err := XML(cfg); err == nil || !strings.Contains(err.Error(), c.say) {
			t.Errorf("%v, want an error that says %q", err, c.say)
		}
	}
}
