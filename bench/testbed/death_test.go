package testbed_test

import (
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"lab/bench/testbed"
)

func TestDeath(t *testing.T) {
	now := testbed.OOMKills()
	for _, c := range []struct {
		ws   unix.WaitStatus
		ooms int64
		want string
	}{
		{3 << 8, now, "ended with exit status 3"},
		{unix.WaitStatus(unix.SIGKILL), now, "was killed by signal 9 (SIGKILL)"},
		{unix.WaitStatus(unix.SIGKILL), now - 1, "memory ran out"},
		{unix.WaitStatus(unix.SIGXCPU), now, "signal 24 (SIGXCPU): a limit of CPU time"},
		{unix.WaitStatus(unix.SIGSYS), now, "filter"},
		{unix.WaitStatus(unix.SIGSEGV) | 0x80, now - 1, "signal 11 (SIGSEGV): it crashed"},
	} {
		got := testbed.Death(c.ws, c.ooms)
		if !strings.Contains(got, c.want) || c.ooms == now && strings.Contains(got, "memory ran out") {
			t.Errorf("%#x: %q, want %q", c.ws, got, c.want)
		}
	}
}
