package foreign

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/digitalocean/go-libvirt"
	"libvirt.org/go/libvirtxml"

	"lab/bench"
	"lab/bench/input"
	"lab/vm/client"
	"lab/vm/domain"
)

// A Libvirt is one that somebody else runs, on this machine or another.
// QEMU then lives where it is: out of the testbed's reach, so that its process,
// its files and the bridge aren't there. The kernel and the image go to it as
// storage volumes; the console and the init's channel come through it.
type Libvirt struct {
	Name   string // for results
	Driver string // the URI that its daemon is asked for
	Dial   func() (net.Conn, error)

	owner string // the environment, in volumes' names

	mu     sync.Mutex
	conn   *client.Conn
	closed bool

	files sync.Mutex // guards what follows
	pool  *libvirt.StoragePool
	vols  map[string]placed // by the local file's path
	last  int

	addrs  sync.Mutex
	leases map[farLease]bool // addresses that this run's guests have
}

// A placed file is a storage volume over there.
type placed struct {
	vol  libvirt.StorageVol
	path string
}

// uploadTimeout bounds the upload of a kernel or an image.
const uploadTimeout = 5 * time.Minute

// New is a libvirt that isn't connected to yet. name is for results, driver
// what the daemon there is asked for, dial opens a connection to it.
func New(name, driver string, dial func() (net.Conn, error)) *Libvirt {
	return &Libvirt{Name: name, Driver: driver, Dial: dial, vols: make(map[string]placed), leases: make(map[farLease]bool)}
}

// Open connects, sweeps what killed labs left, and finds a place for files. owner is
// the environment's name there, which begins with its testbed's ID.
func (f *Libvirt) Open(ctx context.Context, owner string) error {
	f.owner = owner
	for driver, name := range map[string]string{"xen": "Xen", "vbox": "VirtualBox"} {
		if strings.HasPrefix(f.Driver, driver+":") {
			return bench.Unavailable("no guests of "+name+"'s yet: the lab's have the console, the port and the kernel's entry of QEMU's machine", "--connect qemu:///system, or leave out --connect")
		}
	}
	c, err := f.Connection(ctx)
	if err != nil {
		return bench.Unavailable(err.Error(), "try: virsh -c URI list")
	}
	if err := f.sweep(ctx, c); err != nil {
		return err
	}
	return f.findPool(ctx, c)
}

// Connection returns the connection to it.
func (f *Libvirt) Connection(ctx context.Context) (*client.Conn, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return nil, errors.New("the environment is closed")
	}
	if f.conn != nil && f.conn.Alive() {
		return f.conn, nil
	}
	f.conn = nil
	nc, err := f.Dial()
	if err == nil {
		f.conn, err = client.Open(ctx, nc, f.Driver)
	}
	return f.conn, err
}

// Close deletes what was uploaded, and ends the connection.
func (f *Libvirt) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed = true; f.conn == nil || !f.conn.Alive() {
		return nil
	}
	return errors.Join(f.remove(context.Background(), f.conn), f.conn.Close(context.Background()))
}

// findPool picks the storage pool for kernels and images: "default", as most
// installations have it, or else the first that is a folder.
func (f *Libvirt) findPool(ctx context.Context, c *client.Conn) error {
	var pools []libvirt.StoragePool
	if err := c.Call(ctx, "list storage pools", client.CallTimeout, func(l *libvirt.Libvirt) (err error) {
		pools, _, err = l.ConnectListAllStoragePools(1, libvirt.ConnectListStoragePoolsActive|libvirt.ConnectListStoragePoolsDir)
		return err
	}); err != nil {
		return bench.Unavailable(err.Error(), "use a libvirt that has its storage driver")
	}
	if len(pools) == 0 {
		return bench.Unavailable("the foreign libvirt has no active storage pool that is a folder, and the kernel has to lie somewhere",
			"virsh -c URI pool-create-as default dir --target /var/lib/libvirt/images")
	}
	slices.SortFunc(pools, func(a, b libvirt.StoragePool) int { return strings.Compare(a.Name, b.Name) })
	f.pool = &pools[max(0, slices.IndexFunc(pools, func(p libvirt.StoragePool) bool { return p.Name == "default" }))]
	return nil
}

