package main

import (
	"os"
	"path/filepath"
	"strings"
	"time"
)

const (
	portName = "lab.init"
	portWait = 20 * time.Second
)

// openPort opens the virtio serial port of a name. The driver learns of its
// ports, and of their names, by messages from the device after it was loaded,
// so the port may still have to come. The kernel may tell of a port before the
// name's file is there, but the name's own change is told as well
// (virtio_console.c, VIRTIO_CONSOLE_PORT_NAME).
func openPort(name string) (*os.File, error) {
	var dev string
	if err := await("virtio port "+name, portWait, func() (ok bool, err error) {
		dev, err = findPort(name)
		return dev != "", err
	}); err != nil {
		return nil, err
	}
	return os.OpenFile("/dev/"+dev, os.O_RDWR, 0)
}

// findPort looks for the port's device, such as vport0p1; "" is none yet.
func findPort(name string) (string, error) {
	files, err := filepath.Glob("/sys/class/virtio-ports/*/name")
	if err != nil {
		return "", err
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err == nil && strings.TrimSpace(string(b)) == name {
			return filepath.Base(filepath.Dir(f)), nil
		}
	}
	return "", nil
}
