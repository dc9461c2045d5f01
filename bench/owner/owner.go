// Package owner is whom the lab works for: it runs as root, mostly through sudo,
// and what it makes belongs to the user who called it.
package owner

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Courtesy is the error of giving a file to the user, and nil where the file
// system doesn't do that: one without owners (a USB stick, Windows' folders under
// WSL), or that of a server that trusts no root (root_squash).
func Courtesy(err error) error {
	for _, no := range []error{unix.EPERM, unix.EOPNOTSUPP, unix.ENOSYS, unix.EINVAL} {
		if errors.Is(err, no) {
			return nil
		}
	}
	return err
}

// Caller names the user who became root, by name or number: through sudo or run0,
// doas or pkexec. "" is nobody.
func Caller() string {
	if os.Getuid() != 0 {
		return ""
	}
	return cmp.Or(os.Getenv("SUDO_USER"), os.Getenv("SUDO_UID"), os.Getenv("DOAS_USER"), os.Getenv("PKEXEC_UID"))
}

// IDs are the user's and group's numbers.
func IDs() (uid, gid int) {
	uid, gid = os.Getuid(), os.Getgid()
	if uid != 0 {
		return uid, gid
	}
	u, uerr := strconv.Atoi(os.Getenv("SUDO_UID"))
	g, gerr := strconv.Atoi(os.Getenv("SUDO_GID"))
	if (uerr != nil || gerr != nil) && Caller() != "" { // doas and pkexec say less
		if x, err := find(Caller()); err == nil {
			u, uerr = strconv.Atoi(x.Uid)
			g, gerr = strconv.Atoi(x.Gid)
		}
	}
	if uerr == nil {
		uid = u
	}
	if gerr == nil {
		gid = g
	}
	return uid, gid
}

// Of is whom an open file or folder belongs to.
func Of(f *os.File) (uid, gid int, err error) {
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return 0, 0, fmt.Errorf("owner of %s: %w", f.Name(), err)
	}
	return int(st.Uid), int(st.Gid), nil
}

// Home is the user's home folder; "" where the environment names none.
func Home() (string, error) {
	name := Caller()
	if name == "" {
		return os.Getenv("HOME"), nil
	}
	u, err := find(name)
	if err != nil {
		return "", err
	}
	return u.HomeDir, nil
}

// find looks a user up by name or number. A program without libc reads
// /etc/passwd alone; who is known elsewhere (LDAP, systemd) getent(1) finds.
func find(name string) (*user.User, error) {
	_, numeric := strconv.Atoi(name)
	lookup := user.Lookup
	if numeric == nil {
		lookup = user.LookupId
	}
	u, err := lookup(name)
	if err == nil {
		return u, nil
	}
	out, gerr := exec.Command("getent", "passwd", "--", name).Output()
	if gerr != nil {
		return nil, err
	}
	f := strings.Split(strings.TrimSuffix(string(out), "\n"), ":")
	if len(f) != 7 {
		return nil, fmt.Errorf("getent passwd %s: not the seven fields of a user", name)
	}
	return &user.User{Username: f[0], Uid: f[2], Gid: f[3], Name: f[4], HomeDir: f[5]}, nil
}
