package container

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"lab/bench"
	"lab/bench/image"
	"lab/bench/launch"
)

// elfFile is a program that does nothing but ask for a loader.
func elfFile(loader string) []byte {
	machine := elf.EM_X86_64
	if runtime.GOARCH == "arm64" {
		machine = elf.EM_AARCH64
	}
	name := append([]byte(loader), 0)
	at := uint64(64 + 2*56)
	var b bytes.Buffer
	for _, part := range []any{
		elf.Header64{Ident: [16]byte{0x7f, 'E', 'L', 'F', 2, 1, 1}, Type: uint16(elf.ET_EXEC), Machine: uint16(machine), Version: 1,
			Entry: 0x10000, Phoff: 64, Ehsize: 64, Phentsize: 56, Phnum: 2},
		elf.Prog64{Type: uint32(elf.PT_INTERP), Off: at, Filesz: uint64(len(name)), Memsz: uint64(len(name))},
		elf.Prog64{Type: uint32(elf.PT_LOAD), Flags: uint32(elf.PF_R | elf.PF_X), Vaddr: 0x10000, Paddr: 0x10000,
			Filesz: at, Memsz: at, Align: 0x1000},
		name,
	} {
		binary.Write(&b, binary.LittleEndian, part)
	}
	return b.Bytes()
}

// TestProgramChanged changes a program on a volume between the moment in which
// it was looked at and its execution: what was looked at runs, or nothing.
func TestProgramChanged(t *testing.T) {
	h := newHostile(t)
	busybox, err := os.ReadFile(filepath.Join(h.dir, "bin/busybox"))
	if err != nil {
		t.Fatal(err)
	}
	for good, argv := range map[string][]string{
		string(busybox):                       {"/vol/busybox", "echo", "good"},
		"#!/bin/busybox sh\necho good\n":      {"/vol/busybox"},
		"#!/vol/sh -e\n[ $- = e ]; echo good": {"/vol/busybox"},
	} {
		for name, change := range map[string]func() error{
			"a script": func() error { return unix.Rename("/vol/script", "/vol/busybox") },
			"a loader": func() error { return unix.Rename("/vol/loader", "/vol/busybox") },
			"a link":   func() error { return unix.Rename("/vol/link", "/vol/busybox") },
			"another interpreter": func() error {
				return unix.Rename("/vol/link", "/vol/sh")
			},
			"its bytes": func() error {
				return os.WriteFile("/vol/busybox", []byte("#!/proc/self/exe\n"), 0)
			},
		} {
			vol := t.TempDir()
			for file, text := range map[string]string{"busybox": good, "sh": string(busybox), "script": "#!/proc/self/exe\n", "loader": string(elfFile("/proc/self/exe"))} {
				if err := os.WriteFile(filepath.Join(vol, file), []byte(text), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.Symlink("/proc/self/exe", filepath.Join(vol, "link")); err != nil {
				t.Fatal(err)
			}
			settings, err := bench.Resolve(h.env, nil)
			if err != nil {
				t.Fatal(err)
			}
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			c := &container{env: h.env, spec: bench.Spec{Settings: settings, Image: image.Ref{Dir: h.dir},
				Mounts:  []bench.Mount{{Source: vol, Target: "/vol"}},
				Command: bench.Command{Argv: argv, Stdout: w}}}
			p := c.plan()
			p.Privileges = func(th *launch.Thread, tape *launch.Tape) error {
				return errors.Join(change(), c.seccomp(th, tape))
			}
			c.Process = launch.New(p)
			if err = c.Start(t.Context()); err == nil {
				_, err = c.Wait(t.Context())
			}
			if cerr := c.Close(); cerr != nil {
				t.Error(cerr)
			}
			w.Close()
			out := new(bytes.Buffer)
			out.ReadFrom(r)
			r.Close()
			var ee *launch.ExecError
			if !errors.As(err, &ee) && (err != nil || out.String() != "good\n") {
				// A script is read by its interpreter when that runs, and another
				// text is another text.
				if !strings.HasPrefix(good, "#!") || strings.Contains(out.String(), "flag") {
					t.Errorf("%.20q, changed into %s: %q, %v", good, name, out, err)
				}
			}
		}
	}
}

// TestProgramPinned: for all that, a program has the name, the arguments and the
// rights that it has elsewhere.
func TestProgramPinned(t *testing.T) {
	h := newHostile(t)
	for name, text := range map[string]string{
		"say.sh":      "#!/bin/busybox sh\necho \"$0 $*\"; cat /proc/$$/comm; echo $-\n",
		"deep":        "#!/bin/deep2\n",
		"deep2":       "#!/bin/say.sh x y\n",
		"closed/prog": "#!/bin/sh\n",
	} {
		name = filepath.Join(h.dir, "bin", name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(filepath.Join(h.dir, "bin/closed"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		argv []string
		want string
	}{
		{[]string{"/bin/cat", "/proc/self/comm"}, "cat\n"},
		{[]string{"say.sh", "a b", "c"}, "/bin/say.sh a b c\nsay.sh\n\n"},
		{[]string{"/bin/deep", "a"}, "/bin/say.sh x y /bin/deep2 /bin/deep a\ndeep\n\n"},
		{[]string{"/bin/ls", "/proc/self/fd"}, "0\n1\n2\n3\n"}, // ls's own
	} {
		out, x, err := h.run(bench.Spec{Command: bench.Command{Argv: c.argv, Env: []string{"PATH=/bin"}}}, "")
		if out != c.want || x.Status() != 0 || err != nil {
			t.Errorf("%q: %q, %v, %v; want %q", c.argv, out, x, err, c.want)
		}
	}
	for _, user := range []uint32{0, 1000} {
		_, x, err := h.run(bench.Spec{Command: bench.Command{Argv: []string{"/bin/closed/prog"}, User: bench.User{UID: user}}}, "")
		var ee *launch.ExecError
		if closed := user != 0; errors.As(err, &ee) != closed || !closed && (err != nil || x.Status() != 0) {
			t.Errorf("user %d in a folder that is root's: %v, %v", user, x, err)
		}
	}
}
