package vm

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"lab/bench"
	"lab/bench/clock"
	"lab/bench/crew"
	"lab/bench/image"
	"lab/vm/client"
	"lab/vm/daemon"
)

// authority makes certificates that one key vouches for.
type authority struct {
	t    *testing.T
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	last int64
}

func newAuthority(t *testing.T, dir string) *authority {
	a := &authority{t: t, dir: dir}
	a.make("ca", &x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign})
	return a
}

// make writes NAMEcert.pem and NAMEkey.pem, as libvirt has them.
func (a *authority) make(name string, c *x509.Certificate) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	a.last++
	c.SerialNumber, c.Subject = big.NewInt(a.last), pkix.Name{CommonName: name}
	c.NotBefore, c.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = c, key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, signer)
	if err != nil {
		a.t.Fatal(err)
	}
	if a.cert == nil {
		if a.cert, err = x509.ParseCertificate(der); err != nil {
			a.t.Fatal(err)
		}
		a.key = key
	}
	k, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	writeFile(a.t, filepath.Join(a.dir, name+"cert.pem"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	writeFile(a.t, filepath.Join(a.dir, name+"key.pem"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: k}))
}

// A libvirt that is reached by TLS, each side showing a certificate: one on the
// loopback device of the testbed.
func TestTLS(t *testing.T) {
	pki := t.TempDir()
	ca := newAuthority(t, pki)
	ca.make("server", &x509.Certificate{IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{"localhost"},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment})
	ca.make("client", &x509.Certificate{ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment})
	const port = "16514"
	abroad(t, func(m *daemon.Mounts) {
		path, _, err := daemon.Find()
		if err != nil || filepath.Base(path) != "libvirtd" {
			t.Skip("SKIPPED: this machine's libvirt has another daemon for TLS (virtproxyd); fix: libvirtd")
		}
		inside := filepath.Join(m.Bed, "pki")
		if err := os.MkdirAll(inside, 0o755); err != nil {
			t.Fatal(err)
		}
		for _, f := range []string{"cacert.pem", "servercert.pem", "serverkey.pem"} {
			b, err := os.ReadFile(filepath.Join(pki, f))
			if err != nil {
				t.Fatal(err)
			}
			writeFile(t, filepath.Join(inside, f), b)
		}
		m.Args = []string{"--listen"}
		conf := strings.Replace(daemon.Conf(), "listen_tls = 0", "listen_tls = 1", 1)
		m.Files = map[string]string{"/etc/libvirt/libvirtd.conf": conf + fmt.Sprintf(`
listen_addr = "127.0.0.1"
tls_port = "%s"
ca_file = "%[2]s/pki/cacert.pem"
cert_file = "%[2]s/pki/servercert.pem"
key_file = "%[2]s/pki/serverkey.pem"
`, port, daemon.InsideBed)}
	})
	target, err := client.ParseTarget("qemu+tls://127.0.0.1:" + port + "/system?pkipath=" + pki)
	if err != nil {
		t.Fatal(err)
	}
	e := openFar(t, target.Name, target.Dial)
	token := bench.Token()
	i := start(t, e, spec(t, e, image.ReadyPath, token))
	seen, err := clock.AwaitToken(i.Ready(), []byte(token), 30*time.Second)
	if err != nil {
		t.Fatal(i.Explain(err))
	}
	t.Logf("ready after %v", seen.At.Sub(i.Started()))

	// Somebody whom it doesn't know is turned away, and told so.
	other := t.TempDir()
	strange := newAuthority(t, other)
	strange.make("client", &x509.Certificate{ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	target, err = client.ParseTarget("qemu+tls://127.0.0.1:" + port + "/system?pkipath=" + other)
	if err != nil {
		t.Fatal(err)
	}
	if c, err := target.Dial(); err == nil {
		c.Close()
		t.Error("a stranger got in")
	} else if !strings.Contains(err.Error(), "certificate") {
		t.Errorf("a stranger: %v", err)
	}
}

// A libvirt that is reached by SSH: its socket, forwarded by a server that lets
// in one key.
func TestSSH(t *testing.T) {
	d, _ := abroad(t)
	_, host, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	hostKey, err := ssh.NewSignerFromKey(host)
	if err != nil {
		t.Fatal(err)
	}
	_, mine, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	myKey, err := ssh.NewSignerFromKey(mine)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	block, err := ssh.MarshalPrivateKey(mine, "")
	if err != nil {
		t.Fatal(err)
	}
	key := filepath.Join(dir, "id_ed25519")
	writeFile(t, key, pem.EncodeToMemory(block))

	conf := &ssh.ServerConfig{PublicKeyCallback: func(c ssh.ConnMetadata, k ssh.PublicKey) (*ssh.Permissions, error) {
		if c.User() == "student" && string(k.Marshal()) == string(myKey.PublicKey().Marshal()) {
			return nil, nil
		}
		return nil, fmt.Errorf("%s has no such key here", c.User())
	}}
	conf.AddHostKey(hostKey)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			// The libvirt package closes the channel, and leaves this open.
			t.Cleanup(func() { c.Close() })
			go forward(c, conf, d.Socket)
		}
	}()
	known := filepath.Join(dir, "known_hosts")
	_, port, _ := net.SplitHostPort(l.Addr().String())
	writeFile(t, known, fmt.Appendf(nil, "[127.0.0.1]:%s %s", port, ssh.MarshalAuthorizedKey(hostKey.PublicKey())))

	uri := "qemu+libssh://student@127.0.0.1:" + port + "/system?keyfile=" + key + "&known_hosts=" + known
	target, err := client.ParseTarget(uri)
	if err != nil {
		t.Fatal(err)
	}
	theirs, end, err := client.Passage(target.Dial).Open()
	if err != nil {
		t.Fatal(err)
	}
	defer end()
	through, err := crew.Through(theirs)
	if err != nil {
		t.Fatal(err)
	}
	nc, err := through()
	if err != nil {
		t.Fatal(err)
	}
	c, err := client.Open(within(t, 20*time.Second), nc, target.Driver)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Close(context.Background()); err != nil {
		t.Error(err)
	}
	// An unknown host is refused, through the passage with its reason.
	writeFile(t, known, nil)
	if nc, err := through(); err == nil {
		nc.Close()
		t.Error("a host that isn't known was trusted")
	} else if !strings.Contains(err.Error(), "key is unknown") {
		t.Errorf("a host that isn't known: %v", err)
	}
}

// forward serves one SSH connection: channels to a Unix socket, as OpenSSH's
// PROTOCOL has them.
func forward(c net.Conn, conf *ssh.ServerConfig, socket string) {
	defer c.Close()
	_, channels, requests, err := ssh.NewServerConn(c, conf)
	if err != nil {
		return
	}
	go ssh.DiscardRequests(requests)
	for n := range channels {
		if n.ChannelType() != "direct-streamlocal@openssh.com" {
			n.Reject(ssh.UnknownChannelType, "only sockets")
			continue
		}
		to, err := net.Dial("unix", socket)
		if err != nil {
			n.Reject(ssh.ConnectionFailed, err.Error())
			continue
		}
		ch, reqs, err := n.Accept()
		if err != nil {
			to.Close()
			return
		}
		go ssh.DiscardRequests(reqs)
		go func() { io.Copy(to, ch); to.Close() }()
		go func() { io.Copy(ch, to); ch.Close() }()
	}
}
