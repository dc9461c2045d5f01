package disk

import (
	"encoding/binary"
	"errors"
	"os"
)

// Overlay makes a file that is a layer over a disk of a size in bytes, with nothing in it
// yet: an image in QEMU's format qcow2, version 3, that names no file below it. What it
// lies over is named to QEMU. (docs/interop/qcow2.txt of QEMU.)
func Overlay(name string, size int64) error {
	// The header, the table of tables of references, the first of these, and the first
	// level of the table of blocks have a cluster each.
	const bits, cluster = 16, 1 << 16
	const perEntry = cluster / 8 * cluster // bytes of the disk that an entry of the first level stands for
	levels := (size + perEntry - 1) / perEntry
	if levels > cluster/8 {
		return errors.New("overlay: the disk is too large")
	}
	b := make([]byte, 4*cluster)
	be := binary.BigEndian
	copy(b, "QFI\xfb")
	be.PutUint32(b[4:], 3)
	be.PutUint32(b[20:], bits)
	be.PutUint64(b[24:], uint64(size))
	be.PutUint32(b[36:], uint32(levels))
	be.PutUint64(b[40:], 3*cluster) // the first level
	be.PutUint64(b[48:], cluster)   // references' tables
	be.PutUint32(b[56:], 1)         // in one cluster
	be.PutUint32(b[96:], 4)         // a reference counter has 2^4 bits
	be.PutUint32(b[100:], 104)      // the header's length
	be.PutUint64(b[cluster:], 2*cluster)
	for n := range 4 {
		be.PutUint16(b[2*cluster+2*n:], 1)
	}
	return os.WriteFile(name, b, 0o600)
}
