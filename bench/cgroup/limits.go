package cgroup

import "strconv"

// Limits bound what an instance may use. A zero field means no limit. The
// virtual machine has the same ones: CPUs as virtual CPUs, Memory as RAM.
type Limits struct {
	CPU    float64 // cores' worth of time in each period; 0.5 is half of one core
	Memory int64   // bytes of anonymous and file memory together
	Pids   int64   // processes and threads
}

// None says whether nothing is limited.
func (l Limits) None() bool { return l == Limits{} }

// period is the span over which a CPU quota is counted, in microseconds: the
// kernel's default (sched-bwc.rst).
const period = 100_000

// A file is one limit as each generation wants it written.
type file struct {
	controller  string
	v1, v1value string
	v2, v2value string
	optional    bool // some kernels lack it
}

func (l Limits) files() []file {
	var out []file
	if l.CPU > 0 {
		quota := strconv.FormatInt(max(1000, int64(l.CPU*period)), 10) // the kernel takes 1 ms at least
		out = append(out, file{
			controller: "cpu",
			v1:         "cpu.cfs_quota_us", v1value: quota,
			v2: "cpu.max", v2value: quota + " " + strconv.Itoa(period),
		})
	}
	if l.Memory > 0 {
		n := strconv.FormatInt(l.Memory, 10)
		out = append(out,
			file{
				controller: "memory",
				v1:         "memory.limit_in_bytes", v1value: n,
				v2: "memory.max", v2value: n,
			},
			// A limit that swap evades is none. v1 counts memory and swap
			// together, v2 swap alone; kernels without swap accounting
			// have neither file.
			file{
				controller: "memory",
				v1:         "memory.memsw.limit_in_bytes", v1value: n,
				v2: "memory.swap.max", v2value: "0",
				optional: true,
			})
	}
	if l.Pids > 0 {
		n := strconv.FormatInt(l.Pids, 10)
		out = append(out, file{
			controller: "pids",
			v1:         "pids.max", v1value: n,
			v2: "pids.max", v2value: n,
		})
	}
	return out
}
