// Package experiment reads experiment files: what lab run is to do, as a file
// that is kept under version control, handed to others, and named in a paper.
//
//	format: 1
//	scenarios: [startup]
//	environments: [host, container]
//	trials: 200
//	seed: 7
//	precision: 2%
//	max_time: 10m
//
// The file is YAML of the plain kind: no anchors, aliases, tags or second
// documents, each key once. Its schema, with all keys, is
// bench/results/schema/experiment.schema.json, for editors and for other
// programs. What words there are (scenarios, environments, settings) this
// package doesn't know; the command checks them, and says where they stand
// with [File.At].
package experiment

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"

	"lab/bench/input"
	"lab/bench/results"
)

// maxSize is more than any experiment needs.
const maxSize = 64 << 10

// A File is an experiment file that was read.
type File struct {
	results.Experiment
	Name     string // as the user named it
	Data     []byte // its bytes
	Digested results.Digested

	at map[string]Position // by key: "trials", "variant.net", "scenarios.0"
}

// A Position is a place in a file; both count from 1, columns in characters.
type Position struct{ Line, Column int }

// An Error is what is wrong with an experiment file, and where.
type Error struct {
	File string
	Position
	Err error
}

func (e *Error) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("%s: %v", e.File, e.Err)
	}
	return fmt.Sprintf("%s:%d:%d: %v", e.File, e.Line, e.Column, e.Err)
}

func (e *Error) Unwrap() error { return e.Err }

// An UnknownKey is the Err of an [Error] about a key that there isn't.
type UnknownKey struct {
	Key   string
	Known []string
}

func (e *UnknownKey) Error() string { return fmt.Sprintf("unknown key %q", e.Key) }

// Read reads the file name. What is wrong with its content is an [*Error].
func Read(name string) (*File, error) {
	data, err := input.ReadNamed(name, maxSize)
	if errors.Is(err, input.ErrSize) {
		return nil, &Error{File: name, Err: fmt.Errorf("it has more than %d bytes: this is no experiment file", maxSize)}
	}
	if err != nil {
		return nil, err
	}
	return Parse(name, data)
}

// ReadIn reads the copy that lies in a results folder.
func ReadIn(dir string) (*File, error) {
	root, err := input.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	data, err := input.ReadIn(root, results.ExperimentFile, maxSize)
	if err != nil {
		return nil, err
	}
	return Parse(filepath.Join(dir, results.ExperimentFile), data)
}

// Parse reads an experiment file's bytes; name is for errors.
func Parse(name string, data []byte) (*File, error) {
	f := &File{Name: name, Data: data, at: map[string]Position{}}
	sum := sha256.Sum256(data)
	f.Digested = results.Digested{Name: filepath.Base(name), Digest: "sha256:" + hex.EncodeToString(sum[:]), Size: int64(len(data))}
	if err := f.parse(); err != nil {
		return nil, err
	}
	return f, nil
}

// Has reports whether the file says anything of a key.
func (f *File) Has(key string) bool {
	_, ok := f.at[key]
	return ok
}

// At puts before an error where in the file a key's value stands.
func (f *File) At(key string, err error) error {
	return &Error{File: f.Name, Position: f.at[key], Err: err}
}

// Path is a file that the experiment names, from its own folder on; "" stays.
func (f *File) Path(named string) string {
	if named == "" || filepath.IsAbs(named) {
		return named
	}
	return filepath.Join(filepath.Dir(f.Name), named)
}

// check refuses what no run could be asked for.
func (f *File) check() error {
	x := &f.Experiment
	switch {
	case !f.Has("format"):
		return &Error{File: f.Name, Err: fmt.Errorf("no format: write format: %d at its beginning", results.ExperimentFormat)}
	case x.Format != results.ExperimentFormat:
		return f.At("format", fmt.Errorf("format %d; this lab reads %d: use a newer lab", x.Format, results.ExperimentFormat))
	case len(x.Scenarios) == 0:
		return &Error{File: f.Name, Position: f.at["scenarios"], Err: errors.New("no scenario: write scenarios: [startup]")}
	}
	return nil
}
