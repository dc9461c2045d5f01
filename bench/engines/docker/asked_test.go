package docker

import (
	"context"
	"errors"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/moby/moby/client"
	"golang.org/x/sys/unix"

	"lab/bench"
	"lab/bench/benchtest"
	"lab/bench/clock"
	"lab/bench/image"
	"lab/bench/proc"
)

// The engine asked over TCP, and by its own client.
func TestDockerAsked(t *testing.T) {
	needs(t, false)
	parts := []string{"Ready", "Status", "Stdout", "Stderr", "Stdin", "Signals", "Memory", "Cancel", "Exec", "Prepare"}
	t.Run("tcp", func(t *testing.T) { suite(t, map[string]string{"engine": "tcp"}, parts...) })
	t.Run("client", func(t *testing.T) { suite(t, map[string]string{"client": "docker"}, parts...) })
	// The client writes a warning to the errors here: no packet is to leave the testbed.
	t.Run("bridge", func(t *testing.T) {
		suite(t, map[string]string{"client": "docker", "engine": "tcp", "net": "bridge"}, "Ready", "Ports")
	})
}

// Another machine's engine, for which one of the lab's stands in: it is sent the image, it
// keeps the limits, and what the lab put there is gone at the end. The engine's end, and an
// engine that can't be reached, are errors of the machine's.
func TestRemote(t *testing.T) {
	needs(t, false)
	tb, img := benchtest.Testbed(t), benchtest.Image(t)
	other, e := New(), New()
	settings, _ := bench.Resolve(e, map[string]string{"engine": "tcp"})
	spec := bench.Spec{Image: img, Settings: settings, Command: bench.Command{Argv: []string{"/bin/sh", "-c", "echo here; exec sleep 1000"}}}
	if err := errors.Join(other.Open(t.Context(), tb), e.Open(t.Context(), tb)); err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	far, err := other.engine(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	spec.Settings["engine"] = "remote"
	if err, u := e.check(spec), (*bench.UnfitError)(nil); !errors.As(err, &u) || !strings.Contains(u.Cure, "DOCKER_HOST=tcp://") {
		t.Errorf("without DOCKER_HOST: %v", err)
	}
	tb.Outside = func() (net.Conn, error) { return net.Dial("tcp", far.route.address) }
	defer func() { tb.Outside = nil }()
	spec.Init, spec.Limits.Memory = true, 64<<20
	run := func() (bench.Instance, error) {
		i, err := e.Prepare(t.Context(), spec)
		if err != nil {
			return nil, err
		}
		t.Cleanup(func() { i.Close() })
		if err := i.Start(t.Context()); err != nil {
			return nil, err
		}
		_, err = clock.AwaitToken(i.Ready(), []byte("here"), time.Minute)
		return i, err
	}
	i, err := run()
	if err != nil {
		t.Fatal(err)
	}
	if err := i.Close(); err != nil {
		t.Error(err)
	}
	spec.Command.Argv[2] = "echo here; x=0123456789abcdef; while :; do x=$x$x; done"
	if i, err = run(); err != nil {
		t.Fatal(err)
	}
	if x, err := i.Wait(t.Context()); err != nil || x.Signal != 9 { // whether the engine has seen why depends on its cgroups
		t.Errorf("more than its 64 MiB: %v, %v", x, err)
	}
	i.Close()
	e.Close()
	api, err := far.dial()
	if err != nil {
		t.Fatal(err)
	}
	defer api.close()
	if s, err := api.Info(t.Context(), client.InfoOptions{}); err != nil || s.Info.Containers+s.Info.Images != 0 {
		t.Errorf("the other engine has %d containers and %d images, %v", s.Info.Containers, s.Info.Images, err)
	}
	spec.Command.Argv[2] = "echo here; exec sleep 1000"
	if i, err = run(); err != nil {
		t.Fatal(err)
	}
	unix.Kill(far.proc.PID(), unix.SIGKILL)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, err := i.Wait(ctx); err == nil || ctx.Err() != nil || bench.Whose(err) != bench.BlameMachine {
		t.Errorf("its engine was killed: %v (blames %s)", err, bench.Whose(err))
	}
	for _, pid := range proc.PIDs() { // what it leaves is the other machine's affair
		if p, ok := proc.Read(pid); ok && p.Name == "sleep" {
			unix.Kill(pid, unix.SIGKILL)
		}
	}
	if _, err := run(); bench.Whose(err) != bench.BlameMachine || !strings.Contains(err.Error(), "refused") {
		t.Errorf("without that engine: %v (blames %s)", err, bench.Whose(err))
	}
}

// What an image lacks, or has for another machine, is an error that says so.
func TestImages(t *testing.T) {
	needs(t, false)
	e, _ := begin(t)
	settings, _ := bench.Resolve(e, nil)
	for _, c := range []struct{ name, program, want string }{
		{"no shell", "/bin/sh", "no such file"},
		{"not executable", "/text", "permission denied"},
		{"another machine's", "/other", "exec format error"},
	} {
		for _, client := range []string{"lab", "docker"} {
			settings["client"] = client
			spec := bench.Spec{Image: image.Ref{Dir: t.TempDir()}, Settings: settings, Command: bench.Command{Argv: []string{c.program}}}
			elf := append([]byte("\x7fELF\x02\x01\x01"), make([]byte, 57)...)
			elf[16], elf[18], elf[20] = 2, 0xb7, 1 // an executable for arm64
			if err := errors.Join(os.WriteFile(spec.Image.Dir+"/text", []byte("words"), 0o644), os.WriteFile(spec.Image.Dir+"/other", elf, 0o755)); err != nil {
				t.Fatal(err)
			}
			said, err := os.Create(t.TempDir() + "/errors")
			if err != nil {
				t.Fatal(err)
			}
			defer said.Close()
			spec.Command.Stderr = said
			i, err := e.Prepare(t.Context(), spec)
			if err != nil {
				t.Fatal(err)
			}
			// What the runtime finds out when it executes, it says on the workload's errors.
			if err = i.Start(t.Context()); err == nil {
				var x bench.Exit
				if x, err = i.Wait(t.Context()); err == nil && x.Status() != 0 {
					b, _ := os.ReadFile(said.Name())
					err = errors.New(string(b))
				}
			}
			if err == nil || !strings.Contains(strings.ToLower(err.Error()), c.want) {
				t.Errorf("%s, asked by %s: %v, want %q", c.name, client, err, c.want)
			}
			if err := i.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}
