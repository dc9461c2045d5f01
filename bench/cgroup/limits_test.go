package cgroup

import "testing"

// Machines of one processor, of more than a word has bits, and with some switched off.
func TestProcessors(t *testing.T) {
	for _, x := range []struct{ set, online, wrong string }{
		{"0", "0", ""},
		{"1", "0", "there is no processor 1; this machine has 0"},
		{"0-127", "0-127", ""},
		{"63-64,100", "0-127", ""},
		{"128", "0-127", "there is no processor 128; this machine has 0-127"},
		{"2,4-255", "0-2,4-255", ""},
		{"0-3", "0-2,4-255", "there is no processor 3; this machine has 0-2,4-255"},
	} {
		said := ""
		if err := checkCPUs(x.set, x.online); err != nil {
			said = err.Error()
		}
		if said != x.wrong {
			t.Errorf("%s of %s: %q, want %q", x.set, x.online, said, x.wrong)
		}
	}
	for set, n := range map[string]int{"0": 1, "0-127": 128, "0-2,4-255": 255} {
		if got := len(CPUs(set)); got != n {
			t.Errorf("%s are %d processors, and not %d", set, got, n)
		}
	}
}
