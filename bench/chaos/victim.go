package chaos

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"lab/bench/clean"
	"lab/bench/foreign"
)

// A Victim is a way to start a program apart from others, as one command.
type Victim struct {
	Name string
	Own  bool // the lab's own environment: it gives its objects names of its own

	// Parts are the processes that can be killed, by their names; the client and the
	// workload are with every victim.
	Parts []string

	// Slow says that a life takes seconds: it is killed if somebody asks for it.
	Slow bool

	program  string // that has to be there; "": none
	secluded bool   // it is killed in a testbed, by another's hand

	// open makes ready what it keeps between its lives: an image. May be nil.
	open func(context.Context, *Scene) error

	// args are the command that runs a life's workload; the life's name is in the names
	// of all that it makes, and its folder is for what it reads.
	args func(*Scene, *life) ([]string, error)

	// undo are the commands with which a user would remove what it left. May be nil.
	undo func(*Scene, *life) [][]string

	// lazy begin the names of files that say nothing: it leaves them for a while even if
	// nobody is killed, or has one for each life of its daemon.
	lazy []string

	// A daemon that answers when ping ends well, and the names of its processes, which
	// stay. It is started again before the next life if it has died.
	daemon  func(*Scene) ([]string, error)
	ping    func(*Scene) []string
	daemons []string
}

// All are the parts that can be killed: nobody first, as the control.
func (v *Victim) All() []string {
	return append(append([]string{Nobody, Client}, v.Parts...), Workload)
}

// Version is what its program answers when it is asked for its version; "" where it has
// none, or isn't there.
func (v *Victim) Version() string {
	path, err := exec.LookPath(v.program)
	if err != nil {
		return ""
	}
	version, _ := foreign.Version(path)
	return version
}

// Ours is an environment of the lab's, whose program is called lab.
func Ours(lab, env string) Victim {
	return Victim{Name: env, Own: true, Parts: []string{"tidier"},
		args: func(_ *Scene, l *life) ([]string, error) {
			return append([]string{lab, "exec", env, "--"}, l.argv...), nil
		},
		undo: func(*Scene, *life) [][]string { return [][]string{{lab, "clean"}} }}
}

// Others are those that somebody else made, as their users run them: with the folders,
// networks and cgroups that they take by themselves.
func Others() []Victim {
	list := []Victim{
		oci("runc"),
		oci("crun"),
		{Name: "bwrap", program: "bwrap", args: bwrap()},
		{Name: "bwrap --die-with-parent", program: "bwrap", args: bwrap("--die-with-parent")},
		{Name: "nspawn", program: "systemd-nspawn", args: func(s *Scene, l *life) ([]string, error) {
			// Without systemd's hierarchy of cgroup v1: it takes its own path there for one
			// below what it sees, which is the testbed's alone.
			return append([]string{"unshare", "--mount", "sh", "-c", `umount -l /sys/fs/cgroup/systemd 2>/dev/null; exec "$@"`, "sh", "systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--link-journal=no", "--resolv-conf=off", "--timezone=off",
				"--console=pipe", "--private-network", "--machine=" + l.id, "--directory=" + s.root, "--"}, l.argv...), nil
		}},
		{Name: "lxc", program: "lxc-execute", args: lxc, undo: func(_ *Scene, l *life) [][]string {
			return [][]string{{"lxc-stop", "--kill", "--name", l.id}, {"lxc-destroy", "--force", "--name", l.id}}
		}},
		{Name: "podman", program: "podman", Slow: true, Parts: []string{"conmon", "crun"},
			open: func(ctx context.Context, s *Scene) error {
				return s.importImage(ctx, append(podman(s), "import", "--quiet", "-", imageName)...)
			},
			args: func(s *Scene, l *life) ([]string, error) {
				return append(append(podman(s), "run", "--rm", "--name", l.id, "--pull", "never", "--cgroupns", "private", imageName), l.argv...), nil
			},
			undo: func(s *Scene, l *life) [][]string {
				return [][]string{append(podman(s), "rm", "--force", "--time", "0", l.id), append(podman(s), "container", "cleanup", "--all")}
			}},
		{Name: "docker", program: "dockerd", Slow: true, Parts: []string{"containerd-shim", "runc", "dockerd", "containerd"}, daemons: []string{"dockerd", "containerd"},
			// Empty files, removed once a minute (what is mounted there is a mount), and the
			// socket of a dockerd.
			lazy: []string{"/run/docker/netns/", "/run/docker/libnetwork/"},
			daemon: func(s *Scene) ([]string, error) {
				const file = "/run/docker.json" // and not the machine's
				return []string{"dockerd", "--config-file", file, "--host", dockerSocket, "--tls=false", "--data-root", s.data(), "--storage-driver", "overlay2",
						"--exec-opt", "native.cgroupdriver=cgroupfs", "--iptables=false", "--ip6tables=false", "--ip-forward=false", "--ip-masq=false"},
					os.WriteFile(file, []byte("{}"), 0o644)
			},
			ping: func(*Scene) []string { return docker("version") },
			open: func(ctx context.Context, s *Scene) error {
				return s.importImage(ctx, docker("import", "-", imageName)...)
			},
			args: func(_ *Scene, l *life) ([]string, error) {
				return append(docker("run", "--rm", "--name", l.id, "--pull", "never", "--cgroupns", "private", imageName), l.argv...), nil
			},
			undo: func(_ *Scene, l *life) [][]string { return [][]string{docker("rm", "--force", "--volumes", l.id)} }},
	}
	for i := range list {
		list[i].secluded = true
	}
	return list
}

