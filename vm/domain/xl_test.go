package domain

import (
	"path/filepath"
	"strings"
	"testing"
)

func testXL() XL {
	return XL{Name: "guest", Type: "pv", Kernel: "/run/lab-domain/kernel", Initrd: "/run/lab-domain/initrd",
		Cmdline: "console=hvc0 quiet rdinit=/.lab/init -- root=/dev/xvda port=/dev/hvc0", Disk: "/dev/disk/by-id/virtio-lab-root", Memory: 256 << 20, CPUs: 2}
}

func TestXL(t *testing.T) {
	got, err := testXL().Config()
	if err != nil {
		t.Fatal(err)
	}
	golden(t, filepath.Join("testdata", "pv.cfg"), got)
}

func TestXLRefuses(t *testing.T) {
	for _, c := range []struct {
		say    string
		change func(*XL)
	}{
		{"type", func(x *XL) { x.Type = "hvm" }},
		{"memory", func(x *XL) { x.Memory = 4096 }},
		{"CPUs", func(x *XL) { x.CPUs = 0 }},
		{"needs a kernel", func(x *XL) { x.Kernel = "" }},
		{"needs a disk", func(x *XL) { x.Disk = "" }},
		{`'"'`, func(x *XL) { x.Cmdline = `a" b` }},
		{`'\\'`, func(x *XL) { x.Cmdline = `a\n` }},
		{`'\n'`, func(x *XL) { x.Name = "a\non_crash = 'preserve'" }},
		{"','", func(x *XL) { x.Disk = "/dev/vdb,format=qcow2" }},
		{"'ü'", func(x *XL) { x.Initrd = "/ü" }},
	} {
		x := testXL()
		c.change(&x)
		if text, err := x.Config(); err == nil || !strings.Contains(err.Error(), c.say) {
			t.Errorf("%q, %v, want an error that says %q", text, err, c.say)
		}
	}
}
