package scenarios

import (
	"fmt"

	"lab/bench/results"
)

// diskMetrics: the first one is what --precision looks at.
func diskMetrics() []results.Metric {
	const direct = "past the page cache (O_DIRECT)"
	out := []results.Metric{
		{Name: "direct-read", Title: "Direct read", Unit: "B/s", Better: "higher",
			Help: "Bytes a second read in order, 1 MiB at a time, " + direct + "."},
		{Name: "direct-write", Title: "Direct write", Unit: "B/s", Better: "higher",
			Help: "Bytes a second written over in order, 1 MiB at a time, " + direct + ". The drive's own cache may hold them."},
		{Name: "buffered-read", Title: "Buffered read, cold", Unit: "B/s", Better: "higher",
			Help: "Bytes a second of whole passes in order through the page cache, from which the file was dropped before each; the kernel reads ahead."},
		{Name: "buffered-write", Title: "Buffered write, with fsync", Unit: "B/s", Better: "higher",
			Help: "Bytes a second of whole passes in order through the page cache, each with the fsync that brings it to the disk."},
		{Name: "cached-read", Title: "Cached read", Unit: "B/s", Better: "higher",
			Help: "Bytes a second read in order from the page cache: memory, no disk."},
	}
	one := func(name, title, help string) {
		out = append(out, results.Metric{Name: name, Title: title, Unit: "s", Better: "lower", Help: help + " p50 and p99 of a trial's requests; samples/ has all of them."})
	}
	one("direct-randread1", "Direct random read", "Time of one read of 4 KiB at random, one at a time, "+direct+".")
	one("direct-randwrite1", "Direct random write", "Time of one write of 4 KiB at random, one at a time, "+direct+".")
	one("fsync", "fsync", "Time of an fsync after each single write of 4 KiB at random; the write isn't in it.")
	one("buffered-randread1", "Random read, cold", "Time of one read of 4 KiB at random through the page cache, from which the file was dropped.")
	one("buffered-randwrite1", "Random write, buffered", "Time of one write of 4 KiB at random into the page cache: memory, until it is brought to the disk.")
	one("cached-randread1", "Random read, cached", "Time of one read of 4 KiB at random from the page cache: memory and a system call.")
	for _, x := range []struct{ name, title, help string }{
		{"direct-randread16", "Direct random read ×16", "read, sixteen at once, " + direct},
		{"direct-randwrite16", "Direct random write ×16", "written, sixteen at once, " + direct},
		{"buffered-randread16", "Random read ×16, cold", "read, sixteen at once, through the page cache, from which the file was dropped"},
		{"buffered-randwrite16", "Random write ×16, with fsync", "written, sixteen at once, through the page cache, with the fsync that brings them to the disk"},
	} {
		out = append(out, results.Metric{Name: x.name, Title: x.title, Unit: "1/s", Better: "higher",
			Help: "Requests of 4 KiB at random a second, " + x.help + "."})
		one(x.name+"-latency", x.title+", each", "Time of one request of 4 KiB, "+x.help+" (the fsync, where there is one, isn't in it).")
	}
	return append(out,
		results.Metric{Name: "first-write", Title: "First change of a file", Unit: "s", Better: "lower",
			Help: "Time to open " + firstFile + " for writing and to change one byte of it. In a container's overlay the whole file is copied up before; elsewhere it is a file of the same size."},
		results.Metric{Name: "second-write", Title: "Next change of the file", Unit: "s", Better: "lower",
			Help: "Time to do the same again, when the file has been copied."})
}

// diskFindings take "next to no performance is lost" and "paravirtual devices
// win back what full virtualization loses" apart.
func diskFindings() []results.Finding {
	var out []results.Finding
	for _, m := range []struct{ name, metric, what string }{
		{"read", "direct-read", "Reading a file in order is"}, {"write", "direct-write", "Writing a file in order is"},
		{"randread", "direct-randread1 p50", "A small read is"}, {"fsync", "fsync p50", "An fsync is"},
		{"many-writes", "direct-randwrite16", "Writing at sixteen places of a file at once is"},
	} {
		for _, x := range []struct {
			env, name, where, why string
			variant               map[string]string
		}{
			{"container", "bind", "in a container's bind mount", "a bind mount is the same file system under another name", map[string]string{"data": "bind"}},
			{"container", "layer", "in a container's own layer", "an overlay hands an open file's reads and writes on to the file below", map[string]string{"data": "layer"}},
			{"vm", "vm", "in a virtual machine", "each request leaves the guest, and two file systems lie below one another", map[string]string{"disk": "virtio", "cache": "none"}},
		} {
			if m.name == "many-writes" && x.name == "layer" {
				x.why = "an overlay takes the file's lock for each write, where the file system below lets several overwrite at once"
			}
			out = append(out, results.Finding{
				Name: x.name + "-" + m.name, Claim: ofContainer(x.env, 5), Statement: fmt.Sprintf("%s as fast %s as on the host.", m.what, x.where),
				Metric: m.metric, Of: x.env, OfVariant: x.variant, To: "host", Compare: "ratio", Op: "within", Threshold: near,
				Reason: "“near native” is less than a twentieth; " + x.why, NeedsKVM: x.env == "vm",
			})
		}
	}
	return append(out,
		results.Finding{Name: "vm-much-randread", Claim: 40, Statement: "A small read takes a quarter longer in a virtual machine than on the host.",
			Metric: "direct-randread1 p50", Of: "vm", OfVariant: map[string]string{"disk": "virtio", "cache": "none"}, To: "host", Compare: "ratio", Op: "above", Threshold: 1.25,
			Reason: "a quarter is the least that anybody would call large, or much faster", NeedsKVM: true},
		results.Finding{Name: "copy-up", Statement: "In a container's layer the first change of an image's file costs far more than that of its own file.",
			Metric: "first-write", Of: "container", OfVariant: map[string]string{"data": "layer"}, To: "container", ToVariant: map[string]string{"data": "bind"},
			Compare: "ratio", Op: "above", Threshold: 5, Reason: "the overlay makes a copy in the layer before, and five times as long is more than the way there"},
		results.Finding{Name: "copy-up-once", Statement: "The next change of it costs less than twice as much as elsewhere.",
			Metric: "second-write", Of: "container", OfVariant: map[string]string{"data": "layer"}, To: "container", ToVariant: map[string]string{"data": "bind"},
			Compare: "ratio", Op: "below", Threshold: 2, Reason: "what is copied up is a file like any other, found through one more file system"},
		results.Finding{Name: "virtio-read", Claim: 17, Statement: "A paravirtual disk answers small reads sooner than an emulated one.",
			Metric: "direct-randread1 p50", Of: "vm", OfVariant: map[string]string{"disk": "virtio", "machine": "pc"}, To: "vm", ToVariant: map[string]string{"disk": "ide", "machine": "pc"},
			Compare: "ratio", Op: "below", Threshold: 0.8, Reason: "a fifth less is more than noise; the machine and its acceleration are the same", NeedsKVM: true},
		results.Finding{Name: "virtio-many", Claim: 17, Statement: "It carries more small reads at once, too.",
			Metric: "direct-randread16", Of: "vm", OfVariant: map[string]string{"disk": "virtio", "machine": "pc"}, To: "vm", ToVariant: map[string]string{"disk": "ide", "machine": "pc"},
			Compare: "ratio", Op: "above", Threshold: 1.25, Reason: "IDE has one request under way at a time, virtio a queue", NeedsKVM: true},
	)
}
