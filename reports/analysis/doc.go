// Package analysis computes what a report shows of a results folder: rows with
// their samples, medians and intervals, comparisons with a baseline, what a time
// consists of, verdicts on the findings, doubts; and the same of two runs
// ([Compare], [Reproduce]) and of several machines ([AcrossMachines]).
//
// Results are data: numbers in base units, and messages, which are an id and
// arguments (package msg). How they are laid out, drawn or translated is the
// business of whoever shows them.
//
// The order of steps in [Of]:
//
//  1. lines become trials, and these rows (cell.go);
//  2. each row gets the one that it is compared with;
//  3. each metric's trials become a sample with a median and its interval;
//  4. all comparisons that the report makes are found, since those of one metric
//     are a family and hold together (families.go);
//  5. the manifest's findings become verdicts (judge.go).
//
// Rules: a median comes with its interval; no sample is thrown away; a guest under
// TCG is never compared by speed; no outcome without an interval.
package analysis
