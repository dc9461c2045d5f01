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
		{"", "sudo"}, {"doas", "doas env"}, {"pkexec", "pkexec env"}, {"doas pkexec", "doas env"}, {"sudo doas", "sudo"},
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
