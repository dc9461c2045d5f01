package results

// An Environment is what an environment says about itself to whoever reads the
// results: reports ask no names.
type Environment struct {
	Name         string            `json:"name"`
	Number       int               `json:"number,omitempty"`        // its place among all that the lab has, from 1, by which it has the same colour in every figure; 0: an early lab didn't write it down
	Is           string            `json:"is"`                      // one line, after "NAME is"
	Guest        bool              `json:"guest,omitempty"`         // its workload doesn't run on the host's kernel, but on one of its own, or on none: it has a boot, a clock and a memory of its own, and ends with its first process
	LowerBound   bool              `json:"lower_bound,omitempty"`   // it is made for measuring: what people deploy does more, and takes longer
	WholeCommand bool              `json:"whole_command,omitempty"` // what is timed is a command as people type it, client and engine included; others are called in process
	Versions     map[string]string `json:"versions,omitempty"`      // of the foreign programs that it rests on: "qemu": "7.2.22"
	Caveat       string            `json:"caveat,omitempty"`        // how its rows are to be read: a sentence's end, after "NAME is", without a full stop
}

// earlier is what the environments of folders were whose manifest doesn't say it
// yet. It is complete: later labs write it down.
var earlier = []Environment{
	{Name: "host", Caveat: "the same program in the testbed's own namespaces, without its own file tree. What “host” networking means here is the testbed's network, without the user's firewall"},
	{Name: "container", LowerBound: true, Caveat: "our minimal runtime, called in process, without engine or client"},
	{Name: "vm", Guest: true, LowerBound: true, Caveat: "a tuned kernel that runs the workload and next to nothing else"},
	{Name: "vm-bare", Guest: true},
}

// Environment is what an environment of the run said about itself; its name
// alone, where it said nothing.
func (m *Manifest) Environment(name string) Environment {
	all := m.Environments
	if all == nil {
		all = earlier
	}
	for _, e := range all {
		if e.Name == name {
			return e
		}
	}
	return Environment{Name: name}
}
