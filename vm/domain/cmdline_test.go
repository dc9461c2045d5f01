package domain

import (
	"strings"
	"testing"
)

func TestCmdline(t *testing.T) {
	fixed := strings.Join(base, " ")
	for _, c := range []struct {
		name string
		in   Cmdline
		want string // after what is always there
		err  string
	}{
		{"plain", Cmdline{Init: "/bin/ready"}, "rdinit=/bin/ready init=/bin/ready", ""},
		{"argument", Cmdline{Init: "/bin/ready", Args: []string{"lab-0123"}}, "rdinit=/bin/ready init=/bin/ready -- lab-0123", ""},
		{"looks like a parameter", Cmdline{Init: "/i", Args: []string{"-x", "a=b"}}, "rdinit=/i init=/i -- -x a=b", ""},
		{"variables", Cmdline{Init: "/i", Env: []string{"PATH=/bin", "A_1="}}, "PATH=/bin A_1= rdinit=/i init=/i", ""},
		{"more", Cmdline{Init: "/i", More: []string{"nokaslr"}}, "nokaslr rdinit=/i init=/i", ""},
		{"blank", Cmdline{Init: "/i", Args: []string{"a b"}}, "", "' '"},
		{"quote", Cmdline{Init: "/i", Args: []string{`"a"`}}, "", `'"'`},
		{"empty argument", Cmdline{Init: "/i", Args: []string{""}}, "", "empty"},
		{"control character", Cmdline{Init: "/i", Args: []string{"a\nb"}}, "", `'\n'`},
		{"not ASCII", Cmdline{Init: "/i", Args: []string{"ü"}}, "", "'ü'"},
		{"blank in the path", Cmdline{Init: "/a b"}, "", "' '"},
		{"no variable", Cmdline{Init: "/i", Env: []string{"quiet"}}, "", "variable"},
		{"a kernel's parameter", Cmdline{Init: "/i", Env: []string{"panic=5"}}, "", "capitals"},
		{"a module's parameter", Cmdline{Init: "/i", Env: []string{"8250.X=5"}}, "", "capitals"},
		{"many arguments", Cmdline{Init: "/i", Args: make([]string, maxInitArgs)}, "", "more than 32"},
		{"long", Cmdline{Init: "/i", Args: []string{strings.Repeat("x", maxCmdline)}}, "", "bytes"},
	} {
		got, err := c.in.String()
		switch {
		case c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)):
			t.Errorf("%s: %q, %v, want an error that says %s", c.name, got, err, c.err)
		case c.err == "" && (err != nil || got != fixed+" "+c.want):
			t.Errorf("%s: %q, %v, want … %q", c.name, got, err, c.want)
		}
	}
	xen, err := Cmdline{Init: "/i", More: []string{"nokaslr"}, Xen: true}.String()
	if err != nil || xen != strings.Join(xenBase, " ")+" nokaslr rdinit=/i init=/i" {
		t.Errorf("of Xen's guest: %q, %v", xen, err)
	}
	// Without it the kernel prints the command line, and the token in it.
	if !strings.Contains(" "+fixed+" ", " quiet ") {
		t.Error("the kernel isn't quiet")
	}
}
