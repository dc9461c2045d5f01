package testbed

// SetRunDir changes where testbeds lie.
func SetRunDir(dir string) (restore func()) {
	old := runDir
	runDir = dir
	return func() { runDir = old }
}

// NewID makes a testbed's ID.
var NewID = newID
