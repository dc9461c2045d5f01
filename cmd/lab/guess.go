package main

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"lab/bench"
	"lab/bench/input"
	"lab/bench/owner"
	"lab/bench/results"
	"lab/bench/runs"
	"lab/cmd/cli"
	"lab/reports/analysis"
	"lab/reports/msg"
	"lab/scenarios"
)

// A guess is worth something only if it came before the result. So it is sealed with
// its time and a sum over its bytes, the run that takes it copies it into its folder
// before the first trial, and a guess that claims to be later than now is refused.
// Whoever wants to cheat still can, on a machine of their own; a class of thirty can't
// by accident.
//
// What is asked are ratios to the host, not milliseconds: somebody who knows nothing of
// this machine can have an opinion on "twice as long", and be wrong in a way that
// teaches.

// noGuess is what --guess takes to leave a waiting guess where it is.
const noGuess = "none"

// guessesAt is where a guess waits for the next run of its scenario.
func guessesAt(scenario string) string { return filepath.Join("results", "guess-"+scenario+".json") }

// guessCommand is lab guess. It measures nothing and needs no root: it writes down
// what somebody expects, with the time, so that the run's folder can prove the order.
func (a *app) guessCommand() *cobra.Command {
	var worst, file string
	cmd := &cobra.Command{
		Use: "guess SCENARIO [ENV=RATIO…]",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cli.Usagef("guess: which scenario? there are: %s", strings.Join(scenarioNames(), ", "))
			}
			return nil
		},
		ValidArgsFunction: completeScenarios,
		RunE: func(_ *cobra.Command, args []string) error {
			q, err := questionsOf(args[0])
			if err != nil {
				return err
			}
			for _, word := range args[1:] {
				i := strings.LastIndex(word, "=")
				if i < 0 {
					return cli.Usagef("guess %s: %q has no number; fix: write ENV=RATIO, as in container=1.5", args[0], word)
				}
				if err := q.set(word[:i], word[i+1:]); err != nil {
					return err
				}
			}
			if worst != "" {
				if err := q.setWorst(worst); err != nil {
					return err
				}
			}
			if len(args) == 1 && worst == "" {
				if err := a.ask(q); err != nil {
					return err
				}
			}
			return a.keepGuess(q, cmp.Or(file, guessesAt(q.Scenario)))
		},
	}
	cmd.Flags().StringVar(&worst, "worst", "", "`ENV` worst of all, with the host (default: the largest ratio; the smallest if more is better)")
	cmd.Flags().StringVar(&file, "file", "", "`FILE` where to keep it (default: results/guess-SCENARIO.json)")
	return cmd
}

// questions are what is asked about a scenario, and the guess so far.
type questions struct {
	results.Guess
	metric results.Metric
	rows   []string // environments that are asked about: those measured by default but the baseline
}

// questionsOf asks about a scenario's first metric that is a number.
func questionsOf(name string) (*questions, error) {
	sc := scenarios.Find(name)
	if sc == nil {
		return nil, cli.Unknown("scenario", name, scenarioNames())
	}
	q := &questions{Guess: results.Guess{Format: results.Format, Scenario: name, Base: analysis.Baseline, Ratios: map[string]float64{}}}
	i := slices.IndexFunc(sc.Metrics, func(m results.Metric) bool { return !m.Certain() && m.Unit != "" })
	if i < 0 {
		return nil, cli.Usagef("guess: %s has answers in words, and no ratio to guess; fix: fill in its table in LAB.md", name)
	}
	q.metric = sc.Metrics[i]
	q.Metric = q.metric.Name
	for _, c := range sc.Cells(bench.Options{Known: known()}) {
		if c.Env != q.Base && !slices.Contains(q.rows, c.Env) {
			q.rows = append(q.rows, c.Env)
		}
	}
	return q, nil
}

// rowOf refuses what can't be a row: an environment, and behind it settings.
func rowOf(row string) error {
	env, _, _ := strings.Cut(row, " ")
	if known := environmentNames(); !slices.Contains(known, env) {
		return cli.Unknown("environment", env, known)
	}
	return nil
}

func (q *questions) set(row, text string) error {
	if err := rowOf(row); err != nil {
		return err
	}
	v, err := strconv.ParseFloat(strings.TrimPrefix(text, "×"), 64)
	if err != nil || !(v >= 1/results.MostGuess && v <= results.MostGuess) {
		return cli.Usagef("guess: %s=%s isn't a ratio: a number above 0; 1 is as much as %s", row, text, q.Base)
	}
	q.Ratios[row] = v
	return nil
}

func (q *questions) setWorst(row string) error {
	if err := rowOf(row); err != nil {
		return err
	}
	q.Worst = row
	return nil
}

