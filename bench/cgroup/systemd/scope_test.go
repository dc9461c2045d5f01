package systemd

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/godbus/dbus/v5"
)

// serve plays systemd once: it takes a call, and answers it with an error or with a
// job.
func serve(t *testing.T, refuse string) <-chan *dbus.Message {
	t.Helper()
	private = filepath.Join(t.TempDir(), "private")
	l, err := net.Listen("unix", private)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	got := make(chan *dbus.Message, 1)
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		r := bufio.NewReader(c)
		r.ReadByte() // a zero, to which credentials may be bound
		for {
			line, err := r.ReadString('\n')
			switch {
			case err != nil:
				return
			case strings.HasPrefix(line, "AUTH EXTERNAL"):
				io.WriteString(c, "DATA\r\n")
			case strings.HasPrefix(line, "DATA"):
				io.WriteString(c, "OK 0123456789abcdef0123456789abcdef\r\n")
			case strings.HasPrefix(line, "AUTH"):
				io.WriteString(c, "REJECTED EXTERNAL\r\n")
			case strings.HasPrefix(line, "NEGOTIATE_UNIX_FD"):
				io.WriteString(c, "AGREE_UNIX_FD\r\n")
			}
			if strings.HasPrefix(line, "BEGIN") {
				break
			}
		}
		m, err := dbus.DecodeMessage(r)
		if err != nil {
			t.Error(err)
			return
		}
		a := &dbus.Message{Type: dbus.TypeMethodReply, Headers: map[dbus.HeaderField]dbus.Variant{
			dbus.FieldReplySerial: dbus.MakeVariant(m.Serial())}}
		body := any(dbus.ObjectPath("/org/freedesktop/systemd1/job/7"))
		if refuse != "" {
			a.Type, body = dbus.TypeError, refuse
			a.Headers[dbus.FieldErrorName] = dbus.MakeVariant("org.freedesktop.systemd1.UnitExists")
		}
		a.Headers[dbus.FieldSignature], a.Body = dbus.MakeVariant(dbus.SignatureOf(body)), []any{body}
		if err := a.EncodeTo(c, binary.LittleEndian); err != nil {
			t.Error(err)
		}
		got <- m
		io.Copy(io.Discard, r)
	}()
	return got
}

// What is asked of systemd has the form that its method takes.
func TestScope(t *testing.T) {
	got := serve(t, "")
	if err := Scope("user-7.slice", "lab-1.scope"); err != nil {
		t.Fatal(err)
	}
	m := <-got
	if s := m.Headers[dbus.FieldSignature].Value().(dbus.Signature).String(); s != "ssa(sv)a(sa(sv))" {
		t.Errorf("signature %s", s)
	}
	if member := m.Headers[dbus.FieldMember].Value(); member != "StartTransientUnit" || m.Body[0] != "lab-1.scope" || m.Body[1] != "fail" {
		t.Errorf("%v %v", member, m.Body)
	}
	asked := map[string]any{}
	for _, p := range m.Body[2].([][]any) {
		asked[p[0].(string)] = p[1].(dbus.Variant).Value()
	}
	for name, want := range map[string]any{"Slice": "user-7.slice", "Delegate": true, "PIDs": []uint32{0}} {
		if !reflect.DeepEqual(asked[name], want) {
			t.Errorf("%s is %v, want %v", name, asked[name], want)
		}
	}
}

func TestScopeRefused(t *testing.T) {
	serve(t, "Unit lab-1.scope was already loaded")
	if err := Scope("-.slice", "lab-1.scope"); err == nil || !strings.Contains(err.Error(), "already loaded") {
		t.Errorf("%v", err)
	}
	private = filepath.Join(t.TempDir(), "none")
	if err := Scope("-.slice", "lab-1.scope"); err == nil || errors.Unwrap(err) == nil {
		t.Errorf("no systemd: %v", err)
	}
}
