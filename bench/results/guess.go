package results

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"os"
	"slices"
	"time"

	"lab/bench/clean"
	"lab/bench/input"
)

// GuessFile is what somebody expected of the run before it, if they wrote it down.
const GuessFile = "guess.json"

// MostGuess is the largest ratio that a guess may have; its inverse is the least.
const MostGuess = 1e9

// A Guess is what somebody expects of a scenario before it is measured: of one
// metric, how many times the baseline's value each row has, and which row is worst.
// A run takes the guess that waits for it into its folder before its first trial.
type Guess struct {
	Format   int                `json:"format"`
	Scenario string             `json:"scenario"`
	Metric   string             `json:"metric"`
	Base     string             `json:"base"`   // the environment that Ratios are by
	Ratios   map[string]float64 `json:"ratios"` // by environment, or by a row's label: times Base's value
	Worst    string             `json:"worst"`  // environment, or a row's label
	At       time.Time          `json:"at"`     // UTC: when it was written
	Digest   string             `json:"digest"` // "sha256:…" over the same record without it
}

// Seal writes the digest. It finds a guess that was changed afterwards, and not one
// that was made anew.
func (g *Guess) Seal() { g.Digest = g.sum() }

func (g *Guess) sum() string {
	x := *g
	x.Digest, x.At = "", x.At.UTC()
	data, _ := json.Marshal(x) // numbers and texts alone: it can't fail
	return fmt.Sprintf("sha256:%x", sha256.Sum256(data))
}

// Whole is an error where the guess isn't one, or isn't what was sealed.
func (g *Guess) Whole() error {
	switch {
	case g.Format < 1 || g.Format > Format:
		return fmt.Errorf("format %d; this lab reads 1 to %d: use a newer lab", g.Format, Format)
	case g.Scenario == "" || g.Metric == "" || g.Base == "" || g.At.IsZero() || len(g.Ratios) == 0 && g.Worst == "":
		return errors.New("it isn't a whole guess; fix: lab guess makes one")
	case g.Digest != g.sum():
		return errors.New("it was changed after it was written: its digest is another; fix: lab guess makes a new one")
	}
	for _, name := range slices.Sorted(maps.Keys(g.Ratios)) {
		if v := g.Ratios[name]; math.IsNaN(v) || v < 1/MostGuess || v > MostGuess {
			return fmt.Errorf("%s: %g isn't a ratio from %g to %g", name, v, 1/MostGuess, MostGuess)
		}
	}
	return few("ratios", len(g.Ratios))
}

// ParseGuess reads a guess's bytes.
func ParseGuess(data []byte) (*Guess, error) {
	var g Guess
	if err := json.Unmarshal(data, &g); err != nil {
		return nil, err
	}
	if err := g.Whole(); err != nil {
		return nil, err
	}
	g = clean.Strings(g, clean.Line)
	return &g, nil
}

// Bytes are the guess as a file.
func (g *Guess) Bytes() []byte {
	data, _ := json.MarshalIndent(g, "", "  ")
	return append(data, '\n')
}

// Recorded is how a manifest names the guess's file: by the digest of its bytes.
func (g *Guess) Recorded() *Digested {
	data := g.Bytes()
	return &Digested{Name: GuessFile, Digest: fmt.Sprintf("sha256:%x", sha256.Sum256(data)), Size: int64(len(data))}
}

// readGuess reads a folder's guess. One that can't be read keeps nobody from the
// results: why is said in NoGuess.
func (r *Run) readGuess(root *os.Root) {
	data, err := input.ReadIn(root, GuessFile, 1<<20)
	if errors.Is(err, fs.ErrNotExist) {
		if r.Manifest.Guess != nil {
			r.NoGuess = errors.New("the run took one, and it isn't in the folder any more")
		}
		return
	}
	var g *Guess
	if err == nil {
		g, err = ParseGuess(data)
	}
	switch {
	case err != nil:
	case r.Manifest.Guess == nil:
		err = errors.New("the run didn't take it: it was put there later")
	case r.Manifest.Guess.Digest != fmt.Sprintf("sha256:%x", sha256.Sum256(data)):
		err = errors.New("it isn't the one that the run took: the manifest has another digest")
	case !g.At.Before(r.Manifest.Started):
		err = errors.New("it isn't older than the run")
	}
	if r.NoGuess = err; err == nil {
		r.Guess = g
	}
}
