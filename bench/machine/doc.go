// Package machine says what this machine is, what it can do, and whether it is
// quiet: the three things without which a figure can't be judged.
//
//   - [Facts] describes it, for machine.json: read from files alone, at once;
//   - [Checks] tries what the environments need, for lab doctor: each check says
//     what was found, why it matters, the cure, and what it blocks;
//   - a [Sampler] looks at it before and after a trial, and [Taints] names what
//     disturbed it in between.
//
// Each is in two halves. One reads files or asks the kernel, and is short; the
// other is a pure function of what was read, and is tested with tables and with
// machines that we haven't got (testdata). Whatever Checks makes in order to try
// it (namespaces, mounts, links) dies with the thread that made it.
//
// Nothing here names a person or a place: no host or user name, no serial
// number, no MAC address.
package machine
