// Package engine makes a plan into trials.
//
// It is what stands between a scenario, which is data ([bench.Scenario]), and a
// results folder:
//
//   - [Runner.Plan] finds out which of the scenario's cells this machine can
//     run, and writes them, with their settings, into the manifest;
//   - [Runner.Run] makes blocks of trials, each block holding every cell once in
//     an order shuffled from the seed (order.go), and hands each trial to be
//     written as it ends (session.go, trial.go);
//   - an [Extent] says how long that goes on beyond the plan (extent.go);
//   - an interrupted run is resumed trial by trial (resume.go).
//
// It knows no environment, no scenario and no report by name, and no process but
// its own: who starts it, and where, is package crew's and the command's.
package engine
