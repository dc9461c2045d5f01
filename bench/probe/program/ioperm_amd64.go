package main

import "golang.org/x/sys/unix"

const sysIoperm = unix.SYS_IOPERM
