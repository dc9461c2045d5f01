package client

import (
	"strings"
	"testing"
)

func TestParseTarget(t *testing.T) {
	for uri, want := range map[string]string{
		"qemu:///system":                           "qemu+unix:///system qemu:///system",
		"qemu+unix:///session?socket=/x":           "qemu+unix:///session qemu:///session",
		"qemu://host/system":                       "qemu+tls:///system qemu:///system",
		"qemu+tls://host:99/system?pkipath=/p":     "qemu+tls:///system qemu:///system",
		"qemu+ssh://me@host/system?keyfile=/k":     "qemu+ssh:///system qemu:///system",
		"qemu+libssh://host/system?known_hosts=/k": "qemu+libssh:///system qemu:///system",
		"qemu+tcp://host/system":                   "",
		"xen:///system":                            "xen+unix:///system xen:///system",
		"vbox:///session":                          "vbox+unix:///session vbox:///session",
		"lxc:///system":                            "",
		"qemu+ssh:///system":                       "",
		"qemu+ssh://me:secret@host/system":         "",
		"qemu+unix://":                             "",
		"::":                                       "",
	} {
		got := ""
		target, err := ParseTarget(uri)
		if err == nil {
			got = target.Name + " " + target.Driver
		}
		if got != want {
			t.Errorf("%s: %q, %v, want %q", uri, got, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%v tells the password", err)
		}
	}
}
