package container

import (
	"testing"

	"lab/bench/benchtest"
)

func TestMain(m *testing.M) { benchtest.Main(m) }

func TestContainer(t *testing.T) {
	for _, c := range []struct {
		name     string
		settings map[string]string
		lacks    map[benchtest.Feature]string
	}{
		{"default", nil, nil},
		{"bridge", map[string]string{"net": "bridge"}, nil},
		{"net=host", map[string]string{"net": "host"}, nil},
		{"no overlay", map[string]string{"overlay": "no"}, nil},
		{"no PID namespace", map[string]string{"pid": "no"}, nil},
		{"user", map[string]string{"user": "yes"}, nil},
		{"user, bridge", map[string]string{"user": "yes", "net": "bridge", "time": "yes"}, nil},
		{"user, bare", map[string]string{"user": "yes", "pid": "no", "ipc": "no", "uts": "no", "net": "host", "caps": "all", "seccomp": "none", "overlay": "no"}, nil},
		{"time", map[string]string{"time": "yes"}, nil},
		{"bare", map[string]string{"pid": "no", "ipc": "no", "uts": "no", "net": "host", "cgroup": "no", "caps": "all", "seccomp": "none", "overlay": "no"},
			map[benchtest.Feature]string{
				benchtest.CPU:    "cgroup=no",
				benchtest.Memory: "cgroup=no",
				benchtest.Pids:   "cgroup=no",
			}},
	} {
		t.Run(c.name, func(t *testing.T) {
			benchtest.Run(t, New(), benchtest.Options{Settings: c.settings, Lacks: c.lacks})
		})
	}
}
