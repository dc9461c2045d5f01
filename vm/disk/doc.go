// Package disk is the files that guests are made of: of an image its initramfs
// ([Initramfs]) or its disk ([Root]), which the cache keeps and all guests share; and
// the empty disk ([Data]) that is one guest's alone, and gone with it.
package disk