// imageName is the image's, for those that have a store.
const imageName = "lab"

// importImage hands the image to a command, as an archive.
func (s *Scene) importImage(ctx context.Context, args ...string) error {
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer r.Close()
	archive := foreign.Archive(s.run.Image)
	defer archive.Close()
	go func() {
		io.Copy(w, archive) // who reads says what is wrong with half of one
		w.Close()
	}()
	if _, err := s.ask(ctx, time.Minute, r, args...); err != nil {
		return fmt.Errorf("import the image: %w", err)
	}
	return nil
}

// oci is a runtime of the Open Container Initiative, with the spec that it writes by
// itself.
func oci(program string) Victim {
	return Victim{Name: program, program: program, args: func(s *Scene, l *life) ([]string, error) {
		cmd := s.command(program, "spec")
		cmd.Dir = l.dir
		if out, err := cmd.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("%s spec: %s", program, firstLine(string(out), err))
		}
		file := filepath.Join(l.dir, "config.json")
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
		process["terminal"], process["args"] = false, l.argv
		linux["cgroupsPath"] = "/" + l.id
		// On cgroup v1 a runtime looks for its own cgroup below what it sees, which is the
		// testbed's alone.
		mounts, _ := spec["mounts"].([]any)
		spec["mounts"] = slices.DeleteFunc(mounts, func(m any) bool {
			x, _ := m.(map[string]any)
			return x["type"] == "cgroup"
		})
		spec["root"] = map[string]any{"path": s.root, "readonly": true}
		if b, err = json.Marshal(spec); err == nil {
			err = os.WriteFile(file, b, 0o644)
		}
		return []string{program, "run", "--bundle", l.dir, l.id}, err
	}, undo: func(_ *Scene, l *life) [][]string { return [][]string{{program, "delete", "--force", l.id}} }}
}

func bwrap(more ...string) func(*Scene, *life) ([]string, error) {
	return func(s *Scene, l *life) ([]string, error) {
		args := append([]string{"bwrap"}, more...)
		args = append(args, strings.Fields("--unshare-pid --unshare-net --unshare-uts --unshare-ipc --unshare-cgroup-try --new-session")...)
		args = append(args, "--hostname", l.id, "--ro-bind", s.root, "/", "--proc", "/proc", "--dev", "/dev")
		return append(args, l.argv...), nil
	}
}

// lxc is lxc-execute, with the least configuration that there can be.
func lxc(s *Scene, l *life) ([]string, error) {
	keys := []string{"lxc.rootfs.path = dir:" + s.root, "lxc.uts.name = " + l.id, "lxc.net.0.type = veth", "lxc.mount.auto = proc:mixed sys:ro", "lxc.console.path = none",
		"lxc.apparmor.profile = unconfined"}
	file := filepath.Join(l.dir, "config")
	if err := os.WriteFile(file, []byte(strings.Join(keys, "\n")+"\n"), 0o644); err != nil {
		return nil, err
	}
	return append([]string{"lxc-execute", "--name", l.id, "--rcfile", file, "--quiet", "--"}, l.argv...), nil
}

// podman is the command, with a store of the scene's own.
func podman(s *Scene) []string {
	return []string{"podman", "--root", filepath.Join(s.data(), "storage"), "--runtime", "crun", "--storage-driver", "overlay", "--cgroup-manager", "cgroupfs", "--events-backend", "none"}
}

// dockerSocket is where the scene's dockerd listens: in a /run of its own.
const dockerSocket = "unix:///run/docker.sock"

func docker(args ...string) []string {
	return append([]string{"docker", "--host", dockerSocket}, args...)
}

// A daemon is a victim's that runs.
type daemon struct {
	cmd   *exec.Cmd
	said  clean.Tail
	ended chan struct{}
}

// up starts the victim's daemon where it has one and that doesn't run, as a machine's
// first process would, and returns when it answers.
func (s *Scene) up(ctx context.Context) error {
	if s.victim.daemon == nil {
		return nil
	}
	if s.daemon != nil {
		select {
		case <-s.daemon.ended:
		default:
			return nil
		}
	}
	args, err := s.victim.daemon(s)
	if err != nil {
		return err
	}
	d := &daemon{cmd: s.command(args...), said: clean.Tail{Most: 8 << 10}, ended: make(chan struct{})}
	d.cmd.Stdout, d.cmd.Stderr, d.cmd.WaitDelay = &d.said, &d.said, 10*time.Millisecond
	if err := d.cmd.Start(); err != nil {
		return err
	}
	go func() {
		defer close(d.ended)
		d.cmd.Wait()
	}()
	s.daemon = d
	for began := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		_, err := s.ask(ctx, undoWithin, nil, s.victim.ping(s)...)
		if err == nil {
			return nil
		}
		select {
		case <-d.ended:
			said := strings.TrimSpace(d.said.String())
			return fmt.Errorf("%s ended: %s", args[0], clean.Text(said[strings.LastIndexByte(said, '\n')+1:]))
		default:
		}
		if time.Since(began) > startWithin || ctx.Err() != nil {
			return fmt.Errorf("%s: no answer in %v: %w", args[0], startWithin, err)
		}
	}
}

// stop ends it.
func (d *daemon) stop() {
	d.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-d.ended:
	case <-time.After(undoWithin):
		d.cmd.Process.Kill()
		<-d.ended
	}
}