// Put uploads a local file, once a run, and returns its path over there.
func (f *Libvirt) Put(ctx context.Context, file string) (string, error) {
	c, err := f.Connection(ctx)
	if err != nil {
		return "", err
	}
	f.files.Lock()
	defer f.files.Unlock()
	if p, ok := f.vols[file]; ok {
		return p.path, nil
	}
	src, err := input.Open(file)
	if err != nil {
		return "", err
	}
	defer src.Close()
	st, err := src.Stat()
	if err != nil {
		return "", err
	}
	f.last++
	def := libvirtxml.StorageVolume{
		Name:     fmt.Sprintf("%s%s-%d.img", volumePrefix(), f.owner, f.last),
		Capacity: &libvirtxml.StorageVolumeSize{Unit: "bytes", Value: uint64(st.Size())},
		Target: &libvirtxml.StorageVolumeTarget{
			Format:      &libvirtxml.StorageVolumeTargetFormat{Type: "raw"},
			Permissions: &libvirtxml.StorageVolumeTargetPermissions{Mode: "0644"},
		},
	}
	text, err := def.Marshal()
	if err != nil {
		return "", err
	}
	var p placed
	err = c.Call(ctx, "upload "+filepath.Base(file), uploadTimeout, func(l *libvirt.Libvirt) (err error) {
		if p.vol, err = l.StorageVolCreateXML(*f.pool, text, 0); err != nil {
			return err
		}
		if err = l.StorageVolUpload(p.vol, src, 0, uint64(st.Size()), 0); err == nil {
			p.path, err = l.StorageVolGetPath(p.vol)
		}
		if err != nil {
			l.StorageVolDelete(p.vol, 0)
		}
		return err
	})
	if err != nil {
		return "", err
	}
	f.vols[file] = p
	return p.path, nil
}

// remove deletes what was uploaded.
func (f *Libvirt) remove(ctx context.Context, c *client.Conn) error {
	f.files.Lock()
	defer f.files.Unlock()
	var errs []error
	for _, p := range f.vols {
		errs = append(errs, c.Call(ctx, "delete volume", client.CallTimeout, func(l *libvirt.Libvirt) error { return l.StorageVolDelete(p.vol, 0) }))
	}
	clear(f.vols)
	return errors.Join(errs...)
}

// sweep ends the domains and deletes the volumes that killed labs of this
// machine left over there. A domain is the lab's if it bears its tag, whatever
// its name; and left if its testbed isn't there any more. Most go by
// themselves, with the connection that made them.
func (f *Libvirt) sweep(ctx context.Context, c *client.Conn) error {
	return c.Call(ctx, "sweep", uploadTimeout, func(l *libvirt.Libvirt) error {
		ds, _, err := l.ConnectListAllDomains(1, 0)
		if err != nil {
			return err
		}
		var errs []error
		for _, d := range ds {
			text, err := l.DomainGetMetadata(d, int32(libvirt.DomainMetadataElement), libvirt.OptString{domain.TagSpace}, 0)
			if err != nil {
				continue // it has no tag, or is gone
			}
			if left(text) {
				if err := l.DomainDestroy(d); err != nil && !libvirt.IsNotFound(err) {
					errs = append(errs, err)
				}
			}
		}
		pools, _, err := l.ConnectListAllStoragePools(1, libvirt.ConnectListStoragePoolsActive|libvirt.ConnectListStoragePoolsDir)
		if err != nil {
			return errors.Join(append(errs, err)...)
		}
		for _, p := range pools {
			vols, _, err := l.StoragePoolListAllVolumes(p, 1, 0)
			errs = append(errs, err)
			for _, v := range vols {
				rest, ours := strings.CutPrefix(v.Name, volumePrefix())
				if id, _, _ := strings.Cut(rest, "-"); ours && gone(id) {
					errs = append(errs, l.StorageVolDelete(v, 0))
				}
			}
		}
		return errors.Join(errs...)
	})
}

// left says whether a domain's tag is one of this machine's, of a testbed that
// isn't there any more.
func left(text string) bool {
	t, err := domain.ReadTag(text)
	return err == nil && t.Machine == Machine() && gone(t.ID)
}

// testbeds is where package bench/testbed has a folder for each that lives.
var testbeds = "/run/lab"

func gone(id string) bool {
	if id == "" || filepath.Base(id) != id || id[0] == '.' {
		return false
	}
	_, err := os.Stat(filepath.Join(testbeds, id))
	return errors.Is(err, os.ErrNotExist)
}

// volumePrefix begins the names of this machine's volumes.
func volumePrefix() string { return "lab-" + Machine() + "-" }

// Machine tells the machines apart that use one libvirt, without telling
// which they are.
var Machine = sync.OnceValue(func() string {
	id, err := os.ReadFile("/etc/machine-id")
	if err != nil || len(id) < 8 {
		id, _ = os.ReadFile("/proc/sys/kernel/random/boot_id")
	}
	h := sha256.Sum256(append([]byte("lab's domains: "), id...))
	return hex.EncodeToString(h[:4])
})
