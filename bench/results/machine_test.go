package results

import "testing"

func TestAccelerationBrief(t *testing.T) {
	for reason, want := range map[string]string{
		"": "",
		"There is no /dev/kvm: the CPU's virtualization is off, or this machine is a guest without it.": "There is no /dev/kvm",
		"KVM can't be used: open /dev/kvm: permission denied.":                                          "KVM can't be used: open /dev/kvm: permission denied",
		"KVM is there (paravirtual, without the CPU's virtualization: ring 3 is native, ring 0 is emulated), but slower than emulation: in ring 0, where kernels run, the test guest executed 1.86 million instructions a second (10: a).": "KVM is there (paravirtual), but slower than emulation",
		"KVM is there, but unusable: the test guest stopped before its first instruction (the guest ended before its report was complete).":                                                                                                "KVM is there, but unusable",
	} {
		if got := (Acceleration{Reason: reason}).Brief(); got != want {
			t.Errorf("%q: %q, want %q", reason, got, want)
		}
	}
}
