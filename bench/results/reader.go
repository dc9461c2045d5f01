package results

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"unicode"

	"lab/bench/clean"
	"lab/bench/input"
)

// Bounds of what is read: a folder is somebody else's.
const (
	maxRecord = 64 << 20 // manifest.json, machine.json
	maxTrials = 1 << 30  // trials.jsonl, a file of samples/
	maxLine   = 1 << 20  // a line of it
	maxRows   = 1000     // cells, metrics, figures, …: a report's time grows with each
	maxPairs  = 100_000  // cells times metrics

	// MaxValues is how many values a manifest has at the most, or another record ([input.Few]).
	MaxValues = 1 << 18
)

// maxLines is how many lines trials.jsonl has at the most: as many as if they were as long as
// ours, as each takes as much memory. It is a variable for the tests alone.
var maxLines = 4 << 20

// A Run is a results folder that was read back.
type Run struct {
	Dir      string
	Manifest Manifest
	Machine  Machine
	Lines    []Line // of whole trials, in file order

	// Dropped counts trials without their last line: their writer was killed.
	Dropped int

	// Changed are files of the data that aren't what the run wrote, where a reader
	// compared them with the folder's checksums.
	Changed []string

	// Guess is what was expected before the run; nil: nothing, or NoGuess says why it
	// isn't one.
	Guess   *Guess
	NoGuess error
}

// Read reads the folder dir. An error names the file, and for trials.jsonl the
// line. A folder of a later format is refused, and so is what no run writes: a
// pipe or a device in place of a file, a link out of the folder, a file without
// an end.
func Read(dir string) (*Run, error) {
	r := &Run{Dir: dir}
	root, err := input.OpenRoot(dir)
	if err == nil {
		defer root.Close()
		err = readJSON(root, ManifestFile, &r.Manifest)
	}
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) && root != nil {
			return nil, fmt.Errorf("%s isn't a results folder: it has no %s%s", dir, ManifestFile, within(root, dir))
		}
		return nil, err
	}
	if f := r.Manifest.Format; f < 1 || f > Format {
		return nil, fmt.Errorf("%s: format %d; this lab reads 1 to %d: use a newer lab",
			filepath.Join(dir, ManifestFile), f, Format)
	}
	if err := r.Manifest.fits(); err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(dir, ManifestFile), err)
	}
	r.Manifest.readNotes()
	r.Manifest.renew()
	if err := readJSON(root, MachineFile, &r.Machine); err != nil {
		return nil, err
	}
	r.readGuess(root)
	name := filepath.Join(dir, TrialsFile)
	f, err := input.OpenIn(root, TrialsFile)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if st, err := f.Stat(); err != nil {
		return nil, err
	} else if err := input.Fits(name, st.Size(), maxTrials); err != nil {
		return nil, err
	}
	r.Lines, r.Dropped, err = ReadTrials(f)
	if err != nil {
		return nil, fmt.Errorf("%s:%w", name, err)
	}
	return r, nil
}

func readJSON[T any](root *os.Root, name string, v *T) error {
	data, err := input.ReadIn(root, name, maxRecord)
	if err != nil {
		return err
	}
	name = filepath.Join(root.Name(), name)
	if err := input.Few(data, MaxValues); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if err := decode(data, v); err != nil {
		line := 1
		var syntax *json.SyntaxError
		var typ *json.UnmarshalTypeError
		switch {
		case errors.As(err, &syntax):
			line += bytes.Count(data[:min(int(syntax.Offset), len(data))], []byte("\n"))
		case errors.As(err, &typ):
			line += bytes.Count(data[:min(int(typ.Offset), len(data))], []byte("\n"))
		}
		return fmt.Errorf("%s:%d: %w", name, line, err)
	}
	return nil
}

// decode reads JSON, and makes each text in it one harmless line: it will be
// shown.
func decode[T any](data []byte, v *T) error {
	if err := json.Unmarshal(data, v); err != nil {
		return err
	}
	*v = clean.Strings(*v, clean.Line)
	return nil
}

