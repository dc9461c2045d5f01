// Package export is a run in the forms of other people's tools:
//
//	analysis.ipynb       a notebook (nbformat 4) that reads trials.csv and draws
//	plots/NAME.vl.json   each figure as a Vega-Lite specification, of trials.csv
//	hgrm/METRIC-ROW.hgrm latencies as HdrHistogram's percentiles, which its
//	                     plotFiles reads
//
// Nothing is computed here that a report says: the files begin from the trials.
package export

import "lab/reports/plot"

// A File is one of them.
type File = plot.File
