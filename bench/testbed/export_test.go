package testbed

// SetRunDir changes where testbeds lie.
func SetRunDir(dir string) (restore func()) {
	old := runDir
	runDir = dir
	return func() { runDir = old }
}

// SessionOf says to which session a process belongs, and whether it is alive.
var SessionOf = sessionOf

// NewID makes a testbed's ID.
var NewID = newID
