package fleet

import (
	"archive/tar"
	"bytes"
	"cmp"
	"crypto/md5"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"lab/bench/usercache"
)

// A Package is what a Debian package says of itself.
type Package struct {
	Version    string // of the lab, in any form
	Machine    string // as Go names it: amd64, arm64
	Recommends string // packages, with commas
}

// DebianVersion is a version of the lab as Debian orders them: one of a commit alone is
// before any that has a number.
func DebianVersion(version string) string {
	v := strings.Map(func(r rune) rune {
		switch {
		case r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r == '.' || r == '+' || r == '~':
			return r
		}
		return '.'
	}, strings.TrimPrefix(version, "v"))
	if i := strings.IndexByte(v, '.'); i < 1 || strings.Trim(v[:i], "0123456789") != "" {
		v = "0~git" + v
	}
	return v
}

// Where a package's files are: the programs, and in the cache's place a link to what is
// allowed to change.
const (
	debPrograms = "usr/lib/lab"
	debCache    = "var/cache/lab"
	debTexts    = "usr/share/doc/lab"
)

// debEntries are a bundle's parts where a package has them.
func debEntries(parts []Part) ([]packed, error) {
	link := func(name, to string) packed {
		return packed{Part{Name: name}, tar.Header{Typeflag: tar.TypeSymlink, Mode: 0o777, Linkname: to}}
	}
	links := []packed{link("usr/bin/lab", "../lib/lab/lab"), link(path.Join(debPrograms, usercache.Beside), "../../../"+debCache)}
	var out []Part
	for _, p := range parts {
		switch rest, inCache := strings.CutPrefix(p.Name, usercache.Beside+"/"); {
		case inCache:
			p.Name = path.Join(debCache, rest)
		case p.Name == "LICENSE":
			p.Name = path.Join(debTexts, "copyright")
			links = append(links, link(path.Join(debTexts, "LICENSE"), "copyright")) // README.md leads there
		case p.Name == "lab" || p.Name == "lab-full":
			p.Name = path.Join(debPrograms, p.Name)
		default: // a text, and in the same place as seen from it what it links to
			p.Name = path.Join(debTexts, p.Name)
		}
		out = append(out, p)
	}
	entries, err := entriesOf(out)
	if err != nil {
		return nil, err
	}
	entries = append(append(entries, packed{Part{Name: "usr/bin"}, tar.Header{Typeflag: tar.TypeDir, Mode: 0o755}}), links...)
	slices.SortFunc(entries, func(a, b packed) int { return cmp.Compare(a.Name, b.Name) })
	return entries, nil
}

// postrm removes what the lab kept of its own accord.
const postrm = "#!/bin/sh\nset -e\nif [ \"$1\" = purge ]; then rm -rf /" + debCache + "; fi\n"

// SaveDeb writes a bundle's parts into a Debian package, in one step, and returns its
// digest and size. The same parts give the same bytes. The file belongs to uid and gid.
//
// The form is deb(5): an ar archive of debian-binary, control.tar.gz and data.tar.gz.
func SaveDeb(file string, x Package, parts []Part, uid, gid int) (digest string, size int64, err error) {
	entries, err := debEntries(parts)
	if err != nil {
		return "", 0, fmt.Errorf("bundle: %w", err)
	}
	data, err := unnamed(filepath.Dir(file))
	if err != nil {
		return "", 0, fmt.Errorf("bundle: %w", err)
	}
	defer discard(data)
	var sums bytes.Buffer
	kib := int64(0)
	err = zipped(data, func(out *tar.Writer) error {
		for _, e := range entries {
			sum := md5.New() // what dpkg --verify reads
			if err := e.write(out, "./"+e.Name, sum); err != nil {
				return fmt.Errorf("%s: %w", e.Name, err)
			}
			kib++
			if e.header.Typeflag == tar.TypeReg {
				kib += (e.header.Size + 1023) / 1024
				fmt.Fprintf(&sums, "%x  %s\n", sum.Sum(nil), e.Name)
			}
		}
		return nil
	})
	if err != nil {
		return "", 0, fmt.Errorf("bundle: %w", err)
	}
	description := "Package: lab\nVersion: " + DebianVersion(x.Version) + "\nArchitecture: " + x.Machine + "\nMaintainer: the lab's authors <lab@localhost>\n" +
		fmt.Sprintf("Installed-Size: %d\n", kib) + "Recommends: " + x.Recommends + "\nSection: misc\nPriority: optional\n" +
		"Description: virtualization comparison lab and benchmark suite\n" +
		" Launches one workload as a process, under chroot, in a container, in a KVM guest\n" +
		" and in container engines, measures what each costs, and explains the figures.\n"
	var control bytes.Buffer
	err = zipped(&control, func(out *tar.Writer) error {
		for _, m := range []struct {
			name string
			mode fs.FileMode
			data []byte
		}{{"control", 0o644, []byte(description)}, {"md5sums", 0o644, sums.Bytes()}, {"postrm", 0o755, []byte(postrm)}} {
			p := packed{Part{Name: m.name, Data: m.data}, tar.Header{Typeflag: tar.TypeReg, Mode: int64(m.mode), Size: int64(len(m.data))}}
			if err := p.write(out, "./"+m.name, io.Discard); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return "", 0, fmt.Errorf("bundle: %w", err)
	}
	return save(file, uid, gid, func(w io.Writer) (string, error) {
		sum := sha256.New()
		w = io.MultiWriter(w, sum)
		st, err := data.Stat()
		if err != nil {
			return "", err
		}
		if _, err := data.Seek(0, io.SeekStart); err != nil {
			return "", err
		}
		version := "2.0\n"
		_, err = io.WriteString(w, "!<arch>\n")
		err = errors.Join(err, member(w, "debian-binary", strings.NewReader(version), int64(len(version))),
			member(w, "control.tar.gz", &control, int64(control.Len())), member(w, "data.tar.gz", data, st.Size()))
		return fmt.Sprintf("%x", sum.Sum(nil)), err
	})
}

// member writes a file of an ar archive (deb(5)): its header, and what it has, to an even
// length.
func member(w io.Writer, name string, from io.Reader, size int64) error {
	if _, err := fmt.Fprintf(w, "%-16s%-12d%-6d%-6d%-8s%-10d`\n", name, 0, 0, 0, "100644", size); err != nil {
		return err
	}
	n, err := io.Copy(w, from)
	if err == nil && n != size {
		err = fmt.Errorf("%s has %d bytes, and was to have %d", name, n, size)
	}
	if err == nil && size%2 == 1 {
		_, err = w.Write([]byte("\n"))
	}
	return err
}
