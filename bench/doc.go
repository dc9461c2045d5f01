// Package bench says what a measurement is.
//
// The words, each a type or a method here:
//
//   - an [Environment] is one kind of isolation (host, chroot, container, vm);
//   - a [Spec] is one workload: image, command, limits, settings;
//   - an [Instance] is one workload prepared or running in one environment;
//   - a [Scenario] is a question with a method: which [Cell]s, what a trial
//     does, what is drawn, what may be concluded;
//   - a trial is one execution of a cell, and the values that it gave; [T] is
//     what a scenario's trial function is handed;
//
// What differs between environments is what each says about itself ([About]); what
// only some can do is an optional interface, all of which optional.go lists.
//
// This is the contract alone. Package bench/engine makes trials of a scenario's
// plan, bench/launch starts programs, bench/testbed is where they live, and
// bench/results is what is left of a run.
//
// # The clock starts when Start is called
//
// Prepare does only what later starts of the same image and settings would
// share: unpack, build a disk or an initramfs, warm a cache, connect, reserve
// an address. Whatever exists once an instance (namespace, mount, cgroup,
// overlay, veth, tap, domain, libvirt call) is made in Start, and is timed. The
// conformance suite in bench/benchtest proves it for every environment.
//
// # Where a measurement begins
//
// From "lab run startup" to the workload's first instruction, and back to a value in
// trials.jsonl:
//
//  1. cmd/lab/run.go, app.run: makes a job of the flags, and locks the machine for it.
//  2. bench/runs/supervisor.go, [lab/bench/runs.Supervisor.Run]: makes the results
//     folder, and starts a worker in namespaces of its own.
//  3. bench/runs/worker.go, worker.run: enters the testbed, opens the environments,
//     and has the cells planned.
//  4. bench/engine/session.go, session.trial: takes the next cell of the shuffled
//     order and calls the scenario's trial function.
//  5. scenarios/startup.go, startupTrial: prepares an [Instance]. The measurement
//     begins where it calls Start, whose steps in a container are container/plan.go,
//     container.plan.
//  6. bench/launch/tape.go, fork: makes the child, whose last call executes the
//     workload. A guest's is vm/instance.go, instance.Start.
//  7. bench/clock/ready.go, [lab/bench/clock.AwaitToken]: returns with the time at which
//     the token's first byte was read; [T.RecordSince] makes it a value.
//  8. bench/results/writer.go, [lab/bench/results.Writer.Trial]: appends the trial to
//     trials.jsonl, in one write.
//
// Package bench imports no engine, no environment, no scenario, no report and no
// statistics.
package bench