// ask asks on the terminal, or reads the answers a line each. An empty line leaves a
// row out.
func (a *app) ask(q *questions) error {
	in := bufio.NewScanner(a.Stdin)
	answer := func(question string, take func(string) error) error {
		for {
			fmt.Fprint(a.Stderr, question) // Note breaks whole lines, and this one waits
			if !in.Scan() {
				return cli.Usagef("guess: no answer; fix: answer each question, or type lab guess %s ENV=RATIO…", q.Scenario)
			}
			text := strings.TrimSpace(in.Text())
			if text == "" {
				return nil
			}
			err := take(text)
			if err == nil {
				return nil
			}
			fmt.Fprintln(a.Note, inLanguage(err.Error()))
		}
	}
	sayTo(a.Note, "%s: how many times the value of %s? (1: the same; Enter: no guess)\n", msg.Reader().Text(q.metric.Title), q.Base)
	for _, row := range q.rows {
		if err := answer("  "+row+": ", func(text string) error { return q.set(row, text) }); err != nil {
			return err
		}
	}
	return answer(say("Which comes off worst? (%s; Enter: as the numbers say): ", strings.Join(append([]string{q.Base}, q.rows...), ", ")), q.setWorst)
}

// keepGuess seals the guess and writes it, in place of one that waits there.
func (a *app) keepGuess(q *questions, file string) error {
	if len(q.Ratios) == 0 && q.Worst == "" {
		return cli.Usagef("guess: nothing was guessed; fix: lab guess %s ENV=RATIO…", q.Scenario)
	}
	if q.Worst == "" {
		q.Worst = q.Base
		for _, row := range slices.Sorted(maps.Keys(q.Ratios)) {
			v, most := q.Ratios[row], cmp.Or(q.Ratios[q.Worst], 1)
			if q.metric.Better == "higher" && v < most || q.metric.Better != "higher" && v > most {
				q.Worst = row
			}
		}
	}
	q.At = time.Now().UTC()
	q.Seal()
	uid, gid := owner.IDs()
	dir := filepath.Dir(file)
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		if err := errors.Join(os.MkdirAll(dir, 0o755), owner.Courtesy(os.Lchown(dir, uid, gid))); err != nil {
			return fmt.Errorf("guess: %w", err)
		}
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("guess: %w", err)
	}
	defer root.Close()
	if err := results.Put(root, filepath.Base(file), uid, gid, q.Bytes()); err != nil {
		return fmt.Errorf("guess: %w", err)
	}
	return sayTo(a.Page, "%s: kept at %s in %s; the next lab run %s takes it into its folder\n", q.Scenario, q.At.Format("15:04:05 UTC"), file, q.Scenario)
}

// A waiting guess is one that a run may take: that of --guess, or the one of lab guess.
type waiting struct {
	*results.Guess // nil: there is none
	file           string
}

// guesses are those of a run's scenarios, in their order.
func (f *runFlags) guesses() (out []waiting, err error) {
	for _, scenario := range f.Scenarios {
		w := waiting{file: cmp.Or(f.guess, guessesAt(scenario))}
		data, err := input.ReadFile(w.file, 1<<20)
		if f.guess == noGuess || f.guess == "" && errors.Is(err, fs.ErrNotExist) {
			out = append(out, waiting{})
			continue
		}
		if err == nil {
			w.Guess, err = results.ParseGuess(data)
		}
		switch {
		case err != nil:
			return nil, cli.Usagef("the guess %s: %w; or leave it out: --guess %s", w.file, err, noGuess)
		case w.Scenario != scenario:
			return nil, cli.Usagef("the guess %s is of %s, and this is %s; fix: lab guess %s", w.file, w.Scenario, scenario, scenario)
		case w.At.After(time.Now()):
			return nil, cli.Usagef("the guess %s is of %s, later than now; fix: set the clock, and guess once more", w.file, w.At.Format(time.RFC3339))
		}
		out = append(out, w)
	}
	return out, nil
}

// takeGuess has a job take a guess along into the folder dir. done takes the waiting one
// away, once the folder has it, so that no other run takes it, too.
func (a *app) takeGuess(j *runs.Job, w waiting, dir string) (done func()) {
	j.Guess, j.Manifest.Guess = nil, nil
	if w.Guess == nil {
		return func() {}
	}
	j.Guess, j.Manifest.Guess = w.Bytes(), w.Recorded()
	a.note(say("%s: your guess of %s goes into %s", j.Scenario, w.At.Format("2006-01-02 15:04 UTC"), dir))
	return func() {
		if _, err := os.Lstat(filepath.Join(dir, results.GuessFile)); err == nil && w.file == guessesAt(j.Scenario) {
			os.Remove(w.file)
		}
	}
}
