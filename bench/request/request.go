// Package request is what may be asked of a run: one struct, one line a wish.
//
// A field of [Request] is everywhere what it is here. Its json tag is the key
// that an experiment file (package experiment) and a manifest (package results)
// have for it; its other tags are its flag of lab run, the help, which is the
// JSON Schema's description as well, and what its values keep to:
//
//	flag:"runs,r"  name and letter of the flag; none: a file alone says it
//	arg:"N"        placeholder of the flag's value in help
//	help:"…"       what it asks for, in one sentence
//	more:"yes"     few people need it: help lists it after the others
//	from:"1"       the least number; to:"9" the greatest
//	words:"a,b"    the only words
//	place:"yes"    it says where something lies, which changes nothing of what is
//	               measured: it can be given beside a file, and anew for a run that
//	               is made once more; a manifest doesn't record it
//
// What else lab run takes (where results go, how they are shown) isn't part of
// what is measured, and isn't here.
package request

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"lab/bench/cgroup"
)

// Format is the version of the form of experiment files.
const Format = 1

// A Request is what is asked of a run: by flags, by an experiment file, or by
// the manifest of a run that is made again. The zero value of a field asks for
// nothing: the scenario or the machine decides.
type Request struct {
	Format       int      `json:"format,omitempty" from:"1" to:"1" help:"version of the form of the file"`
	Title        string   `json:"title,omitempty" help:"for people; nothing depends on it"`
	Scenarios    []string `json:"scenarios,omitempty" help:"each makes a results folder"`
	Environments []string `json:"environments,omitempty" flag:"env" arg:"ENV,…" help:"environments, in the report's order (default: the scenario's)"`
	Trials       int      `json:"trials,omitempty" flag:"runs,r" arg:"N" from:"1" to:"1000000" help:"trials of each row (default: the scenario's)"`
	Warmup       *int     `json:"warmup,omitempty" flag:"warmup,w" arg:"N" from:"0" to:"1000000" more:"yes" help:"uncounted trials before them (default: the scenario's)"`
	Seed         *uint64  `json:"seed,omitempty" flag:"seed" arg:"N" help:"seed of the trials' order (default: a new one)"`
	Variant      Settings `json:"variant,omitempty" flag:"variant" arg:"NAME=VALUE,…" help:"settings; several values of a name make a row of each: start=cold,start=restored"`
	Accel        string   `json:"accel,omitempty" flag:"accel" arg:"KIND" words:"auto,kvm,tcg" more:"yes" help:"what runs a guest's instructions: auto, kvm, tcg (default: auto, which is kvm if it is usable)"`
	Anyway       bool     `json:"anyway,omitempty" flag:"anyway" more:"yes" help:"with --accel kvm: run even if this machine's KVM was found unusable; every table marks such rows"`
	Quick        bool     `json:"quick,omitempty" flag:"quick" help:"a first look: few trials, and shorter ones (--predict says how long)"`
	Image        string   `json:"image,omitempty" flag:"image" arg:"IMAGE" place:"yes" help:"file tree to run in: its root folder, or a name or digest of the image store (default: the lab's own)"`
	ImageDigest  Digest   `json:"image_digest,omitempty" help:"that the file tree must have, wherever it lies"`
	Kernel       string   `json:"kernel,omitempty" flag:"kernel" arg:"FILE" place:"yes" more:"yes" help:"guest kernel (default: the set-up's; also LAB_KERNEL)"`
	KernelDigest Digest   `json:"kernel_digest,omitempty" help:"that the guest kernel must have"`
	Connect      string   `json:"connect,omitempty" flag:"connect" arg:"URI" place:"yes" more:"yes" help:"libvirt that makes the virtual machines: qemu:///system, qemu+tls://HOST/system, qemu+ssh://USER@HOST/system (default: a private one)"`
	Precision    Share    `json:"precision,omitempty" flag:"precision" arg:"SHARE" more:"yes" help:"add trials until each median's 95 % interval is within that share of it, such as 2%"`
	MaxTime      Span     `json:"max_time,omitempty" flag:"max-time" arg:"TIME" more:"yes" help:"add no block of trials after that time, such as 5m (default with --precision: 10m)"`
	Strict       bool     `json:"strict,omitempty" flag:"strict" more:"yes" help:"repeat disturbed trials, twice at most"`
	CPUs         CPUs     `json:"cpus,omitempty" flag:"cpus" arg:"LIST" more:"yes" help:"processors to pin instances to, such as 0-1,3; a guest gets one for each"`
	CPULimit     Cores    `json:"cpu_limit,omitempty" flag:"cpu-limit" arg:"CORES" more:"yes" help:"limit of each instance's processor time, such as 0.5 (lab exec: --cpus)"`
	Memory       Size     `json:"memory,omitempty" flag:"memory" arg:"SIZE" more:"yes" help:"limit of each instance's memory, such as 64M; a guest's RAM follows from it"`
	Pids         int      `json:"pids,omitempty" flag:"pids" arg:"N" from:"1" to:"4194304" more:"yes" help:"limit of each instance's processes"`
	Work         string   `json:"work,omitempty" flag:"work" arg:"DIR" place:"yes" help:"folder on the disk that instances write to, if the scenario uses one (default: in the cache)"`
	DiskBudget   Size     `json:"disk_budget,omitempty" flag:"disk-budget" arg:"SIZE" more:"yes" help:"the most that a run may have on the disk at a time, such as 2G; its results don't count"`
	Command      Argv     `json:"command,omitempty" help:"program and arguments that scenario command runs; on a command line they follow --"`
	Prepare      string   `json:"prepare,omitempty" flag:"prepare,p" arg:"CMD" more:"yes" help:"shell command that the host runs, untimed, before each trial of scenario command"`
	Parameters   Settings `json:"parameters,omitempty" flag:"parameter-list,L" arg:"NAME=VALUE,…" more:"yes" help:"values that the command of scenario command has in place of {NAME}, a row of each: -L n=1,n=2, or -L n 1,2"`
	App          string   `json:"app,omitempty" flag:"app" arg:"NAME|FILE" more:"yes" help:"application of scenario app: httpd, nginx, redis, redis-clients (1 to 100 connections), postgres, sqlite, compile, visits, visits-redis (two parts), or a file that describes one (default: httpd)"`
	From         []string `json:"from,omitempty" flag:"from" arg:"FROM,…" words:"store,registry,packages,disk" more:"yes" help:"what scenario provisioning begins with: store, registry, packages (fetched before, of this machine's Debian), disk (a guest's) (default: store,registry)"`
	Paired       bool     `json:"paired,omitempty" flag:"paired" more:"yes" help:"for noisy machines: make each row's trial at the same time as one of the first row, each on a processor of its own, and compare pair by pair"`
	IgnoreFailed bool     `json:"ignore_failure,omitempty" flag:"ignore-failure,i" more:"yes" help:"count trials of scenario command whose program fails, and record its exit status"`
	Sessions     int      `json:"sessions,omitempty" flag:"sessions" arg:"N" from:"1" to:"1000" more:"yes" help:"make the whole set N times, each time in a new testbed, to see how sessions differ (default: 1)"`
}

