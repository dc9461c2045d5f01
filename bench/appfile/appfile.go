// Package appfile reads what an application is: a small YAML file that says which image has
// it, how it is started, how one knows that it serves, and what puts load on it.
//
//	format: 1
//	title: nginx, a web server
//	packages: [nginx]
//	command: [nginx, -g, daemon off;]
//	port: 80
//	ask: "GET / HTTP/1.0\r\n\r\n"
//	answer: "^HTTP/1\\.. 200 "
//
// The schema, for editors and other programs, is scenarios/apps/app.schema.json. Files
// are read strictly: each key once, none that isn't known, each value of its type.
package appfile

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"lab/bench/yamlfile"
)

// Format is the version of the form of the files.
const Format = 1

// MaxSize is more than any such file needs, in bytes.
const MaxSize = 64 << 10

// maxExpression is more than any of its expressions needs, in bytes.
const maxExpression = 1000

// How a reply to the load's request ends.
const (
	ReplyHTTP  = "http"  // after the bytes that its Content-Length says; the connection stays
	ReplyLine  = "line"  // with its first line feed; the connection stays
	ReplyClose = "close" // with the connection: each request makes a new one
)

// An App is one application.
type App struct {
	Format   int      `json:"format"`
	Title    string   `json:"title"`
	Image    string   `json:"image,omitempty"`    // in the store; "" is the name of the file if there are packages, else the lab's own image
	Packages []string `json:"packages,omitempty"` // Debian's, for lab image build
	Command  []string `json:"command"`            // "{root}" is the image's root folder as the program sees it
	Env      []string `json:"env,omitempty"`      // NAME=value, besides PATH and HOME
	Static   bool     `json:"static,omitempty"`   // the program needs nothing of the image but itself: a plain process is the same bytes
	Writes   bool     `json:"writes,omitempty"`   // it writes to its file tree
	Behind   []string `json:"behind,omitempty"`   // the command of a second part, which the first asks at the address {behind}
	Port     uint16   `json:"port"`               // TCP
	Ask      string   `json:"ask"`                // the bytes of a first request
	Answer   string   `json:"answer"`             // a regular expression that the answer to it matches
	Load     Load     `json:"load"`

	answer *regexp.Regexp
}

// A Load is what puts load on an application: the lab's own generator, or a program of
// the host if it is installed.
type Load struct {
	Ask         string   `json:"ask,omitempty"`     // bytes of each request; "" is the app's ask
	Reply       string   `json:"reply"`             // how the answer ends: http, line, close
	Connections int      `json:"connections"`       // at a time, each with one request at a time
	Sweep       []int    `json:"sweep,omitempty"`   // numbers of connections that each make a row, in place of connections
	Program     []string `json:"program,omitempty"` // "{host}", "{port}", "{connections}", "{seconds}" and "{requests}" (thousands a second) are filled in
	Before      []string `json:"before,omitempty"`  // a program of the host that is run before it, untimed
	Package     string   `json:"package,omitempty"` // that has the programs, for people
	Rate        string   `json:"rate,omitempty"`    // expressions of what it prints: requests a second
	P50         string   `json:"p50,omitempty"`     // a time, and in a second group its unit: us, ms (the default) or s; "" if it prints none
	P99         string   `json:"p99,omitempty"`
	Failed      string   `json:"failed,omitempty"` // what it prints if requests failed: then it measured something else
}

// An Error is what is wrong with a file, and where.
type Error = yamlfile.Error

// Parse reads a file's bytes; name is for errors, which are [*Error].
func Parse(name string, data []byte) (*App, error) {
	a := &App{}
	if err := yamlfile.Parse(name, "application", data, MaxSize, a, a.check); err != nil {
		return nil, err
	}
	return a, nil
}

// maxConnections is more than one client can keep busy.
const maxConnections = 1000

func validConnections(n int) bool { return n >= 1 && n <= maxConnections }

