// Package foreign is a libvirt that isn't the lab's own ([Libvirt], lab run
// --connect): how the lab is connected to it, puts kernels and images there as
// storage volumes, chooses addresses on its networks, and sweeps what killed labs
// left.
package foreign
