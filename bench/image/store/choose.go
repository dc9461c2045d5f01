package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"

	"lab/bench/image"
	"lab/bench/input"
)

// Named is the image that a user named: a folder, if there is one; else the name
// or the digest of one in the cache's store. Its bytes aren't read. Start is what
// one of the store starts by default, and nil for a folder.
func Named(cache, named string) (r image.Ref, start *Start, err error) {
	st, err := os.Stat(named)
	if err == nil && st.IsDir() || !IsDigest(named) && CheckName(named) != nil {
		r, err = image.At(named)
		return r, nil, err
	}
	s := In(cache)
	i, err := s.Find(named)
	if errors.Is(err, ErrUnknown) && !IsDigest(named) {
		err = fmt.Errorf("image %s: there is neither a folder nor an image in the store of that name; lab image ls lists these", named)
	}
	if err != nil {
		return r, nil, err
	}
	return s.Ref(i), &i.Start, nil
}

// Read is Named with the digest of the bytes that are there, which must be the
// store's.
func Read(cache, named string) (image.Ref, error) {
	r, start, err := Named(cache, named)
	if err != nil {
		return r, err
	}
	digest, size, err := image.Sum(r.Dir)
	if err == nil && start != nil && digest != r.Digest {
		err = fmt.Errorf("image %s was changed in the store: its files' digest is %s, and it was %s; lab image rm %s, and import it again", named, digest, r.Digest, named)
	}
	r.Digest, r.Size = digest, size
	return r, err
}

// An Account is a user of an image.
type Account struct {
	UID, GID uint32
	Groups   []uint32
	Home     string // "" if its /etc/passwd has none
}

// maxAccounts is more than any table of an image's accounts has.
const maxAccounts = 1 << 20

// Account finds a user of the file tree at dir as docker does: "USER[:GROUP]", each a
// name in /etc/passwd or /etc/group, or a number. A number that isn't there is of
// group 0.
func (s Start) Account(dir string) (a Account, err error) {
	user, group, both := strings.Cut(s.User, ":")
	if user == "" {
		user = "0"
	}
	root, err := input.OpenRoot(dir)
	if err != nil {
		return a, err
	}
	defer root.Close()
	passwd, err := table(root, "etc/passwd", 7)
	if err != nil {
		return a, err
	}
	groups, err := table(root, "etc/group", 4)
	if err != nil {
		return a, err
	}
	n, notNumber := strconv.ParseUint(user, 10, 32)
	a.UID = uint32(n)
	login := ""
	for _, f := range passwd {
		uid, err := strconv.ParseUint(f[2], 10, 32)
		gid, gerr := strconv.ParseUint(f[3], 10, 32)
		if err != nil || gerr != nil || f[0] != user && (notNumber != nil || uid != n) {
			continue
		}
		login, notNumber = f[0], nil
		a.UID, a.GID, a.Home = uint32(uid), uint32(gid), f[5]
		break
	}
	if notNumber != nil {
		return a, fmt.Errorf("user %q isn't in the image's /etc/passwd", user)
	}
	if both {
		g, err := strconv.ParseUint(group, 10, 32)
		for _, f := range groups {
			if f[0] == group {
				g, err = strconv.ParseUint(f[2], 10, 32)
			}
		}
		a.GID = uint32(g)
		if err != nil {
			return a, fmt.Errorf("group %q isn't in the image's /etc/group", group)
		}
		return a, nil
	}
	for _, f := range groups {
		g, err := strconv.ParseUint(f[2], 10, 32)
		if err == nil && login != "" && slices.Contains(strings.Split(f[3], ","), login) {
			a.Groups = append(a.Groups, uint32(g))
		}
	}
	return a, nil
}

// table reads lines of fields with colons between them.
func table(root *os.Root, name string, fields int) (out [][]string, err error) {
	data, err := input.ReadIn(root, name, maxAccounts)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(data)) {
		if f := strings.Split(strings.TrimRight(line, "\n"), ":"); len(f) >= fields {
			out = append(out, f)
		}
	}
	return out, nil
}
