// Package plot draws a run's figures as PNG, SVG and PDF.
//
// A figure's kind is one file and one line in [kinds]. All are drawn on a page
// that grows downwards, with the few marks of page.go, so that the three formats
// can't differ; axis.go maps values to it, key.go explains its marks.
//
// Drawing the same run again gives the same bytes.
package plot