// Unrecorded is what a manifest has of a place that was named.
const Unrecorded = "…"

// Check refuses values out of their bounds and what can't be asked for together,
// and fills in what follows from the rest.
func (r *Request) Check() error {
	for _, f := range r.Fields() {
		if f.String() != "" {
			if err := f.Check(); err != nil {
				return err
			}
		}
	}
	switch {
	case r.Anyway && r.Accel != "kvm":
		return &Error{[]any{"anyway"}, errors.New("it is for --accel kvm")}
	case r.Sessions > 1 && (r.Precision > 0 || r.MaxTime > 0):
		return &Error{[]any{"sessions"}, errors.New("it repeats the same set each time, and --precision and --max-time change it; fix: leave one of them out")}
	case r.Paired && r.CPUs != "" && len(cgroup.CPUs(string(r.CPUs))) != 2:
		return &Error{[]any{"cpus"}, errors.New("a pair's trials have one processor each; fix: name two, such as 0,1, or leave it out")}
	case r.Precision > 0 && r.MaxTime == 0:
		r.MaxTime = Span(10 * time.Minute)
	}
	for name := range r.Parameters {
		if !slices.ContainsFunc(r.Command, func(w string) bool { return strings.Contains(w, "{"+name+"}") }) && len(r.Command) > 0 {
			return &Error{[]any{"parameters", name}, fmt.Errorf("nothing in the command has {%s}", name)}
		}
	}
	if r.Accel != "" {
		delete(r.Variant, "accel")
	}
	return nil
}

// Recorded is the request as a manifest has it: without the paths, which say
// something of this machine alone. The caller takes care of Connect.
func (r Request) Recorded() *Request {
	for _, f := range r.Fields() {
		if p, ok := f.At.(*string); ok && f.Place && f.Key != "connect" && *p != "" {
			*p = Unrecorded
		}
	}
	return &r
}

// Again is the request of a manifest for another run of the same: its places are
// to be named anew, and what was asked of their bytes the manifest tells.
func (r Request) Again() Request {
	for _, f := range r.Fields() {
		if f.Place {
			reflect.ValueOf(f.At).Elem().SetZero()
		}
	}
	r.ImageDigest, r.KernelDigest = "", ""
	r.Variant = maps.Clone(r.Variant)
	return r
}

// Times is how often the whole set of trials is made.
func (r *Request) Times() int { return max(r.Sessions, 1) }

// Fixed lists the settings that were asked for in one value: all rows whose
// environment has them are made with it.
func (r *Request) Fixed() map[string]string {
	out := map[string]string{}
	for k, vs := range r.Variant {
		if len(vs) == 1 {
			out[k] = vs[0]
		}
	}
	if r.Anyway {
		out["anyway"] = "yes"
	}
	for k, v := range map[string]string{"accel": r.Accel, "kernel": r.Kernel} {
		if v != "" {
			out[k] = v
		}
	}
	return out
}

// Varied lists the settings that were asked for in several values: each makes a
// row of its own.
func (r *Request) Varied() map[string]Values {
	out := maps.Clone(r.Variant)
	maps.DeleteFunc(out, func(_ string, vs Values) bool { return len(vs) < 2 })
	return out
}

// Excludes says whether other values of a setting were asked for, and not this one.
func (r *Request) Excludes(setting, value string) bool {
	vs := r.Variant[setting]
	return len(vs) > 0 && !slices.Contains(vs, value)
}
