// Package image is one read-only file tree, known by its digest, and the forms
// in which environments take it: a folder (host, chroot), the lower layer of
// an overlay (container), an initramfs (vm).
package image

// A Ref names a file tree on this machine by its content.
type Ref struct {
	Name   string // "default", or the last part of the folder's path
	Dir    string // absolute path of the tree's root
	Digest string // "sha256:" and 64 hex digits: names, modes, owners and contents; not times
	Size   int64  // bytes of all regular files
}
