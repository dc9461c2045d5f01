package domain

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"testing"
)

func TestSavedImage(t *testing.T) {
	const text = "<domain type='qemu'><name>a</name><uuid>6a000677-0323-4689-83d8-16f4909485cd</uuid><devices>" +
		"<serial type='pipe'><source path='/x'/><log file='/y'/></serial><channel type='unix'><source mode='connect' path='/z'/></channel></devices></domain>"
	c := Config{Name: "b", Console: "/b.serial", ConsoleLog: "/b.console", Channel: "/b.port"}
	first, err := (&Saved{xml: text, cookie: []byte("<cookie/>")}).As(c, "00000000-0000-4000-8000-000000000001")
	if err != nil {
		t.Fatal(err)
	}
	m, err := parseSaved(bytes.NewReader(append(first, "QEVM"...)))
	if err != nil {
		t.Fatal(err)
	}
	if string(m.cookie) != "<cookie/>" || m.Data != int64(len(first)) {
		t.Errorf("cookie %q, data at %d of %d", m.cookie, m.Data, len(first))
	}
	for _, want := range []string{"<name>b</name>", "/b.serial", "/b.console", "/b.port", "-000000000001</uuid>"} {
		if !strings.Contains(m.xml, want) {
			t.Errorf("%s isn't in %s", want, m.xml)
		}
	}
	// Cut off anywhere, it is an error and no panic.
	for n := range first {
		if _, err := parseSaved(bytes.NewReader(first[:n])); !errors.Is(err, errSaved) && !errors.Is(err, io.EOF) {
			t.Fatalf("the first %d bytes: %v", n, err)
		}
	}
	for at, v := range map[int]uint32{16: 3, 20: 1 << 30, 28: 1, 32: 1 << 29} {
		b := bytes.Clone(first)
		binary.NativeEndian.PutUint32(b[at:], v)
		if _, err := parseSaved(bytes.NewReader(b)); !errors.Is(err, errSaved) {
			t.Errorf("%d at byte %d: %v", v, at, err)
		}
	}
	if _, err := (&Saved{xml: "<domain/>"}).As(c, "x"); !errors.Is(err, errSaved) {
		t.Errorf("without devices: %v", err)
	}
}
