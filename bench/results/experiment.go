package results

// An Experiment is what an experiment file says (lab run -f paper.yaml), and
// what experiment.yaml in a results folder is a copy of, byte by byte. What
// isn't there is as if the flag hadn't been given.
type Experiment struct {
	Format       int               `json:"format"`                  // of the file: 1
	Title        string            `json:"title,omitempty"`         // for people; nothing depends on it
	Scenarios    []string          `json:"scenarios"`               // each gives a results folder
	Environments []string          `json:"environments,omitempty"`  // in the order of the report; none: the scenario's (--env)
	Variant      map[string]Values `json:"variant,omitempty"`       // settings; of several values each makes a cell (--variant)
	Accel        string            `json:"accel,omitempty"`         // what runs a VM's instructions (--accel)
	CPUs         string            `json:"cpus,omitempty"`          // "0-1,3": what instances are pinned to (--cpus)
	Trials       int               `json:"trials,omitempty"`        // of each cell, 1 or more; none: as the scenario says (--runs)
	Warmup       int               `json:"warmup,omitempty"`        // trials before them that don't count; none: as the scenario says (--warmup)
	Sessions     int               `json:"sessions,omitempty"`      // how many times the whole set is made, each in a testbed of its own; none: once (--sessions)
	Seed         uint64            `json:"seed,omitempty"`          // of the order of the trials; none: a new one each time (--seed)
	Precision    string            `json:"precision,omitempty"`     // "2%": how wide a median's 95 % interval may be (--precision)
	MaxTime      string            `json:"max_time,omitempty"`      // "5m": when the trials end (--max-time)
	Strict       bool              `json:"strict,omitempty"`        // disturbed trials are repeated (--strict)
	Quick        bool              `json:"quick,omitempty"`         // a first look (--quick)
	Image        string            `json:"image,omitempty"`         // folder of the file tree, from the file's own folder on (--image)
	ImageDigest  string            `json:"image_digest,omitempty"`  // "sha256:…" that the file tree must have, wherever it lies
	Kernel       string            `json:"kernel,omitempty"`        // file of the guest kernel, from the file's own folder on (--kernel)
	KernelDigest string            `json:"kernel_digest,omitempty"` // "sha256:…" that the guest kernel must have
}

// ExperimentFormat is the version of the form of experiment files.
const ExperimentFormat = 1

// Values are one value of a setting, or a list of them.
type Values []string
