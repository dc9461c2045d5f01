package owner

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

func TestCourtesy(t *testing.T) {
	if err := Courtesy(&fs.PathError{Op: "chown", Path: "x", Err: unix.EPERM}); err != nil {
		t.Error(err)
	}
	if err := Courtesy(&fs.PathError{Op: "chown", Path: "x", Err: unix.ENOENT}); err == nil {
		t.Error("a file that isn't there was given to somebody")
	}
}

// Who called is found whatever made him root, and whoever knows him: here getent
// alone does.
func TestCaller(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root; fix: sudo make test")
	}
	bin := t.TempDir()
	script := "#!/bin/sh\ncase $3 in ldap|70001) echo 'ldap:x:70001:70002:L D:/net/ldap:/bin/sh' ;; *) exit 2 ;; esac\n"
	if err := os.WriteFile(filepath.Join(bin, "getent"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+":/usr/bin:/bin")
	t.Setenv("HOME", "/root")
	for _, test := range []struct {
		env      map[string]string
		uid, gid int
		home     string
		fails    bool
	}{
		{map[string]string{}, 0, 0, "/root", false},
		{map[string]string{"SUDO_USER": "ldap", "SUDO_UID": "70001", "SUDO_GID": "70002"}, 70001, 70002, "/net/ldap", false},
		{map[string]string{"DOAS_USER": "ldap"}, 70001, 70002, "/net/ldap", false},
		{map[string]string{"PKEXEC_UID": "70001"}, 70001, 70002, "/net/ldap", false},
		{map[string]string{"SUDO_UID": "70001"}, 70001, 70002, "/net/ldap", false}, // as run0 may say it
		{map[string]string{"DOAS_USER": "nobody"}, 65534, 65534, "/nonexistent", false},
		{map[string]string{"SUDO_USER": "nobody.such", "SUDO_UID": "70003", "SUDO_GID": "70003"}, 70003, 70003, "", true},
	} {
		for _, name := range []string{"SUDO_USER", "SUDO_UID", "SUDO_GID", "DOAS_USER", "PKEXEC_UID"} {
			t.Setenv(name, test.env[name])
		}
		uid, gid := IDs()
		home, err := Home()
		if uid != test.uid || gid != test.gid || home != test.home || (err != nil) != test.fails {
			t.Errorf("%v: %d, %d, %q, %v", test.env, uid, gid, home, err)
		}
	}
}
