// Package systemd asks the system's systemd for a cgroup.
package systemd

import (
	"fmt"
	"os"
	"time"

	"github.com/godbus/dbus/v5"
)

// private is systemd's own socket, which is there for root also on a machine
// without a message bus, and long before one is up. A variable for the tests alone.
var private = "/run/systemd/private"

// A property of a unit, as StartTransientUnit takes it
// (org.freedesktop.systemd1(5)).
type property struct {
	Name  string
	Value dbus.Variant
}

// unit is one that another needs; the method's signature asks for a list of them.
type unit struct {
	Name       string
	Properties []property
}

// Scope asks for a scope in a slice, with this process in it, whose cgroup is the
// caller's to divide. It returns when systemd has taken the order. The scope goes
// when its last process has gone.
func Scope(slice, name string) error {
	conn, err := dbus.Dial("unix:path=" + private)
	if err != nil {
		return fmt.Errorf("systemd: %w", err)
	}
	defer conn.Close()
	// Without a bus nobody says hello.
	if err := conn.Auth([]dbus.Auth{dbus.AuthExternal(fmt.Sprint(os.Geteuid()))}); err != nil {
		return fmt.Errorf("systemd: %w", err)
	}
	properties := []property{
		{"Description", dbus.MakeVariant("virtualization lab")},
		{"Slice", dbus.MakeVariant(slice)},
		{"Delegate", dbus.MakeVariant(true)},
		{"CollectMode", dbus.MakeVariant("inactive-or-failed")}, // nothing is kept of one that failed
		// 0 is who asks, whatever number it has in its own PID namespace.
		{"PIDs", dbus.MakeVariant([]uint32{0})},
	}
	call := conn.Object("org.freedesktop.systemd1", "/org/freedesktop/systemd1").
		Go("org.freedesktop.systemd1.Manager.StartTransientUnit", 0, make(chan *dbus.Call, 1), name, "fail", properties, []unit{})
	select {
	case <-call.Done:
	case <-time.After(10 * time.Second):
		return fmt.Errorf("systemd: no answer within 10 s")
	}
	if call.Err != nil {
		return fmt.Errorf("systemd: start %s: %w", name, call.Err)
	}
	return nil
}
