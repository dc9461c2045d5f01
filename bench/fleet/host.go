package fleet

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"lab/bench/clean"
	"lab/bench/input"
	"lab/bench/owner"
	"lab/bench/results"
)

func (f *Fleet) once(ctx context.Context, h *Host) error {
	id := f.bundleID()
	if f.hasAll(h) { // somebody was killed before its folder there was removed
		return f.finish(ctx, h)
	}
	f.set(h, Looking, nil)
	there, err := f.examine(ctx, h)
	if err != nil {
		return err
	}
	if there["bundle"] != "yes" {
		f.set(h, Copying, nil)
		if err := f.put(ctx, h); err != nil {
			return err
		}
	}
	f.set(h, Checking, nil)
	experiment, err := input.ReadFile(filepath.Join(f.Dir, "experiment.yaml"), 1<<20)
	if err != nil {
		return err
	}
	within, cancel := context.WithTimeout(ctx, stepWithin)
	defer cancel()
	doctor, err := step(within, h.Name, bytes.NewReader(experiment), "begin", id, f.ID)
	if err != nil {
		return err
	}
	if err := f.doctor(h, doctor); err != nil {
		return err
	}
	f.set(h, Running, nil)
	werr := f.work(ctx, h)
	if e := h.event; ctx.Err() != nil && e.Total > 0 {
		return fmt.Errorf("stopped here after %d of %d trials of %s, which stay there", e.Done, e.Total, e.Scenario)
	}
	var lost *Failure
	if errors.As(werr, &lost) && lost.Lost {
		return werr
	}
	f.set(h, Fetching, nil)
	missing, err := f.fetch(ctx, h)
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil && werr == nil:
		return err
	case werr != nil: // what is whole was brought back
		return werr
	case len(missing) > 0:
		return fmt.Errorf("no results of %s came back", strings.Join(missing, ", "))
	}
	return f.finish(ctx, h)
}

// finish removes the fleet's folder from a machine whose results are here. That one can't
// be removed is worth a note, and no more.
func (f *Fleet) finish(ctx context.Context, h *Host) error {
	within, cancel := context.WithTimeout(ctx, stepWithin)
	defer cancel()
	begin := time.Now()
	text, err := step(within, h.Name, nil, "finish", f.ID)
	_, boot, _ := strings.Cut(text, "boot=")
	f.saw(h, boot, begin, time.Now())
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		h.Notes = append(h.Notes, short(fmt.Sprintf("run-%s stays in its /var/tmp/lab-fleet-UID (%v); fix: lab fleet clean with this folder", f.ID, err)))
	}
	return nil
}

// examine asks a machine what it is, and refuses one that can't be measured.
func (f *Fleet) examine(ctx context.Context, h *Host) (map[string]string, error) {
	within, cancel := context.WithTimeout(ctx, lookWithin)
	defer cancel()
	begin := time.Now()
	text, err := step(within, h.Name, nil, "look", f.bundleID())
	if failed := (*Failure)(nil); err == nil || errors.As(err, &failed) && failed.Answered {
		f.mu.Lock()
		h.Reached = true
		f.mu.Unlock()
	}
	if err != nil {
		return nil, err
	}
	there := map[string]string{}
	for line := range strings.Lines(text) {
		if k, v, ok := strings.Cut(strings.TrimSpace(line), "="); ok {
			there[k] = clean.Line(v)
		}
	}
	f.saw(h, there["boot"], begin, time.Now())
	middle := begin.Add(time.Since(begin) / 2)
	h.Notes = nil
	if n, err := strconv.ParseInt(there["time"], 10, 64); err == nil {
		if off := time.Unix(n, 0).Sub(middle).Round(time.Minute); off.Abs() >= 2*time.Minute {
			h.Notes = append(h.Notes, fmt.Sprintf("its clock is %s off: the dates in its results are wrong, what was measured isn't", off))
		}
	}
	room, _ := strconv.ParseInt(there["room"], 10, 64)
	switch need := 5 * f.Bundle.Size; {
	case there["arch"] != f.Machine:
		return nil, &Failure{Reason: fmt.Sprintf("it is %s, and the bundle is for %s; fix: make one there, and a fleet of its own with --bundle", there["arch"], f.Machine)}
	case there["root"] != "yes":
		return nil, &Failure{Reason: noRoot}
	case there["bundle"] != "yes" && room<<10 < need:
		return nil, &Failure{Reason: fmt.Sprintf("its disk is full: %d MB left in /var/tmp, and the bundle needs %d", room>>10, need>>20)}
	}
	return there, nil
}

// put copies the bundle.
func (f *Fleet) put(ctx context.Context, h *Host) error {
	bundle, err := input.Open(f.BundlePath())
	if err != nil {
		return err
	}
	defer bundle.Close()
	moving, from, end := moves(ctx, bundle, stepWithin)
	defer end()
	_, err = step(moving, h.Name, from, "put", f.bundleID(), strings.TrimPrefix(f.Bundle.Digest, "sha256:"))
	return err
}

