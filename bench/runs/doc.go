// Package runs sees a run through, from its job to its results folder.
//
// It has two halves. The [Supervisor] is in the process that the user started: it
// makes the results folder, starts a worker for each session (package crew), takes
// signals and the worker's events, and writes down how the run ended whatever
// happened to the worker. The worker's half, [Parts.Work], makes the testbed
// (package testbed), opens the environments, plans and makes the trials (package
// engine), and writes them through the descriptor of the folder.
//
// A run is interrupted by the first signal: the worker gives up its trial and
// ends in order. The second one kills it. Either way what was measured is there,
// and [Resumable] says whether it can be gone on with.
//
// What environments and scenarios there are it is told, as [Parts].
package runs
