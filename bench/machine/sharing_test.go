package machine

import (
	"os"
	"path/filepath"
	"testing"
)

// What the kernel says of merged and of large pages is a word in a file, or none.
func TestSharing(t *testing.T) {
	for _, x := range []struct{ run, huge, ksm, pages string }{
		{"", "", "", ""},
		{"0\n", "", "off", "not built in"},
		{"", "[never]\n", "not built in", "never"},
		{"0\n", "always [madvise] never\n", "off", "madvise"},
		{"1\n", "[always] madvise never\n", "on", "always"},
		{"2\n", "always madvise [never]\n", "off, and what was merged is being parted", "never"},
	} {
		dir := t.TempDir()
		for name, text := range map[string]string{"ksm/run": x.run, "transparent_hugepage/enabled": x.huge} {
			if name = filepath.Join(dir, "sys/kernel/mm", name); text != "" {
				if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		}
		if k, p := ksm(tree(dir)), hugePages(tree(dir)); k != x.ksm || p != x.pages {
			t.Errorf("%q, %q: %q and %q", x.run, x.huge, k, p)
		}
	}
}
