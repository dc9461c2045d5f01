package cgroup

// Limits bound what an instance may use. A zero field means no limit. The
// virtual machine has the same ones: CPUs as virtual CPUs, Memory as RAM.
type Limits struct {
	CPU    float64 // cores' worth of time in each period; 0.5 is half of one core
	Memory int64   // bytes of anonymous and file memory together
	Pids   int64   // processes and threads
}

// None says whether nothing is limited.
func (l Limits) None() bool { return l == Limits{} }
