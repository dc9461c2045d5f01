package appfile

import (
	"errors"
	"strings"
	"testing"
)

const good = `format: 1
title: a toy
command: [toy, "{root}/x"]
port: 80
ask: "hello\r\n"
answer: "^hi"
load:
  reply: line
  connections: 2
`

// A file is read strictly, and what is wrong is said with its place.
func TestParse(t *testing.T) {
	a, err := Parse("toy.yaml", []byte(good))
	if err != nil || a.Ask != "hello\r\n" || a.Load.Ask != a.Ask || !a.Answered([]byte("hi there")) || a.Answered([]byte("oh, hi")) {
		t.Fatalf("%+v, %v", a, err)
	}
	for name, x := range map[string]struct {
		old, with string
		line, col int
		says      string
	}{
		"unknown key":    {"port: 80", "prot: 80", 4, 1, "prot"},
		"twice":          {"port: 80", "port: 80\nport: 81", 5, 1, "port"},
		"a word":         {"port: 80", "port: http", 4, 7, ""},
		"too large":      {"port: 80", "port: 70000", 4, 7, ""},
		"none":           {"port: 80", "", 1, 1, "port"},
		"bad expression": {`answer: "^hi"`, `answer: "(("`, 6, 9, "answer"},
		"reply":          {"reply: line", "reply: word", 8, 10, "http, line and close"},
		"connections":    {"connections: 2", "connections: 0", 9, 16, "1 to 1000"},
		"generator":      {"connections: 2", "connections: 2\n  program: [wrk]", 10, 12, "rate"},
		"no group":       {"connections: 2", "connections: 2\n  rate: abc", 10, 9, "group"},
		"format":         {"format: 1", "format: 2", 1, 9, "format: 1"},
		"variable":       {"port: 80", "port: 80\nenv: [a=b, c]", 5, 12, "NAME=value"},
	} {
		var e *Error
		_, err := Parse("toy.yaml", []byte(strings.Replace(good, x.old, x.with, 1)))
		if !errors.As(err, &e) || e.Line != x.line || e.Column != x.col || !strings.Contains(e.Error(), x.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, junk := range []string{strings.Repeat("[", 60_000), strings.Repeat("- ", 30_000), strings.Replace(good, `"^hi"`, strings.Repeat("x", 2000), 1), "", "[", "x", "- a", strings.Repeat("#", MaxSize+1), good + "---\n" + good} {
		if _, err := Parse("junk", []byte(junk)); err == nil || len(err.Error()) > 300 {
			t.Errorf("%.20q was read, or %.400v", junk, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(good))
	f.Fuzz(func(t *testing.T, data []byte) {
		if a, err := Parse("x", data); err == nil && (len(a.Command) == 0 || a.Port == 0) {
			t.Errorf("%+v", a)
		}
	})
}
