package scenarios

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"lab/bench/image"
)

// isolationOutside is an instance as the host sees it: at /proc/PID, which a program
// inside has no part in.
type isolationOutside struct {
	pid  int             // in the testbed's numbers; 0: the host doesn't see it
	uid  int             // who it is outside
	has  map[string]bool // its ingredients; nil where they can't be seen
	caps uint64          // its effective capabilities, a bit each
	made bool            // its mount is there on the host

	covered, readonly map[string]bool // by the path of a probe
}

// lookFromOutside finds the probe that looks for a mark, and its ingredients.
func lookFromOutside(mark string, guest bool) (isolationOutside, error) {
	out := isolationOutside{}
	pid, err := findProbe("mark=" + mark)
	if err != nil {
		return out, err
	}
	out.pid = pid
	if guest {
		out.has = map[string]bool{"kernel": true}
		return out, nil
	}
	if pid == 0 {
		return out, nil // another's child, in another PID namespace
	}
	dir := "/proc/" + strconv.Itoa(pid)
	has := map[string]bool{}
	for _, kind := range []string{"mnt", "pid", "net", "ipc", "uts", "cgroup", "user", "time"} {
		its, err := os.Readlink(dir + "/ns/" + kind)
		if errors.Is(err, fs.ErrNotExist) {
			continue // a kernel without such
		}
		ours, oerr := os.Readlink("/proc/self/ns/" + kind)
		if err := errors.Join(err, oerr); err != nil {
			return out, err
		}
		has[kind] = its != ours
	}
	var its, ours unix.Stat_t
	if err := errors.Join(unix.Stat(dir+"/root/", &its), unix.Stat("/", &ours)); err != nil {
		return out, err
	}
	has["root"] = its.Dev != ours.Dev || its.Ino != ours.Ino
	_, err = os.Stat(dir + "/root/proc/version")
	has["bare"] = err != nil
	var st unix.Statfs_t
	if err := unix.Statfs(dir+"/root/", &st); err != nil {
		return out, err
	}
	has["nodev"] = st.Flags&unix.ST_NODEV != 0
	if !has["bare"] {
		out.seeCovers(dir + "/root")
		has["covers"], has["readonly"] = len(out.covered) > 0, len(out.readonly) > 0
	}
	status, err := statusOf(dir)
	if err != nil {
		return out, err
	}
	own, err := statusOf("/proc/self")
	if err != nil {
		return out, err
	}
	has["caps"] = !has["user"] && status["CapEff"] != own["CapEff"]
	has["seccomp"] = status["Seccomp"] == "2" && own["Seccomp"] != "2"
	uid, _, _ := strings.Cut(status["Uid"], "\t")
	if out.uid, err = strconv.Atoi(uid); err != nil {
		return out, err
	}
	if out.caps, err = strconv.ParseUint(status["CapEff"], 16, 64); err != nil {
		return out, err
	}
	out.has = has
	return out, nil
}

// findProbe is the number of the process that is the probe "reach" with such an
// argument, or 0. Commands that start it may have the same words among theirs.
func findProbe(word string) (int, error) {
	all, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		return 0, err
	}
	for _, name := range all {
		b, err := os.ReadFile(name)
		if err != nil {
			continue // it ended
		}
		args := strings.Split(string(b), "\x00")
		if len(args) > 3 && filepath.Base(args[0]) == filepath.Base(image.ProbePath) && args[2] == "reach" && slices.Contains(args[3:], word) {
			return strconv.Atoi(filepath.Base(filepath.Dir(name)))
		}
	}
	return 0, nil
}

// seeCovers finds which of the probes' files in a root are covered by a mount of
// something else, or left out, and which can't be written to.
func (o *isolationOutside) seeCovers(root string) {
	o.covered, o.readonly = map[string]bool{}, map[string]bool{}
	for _, p := range isolationProbes {
		if p.path == "" {
			continue
		}
		var own, its unix.Statfs_t
		switch {
		case unix.Statfs(p.path, &own) != nil:
			continue // nor has the host
		case unix.Statfs(root+p.path, &its) != nil || its.Type != own.Type:
			o.covered[p.path] = true
		case its.Flags&unix.ST_RDONLY != 0:
			o.readonly[p.path] = true
		}
	}
}

// statusOf reads a process's status file.
func statusOf(dir string) (map[string]string, error) {
	b, err := os.ReadFile(dir + "/status")
	out := map[string]string{}
	for l := range strings.Lines(string(b)) {
		if k, v, ok := strings.Cut(l, ":"); ok {
			out[k] = strings.TrimSpace(v)
		}
	}
	return out, err
}

// mountedHere says whether the host has a mount of that name.
func mountedHere(name string) bool {
	b, err := os.ReadFile("/proc/self/mountinfo")
	return err == nil && strings.Contains(string(b), " "+name+" ")
}
