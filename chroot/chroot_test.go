package chroot

import (
	"testing"

	"lab/bench/benchtest"
)

func TestMain(m *testing.M) { benchtest.Main(m) }

func TestHost(t *testing.T) {
	for name, settings := range map[string]map[string]string{"default": nil, "own network": {"netns": "own"}} {
		t.Run(name, func(t *testing.T) {
			lacks := map[benchtest.Feature]string{
				benchtest.Ports:    "it has no network of its own that a port could be led into",
				benchtest.ReadOnly: "the image is a folder among others, and can be written to as these",
				benchtest.Users:    "a program is reached by its path on the machine, which another user may not be able to follow",
				benchtest.Exec:     "any other process is as much inside as this one",
			}
			if settings != nil {
				lacks[benchtest.Work] = "netns=own: Check says so"
			}
			benchtest.Run(t, Host(), benchtest.Options{Settings: settings, Lacks: lacks})
		})
	}
}

func TestChroot(t *testing.T) {
	benchtest.Run(t, Chroot(), benchtest.Options{Lacks: map[benchtest.Feature]string{
		benchtest.Ports: "it has no network of its own",
		benchtest.Exec:  "another chroot into the same image is the same",
	}})
}
