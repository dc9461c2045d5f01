package main

import (
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const (
	portName = "lab.init"
	portWait = 20 * time.Second
)

// openPort opens the line to the host: a terminal line's device, or with "" the virtio
// serial port. The driver learns of its ports, and of their names, by messages from the
// device after it was loaded, so the port may still have to come. The kernel may tell of
// a port before the name's file is there, but the name's own change is told as well
// (virtio_console.c, VIRTIO_CONSOLE_PORT_NAME).
func openPort(line string) (*os.File, error) {
	if line != "" {
		return openLine(line)
	}
	var dev string
	if err := await("virtio port "+portName, portWait, func() (ok bool, err error) {
		dev, err = findPort(portName)
		return dev != "", err
	}); err != nil {
		return nil, err
	}
	return os.OpenFile("/dev/"+dev, os.O_RDWR, 0)
}

// openLine opens a terminal line, and has it pass all bytes as they are
// (cfmakeraw(3)).
func openLine(name string) (*os.File, error) {
	fd, err := unix.Open(name, unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: name, Err: err}
	}
	raw := unix.Termios{Cflag: unix.CS8 | unix.CREAD | unix.CLOCAL | unix.B38400}
	raw.Cc[unix.VMIN] = 1
	if err := unix.IoctlSetTermios(fd, unix.TCSETS, &raw); err != nil {
		return nil, &os.PathError{Op: "make raw", Path: name, Err: err}
	}
	return os.NewFile(uintptr(fd), name), nil
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
