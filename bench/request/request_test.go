package request

import (
	"encoding/json"
	"errors"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// fileOnly are the wishes that no flag has, each with the reason.
var fileOnly = map[string]string{
	"format":        "a command line has no version",
	"title":         "nothing depends on it",
	"scenarios":     "they are lab run's arguments",
	"image_digest":  "who types the image's folder sees what is there; a file is for other machines",
	"command":       "it follows --, as lab exec has it",
	"kernel_digest": "the same of the kernel",
}

// samples are a value of each kind, as it is typed.
var samples = map[reflect.Type]string{
	reflect.TypeFor[*string](): "a", reflect.TypeFor[*bool](): "true", reflect.TypeFor[*int](): "1", reflect.TypeFor[**int](): "0",
	reflect.TypeFor[**uint64](): "18446744073709551615", reflect.TypeFor[*[]string](): "a,b", reflect.TypeFor[*Settings](): "a=b,c=d,c=e",
	reflect.TypeFor[*Argv]():  "a b, c",
	reflect.TypeFor[*Share](): "2%", reflect.TypeFor[*Span](): "5m", reflect.TypeFor[*Size](): "2G", reflect.TypeFor[*CPUs](): "0-1,3", reflect.TypeFor[*Cores](): "0.5",
	reflect.TypeFor[*Digest](): "sha256:" + strings.Repeat("0a", 32),
}

// Each wish has one key, and a flag or the reason why not; it can be typed, and what
// was typed is the same in a manifest.
func TestFields(t *testing.T) {
	var r, again Request
	seen := map[string]bool{}
	key, flag := regexp.MustCompile(`^[a-z]+(_[a-z]+)*$`), regexp.MustCompile(`^[a-z]+(-[a-z]+)*$`)
	for i, f := range r.Fields() {
		name := reflect.TypeFor[Request]().Field(i).Name
		if !key.MatchString(f.Key) || seen[f.Key] || f.Help == "" {
			t.Errorf("%s: key %q, help %q", name, f.Key, f.Help)
		}
		seen[f.Key] = true
		switch _, may := fileOnly[f.Key]; {
		case may == (f.Flag != ""):
			t.Errorf("%s: flag %q; wants one, or a reason in fileOnly", name, f.Flag)
		case !may && (!flag.MatchString(f.Flag) || (f.Arg == "") != (f.Type() == "bool")):
			t.Errorf("%s: flag %q %q", name, f.Flag, f.Arg)
		}
		text := samples[reflect.TypeOf(f.At)]
		if f.Words != nil {
			text = f.Words[0]
		}
		if text == "" {
			t.Errorf("%s: a kind of value that this package can't read: %T", name, f.At)
		} else if err := f.Set(text); err != nil || f.String() == "" {
			t.Errorf("%s: %q: %q, %v", name, text, f.String(), err)
		}
	}
	data, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &again); err != nil || !reflect.DeepEqual(r, again) {
		t.Errorf("%v: %s\n%+v\n%+v", err, data, r, again)
	}
	for k := range fileOnly {
		if !seen[k] {
			t.Errorf("fileOnly has %s, which is no key", k)
		}
	}
}

// What is typed wrong is refused, with what is wanted.
func TestSet(t *testing.T) {
	for _, x := range []struct{ key, text, want string }{
		{"trials", "0", "from 1 to 1000000"}, {"trials", "1000001", "from 1 to 1000000"}, {"warmup", "-1", "from 0 to 1000000"}, {"sessions", "1001", "from 1 to 1000"},
		{"seed", "-1", "below 2^64"}, {"strict", "perhaps", "true or false"}, {"accel", "fast", "there are auto, kvm, tcg"},
		{"environments", " , ", "empty"}, {"variant", "net", "name=value"}, {"variant", "net= a b\t", "tabs"}, {"variant", `append="a`, "closed"}, {"variant", `append=a"b"`, "name=value"}, {"variant", "append=", "name=value"}, {"variant", "a b=c", "one word"},
		{"precision", "200%", "below 100%"}, {"max_time", "-5m", "5m or 90s"}, {"disk_budget", "0", "64M or 1G"}, {"cpus", "3-1", "0-1,3"},
		{"cpu_limit", "NaN", "from 0.01 to 8192"}, {"cpu_limit", "0", "from 0.01"}, {"memory", "0", "64M or 1G"}, {"pids", "0", "from 1 to"},
		{"command", "", "no program"}, {"command", "a\x00b", "zero byte"},
	} {
		fields := new(Request).Fields()
		f := fields[slices.IndexFunc(fields, func(f Field) bool { return f.Key == x.key })]
		if err := f.Set(x.text); err == nil || !strings.Contains(err.Error(), x.want) {
			t.Errorf("%s %q: %v, want %s", x.key, x.text, err, x.want)
		}
	}
}

// What can't be asked for together names the wish that is to go.
func TestCheck(t *testing.T) {
	for want, r := range map[string]Request{
		"anyway": {Anyway: true}, "sessions": {Sessions: 2, Precision: 0.1}, "trials": {Trials: 2_000_000_000}, "accel": {Accel: "fast"},
	} {
		var e *Error
		if err := r.Check(); !errors.As(err, &e) || e.At[0] != want {
			t.Errorf("%+v: %v", r, err)
		}
	}
	r := Request{Precision: 0.02, Accel: "tcg", Variant: Settings{"accel": {"kvm", "tcg"}, "net": {"none"}, "root": {"a", "b"}}, Kernel: "/k", Work: "/w", Image: "i", Connect: "name"}
	if err := r.Check(); err != nil || r.MaxTime.Seconds() != 600 {
		t.Error(err, r.MaxTime)
	}
	if got, want := r.Fixed(), map[string]string{"accel": "tcg", "net": "none", "kernel": "/k"}; !reflect.DeepEqual(got, want) {
		t.Errorf("fixed: %v", got)
	}
	if got, want := r.Varied(), map[string]Values{"root": {"a", "b"}}; !reflect.DeepEqual(map[string]Values(got), want) {
		t.Errorf("varied: %v", got)
	}
	if !r.Excludes("net", "host") || r.Excludes("net", "none") || r.Excludes("root", "b") || !r.Excludes("root", "c") || r.Excludes("disk", "ide") {
		t.Error("what is excluded")
	}
	data, err := json.Marshal(r.Recorded())
	if err != nil || strings.Contains(string(data), "/") || !strings.Contains(string(data), `"connect":"name"`) || r.Kernel != "/k" {
		t.Errorf("%s, %v", data, err)
	}
	if a := r.Recorded().Again(); a.Work != "" || a.Kernel != "" || a.Connect != "" || a.Image != "" || a.Precision != 0.02 {
		t.Errorf("%+v", a)
	}
}
