package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The command to type begins with what this machine has.
func TestAsRoot(t *testing.T) {
	for _, test := range []struct{ there, want string }{
		{"", "sudo"}, {"doas", "doas env"}, {"pkexec", "pkexec env"}, {"doas pkexec", "doas env"}, {"sudo doas", "sudo"}, {"run0", "run0 env"},
	} {
		bin := t.TempDir()
		for _, name := range strings.Fields(test.there) {
			if err := os.WriteFile(filepath.Join(bin, name), nil, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		t.Setenv("PATH", bin)
		if got := strings.Join(asRoot(), " "); got != test.want {
			t.Errorf("with %q: %q, want %q", test.there, got, test.want)
		}
	}
}

// Who became root by another way than sudo does so again for the next command.
func TestTyped(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root; fix: sudo make test")
	}
	for _, name := range []string{"SUDO_USER", "SUDO_UID", "DOAS_USER", "PKEXEC_UID", "LAB_CACHE", "LAB_KERNEL", "XDG_CACHE_HOME"} {
		t.Setenv(name, "")
	}
	bin := t.TempDir()
	if err := os.WriteFile(filepath.Join(bin, "doas"), nil, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin)
	a := &App{Args: []string{"./lab"}}
	if got := a.Typed([]string{"clean"}); got != "./lab clean" {
		t.Errorf("as root: %q", got)
	}
	t.Setenv("DOAS_USER", "ann")
	if got := a.Typed([]string{"clean"}); got != "doas env ./lab clean" {
		t.Errorf("through doas: %q", got)
	}
}

// Root in a container lacks rights, and is told which.
func TestLacking(t *testing.T) {
	for mask, want := range map[string]string{
		"000001ffffffffff": "",
		"00000000a80425fb": "CAP_SYS_ADMIN CAP_NET_ADMIN", // Docker's
		"000001ffffdfffff": "CAP_SYS_ADMIN",
		"0000000000000000": "CAP_SYS_ADMIN CAP_NET_ADMIN CAP_SYS_CHROOT CAP_MKNOD CAP_DAC_OVERRIDE CAP_CHOWN CAP_FOWNER CAP_SETUID CAP_SETGID CAP_KILL",
		"":                 "",
		"x":                "",
	} {
		if got := strings.Join(lacking(mask), " "); got != want {
			t.Errorf("%s lacks %q, want %q", mask, got, want)
		}
	}
}
