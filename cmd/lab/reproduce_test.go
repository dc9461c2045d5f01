package main

import (
	"strings"
	"testing"

	"lab/bench"
	"lab/bench/request"
)

// Whoever makes a stranger's run once more is told which programs of its folder's run,
// an application's too.
func TestWhatRuns(t *testing.T) {
	for _, x := range []struct {
		asked request.Request
		want  []string // nil: nothing of the folder's runs
	}{
		{request.Request{}, nil},
		{request.Request{App: "httpd"}, nil},
		{request.Request{Command: request.Argv{"rm", "-r"}, Prepare: "sync"}, []string{`"rm" "-r"`, `"sync"`}},
		{request.Request{App: `{"format":1,"title":"t","command":["evil","\u001b]0;x"],"port":1,"ask":"a","answer":"b",` +
			`"load":{"reply":"line","connections":1,"program":["sh","-c","id"],"rate":"(1)","p50":"(1)","p99":"(1)"}}`},
			[]string{`"evil" "\x1b]0;x"`, `"sh" "-c" "id"`}},
	} {
		var b strings.Builder
		whatRuns(&b, "r", bench.Options{Request: x.asked})
		if x.want == nil && b.Len() > 0 {
			t.Errorf("%+v: %s", x.asked, &b)
		}
		for _, want := range x.want {
			if !strings.Contains(b.String(), want) {
				t.Errorf("%q has no %s", b.String(), want)
			}
		}
	}
}
