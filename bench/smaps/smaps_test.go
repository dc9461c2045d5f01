package smaps

import (
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// What is taken shows, within what else a test program does meanwhile.
func TestRead(t *testing.T) {
	before, err := Read(os.Getpid(), 0)
	if err != nil {
		t.Fatal(err)
	}
	const size = 64 << 20
	mem, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Munmap(mem)
	for i := 0; i < len(mem); i += 4096 {
		mem[i] = 1
	}
	after, err := Read(os.Getpid(), 0)
	if d := after.PSS - before.PSS; err != nil || d < size-size/50 || d > size+8<<20 {
		t.Errorf("PSS grew by %d, %v; want %d", d, err, size)
	}
	whole, err := Read(os.Getpid(), size)
	if err != nil || whole.RAM < size || whole.RAM > size+8<<20 || whole.PSS < whole.RAM {
		t.Errorf("%+v, %v", whole, err)
	}
	if _, err := Read(os.Getpid(), 1<<45); err == nil {
		t.Error("a mapping of 32 TiB was found")
	}
	if _, err := Read(1<<30, 0); err == nil {
		t.Error("a process that isn't there has memory")
	}
}

func TestSum(t *testing.T) {
	const text = `7f0000000000-7f0008000000 rwxp 00000000 00:00 0
Pss:                 100 kB
7f1000000000-7f1008000000 rw-p 00000000 00:00 0
Size:             131072 kB
Pss:                  50 kB
7f2000000000-7f2000001000 r--p 00000000 08:01 42 /bin/x
Pss:                   3 kB
Pss_Anon:              9 kB
`
	pss, ram, err := sum(strings.NewReader(text), 128<<20)
	if err != nil || pss != 153<<10 || ram != 50<<10 {
		t.Errorf("%d, %d, %v", pss, ram, err)
	}
	for _, bad := range []string{"xyz rw-p 0", "Pss: many kB"} {
		if _, _, err := sum(strings.NewReader(bad), 0); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}
