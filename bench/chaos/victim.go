package chaos

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"lab/bench/cgroup"
)

// A Victim is a way to start a program apart from others, as one command.
type Victim struct {
	Name string
	Own  bool // the lab's own environment: it gives its objects names of its own

	// args are the command that runs argv; id is in the names of all that it makes,
	// and dir a folder for it.
	args func(id, dir, image string, argv []string) ([]string, error)

	// undo are the commands that remove what it left.
	undo func(id, dir string) [][]string
}

// Ours is an environment of the lab's, whose program is called lab.
func Ours(lab, env string) Victim {
	return Victim{Name: env, Own: true,
		args: func(_, _, _ string, argv []string) ([]string, error) {
			return append([]string{lab, "exec", env, "--"}, argv...), nil
		},
		undo: func(string, string) [][]string { return [][]string{{lab, "clean"}} }}
}

// Others are those that somebody else made.
func Others() []Victim {
	return []Victim{
		{Name: "runc", args: oci("runc"), undo: ociUndo("runc")},
		{Name: "crun", args: oci("crun"), undo: ociUndo("crun")},
		{Name: "bwrap", args: bwrap("bwrap"), undo: func(string, string) [][]string { return nil }},
		{Name: "bwrap --die-with-parent", args: bwrap("bwrap", "--die-with-parent"), undo: func(string, string) [][]string { return nil }},
	}
}

// installed says whether a victim's program is there.
func installed(program string) error {
	if _, err := exec.LookPath(program); err != nil {
		return fmt.Errorf("%s isn't installed", program)
	}
	return nil
}

// oci makes a bundle for a runtime of the Open Container Initiative, with the spec that
// it writes by itself.
func oci(program string) func(id, dir, image string, argv []string) ([]string, error) {
	return func(id, dir, image string, argv []string) ([]string, error) {
		if err := installed(program); err != nil {
			return nil, err
		}
		cmd := exec.Command(program, "spec")
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("%s spec: %w: %s", program, err, out)
		}
		file := filepath.Join(dir, "config.json")
		b, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		var spec map[string]any
		if err := json.Unmarshal(b, &spec); err != nil {
			return nil, err
		}
		process, _ := spec["process"].(map[string]any)
		linux, _ := spec["linux"].(map[string]any)
		if process == nil || linux == nil {
			return nil, errors.New(program + " spec: neither process nor linux is in it")
		}
		process["terminal"], process["args"] = false, argv
		linux["cgroupsPath"] = "/" + id
		spec["root"] = map[string]any{"path": image, "readonly": true}
		if b, err = json.Marshal(spec); err == nil {
			err = os.WriteFile(file, b, 0o644)
		}
		args := []string{program, "--root", filepath.Join(dir, "state"), "run", "--bundle", dir, id}
		if l, lerr := cgroup.Read(); lerr == nil && l.Kind() == "hybrid" {
			// Debian's crun refuses such a layout: the v2 tree is hidden from both.
			args = append([]string{"unshare", "-m", "--propagation", "slave", "sh", "-c", `umount -l "$0" && exec "$@"`, l.V2}, args...)
		}
		return args, err
	}
}

func ociUndo(program string) func(id, dir string) [][]string {
	return func(id, dir string) [][]string {
		return [][]string{{program, "--root", filepath.Join(dir, "state"), "delete", "--force", id}}
	}
}

func bwrap(program string, more ...string) func(id, dir, image string, argv []string) ([]string, error) {
	return func(id, _, image string, argv []string) ([]string, error) {
		if err := installed(program); err != nil {
			return nil, err
		}
		args := append([]string{program}, more...)
		args = append(args, strings.Fields("--unshare-pid --unshare-net --unshare-uts --unshare-ipc --unshare-cgroup-try --new-session")...)
		args = append(args, "--hostname", id, "--ro-bind", image, "/", "--proc", "/proc", "--dev", "/dev")
		return append(args, argv...), nil
	}
}
