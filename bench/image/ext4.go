package image

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"

	"lab/bench/input"
)

// ErrNoMkfs is wrapped by errors of a machine without the programs that make
// file systems.
var ErrNoMkfs = errors.New("no mkfs.ext4 and debugfs on this machine: apt-get install e2fsprogs")

const (
	// ext4Block is the file system's block size in bytes.
	ext4Block = 4096

	// ext4Inode is an inode's size in bytes.
	ext4Inode = 256

	// ext4UUID is every image's UUID and hash seed: one that were drawn would
	// make each build another file.
	ext4UUID = "6c616269-6d61-4765-8000-000000000000"

	// ext4Features are all that such a disk has. No journal, as nobody writes
	// to it; no checksums, as settle changes inodes; and nothing that is the
	// choice of one distribution's mke2fs.conf.
	ext4Features = "none,filetype,extent,sparse_super,large_file,huge_file,flex_bg,extra_isize,dir_nlink"
)

// WriteExt4 makes the tree a disk in the file path, which is created: an ext4
// file system, without partitions, to be mounted read-only. It needs no root.
//
// The same tree gives the same bytes whoever builds it and when, as far as
// e2fsprogs' version is the same: names are taken in their order, times are
// zero, and all belongs to root, as owners are no part of an image (see Sum).
// The file is sparse.
func (r Ref) WriteExt4(ctx context.Context, path string) error {
	if err := r.writeExt4(ctx, path); err != nil {
		return fmt.Errorf("image: disk of %s: %w", r.Dir, err)
	}
	return nil
}

func (r Ref) writeExt4(ctx context.Context, path string) error {
	size, entries, err := extent(r.Dir)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	if err := errors.Join(f.Truncate(size), f.Close()); err != nil {
		return err
	}
	if err := tool(ctx, "mkfs.ext4", "-q", "-F", "-b", strconv.Itoa(ext4Block), "-I", strconv.Itoa(ext4Inode),
		"-N", strconv.FormatInt(entries+16, 10), // 10 are the file system's own, and lost+found
		"-O", ext4Features, "-m", "0", "-U", ext4UUID,
		"-E", "hash_seed="+ext4UUID+",lazy_itable_init=0,root_owner=0:0",
		"-d", r.Dir, path); err != nil {
		return err
	}
	// A program sees the image and nothing else.
	if _, err := os.Lstat(filepath.Join(r.Dir, "lost+found")); errors.Is(err, fs.ErrNotExist) {
		if err := tool(ctx, "debugfs", "-w", "-R", "rmdir /lost+found", path); err != nil {
			return err
		}
	}
	return settle(path)
}

// FormatExt4 makes an empty ext4 file system in a file that has its size
// already, and may have no name any more (/proc/PID/fd/N). Nothing is left for
// the background: by default a kernel that mounts it first would go on making
// it, while somebody measures.
//
// Its journal and its tables are written, as zeros, and not only reserved, which
// mkfs would prefer in a file: the first write into a reserved block changes the
// file's own map on the host, and each fsync in a guest would pay for that.
func FormatExt4(ctx context.Context, path string) error {
	return toolWith(ctx, []string{"UNIX_IO_NOZEROOUT=1"}, "mkfs.ext4", "-q", "-F", "-b", strconv.Itoa(ext4Block), "-m", "0",
		"-E", "lazy_itable_init=0,lazy_journal_init=0,nodiscard,root_owner=0:0", path)
}

// extent is how large a disk a tree needs, in bytes, and how many entries it
// has. It is generous: what isn't used is a hole in a sparse file.
func extent(dir string) (size, entries int64, err error) {
	err = input.Walk(dir, func(_, _ string, info fs.FileInfo) error {
		entries++
		size += ext4Block // a folder's, a long link's, a file's last, attributes
		if info.Mode().IsRegular() {
			size += info.Size()
		}
		return nil
	})
	size += entries*ext4Inode + size/16 + 4<<20
	return (size + 1<<20 - 1) &^ (1<<20 - 1), entries, err
}

