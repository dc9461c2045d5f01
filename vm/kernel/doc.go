// Package kernel makes a guest's kernel bootable without a boot loader, and
// without any tool of the host.
//
// Distributions ship a bzImage: a real-mode header, a small decompressor, and
// the compressed ELF file that is the kernel. A guest that boots it
// decompresses it each time anew, in guest code, which is slow where that code
// is emulated. QEMU can also boot the ELF file itself, by the PVH protocol (an
// ELF note names a 32-bit entry point), and then no guest ever decompresses.
//
// The order of steps:
//
//  1. [Find] finds a kernel and its folder of modules;
//  2. [Kernel.ELF] unpacks it into the cache, once for each digest: [Unpack]
//     parses the header and undoes gzip, bzip2, xz, lzma, lz4 or zstd;
//  3. [Closure] picks the modules that a guest needs, in loading order.
//
// Unpack and everything below it are pure functions of bytes: damaged input
// gives an error that wraps [ErrFormat], never a panic.
package kernel

import "errors"

// ErrFormat is wrapped by every error about bytes that aren't as they should.
var ErrFormat = errors.New("not a usable kernel image")
