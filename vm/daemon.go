package vm

import (
	"context"
	"crypto/rand"
	"encoding/hex"
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

	"golang.org/x/sys/unix"

	"lab/bench"
	"lab/bench/launch"
	"lab/vm/client"
)

// daemonStart is how long a daemon may take until it says that it is ready. It
// takes a tenth of a second.
const daemonStart = 20 * time.Second

// A daemon is a libvirt daemon of the lab's own: in a mount namespace of its
// own, with nothing of the system's configuration, known to nobody else.
type daemon struct {
	proc   *launch.Process
	bed    string
	socket string
	log    *os.File
	from   int64 // where in the log its own lines begin
	ended  chan struct{}
	exit   bench.Exit
}

// programs are the daemons that will do. Distributions either have one daemon
// for everything, or one for each driver.
var programs = []struct{ name, socket string }{
	{"virtqemud", "virtqemud-sock"},
	{"libvirtd", "libvirt-sock"},
}

// findDaemon finds the daemon's program and its socket's name.
func findDaemon() (path, socket string, err error) {
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

// startDaemon starts the daemon, and returns when it answers.
func startDaemon(ctx context.Context, m mounts, log *os.File) (*daemon, error) {
	path, socket, err := findDaemon()
	if err != nil {
		return nil, err
	}
	for _, dir := range []string{"log", "run"} {
		if err := os.MkdirAll(filepath.Join(m.bed, dir), 0o755); err != nil {
			return nil, err
		}
	}
	d := &daemon{bed: m.bed, socket: filepath.Join(m.bed, "run", socket), log: log, ended: make(chan struct{})}
	if st, err := log.Stat(); err == nil {
		d.from = st.Size()
	}

	// The daemon says when it is ready, as it would to systemd
	// (sd_notify(3)): an event, where trying to connect would be a guess.
	notify := filepath.Join(m.bed, "notify")
	os.Remove(notify)
	ready, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: notify, Net: "unixgram"})
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", path, err)
	}
	defer os.Remove(notify)
	defer ready.Close()

	conf := daemonConf()
	files := map[string]string{
		"/etc/libvirt/qemu.conf":      qemuConf(qemuID()),
		"/etc/libvirt/libvirtd.conf":  conf,
		"/etc/libvirt/virtqemud.conf": conf,
	}
	maps.Copy(files, m.files)
	m.files = files
	d.proc = launch.New(launch.Plan{
		Command: bench.Command{
			Argv: append([]string{path}, m.args...),
			Env: []string{
				"PATH=" + bench.DefaultPath, "HOME=/", "LANG=C.UTF-8",
				"NOTIFY_SOCKET=" + insideBed + "/notify",
			},
			Dir:    "/",
			Stdout: log, Stderr: log,
		},
		Steps: []launch.Step{
			{Name: "mounts", Do: func(*launch.Thread) error { return m.enter() }},
			{Name: "privileges", Do: func(*launch.Thread) error { return bound() }},
		},
	})
	if err := d.proc.Start(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("start %s: %w", path, err), d.proc.Close())
	}
	go func() {
		defer close(d.ended)
		d.exit, _ = d.proc.Wait(context.Background())
		ready.SetReadDeadline(time.Unix(1, 0)) // wakes the reader below
	}()
	ready.SetReadDeadline(time.Now().Add(daemonStart))
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
		case <-d.ended:
			err = d.complaint()
		default:
			if ctx.Err() != nil {
				err = ctx.Err()
			} else {
				err = fmt.Errorf("it wasn't ready within %v", daemonStart)
			}
		}
		return nil, errors.Join(fmt.Errorf("start %s: %w", path, err), d.stop())
	}
}

// connect connects to the daemon. One that said that it is ready may end when its
// first driver doesn't start.
func (d *daemon) connect(ctx context.Context) (*client.Conn, error) {
	c, err := client.Connect(ctx, d.socket)
	if err != nil && d.over() {
		err = fmt.Errorf("%w: the daemon's %w", err, d.complaint())
	}
	return c, err
}

