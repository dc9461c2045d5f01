package reports

import (
	"bytes"
	"encoding/csv"
	"encoding/xml"
	"fmt"
	"io"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"

	"lab/bench/clean"
	"lab/bench/results"
	"lab/reports/analysis"
	"lab/reports/msg"
	"lab/reports/page"
	"lab/reports/plot"
)

// What a folder's author may write into any text of it: a terminal's sequences, a
// heading, a mark that turns the direction of writing, HTML, an entity, a link, a
// table's bar, a formula, LaTeX, one character by its code.
const hostileText = "\x1b]0;x\x07\u009b31m\n# H\n\u202e<b>x</b>&#60;![l](http://e)|`=1+1,\"]}\\end{table}\\input{x}%^^5c$x$\xff"

// Without these no report would come of it.
var structural = []string{"distribution", "phases", "value", "ratio", "difference", "share", "above", "below", "within", "lower", "higher", "s", "B", "tcg"}

// TestHostileFolder: whatever stands in a folder's texts, no target takes it for
// anything but text.
func TestHostileFolder(t *testing.T) {
	names := append(slices.Clone(structural), "host", "chroot", "container", "vm", "ready", "gone")
	for what, change := range map[string]func(string) string{
		"texts": func(s string) string {
			if s == "" || slices.Contains(names, s) {
				return s
			}
			return s + hostileText
		},
		"names": func(s string) string {
			if s == "" || slices.Contains(structural, s) {
				return s
			}
			return s + hostileText
		},
		"formulas": func(s string) string {
			if s == "" || slices.Contains(structural, s) {
				return s
			}
			return "=1+1 " + s
		},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			made := clean.Strings(*synthetic(6), change)
			dir := filepath.Join(t.TempDir(), "r")
			folder(t, &made, dir)
			run, err := results.Read(dir)
			if err != nil {
				t.Fatal(err)
			}
			files, err := Files(run)
			if err != nil {
				t.Fatal(err)
			}
			var term, diff, table bytes.Buffer
			c, err := analysis.Compare(run, run)
			if err != nil {
				t.Fatal(err)
			}
			other := *run
			other.Manifest.ID += "2"
			m, err := analysis.AcrossMachines([]*results.Run{run, &other})
			if err != nil {
				t.Fatal(err)
			}
			more, err := MachinesFiles(m, msg.English())
			if err != nil {
				t.Fatal(err)
			}
			for _, err := range []error{Terminal(&term, run, page.Options{Width: 80}), Contrast(c).Terminal(&term, page.Options{Width: 80}), Machines(m).Terminal(&term, page.Options{Width: 80}),
				ContrastCSV(c, &table)} {
				if err != nil {
					t.Fatal(err)
				}
			}
			diff.Write(Contrast(c).Markdown(msg.English()))
			files = append(append(files, more...), plot.File{Name: "terminal", Data: term.Bytes()}, plot.File{Name: "diff.md", Data: diff.Bytes()}, plot.File{Name: "diff.csv", Data: table.Bytes()})
			for _, f := range files {
				for _, err := range harmless(f) {
					t.Errorf("%s: %v", f.Name, err)
				}
			}
		})
	}
}

// live is what would be Markdown or HTML: a special character behind an even
// number of backslashes, in text that was ours to quote.
var live = regexp.MustCompile(`(?:^|[^\\])(?:\\\\)*(<b>|</b>|&#60;|\[l\]\(|\$x\$)`)

// harmless returns what isn't.
func harmless(f plot.File) (wrong []error) {
	ext := filepath.Ext(f.Name)
	if ext == ".png" || ext == ".pdf" {
		return nil
	}
	bad := func(what, where string) { wrong = append(wrong, fmt.Errorf("%s: %q", what, where)) }
	fenced := false
	for line := range strings.Lines(string(f.Data)) {
		if i := strings.IndexFunc(strings.TrimSuffix(line, "\n"), func(r rune) bool { return !unicode.IsGraphic(r) && r != '\t' }); i >= 0 {
			bad("invisible", line[i:])
		}
		if ext != ".md" {
			continue
		}
		if strings.HasPrefix(line, "```") {
			fenced = !fenced
		}
		if at := live.FindString(line); at != "" && !fenced {
			bad("Markdown "+at, line)
		}
		if strings.HasPrefix(line, "# H") {
			bad("a line of its own", line)
		}
	}
	switch ext {
	case ".csv":
		rows, err := csv.NewReader(bytes.NewReader(f.Data)).ReadAll()
		if err != nil {
			bad("CSV", err.Error())
		}
		for _, field := range slices.Concat(rows...) {
			if _, err := strconv.ParseFloat(field, 64); err != nil && field != "" && strings.ContainsAny(field[:1], "=+-@") {
				bad("a formula", field)
			}
		}
	case ".html":
		if text := string(f.Data); strings.Contains(text, "<b>x") || strings.Contains(text, "=1+1,\"]") {
			bad("HTML", "<b>x")
		}
	case ".tex":
		text := string(f.Data)
		if strings.Contains(text, `\input`) || strings.Contains(text, "^^") || strings.Count(text, `\end{table}`) != strings.Count(text, `\begin{table}`) {
			bad("LaTeX", text)
		}
	case ".svg":
		for d := xml.NewDecoder(bytes.NewReader(f.Data)); ; {
			x, err := d.Token()
			if err == io.EOF {
				break
			}
			if err != nil {
				bad("SVG", err.Error())
				break
			}
			if e, ok := x.(xml.StartElement); ok && e.Name.Local == "b" {
				bad("an element", "b")
			}
		}
	}
	return wrong
}
