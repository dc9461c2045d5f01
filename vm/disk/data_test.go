package disk

import (
	"errors"
	"testing"

	"golang.org/x/sys/unix"
)

// What a guest's disk left in the host's page cache can be driven out of there.
func TestDataDiskCool(t *testing.T) {
	dir := t.TempDir()
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		t.Fatal(err)
	}
	if st.Type == unix.TMPFS_MAGIC {
		t.Skip("skipped: temporary files are in RAM here; fix: TMPDIR=a folder on a disk")
	}
	d, err := NewData(t.Context(), dir, 32<<20)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	page := make([]byte, 4096)
	if _, err := d.f.WriteAt(page, 16<<20); err != nil {
		t.Fatal(err)
	}
	// RWF_NOWAIT reads what is in the page cache, and nothing else.
	cached := func() error {
		_, err := unix.Preadv2(int(d.f.Fd()), [][]byte{page}, 16<<20, unix.RWF_NOWAIT)
		return err
	}
	if err := cached(); err != nil {
		t.Fatalf("just written: %v", err)
	}
	if err := d.Drop(); err != nil {
		t.Fatal(err)
	}
	if err := cached(); !errors.Is(err, unix.EAGAIN) {
		t.Errorf("cooled, a read that doesn't wait gives %v, want %v", err, unix.EAGAIN)
	}
	if err := (*Data)(nil).Drop(); err != nil {
		t.Errorf("without a disk: %v", err)
	}
}
