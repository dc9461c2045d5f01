package scenarios

import (
	"fmt"

	"lab/bench"
	"lab/bench/image"
	"lab/bench/results"
)

// Syscalls asks what the kernel's own operations cost, one by one: LEBench's list.
func Syscalls() *bench.Scenario {
	return &bench.Scenario{
		Name:     "syscalls",
		Workload: image.ProbePath,
		Question: "What do the kernel's operations cost: files, memory, processes, waiting?",
		Alone:    "it measures the kernel's own work, in which two instances at a time wait for each other",
		Method: "A trial starts one instance of the lab's probe, the same bytes everywhere, which asks its kernel for one thing after another, each for a fixed time: " +
			"the list of LEBench (SOSP 2019), but for what scenario cpu has and the creation of a thread. Files are in memory: what is read and mapped is the program's own file, in the page cache, what is written has no name. " +
			"What each takes is the program's own figure, the middle one of some dozens of batches; the host stamps the beginning and the end of each on its own clock, " +
			"and where the two lengths differ by more than 1 % the trial is marked (two-clocks). " + ownGroupText +
			"Guests have a kernel of their own, and rows with other kernels or parameters are made by --variant kernel=A,B and append=….",
		Cells:    func(o bench.Options) []bench.Cell { return probeCells(o, len(syscallsMetrics)) },
		Trial:    probeTrial(syscallsMetrics),
		Metrics:  syscallsMetrics,
		Figures:  syscallsFigures,
		Findings: syscallsFindings(),
	}
}

var syscallsMetrics = []results.Metric{
	timeOf("getpid", "getpid", "Time of getpid(2), which changes nothing."),
	timeOf("send", "Socket, 1 byte", "Time to write a byte into a socket (AF_UNIX) and to read it at the other end."),
	timeOf("send-96k", "Socket, 96 kB", "The same with 96000 bytes."),
	timeOf("open", "Open and close", "Time to open the program's own file by its path, and to close it. A container finds it in an overlay, through two file systems."),
	timeOf("read-4k", "Read of 4 KiB", "Time of one read of the first 4 KiB of the program's own file, from the page cache."),
	timeOf("read-40k", "Read of 40 KiB", "The same with 40 KiB."),
	timeOf("read-1m", "Read of 1 MiB", "The same with 1 MiB."),
	timeOf("write-4k", "Write of 4 KiB", "Time of one write over the first 4 KiB of a file in memory (memfd_create)."),
	timeOf("write-40k", "Write of 40 KiB", "The same with 40 KiB."),
	timeOf("write-1m", "Write of 1 MiB", "The same with 1 MiB."),
	timeOf("mmap-4k", "mmap and munmap, 4 KiB", "Time to map 4 KiB of the program's own file into memory and to give them back, untouched."),
	timeOf("mmap-1m", "mmap and munmap, 1 MiB", "The same with 1 MiB."),
	timeOf("map-fault", "Fault on a mapped file", "Time to touch a page of 4 KiB of 1 MiB of the program's own file, newly mapped: mmap and munmap are in it, divided among the pages, and the kernel maps several pages at a fault."),
	timeOf("fork", "Fork", "Time in which the process makes a copy of itself that ends at once, and sees its end."),
	timeOf("fork-48m", "Fork with a large heap", "The same with 12000 pages more that were written to (47 MiB), whose tables the kernel copies."),
	timeOf("select-10", "select, 10 descriptors", "Time to ask which of 10 descriptors can be read from (pselect6), all of which can."),
	timeOf("poll-10", "poll, 10 descriptors", "The same with ppoll."),
	timeOf("epoll-10", "epoll, 10 descriptors", "The same with epoll_pwait."),
	timeOf("select-1000", "select, 1000 descriptors", "Time to ask which of 1000 descriptors can be read from (pselect6), all of which can."),
	timeOf("poll-1000", "poll, 1000 descriptors", "The same with ppoll."),
	timeOf("epoll-1000", "epoll, 1000 descriptors", "The same with epoll_pwait."),
}

// timeOf is a metric of how long something takes.
func timeOf(name, title, help string) results.Metric {
	return results.Metric{Name: name, Title: title, Unit: "s", Better: "lower", Help: help}
}

var syscallsFigures = []results.Figure{
	{Name: "files", Title: "Files and sockets: how many times as long as on the host", Kind: "ratios",
		Metrics: []string{"getpid", "open", "read-4k", "read-40k", "read-1m", "write-4k", "write-40k", "write-1m", "send", "send-96k"},
		Caption: "A diamond is the ratio of medians, its bar the 95 % interval; on the line at 1 it costs nothing."},
	{Name: "processes", Title: "Memory, processes and waiting: how many times as long as on the host", Kind: "ratios",
		Metrics: []string{"mmap-4k", "mmap-1m", "map-fault", "fork", "fork-48m", "select-10", "poll-10", "epoll-10", "select-1000", "poll-1000", "epoll-1000"},
		Caption: "A diamond is the ratio of medians, its bar the 95 % interval; on the line at 1 it costs nothing."},
}

// syscallsFindings: what goes through a container's filter and nothing else, what goes
// through its overlay as well, and what a guest's second table of pages takes part in.
func syscallsFindings() (out []results.Finding) {
	for _, x := range []struct{ metric, says string }{
		{"open", "Opening a file is as fast %s as on the host."},
		{"read-4k", "Reading 4 KiB from the page cache is as fast %s as on the host."},
		{"fork-48m", "A process with a large heap is copied as fast %s as on the host."},
		{"epoll-1000", "Asking for 1000 descriptors with epoll is as fast %s as on the host."},
	} {
		for _, e := range []struct{ env, where, why string }{
			{"container", "in a container", "“near native” is less than a twentieth; the kernel is the host's, behind a filter and, for files, an overlay"},
			{"vm", "in a virtual machine", "“near native” is less than a twentieth; a guest's kernel does it by itself, on pages that have two tables"},
		} {
			out = append(out, results.Finding{Name: e.env + "-" + x.metric, Statement: fmt.Sprintf(x.says, e.where),
				Metric: x.metric, Of: e.env, To: "host", Compare: "ratio", Op: "within", Threshold: near, Reason: e.why, NeedsKVM: e.env == "vm"})
		}
	}
	return out
}
