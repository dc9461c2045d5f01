package main

const sysIoperm = 0 // there are no ports
