package domain

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"libvirt.org/go/libvirtxml"
)

// A Saved is the beginning of a file in which libvirt saved a guest, as
// qemu_saveimage.h has it: a header in the machine's byte order, the domain's
// definition and a cookie of libvirt's, each ended by a zero byte, padding, and
// from offset data on QEMU's migration stream.
type Saved struct {
	xml    string
	cookie []byte
	Data   int64
}

const (
	savedMagic   = "LibvirtQemudSave"
	savedVersion = 2
	savedHead    = 16 + 5*4 + 14*4 // magic; version, length, running, compression, cookie; unused
	maxSavedHead = 1 << 20
)

var errSaved = errors.New("not a saved guest that the lab can read")

// ReadSaved reads the beginning of a file in which libvirt saved a guest.
func ReadSaved(path string) (*Saved, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	m, err := parseSaved(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Base(path), err)
	}
	return m, nil
}

// parseSaved reads the beginning of a saved guest.
func parseSaved(r io.Reader) (*Saved, error) {
	var head [savedHead]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, fmt.Errorf("%w: %w", errSaved, err)
	}
	word := func(n int) uint32 { return binary.NativeEndian.Uint32(head[16+4*n:]) }
	size, compressed, cookie := word(1), word(3), word(4)
	switch {
	case string(head[:16]) != savedMagic:
		return nil, fmt.Errorf("%w: it begins with %q", errSaved, head[:16])
	case word(0) != savedVersion || compressed != 0:
		return nil, fmt.Errorf("%w: version %d, compression %d", errSaved, word(0), compressed)
	case size > maxSavedHead || cookie > size:
		return nil, fmt.Errorf("%w: it claims a definition of %d bytes", errSaved, size)
	}
	text := make([]byte, size)
	if _, err := io.ReadFull(r, text); err != nil {
		return nil, fmt.Errorf("%w: %w", errSaved, err)
	}
	m := &Saved{Data: savedHead + int64(size)}
	if cookie > 0 {
		m.cookie = upToZero(text[cookie:])
		text = text[:cookie]
	}
	m.xml = string(upToZero(text))
	return m, nil
}

func upToZero(b []byte) []byte {
	before, _, _ := bytes.Cut(b, []byte{0})
	return before
}

// As returns the beginning of a saved guest that is c: the same machine with a
// name, files and a UUID of its own. libvirt refuses to give another name to a
// guest that it restores, so that its file has to say it.
func (m *Saved) As(c Config, id string) ([]byte, error) {
	var d libvirtxml.Domain
	if err := d.Unmarshal(m.xml); err != nil {
		return nil, fmt.Errorf("%w: %w", errSaved, err)
	}
	d.Name, d.UUID = c.Name, id
	d.SecLabel = []libvirtxml.DomainSecLabel{c.label()}
	if d.Devices == nil || len(d.Devices.Serials) != 1 || len(d.Devices.Channels) != 1 {
		return nil, fmt.Errorf("%w: its definition has no console or no channel", errSaved)
	}
	serial := &d.Devices.Serials[0]
	serial.Source = pipeSource(c.Console)
	serial.Log = &libvirtxml.DomainChardevLog{File: c.ConsoleLog, Append: "off"}
	d.Devices.Channels[0].Source = unixSource(c.Channel)
	// Devices and consoles that repeat the serial port.
	for i := range d.Devices.Consoles {
		d.Devices.Consoles[i].Source, d.Devices.Consoles[i].Log = serial.Source, serial.Log
	}
	text, err := d.Marshal()
	if err != nil {
		return nil, err
	}
	head := make([]byte, savedHead, savedHead+len(text)+len(m.cookie)+2)
	copy(head, savedMagic)
	put := func(n, v int) { binary.NativeEndian.PutUint32(head[16+4*n:], uint32(v)) }
	put(0, savedVersion)
	put(1, len(text)+1+len(m.cookie)+1)
	put(2, 1) // it ran, and shall run
	if len(m.cookie) > 0 {
		put(4, len(text)+1)
	}
	head = append(append(head, text...), 0)
	return append(append(head, m.cookie...), 0), nil
}

// Kind is a domain's definition without what tells one instance from another:
// those of one kind can share a saved state.
func (c Config) Kind() (string, error) {
	c.Name, c.User, c.Console, c.ConsoleLog, c.Channel = "", 0, "", "", ""
	b, err := json.Marshal(c)
	return string(b), err
}

// UUID writes random bytes as a version 4 UUID (RFC 9562), which libvirt wants
// to have more than one digit in it.
func UUID(b [16]byte) string {
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	h := hex.EncodeToString(b[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}