var errConnections = fmt.Errorf("not a number from 1 to %d", maxConnections)

// check fills in what follows, and says which key is wrong.
func (a *App) check() (key string, err error) {
	missing := errors.New("it is missing")
	for _, x := range []struct {
		key   string
		wrong bool
		err   error
	}{
		{"format", a.Format != Format, fmt.Errorf("write format: %d", Format)},
		{"title", a.Title == "", missing},
		{"command", len(a.Command) == 0 || a.Command[0] == "", missing},
		{"behind", len(a.Behind) > 0 && !a.asksBehind(), errors.New("nothing in command or env has {behind}, the address of that part")},
		{"port", a.Port == 0, missing},
		{"ask", a.Ask == "", missing},
		{"answer", a.Answer == "", missing},
		{"load.connections", !validConnections(a.Load.Connections), errConnections},
		{"load.sweep", slices.ContainsFunc(a.Load.Sweep, func(n int) bool { return !validConnections(n) }), errConnections},
		{"load.sweep", len(slices.Compact(slices.Sorted(slices.Values(a.Load.Sweep)))) < len(a.Load.Sweep), errors.New("a number is there twice")},
		{"load.reply", a.Load.Reply != ReplyHTTP && a.Load.Reply != ReplyLine && a.Load.Reply != ReplyClose, errors.New("there are http, line and close")},
		{"load.program", len(a.Load.Program) > 0 && a.Load.Rate == "", errors.New("it needs rate, which finds its result")},
	} {
		if x.wrong {
			return x.key, x.err
		}
	}
	for _, x := range []struct {
		key, text string
		groups    int
	}{{"answer", a.Answer, 0}, {"load.rate", a.Load.Rate, 1}, {"load.p50", a.Load.P50, 1}, {"load.p99", a.Load.P99, 1}, {"load.failed", a.Load.Failed, 0}} {
		if len(x.text) > maxExpression {
			return x.key, fmt.Errorf("an expression of more than %d bytes", maxExpression)
		}
		re, err := regexp.Compile(x.text)
		if err == nil && x.text != "" && re.NumSubexp() < x.groups {
			err = errors.New("it has no group in parentheses that is the number")
		}
		if err != nil {
			return x.key, err
		}
		if x.key == "answer" {
			a.answer = re
		}
	}
	for i, e := range a.Env {
		if name, _, ok := strings.Cut(e, "="); !ok || name == "" {
			return fmt.Sprintf("env[%d]", i), errors.New("not of the form NAME=value")
		}
	}
	if a.Load.Ask == "" {
		a.Load.Ask = a.Ask
	}
	return "", nil
}

// asksBehind says whether the first part is told where the second is.
func (a *App) asksBehind() bool {
	return slices.ContainsFunc(slices.Concat(a.Command, a.Env), func(w string) bool { return strings.Contains(w, "{behind}") })
}

// Answered says whether what came is the answer to the first request.
func (a *App) Answered(got []byte) bool { return a.answer.Match(got) }

// Content is what of an answer is the application's, and no date or number of the
// connection's: what follows the head of an HTTP answer, else what the expression
// matches.
func (a *App) Content(answer []byte) string {
	if _, body, ok := bytes.Cut(answer, []byte("\r\n\r\n")); ok && bytes.HasPrefix(answer, []byte("HTTP/")) {
		return string(body)
	}
	return string(a.answer.Find(answer))
}

// Keys are those of a file, those of load with "load." before them.
func Keys() (out []string) {
	var add func(reflect.Type, string)
	add = func(t reflect.Type, before string) {
		for i := range t.NumField() {
			f := t.Field(i)
			key, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			switch {
			case key == "":
			case f.Type.Kind() == reflect.Struct:
				add(f.Type, key+".")
			default:
				out = append(out, before+key)
			}
		}
	}
	add(reflect.TypeFor[App](), "")
	return out
}
