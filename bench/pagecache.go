package bench

import (
	"errors"
	"fmt"

	"lab/bench/pagecache"
)

// PageCache is the setting of each environment whose start reads files of the
// lab's: whether these are in the host's page cache when an instance is started.
// Whoever prepares the instance sees to it, by [Chill].
var PageCache = Setting{Name: "pagecache", Values: []string{"warm", "cold"}, Default: "warm",
	Help: "whether the files that a start reads (image, guest kernel, disks) are in the host's page cache, or are dropped from it before; programs such as QEMU stay in it"}

// Cold says whether a Spec's instances are started with cold files.
func Cold(s Spec) bool { return s.Settings[PageCache.Name] == "cold" }

// Chill drives what an instance's start will read out of the page cache, if its
// Spec asks for that: what its Loader names, or the image. It is called between
// Prepare and Start. What stays there all the same is an error, as then the
// start wouldn't be what was asked for.
func Chill(i Instance, s Spec) error {
	if !Cold(s) {
		return nil
	}
	paths := []string{s.Image.Dir}
	if l, ok := i.(Loader); ok {
		paths = l.Loads()
	}
	err := pagecache.Drop(paths...)
	if stayed := (*pagecache.StayedError)(nil); errors.As(err, &stayed) {
		err = fmt.Errorf("%w; fix: end what else uses that file, or --variant pagecache=warm", err)
	}
	if err != nil {
		return Blamed(BlameMachine, fmt.Errorf("pagecache=cold: %w", err))
	}
	return nil
}