// doctor keeps what lab doctor --json found on a machine.
func (f *Fleet) doctor(h *Host, text string) error {
	var found struct {
		Checks []struct{ Name, Result string } `json:"checks"`
	}
	if err := json.Unmarshal([]byte(text), &found); err != nil {
		return &Failure{Reason: "its lab doctor said nothing that can be read"}
	}
	var bad []string
	for _, c := range found.Checks {
		if c.Result == "fail" {
			bad = append(bad, clean.Line(c.Name))
		}
	}
	if len(bad) > 0 {
		h.Notes = append(h.Notes, short("doctor: "+strings.Join(bad, ", ")))
	}
	root, err := os.OpenRoot(f.Dir)
	if err != nil {
		return err
	}
	defer root.Close()
	uid, gid := owner.IDs()
	return results.Put(root, "doctor/"+h.Folder+".json", uid, gid, []byte(text))
}

// work runs the machine's task, and follows it. When ctx is done the task is told, by
// the end of its standard input, and given time to end its trial.
func (f *Fleet) work(ctx context.Context, h *Host) error {
	words := []string{"work", f.bundleID(), f.ID}
	if f.Wait {
		words = append(words, "--wait")
	}
	silent, hush := context.WithCancelCause(context.WithoutCancel(ctx))
	defer hush(nil)
	cmd := sshCommand(silent, h.Name, words...)
	lifeline, ours, err := os.Pipe()
	if err != nil {
		return err
	}
	defer lifeline.Close()
	defer ours.Close()
	cmd.Stdin = lifeline
	said, to := io.Pipe()
	cmd.Stdout = to
	ended := make(chan error, 1)
	go func() {
		err := execute(silent, cmd)
		to.Close()
		ended <- err
	}()
	hung := time.AfterFunc(heardWithin, func() { hush(errHangs) })
	defer hung.Stop()
	all := time.AfterFunc(workWithin, func() { hush(errStands) })
	defer all.Stop()
	ahead := time.AfterFunc(aheadWithin, func() {
		if !f.Wait {
			hush(errStands)
		}
	})
	defer ahead.Stop()
	most := map[string]int{} // trials, by scenario
	stopped := context.AfterFunc(ctx, func() {
		ours.Close()
		time.AfterFunc(30*time.Second, func() { hush(context.Cause(ctx)) })
	})
	defer stopped()
	var end *Event
	lines := bufio.NewScanner(io.LimitReader(said, 256<<20))
	for lines.Scan() {
		hung.Reset(heardWithin)
		var e Event
		if json.Unmarshal(lines.Bytes(), &e) != nil {
			continue
		}
		if e.End {
			end = &e
			continue
		}
		if e.Scenario != "" {
			if slices.Contains(f.Scenarios, e.Scenario) && e.Done > most[e.Scenario] {
				most[e.Scenario] = e.Done
				ahead.Reset(aheadWithin)
			}
			e.Scenario = clean.Line(e.Scenario)
			f.mu.Lock()
			h.event = e
			f.mu.Unlock()
		}
	}
	said.CloseWithError(errors.New("nobody reads it any more"))
	err = <-ended
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case end != nil && end.Err != "":
		return &Failure{Reason: strings.TrimPrefix(clean.Line(end.Err), "lab: ")}
	case end != nil:
		return nil
	case err == nil:
		return &Failure{Reason: "its task ended early", Lost: true}
	}
	return err
}

var (
	errHangs  = &Failure{Reason: "it hangs: nothing was heard of it any more", Lost: true}
	errStands = &Failure{Reason: "it gets no further, though it answers; fix: look there, then lab fleet resume"}
)

// moves is a reader, and a context that ends when nothing was read for so long, or all of
// it took too long: a machine that hangs in the middle holds up nobody.
func moves(ctx context.Context, from io.Reader, silent time.Duration) (context.Context, io.Reader, func()) {
	ctx, hush := context.WithCancelCause(ctx)
	hung := time.AfterFunc(silent, func() { hush(errHangs) })
	all := time.AfterFunc(moveWithin, func() { hush(errStands) })
	return ctx, &movingReader{from, hung, silent}, func() { hung.Stop(); all.Stop(); hush(nil) }
}

type movingReader struct {
	from   io.Reader
	hung   *time.Timer
	silent time.Duration
}

func (m *movingReader) Read(p []byte) (int, error) {
	n, err := m.from.Read(p)
	m.hung.Reset(m.silent)
	return n, err
}

// fetch brings a machine's results back.
func (f *Fleet) fetch(ctx context.Context, h *Host) (missing []string, err error) {
	said, to := io.Pipe()
	ctx, from, end := moves(ctx, said, heardWithin)
	defer end()
	cmd := sshCommand(ctx, h.Name, "fetch", f.ID)
	cmd.Stdout = to
	ended := make(chan error, 1)
	go func() {
		err := execute(ctx, cmd)
		to.CloseWithError(err)
		ended <- err
	}()
	missing, err = f.take(h, from)
	said.CloseWithError(errors.New("nobody reads it any more"))
	if serr := <-ended; err == nil || serr != nil && strings.Contains(err.Error(), serr.Error()) {
		err = serr
	}
	return missing, err
}