// tool runs one of e2fsprogs' programs. What it says on an error is its error's
// text: debugfs ends with status 0 whatever happens.
func tool(ctx context.Context, name string, args ...string) error {
	return toolWith(ctx, nil, name, args...)
}

// toolWith is tool with more in its environment.
func toolWith(ctx context.Context, env []string, name string, args ...string) error {
	path, err := FindTool(name)
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Env = append([]string{
		"PATH=/usr/sbin:/usr/bin:/sbin:/bin",
		"LC_ALL=C",                   // the order of names, and the messages
		"E2FSPROGS_FAKE_TIME=1",      // the clock that they write down; 0 means none
		"MKE2FS_CONFIG=/nonexistent", // no distribution's own choices
		"DEBUGFS_PAGER=__none__",
	}, env...)
	out, err := cmd.CombinedOutput()
	if name == "debugfs" { // its first line is its version
		_, out, _ = bytes.Cut(out, []byte("\n"))
		if err == nil && len(bytes.TrimSpace(out)) > 0 {
			err = errors.New("failed")
		}
	}
	if err != nil {
		return fmt.Errorf("%s: %w: %s", name, err, bytes.TrimSpace(out))
	}
	return nil
}

// FindTool finds one of e2fsprogs' programs, which a user's PATH often lacks.
func FindTool(name string) (string, error) {
	for _, dir := range []string{"/usr/sbin", "/sbin", "/usr/bin", "/usr/local/sbin"} {
		path := filepath.Join(dir, name)
		if st, err := os.Stat(path); err == nil && st.Mode().IsRegular() && st.Mode()&0o111 != 0 {
			return path, nil
		}
	}
	return "", ErrNoMkfs
}

// Where things are on the disk (Documentation/filesystems/ext4 of the kernel).
const (
	superAt         = 1024 // the superblock
	superInodes     = 0    // number of inodes
	superPerGroup   = 40   // inodes of one block group
	groupAt         = ext4Block
	groupSize       = 32
	groupTable      = 8 // first block of the group's inodes
	inodeMode       = 0
	inodeUID        = 2
	inodeAccess     = 8 // followed by change, modification, deletion; then the group
	inodeGID        = 24
	inodeLinks      = 26
	inodeUIDHigh    = 120 // and the group's
	inodeExtraTimes = 132 // of change, modification, access; birth and its
	inodeExtraEnd   = 152
)

// settle makes every file root's, of time zero: mkfs copies owners and times
// from the folder.
func settle(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	super := make([]byte, 1024)
	if _, err := f.ReadAt(super, superAt); err != nil {
		return errors.Join(err, f.Close())
	}
	total := binary.LittleEndian.Uint32(super[superInodes:])
	group := binary.LittleEndian.Uint32(super[superPerGroup:])
	table := make([]byte, int64(group)*ext4Inode)
	for g := uint32(0); group > 0 && g*group < total; g++ {
		var desc [groupSize]byte
		if _, err := f.ReadAt(desc[:], groupAt+int64(g)*groupSize); err != nil {
			return errors.Join(err, f.Close())
		}
		at := int64(binary.LittleEndian.Uint32(desc[groupTable:])) * ext4Block
		if _, err := f.ReadAt(table, at); err != nil {
			return errors.Join(err, f.Close())
		}
		for inode := table; len(inode) > 0; inode = inode[ext4Inode:] {
			settleInode(inode[:ext4Inode])
		}
		if _, err := f.WriteAt(table, at); err != nil {
			return errors.Join(err, f.Close())
		}
	}
	return f.Close()
}

func settleInode(b []byte) {
	switch {
	case binary.LittleEndian.Uint16(b[inodeMode:]) == 0:
		return
	case binary.LittleEndian.Uint16(b[inodeLinks:]) == 0: // removed: lost+found
		clear(b)
		return
	}
	clear(b[inodeUID : inodeUID+2])
	clear(b[inodeAccess : inodeGID+2])
	clear(b[inodeUIDHigh : inodeUIDHigh+4])
	clear(b[inodeExtraTimes:inodeExtraEnd])
}
