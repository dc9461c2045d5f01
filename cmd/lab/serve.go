package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"lab/bench/engine"
	"lab/bench/results"
	"lab/reports"
	"lab/reports/serve"
)

// serveCommand is lab serve: the page that is report.html in each folder, over HTTP,
// so that it can follow a run.
func (a *app) serveCommand() *cobra.Command {
	var address string
	cmd := &cobra.Command{
		Use:  "serve DIR…",
		Args: someFolders, ValidArgsFunction: completeFolders,
		RunE: func(_ *cobra.Command, dirs []string) error { return a.serve(dirs, address) },
	}
	cmd.Flags().StringVar(&address, "addr", "", "`[HOST:]PORT` address to listen on (default: a free port of this machine alone)")
	return cmd
}

// There are two ways to watch a run in a browser, with the same page and the same server
// (package serve). lab serve looks at folders from outside, in a process of its own. lab
// run --live publishes from within, between two trials, when nothing is being measured:
// drawing a page takes longer than many a start.

// followEvery is how often a served folder is looked at.
const followEvery = time.Second

// serve publishes the page, looks once a second whether a folder has changed, and
// publishes it again where it has. Browsers are told by the server; see package
// serve.
func (a *app) serve(dirs []string, address string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	page, err := pageOf(dirs)
	if err != nil {
		return fmt.Errorf("serve: %w", err)
	}
	// The first page is made before anything listens, so that a folder that can't be
	// read is an error here, and not in a browser.
	s := serve.New()
	s.Publish(page)
	if err := s.Start(address); err != nil {
		return err
	}
	defer s.Close()
	if err := sayTo(a.Page, "%s (Ctrl-C ends it)\n", s.URL()); err != nil {
		return err
	}
	// Sizes and times tell that something changed; reading a large run each second would
	// disturb the very run that is followed.
	for seen := stateOf(dirs); ; {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(followEvery):
		}
		now := stateOf(dirs)
		if now == seen {
			continue
		}
		seen = now
		// A folder that is being written may be unreadable for a moment.
		if next, err := pageOf(dirs); err == nil && !bytes.Equal(next, page) {
			page = next
			s.Publish(page)
		}
	}
}

// pageOf is one page for these folders.
func pageOf(dirs []string) ([]byte, error) {
	var runs []*results.Run
	var names []string
	for _, dir := range dirs {
		run, err := results.Read(dir)
		if err != nil {
			return nil, err
		}
		runs, names = append(runs, run), append(names, filepath.Base(filepath.Clean(dir)))
	}
	return reports.HTML(runs, names, true)
}

// stateOf changes when one of the folders has more trials, or another manifest.
func stateOf(dirs []string) string {
	state := ""
	for _, dir := range dirs {
		for _, name := range []string{results.TrialsFile, results.ManifestFile} {
			if st, err := os.Lstat(filepath.Join(dir, name)); err == nil {
				state += fmt.Sprint(st.Size(), st.ModTime().UnixNano(), " ")
			}
		}
	}
	return state
}

// A live view is a run's page while the run goes on.
type liveView struct {
	server *serve.Server
	dir    string
	last   time.Time     // when the page was made
	took   time.Duration // how long that took
}

// goLive begins one, of the results folder dir.
func (a *app) goLive(address, dir string) (*liveView, error) {
	v := &liveView{server: serve.New(), dir: dir}
	v.server.Publish([]byte("<!doctype html><meta http-equiv=refresh content=1><title>lab</title><p>The run is being prepared."))
	if err := v.server.Start(address); err != nil {
		return nil, err
	}
	a.note(say("live: %s", v.server.URL()))
	return v, nil
}

// between makes the page anew, between trials, while the worker waits: so it costs
// no trial anything. It is made rarely enough to take a twentieth of the run's time.
func (v *liveView) between(engine.Progress) {
	if now := time.Now(); now.Sub(v.last) >= max(followEvery, 20*v.took) {
		v.renew()
	}
}

// renew makes the page of what there is now, and remembers how long that took.
func (v *liveView) renew() {
	begun := time.Now()
	if page, err := pageOf([]string{v.dir}); err == nil {
		v.server.Publish(page)
	}
	v.last = time.Now()
	v.took = v.last.Sub(begun)
}

// end shows the whole run, and gives browsers the time to fetch it: what they then
// have needs no server.
func (v *liveView) end() {
	v.renew()
	time.Sleep(followEvery)
	v.server.Close()
}
