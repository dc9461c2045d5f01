// Package reports turns a results folder into what people read: a table on
// the terminal, report.md and report.html with plots, and files for other programs.
//
// It reads the folder alone and knows no scenario: what is drawn and what may
// be concluded is data in the manifest. Nothing is measured here, and drawing
// the same folder again gives the same bytes.
//
// The rooms, in the order of steps:
//
//	analysis  results in; numbers and verdicts out, as data
//	msg       messages and numbers: what people read, in a file for each language
//	plot      figures as PNG, SVG and PDF; a list of their kinds
//	page      one builder of text, written as Markdown, HTML or for a terminal
//	html      report.html: the plots that can be pointed at, around such pages
//	serve     that page over HTTP
//
// What lies here says what is on which page, a function for each ([Contrast],
// [Reproduction], [Machines], [Calibration], report.md, methods.md, ARTIFACT.md),
// and writes trials.csv, bench.txt, summary.json, table.tex and SHA256SUMS.
//
// Rules that no page may break: a median comes with its interval; failed and
// disturbed trials are counted and said; a guest under TCG is never compared
// by speed; every conclusion is of this machine, and says so.
package reports