// ReadTrials reads the lines of whole trials, and counts those that were cut
// off. An unfinished line at the very end is a cut, too; a damaged line
// anywhere else is an error that begins with its number.
func ReadTrials(r io.Reader) (lines []Line, dropped int, err error) {
	br := bufio.NewReaderSize(r, maxLine)
	open := 0 // from where on the lines are of the trial that is being read
	cells, metrics, named := map[string]bool{}, map[[2]string]bool{}, map[CellKey]bool{}
	var last [2]string
	fast := newLineReader()
	for n := 1; ; n++ {
		text, err := br.ReadSlice('\n')
		if err == bufio.ErrBufferFull {
			err = fmt.Errorf("a line of more than %d MiB", maxLine>>20)
		}
		if err == io.EOF {
			if open < len(lines) || len(text) > 0 {
				dropped++
			}
			return lines[:open], dropped, nil
		}
		if err != nil {
			return nil, 0, fmt.Errorf("%d: %w", n, err)
		}
		lines = append(lines, Line{})
		l := &lines[len(lines)-1]
		known := fast.read(text, l)
		if !known {
			*l = Line{}
			if err := decode(text, l); err != nil {
				return nil, 0, fmt.Errorf("%d: %w", n, err)
			}
		}
		if err := l.check(); err != nil {
			return nil, 0, fmt.Errorf("%d: %w", n, err)
		}
		if key := KeyOf(l); !known || !named[key] {
			if known {
				named[key] = true
			}
			cells[l.Label()] = true
		}
		if metric := [2]string{l.Metric, l.Stat}; metric != last {
			metrics[metric], last = true, metric
		}
		if len(cells) > maxRows || len(metrics) > maxRows {
			return nil, 0, fmt.Errorf("%d: %w", n, errors.Join(few("cells", len(cells)), few("metrics", len(metrics))))
		}
		if pairs := len(cells) * len(metrics); pairs > maxPairs || n > maxLines {
			return nil, 0, fmt.Errorf("%d: more than %d lines, or than %d cells times metrics, which no run has", n, maxLines, maxPairs)
		}
		// A trial that was cut off, and then another one (a resumed run).
		if first := &lines[open]; first != l && (first.Trial != l.Trial || first.Block != l.Block) {
			lines[open] = *l
			lines = lines[:open+1]
			l = &lines[open]
			dropped++
		}
		if l.Last {
			open = len(lines)
		}
	}
}

// A CellKey tells cells of lines apart faster than their labels: two lines with one key
// are of one cell. Of lines that [ReadTrials] read the other way round as well, as a rule,
// as their equal variants are one in memory.
type CellKey struct {
	env     string
	n       int
	variant uintptr
}

// KeyOf returns a line's key, which is good for as long as its variant is in memory.
func KeyOf(l *Line) CellKey { return CellKey{l.Env, l.N, reflect.ValueOf(l.Variant).Pointer()} }

// isUnit says whether a text may be a unit: it is written next to numbers
// everywhere.
func isUnit(s string) bool {
	return len(s) <= 12 && strings.IndexFunc(s, func(r rune) bool {
		return r > unicode.MaxASCII || !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '%' && r != '/'
	}) < 0
}

// fits is an error where a manifest lists more than any run has.
func (m *Manifest) fits() error {
	for _, x := range m.Metrics {
		if !isUnit(x.Unit) {
			return fmt.Errorf("metric %s: %q is no unit", x.Name, x.Unit)
		}
	}
	return errors.Join(few("cells", len(m.Cells)), few("metrics", len(m.Metrics)), few("figures", len(m.Figures)),
		few("findings", len(m.Findings)), few("notes", len(m.Notes)))
}

func few(what string, n int) error {
	if n <= maxRows {
		return nil
	}
	return fmt.Errorf("more than %d %s, which no run has", maxRows, what)
}

// Measurable says whether something can have this value: a number, and one that stays
// finite when it is squared and summed up.
func Measurable(v float64) bool { return math.Abs(v) <= 1e30 }

// check says what makes a line unusable.
func (l *Line) check() error {
	switch {
	case l.Env == "":
		return errors.New("no env")
	case l.Metric == "" && l.Err == "":
		return errors.New("neither metric nor err")
	case l.Value == nil && l.Err == "" && l.Text == "":
		return fmt.Errorf("metric %s: neither value nor text nor err", l.Metric)
	case l.Value != nil && !Measurable(*l.Value):
		return fmt.Errorf("metric %s: a value of %g, which nothing has", l.Metric, *l.Value)
	case !isUnit(l.Unit):
		return fmt.Errorf("metric %s: %q is no unit", l.Metric, l.Unit)
	case l.Block < 0 || l.Pos < 0 || l.Trial < 0 || l.N < 0 || l.Session < 0 || l.Pair < 0 || l.EnvPad < 0 || l.ArgvPad < 0:
		return errors.New("a negative block, pos, trial, session, pair, pad or n")
	}
	return nil
}

// within names the results folders that lie one or two folders below, if there are any:
// people name the folder that gathers them.
func within(root *os.Root, dir string) string {
	below := ""
	for range 2 {
		below = path.Join(below, "*")
		found, err := fs.Glob(root.FS(), path.Join(below, ManifestFile))
		if err != nil || found == nil {
			continue
		}
		if below == "*" {
			return "; fix: name those in it: " + path.Join(dir, below)
		}
		// A fleet's folder has others next to them.
		var in []string
		for _, f := range found {
			in = append(in, path.Join(dir, path.Dir(path.Dir(f)), "*"))
		}
		if in = slices.Compact(in); len(in) <= 3 {
			return "; fix: name those in it: " + strings.Join(in, " ")
		}
		return "; fix: name those in it: " + path.Join(dir, "SCENARIO", "*")
	}
	return ""
}
