package daemon

import (
	"context"
	"crypto/rand"
	_ "embed"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"lab/bench"
	"lab/bench/launch"
	"lab/bench/proc"
	"lab/vm/client"
	"lab/vm/domain"
)

// daemonStart is how long a daemon may take until it says that it is ready. It
// takes a tenth of a second.
const daemonStart = 20 * time.Second

// A Daemon is a libvirt daemon of the lab's own: in a mount namespace of its
// own, with nothing of the system's configuration, known to nobody else.
type Daemon struct {
	Proc   *launch.Process
	Bed    string
	Socket string
	log    *os.File
	from   int64 // where in the log its own lines begin
	Ended  chan struct{}
	exit   bench.Exit
}

// programs are the daemons that will do. Distributions either have one daemon
// for everything, or one for each driver.
var programs = []struct{ name, socket string }{
	{"virtqemud", "virtqemud-sock"},
	{"libvirtd", "libvirt-sock"},
}

// Find finds the daemon's program and its socket's name.
func Find() (path, socket string, err error) {
	for _, p := range programs {
		for _, dir := range []string{"/usr/sbin", "/usr/bin", "/usr/local/sbin", "/sbin"} {
			path := filepath.Join(dir, p.name)
			if _, err := exec.LookPath(path); err == nil {
				return path, p.socket, nil
			}
		}
	}
	return "", "", errors.New("neither virtqemud nor libvirtd is installed")
}

