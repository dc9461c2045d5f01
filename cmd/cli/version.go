package cli

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// version is set with -ldflags "-X lab/cmd/cli.version=…".
var version string

// Version is the lab's version: what the linker was told, else what Go
// recorded of the module or the commit.
func Version() string {
	if version != "" {
		return version
	}
	b, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	if v := b.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	rev, dirty := "", ""
	for _, s := range b.Settings {
		switch {
		case s.Key == "vcs.revision":
			rev = s.Value[:min(12, len(s.Value))]
		case s.Key == "vcs.modified" && s.Value == "true":
			dirty = "-dirty"
		}
	}
	if rev == "" {
		return "devel"
	}
	return "devel-" + rev + dirty
}

// VersionLine is what version and --version print.
func VersionLine() string {
	return fmt.Sprintf("lab %s %s %s/%s", Version(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
}
