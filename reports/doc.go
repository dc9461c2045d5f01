// Package reports turns a results folder into what people read: a table on
// the terminal, report.md with plots, and files for other programs.
//
// It reads the folder alone and knows no scenario: what is drawn and what may
// be concluded is data in the manifest. Nothing is measured here, and drawing
// the same folder again gives the same bytes.
//
// The order of steps:
//
//  1. [results.Read] reads the folder;
//  2. analyse sorts trials into cells, and computes medians, intervals and
//     comparisons with the baseline (package stats);
//  3. judge turns the manifest's findings into verdicts;
//  4. writers lay all this out: [Terminal], report.md, plots, trials.csv,
//     bench.txt, summary.json.
//
// Rules that no writer may break: a median comes with its interval; failed and
// disturbed trials are counted and said; a guest under TCG is never compared
// by speed; every conclusion ends "on this machine".
package reports