// Start starts the daemon, and returns when it answers.
func Start(ctx context.Context, m Mounts, log *os.File) (*Daemon, error) {
	path, socket, err := Find()
	if err != nil {
		return nil, err
	}
	for _, dir := range []string{"log", "run"} {
		if err := os.MkdirAll(filepath.Join(m.Bed, dir), 0o755); err != nil {
			return nil, err
		}
	}
	d := &Daemon{Bed: m.Bed, Socket: filepath.Join(m.Bed, "run", socket), log: log, Ended: make(chan struct{})}
	if st, err := log.Stat(); err == nil {
		d.from = st.Size()
	}

	// The daemon says when it is ready, as it would to systemd
	// (sd_notify(3)): an event, where trying to connect would be a guess.
	notify := filepath.Join(m.Bed, "notify")
	os.Remove(notify)
	ready, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: notify, Net: "unixgram"})
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", path, err)
	}
	defer os.Remove(notify)
	defer ready.Close()

	conf := Conf()
	files := map[string]string{
		"/etc/libvirt/qemu.conf":      QEMUConf(QEMUGroup()),
		"/etc/libvirt/libvirtd.conf":  conf,
		"/etc/libvirt/virtqemud.conf": conf,
	}
	maps.Copy(files, m.Files)
	m.Files = files
	d.Proc = launch.New(launch.Plan{
		Command: bench.Command{
			Argv: append([]string{path}, m.Args...),
			Env: []string{
				"PATH=" + bench.DefaultPath, "HOME=/", "LANG=C.UTF-8",
				"NOTIFY_SOCKET=" + InsideBed + "/notify",
			},
			Dir:    "/",
			Stdout: log, Stderr: log,
		},
		Steps: []launch.Step{
			{Name: "mounts", Do: func(*launch.Thread) error { return m.enter() }},
			{Name: "privileges", Do: func(*launch.Thread) error { return bound() }},
		},
	})
	if err := d.Proc.Start(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("start %s: %w", path, err), d.Proc.Close())
	}
	ready.SetReadDeadline(time.Now().Add(daemonStart))
	go func() {
		d.exit, _ = d.Proc.Wait(context.Background())
		close(d.Ended)
		ready.SetReadDeadline(time.Unix(1, 0)) // wakes the reader below, which looks whether it has ended
	}()
	stop := context.AfterFunc(ctx, func() { ready.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	var buf [1024]byte
	for {
		n, err := ready.Read(buf[:])
		if err == nil && strings.Contains(string(buf[:n]), "READY=1") {
			return d, nil
		}
		if err == nil {
			continue
		}
		select {
		case <-d.Ended:
			err = d.complaint()
		default:
			if ctx.Err() != nil {
				err = ctx.Err()
			} else {
				err = fmt.Errorf("it wasn't ready within %v", daemonStart)
			}
		}
		return nil, errors.Join(fmt.Errorf("start %s: %w", path, err), d.Stop())
	}
}

// Connect connects to the daemon. One that said that it is ready may end when its
// first driver doesn't start.
func (d *Daemon) Connect(ctx context.Context) (*client.Conn, error) {
	c, err := client.Connect(ctx, d.Socket)
	if err != nil && d.over(connectEnd) {
		err = fmt.Errorf("%w: the daemon's %w", err, d.complaint())
	}
	return c, err
}

// complaint is the last error that an ended daemon wrote, and how it ended.
func (d *Daemon) complaint() error {
	text := Tail(fmt.Sprintf("/proc/self/fd/%d", d.log.Fd()), 64<<10)
	if st, err := d.log.Stat(); err == nil {
		text = text[max(0, int64(len(text))-max(0, st.Size()-d.from)):]
	}
	if last := lastError(string(text)); last != "" {
		return fmt.Errorf("last error, before it ended with %v, was: %s", d.exit, last)
	}
	return fmt.Errorf("end was %v, without a word", d.exit)
}

// lastError finds in a libvirt log the last error that says something: a line as
// "time: thread: error : function:line : text". What ends a daemon before it has
// a log, as a library that is missing, is any line.
func lastError(log string) (last string) {
	found := false
	for line := range strings.Lines(log) {
		line = strings.TrimSpace(line)
		_, text, ok := strings.Cut(line, ": error : ")
		if !ok && found || line == "" || strings.HasSuffix(text, "Driver state initialization failed") {
			continue
		}
		if last = line; ok {
			found, last = true, text
			if where, rest, ok := strings.Cut(text, " : "); ok && !strings.Contains(where, " ") {
				last = rest
			}
		}
	}
	const most = 300
	return strings.ToValidUTF8(last[:min(len(last), most)], "")
}

// alive says whether the daemon's process is there.
func (d *Daemon) alive() bool {
	select {
	case <-d.Ended:
		return false
	default:
		return true
	}
}

// How long the daemon's end is awaited by somebody whose connection to it broke: a
// process closes its sockets a moment before its end is seen; and one whose driver
// didn't start first says goodbye to its clients, and takes the other drivers down.
const (
	sawEnd     = 300 * time.Millisecond
	connectEnd = 5 * time.Second
)

// over says whether the daemon has ended, or does so within that time.
func (d *Daemon) over(within time.Duration) bool {
	select {
	case <-d.Ended:
		return true
	case <-time.After(within):
		return false
	}
}

// Stop ends the daemon, first by asking, and the guests that are left. There
// are none but where something went wrong: most end with their connection.
func (d *Daemon) Stop() error {
	defer d.killGuests()
	if d.alive() {
		d.Proc.Signal(syscall.SIGTERM)
		select {
		case <-d.Ended:
		case <-time.After(3 * time.Second):
		}
	}
	return d.Proc.Close()
}

// kill ends a daemon that can't be asked to end, and the guests that it leaves:
// a libvirt daemon's death isn't its domains'.
func (d *Daemon) kill() {
	d.Proc.Close()
	d.killGuests()
	// Or its successor would find them in its books.
	os.RemoveAll(filepath.Join(d.Bed, "run"))
}

// killGuests kills each QEMU that the daemon has written down.
func (d *Daemon) killGuests() {
	files, _ := filepath.Glob(filepath.Join(d.Bed, "run/qemu/*.pid"))
	for _, f := range files {
		if pid, err := readPID(f); err == nil {
			killQEMU(pid)
		}
	}
}

// killQEMU kills a process if it is a QEMU: the PID was read from a file, and
// may have come to another process since.
func killQEMU(pid int) {
	p, _ := os.FindProcess(pid) // before the look: no stranger can come by the number
	defer p.Release()
	if s, ok := proc.Read(pid); ok && strings.HasPrefix(s.Name, qemuName) {
		p.Kill()
	}
}

// What is %d in the one is QEMU's user, and %s in the other the host's UUID.
var (
	//go:embed qemu.conf
	qemuConf string
	//go:embed libvirtd.conf
	libvirtdConf string
)

// QEMUConf is libvirt's configuration of its QEMU driver, which runs QEMU as a
// user of that number by default.
func QEMUConf(id int) string {
	return fmt.Sprintf(qemuConf, id)
}

// Conf is the configuration of the daemon itself.
func Conf() string {
	var id [16]byte
	rand.Read(id[:])
	return fmt.Sprintf(libvirtdConf, domain.UUID(id))
}
