// Package html is the report that is opened by double-click: one file that fetches
// nothing, from the numbers that package reports has computed.
//
// The page is made twice over. What a reader needs (question, answer, verdicts, all
// tables) is in the HTML itself, by page.html, and is there without scripts, for a
// screen reader and on paper. What can be pointed at (plots, rows switched on and
// off, axes) view.js draws from the data inside, which can be taken out again as
// CSV.
//
// What a run, a guest or another person's results folder says is text: it enters
// through html/template and a JSON script element, and the page's own policy
// forbids every connection.
package html
