// Package debian makes a file tree of Debian packages, by whichever maker of such
// trees is installed: mmdebstrap, or debootstrap.
//
// The packages come from this machine's own sources of its Debian. What differs from
// one time to the next (logs, caches, times) is left out, so that the same packages
// give the same bytes; so is what only people read.
package debian

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"lab/bench/clean"
	"lab/bench/input"
)

// ErrNoMaker is wrapped where this machine has no program to make a Debian with.
var ErrNoMaker = errors.New("neither mmdebstrap nor debootstrap is installed; fix: apt-get install mmdebstrap")

// made is the time of every file that a package didn't bring with an earlier one.
var made = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)

// Packages is an error about a word that isn't a Debian package's name.
func Packages(names []string) error {
	for _, n := range names {
		if n == "" || strings.Trim(n, "abcdefghijklmnopqrstuvwxyz0123456789+-.") != "" || strings.Trim(n[:1], "+-.") == "" {
			return fmt.Errorf("%q isn't a package's name", n)
		}
	}
	return nil
}

// Make makes the tree in the folder dir, which must be empty: what every Debian has,
// and the packages with what they need. It needs root and the packages' source.
func Make(ctx context.Context, dir string, packages []string) error {
	maker, err := exec.LookPath("mmdebstrap")
	if err != nil {
		maker, err = exec.LookPath("debootstrap")
	}
	if err != nil {
		return ErrNoMaker
	}
	suite, sources, err := sources(ctx)
	if err != nil {
		return err
	}
	if filepath.Base(maker) == "mmdebstrap" {
		err = mmdebstrap(ctx, "minbase", packages, suite, dir, sources)
	} else {
		err = run(ctx, maker, nil, "--variant=minbase", include(packages), suite, dir, strings.Fields(sources[0])[1])
	}
	if err != nil {
		return err
	}
	return settle(dir)
}

// include is the option of either maker that names the packages.
func include(packages []string) string {
	return "--include=" + strings.Join(slices.Sorted(slices.Values(packages)), ",")
}

// mmdebstrap runs that program, whose variant says what is in the tree besides the
// packages; more are options.
func mmdebstrap(ctx context.Context, variant string, packages []string, suite, dir string, sources []string, more ...string) error {
	args := append([]string{"--quiet", "--mode=root", "--variant=" + variant, include(packages), "--keyring=/usr/share/keyrings", "--aptopt=" + proxies(ctx)}, more...)
	return run(ctx, "mmdebstrap", sources, append(args, suite, dir, "-")...)
}

// run runs a maker, which reads lines.
func run(ctx context.Context, program string, lines []string, args ...string) error {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Stdin = strings.NewReader(strings.Join(lines, "\n") + "\n")
	out := clean.Tail{Most: 1000}
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.Env = append(os.Environ(), fmt.Sprintf("SOURCE_DATE_EPOCH=%d", made.Unix()), "LC_ALL=C")
	cmd.Cancel = func() error { return cmd.Process.Signal(unix.SIGTERM) } // it has mounts to undo
	cmd.WaitDelay = 20 * time.Second
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w: %s", filepath.Base(cmd.Path), err, out.String())
	}
	return nil
}

// sources are this machine's own of its Debian, as lines of sources.list(5), that of
// the release first.
func sources(ctx context.Context) (suite string, lines []string, err error) {
	out, err := exec.CommandContext(ctx, "sh", "-c", `. /etc/os-release && [ "$ID" = debian ] && echo "$VERSION_CODENAME"`).Output()
	if suite = strings.TrimSpace(string(out)); err != nil || suite == "" {
		return "", nil, errors.New("this machine isn't a Debian release, whose packages it would be made of; fix: lab image import, or pull")
	}
	out, err = exec.CommandContext(ctx, "apt-get", "indextargets", "--format", "$(ORIGIN) $(RELEASE) $(REPO_URI) $(COMPONENT)", "Created-By: Packages").Output()
	if err != nil {
		return "", nil, fmt.Errorf("apt-get indextargets: %w", err)
	}
	for l := range strings.Lines(string(out)) {
		f := strings.Fields(l)
		if len(f) == 4 && f[0] == "Debian" && slices.Contains([]string{suite, suite + "-updates", suite + "-security"}, f[1]) {
			lines = append(lines, fmt.Sprintf("deb %s %s %s", f[2], f[1], f[3]))
		}
	}
	slices.SortFunc(lines, func(a, b string) int {
		if d := len(strings.Fields(a)[2]) - len(strings.Fields(b)[2]); d != 0 { // the release's own has the shortest name
			return d
		}
		return strings.Compare(a, b)
	})
	if lines = slices.Compact(lines); len(lines) == 0 {
		return "", nil, fmt.Errorf("apt has no source of Debian %s; fix: apt-get update", suite)
	}
	return suite, lines, nil
}

// proxies is what apt's own configuration says of them, as options of apt.
func proxies(ctx context.Context) string {
	out, _ := exec.CommandContext(ctx, "apt-config", "dump").Output()
	var all []string
	for l := range strings.Lines(string(out)) {
		if f := strings.Fields(l); len(f) > 1 && strings.HasPrefix(f[0], "Acquire::") && strings.HasSuffix(f[0], "::Proxy") {
			all = append(all, strings.TrimSpace(l))
		}
	}
	if all == nil {
		return "quiet \"1\";"
	}
	return strings.Join(all, " ")
}

// unwanted is what differs each time, or what only people read.
var unwanted = []string{
	"etc/machine-id", "etc/resolv.conf", "etc/hostname", "debootstrap", "run/*", "tmp/*", "dev/*", "proc/*", "sys/*",
	"var/log/*.log", "var/log/apt/*", "var/cache/apt/*", "var/cache/debconf/*-old", "var/cache/ldconfig/*", "var/lib/apt/lists/*", "var/lib/dpkg/*-old",
	"usr/share/man/*", "usr/share/info/*", "usr/share/locale/*", "usr/share/lintian/*",
}

// settle removes what is unwanted, and gives what was made just now one time.
func settle(dir string) error {
	for _, pattern := range unwanted {
		names, err := filepath.Glob(filepath.Join(dir, pattern))
		for _, n := range names {
			err = errors.Join(err, os.RemoveAll(n))
		}
		if err != nil {
			return err
		}
	}
	var times []string // a folder's changes when something in it goes
	err := input.Walk(dir, func(name, rel string, info fs.FileInfo) error {
		if strings.HasPrefix(rel, "usr/share/doc/") && !info.IsDir() && filepath.Base(rel) != "copyright" {
			return os.Remove(name)
		}
		if info.ModTime().After(made) {
			times = append(times, name)
		}
		return nil
	})
	if err != nil {
		return err
	}
	t := unix.NsecToTimespec(made.UnixNano())
	for _, name := range times {
		if err := unix.UtimesNanoAt(unix.AT_FDCWD, name, []unix.Timespec{t, t}, unix.AT_SYMLINK_NOFOLLOW); err != nil {
			return &os.PathError{Op: "set the time of", Path: name, Err: err}
		}
	}
	return nil
}
