package scenarios

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	"lab/bench"
	"lab/bench/image/oci"
	"lab/bench/image/store"
	"lab/bench/input"
	"lab/bench/probe/line"
)

// What functions tries with more than one instance, or from the host: folders and
// ports.

// folders shares a folder of the host between two instances.
func (t *functionsTry) folders(ctx context.Context) error {
	s := t.Spec(bench.Command{})
	home, err := os.MkdirTemp(t.Home(), "functions-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(home)
	for _, m := range []bench.Mount{{Target: "/mnt/rw"}, {Target: "/mnt/ro", ReadOnly: true}} {
		m.Source = filepath.Join(home, filepath.Base(m.Target))
		s.Mounts = append(s.Mounts, m)
		if err := errors.Join(os.Mkdir(m.Source, 0o700), os.Chmod(m.Source, 0o777), os.WriteFile(m.Source+"/host", []byte(t.tag+"\n"), 0o644)); err != nil {
			return err
		}
	}
	if err := t.Environment().Check(ctx, s); err != nil {
		t.hasNot(err, "folder", "read-only", "volume")
		if t.Environment().About().HostFiles {
			return nil
		}
		return t.second(ctx, t.Spec(bench.Command{}), functionsFresh)
	}
	facts := map[string]string{}
	hear := func(h bench.Heard) {
		for _, p := range h.Pairs {
			facts[p.Key] = p.Value
		}
	}
	i, err := t.talk(ctx, s, functionsFirst, func(_ bench.Instance, h bench.Heard) error {
		if hear(h); h.Kind == line.Begin {
			return t.second(ctx, s, functionsSecond+functionsFresh)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := t.Close(i); err != nil {
		return err
	}
	// What was made in there is somebody else's: no link leads out of it.
	rw, err := input.OpenRoot(home + "/rw")
	if err != nil {
		return err
	}
	defer rw.Close()
	b, err := input.ReadIn(rw, "first", 4<<10)
	t.answer("folder", facts["read"] == t.tag && strings.TrimSpace(string(b)) == "first-"+t.tag, fmt.Sprintf("inside %q, outside %q, %v", facts["read"], b, err))
	_, err = os.Stat(home + "/ro/first")
	t.answer("read-only", facts["ro"] == t.tag && facts["wrote"] == "no" && err != nil, fmt.Sprintf("read %q, wrote: %s", facts["ro"], facts["wrote"]))
	t.answer("volume", facts["other"] == "first-"+t.tag, fmt.Sprintf("came back as %q", facts["other"]))
	return nil
}

// second runs the instance beside, or after, the first.
func (t *functionsTry) second(ctx context.Context, s bench.Spec, script string) error {
	i, err := t.talk(ctx, s, script, func(_ bench.Instance, h bench.Heard) error {
		if h.Name == "fresh" {
			t.answer("fresh", h.Text("works") == "yes", h.Text("saw"))
		}
		return nil
	})
	if err != nil {
		return err
	}
	return t.Close(i)
}

// port starts a web server inside, and asks it through a port of the host.
func (t *functionsTry) port(ctx context.Context) error {
	s := t.Spec(bench.Command{Argv: []string{"/bin/busybox", "httpd", "-f", "-p", "80", "-h", "/etc"}})
	env := t.Environment()
	if (bench.About{Settings: env.Settings()}).Has("net", "bridge") {
		s.Settings["net"] = "bridge"
	}
	named := bench.Port{Proto: "tcp", IP: netip.MustParseAddr("127.77.3.4"), Host: 18081, Port: 80}
	s.Ports = []bench.Port{named}
	if err := env.Check(ctx, s); err != nil {
		t.hasNot(err, "port")
		return nil
	}
	i, err := t.Prepare(ctx, s)
	if err != nil {
		return err
	}
	if err := i.Start(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	text := ""
	for text == "" && ctx.Err() == nil {
		if text, err = ask(ctx, named.Outside().String()); text == "" {
			time.Sleep(5 * time.Millisecond) // the program inside isn't there yet
		}
	}
	_, other := ask(ctx, netip.AddrPortFrom(netip.MustParseAddr("127.77.3.5"), named.Host).String())
	t.answer("port", strings.Contains(text, "root:") && other != nil, fmt.Sprintf("%q (%v), and at another address %v", text, err, other))
	return t.Close(i)
}

// registry sends the image to a registry on the loopback device and back, into an
// empty store, and runs what came back.
func (t *functionsTry) registry(ctx context.Context) error {
	if t.Environment().About().HostFiles {
		return nil // inside has said so
	}
	home, err := os.MkdirTemp(t.Home(), "functions-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(home)
	dir := filepath.Join(home, "registry")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	addr, stop, err := oci.Serve(dir)
	if err != nil {
		return err
	}
	defer stop()
	var sent, got store.Image
	s := t.Spec(bench.Command{})
	if err := stored(filepath.Join(home, "here"), func(w *store.Writer) error {
		if sent, err = oci.Import(ctx, w, s.Image.Dir, oci.Options{}); err != nil {
			return err
		}
		return oci.Push(ctx, w.Store, sent, addr+imageName, oci.Options{Insecure: true})
	}); err != nil {
		return err
	}
	if err := stored(filepath.Join(home, "there"), func(w *store.Writer) error {
		got, err = oci.Pull(ctx, w, addr+imageName, oci.Options{Insecure: true})
		s.Image = w.Ref(got)
		return err
	}); err != nil {
		return err
	}
	wrong := "nothing was said"
	i, err := t.talk(ctx, s, functionsDigests+"say bye\n", func(_ bench.Instance, h bench.Heard) (err error) {
		if h.Name == "same" {
			wrong, err = t.wrong(h)
		}
		return err
	})
	if err != nil {
		return err
	}
	t.answer("registry", sent.Digest == got.Digest && sent.Tree == got.Tree && wrong == "", fmt.Sprintf("%s came back as %s, files %s as %s; %s", sent.Digest, got.Digest, sent.Tree, got.Tree, wrong))
	return t.Close(i)
}

// ask gets /passwd from a web server: what it says, or why it can't be reached.
func ask(ctx context.Context, addr string) (string, error) {
	c, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return "", err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(5 * time.Second))
	io.WriteString(c, "GET /passwd HTTP/1.0\r\n\r\n")
	b, err := io.ReadAll(io.LimitReader(c, mostOutput)) // an instance may answer without an end
	return string(b), err
}