// complaint is the last error that an ended daemon wrote, and how it ended.
func (d *daemon) complaint() error {
	text := tail(fmt.Sprintf("/proc/self/fd/%d", d.log.Fd()), 64<<10)
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
func (d *daemon) alive() bool {
	select {
	case <-d.ended:
		return false
	default:
		return true
	}
}

// over says whether the daemon has ended, for somebody whose connection to it
// broke: a process closes its sockets a moment before its end is seen.
func (d *daemon) over() bool {
	t := time.NewTimer(300 * time.Millisecond)
	defer t.Stop()
	select {
	case <-d.ended:
		return true
	case <-t.C:
		return false
	}
}

// stop ends the daemon, first by asking, and the guests that are left. There
// are none but where something went wrong: most end with their connection.
func (d *daemon) stop() error {
	defer d.killGuests()
	if d.alive() {
		d.proc.Signal(syscall.SIGTERM)
		select {
		case <-d.ended:
		case <-time.After(3 * time.Second):
		}
	}
	return d.proc.Close()
}

// kill ends a daemon that can't be asked to end, and the guests that it leaves:
// a libvirt daemon's death isn't its domains'.
func (d *daemon) kill() {
	d.proc.Close()
	d.killGuests()
	// Or its successor would find them in its books.
	os.RemoveAll(filepath.Join(d.bed, "run"))
}

// killGuests kills each QEMU that the daemon has written down.
func (d *daemon) killGuests() {
	files, _ := filepath.Glob(filepath.Join(d.bed, "run/qemu/*.pid"))
	for _, f := range files {
		if pid, err := readPID(f); err == nil {
			killQEMU(pid)
		}
	}
}

// killQEMU kills a process if it is a QEMU: the PID was read from a file, and
// may have come to another process since.
func killQEMU(pid int) {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return
	}
	defer unix.Close(fd)
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return
	}
	if comm, _, _ := parseStat(b); strings.HasPrefix(comm, qemuName) {
		unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0)
	}
}

// qemuConf is libvirt's configuration of its QEMU driver, which runs QEMU as a
// user of that number by default.
func qemuConf(id int) string {
	return fmt.Sprintf(`# Written by lab for its private daemon.
# Nobody's. Each domain has a user of its own besides; this one asks QEMU what it
# can do.
user = "+%[1]d"
group = "+%[1]d"
# The lab gives QEMU the files that are the domain's. libvirt changes no labels
# and no owners.
security_driver = "none"
dynamic_ownership = 0
remember_owner = 0
# Logs are files, so that no virtlogd is needed.
stdio_handler = "file"
# No mount namespace and no cgroup per domain: the testbed is the fence.
namespaces = []
cgroup_controllers = []
max_core = 0
# Else libvirt asks QEMU, in each start, for some 400 properties of each CPU, one
# after the other; without this it gets them in two answers.
capability_filters = [ "cpu-unavailable-features" ]
# Whatever the guest makes of QEMU, it starts no program and changes no user.
seccomp_sandbox = 1
`, id)
}

// daemonConf is the configuration of the daemon itself.
func daemonConf() string {
	var id [16]byte
	rand.Read(id[:])
	return `# Written by lab for its private daemon.
listen_tls = 0
listen_tcp = 0
auth_unix_rw = "none"
auth_unix_ro = "none"
# By itself it lets everybody in who may connect; QEMU must not: who speaks to
# the daemon is root.
unix_sock_rw_perms = "0700"
unix_sock_ro_perms = "0700"
unix_sock_admin_perms = "0700"
# Else it asks the machine's firmware, through dmidecode.
host_uuid = "` + uuid(id) + `"
# Warnings and errors, to standard error.
log_outputs = "3:stderr"
`
}

// uuid writes random bytes as a version 4 UUID (RFC 9562), which libvirt wants
// to have more than one digit in it.
func uuid(b [16]byte) string {
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	h := hex.EncodeToString(b[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}
