package request

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"lab/bench/cgroup"
)

// The values that are more than a word or a number. As texts they are the same
// behind a flag, in a file and in a manifest.
type (
	// A Share is above 0 and below 1: "2%" or "0.02".
	Share float64
	// A Span is a time above 0: "5m".
	Span time.Duration
	// A Size is a number of bytes above 0: "2G", as [ParseSize] reads it.
	Size int64
	// Cores is processor time as a number of processors: "0.5".
	Cores float64
	// CPUs is a list of processors as the kernel writes it: "0-1,3".
	CPUs string
	// A Digest is "sha256:" and 64 hex digits.
	Digest string
	// Settings are what --variant sets, by name.
	Settings map[string]Values
	// Argv is a program with its arguments, each a text of any kind.
	Argv []string
	// Values are one value of a setting, or several; one is written without a list.
	Values []string
)

func (s *Share) UnmarshalText(b []byte) error {
	num, percent := strings.CutSuffix(string(b), "%")
	v, err := strconv.ParseFloat(strings.TrimSpace(num), 64)
	if percent {
		v /= 100
	}
	if err != nil || !(v > 0 && v < 1) {
		return errors.New("not a share above 0 and below 100%; write 2%")
	}
	*s = Share(v)
	return nil
}

func (s Share) MarshalText() ([]byte, error) {
	return strconv.AppendFloat(nil, float64(s), 'g', -1, 64), nil
}

func (s *Span) UnmarshalText(b []byte) error {
	d, err := time.ParseDuration(string(b))
	if err != nil || d <= 0 {
		return errors.New("not a time such as 5m or 90s")
	}
	*s = Span(d)
	return nil
}

func (s Span) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

func (s Span) String() string { return time.Duration(s).String() }

// Seconds is the span in seconds.
func (s Span) Seconds() float64 { return time.Duration(s).Seconds() }

func (s *Size) UnmarshalText(b []byte) error {
	n, err := ParseSize(string(b))
	*s = Size(n)
	return err
}

func (s Size) MarshalText() ([]byte, error) { return strconv.AppendInt(nil, int64(s), 10), nil }

// Bounds of a limit of processor time: the kernel's least quota is 1 ms of each 100,
// and it counts no more processors.
const (
	LeastCores = 0.01
	MostCores  = 8192
)

func (c *Cores) UnmarshalText(b []byte) error {
	v, err := strconv.ParseFloat(string(b), 64)
	if err != nil || !(v >= LeastCores && v <= MostCores) { // NaN is neither
		return fmt.Errorf("not a number from %g to %d", LeastCores, MostCores)
	}
	*c = Cores(v)
	return nil
}

func (c Cores) MarshalText() ([]byte, error) { return Share(c).MarshalText() }

func (c *CPUs) UnmarshalText(b []byte) error {
	if *c = CPUs(b); !cgroup.ValidCPUSet(string(b)) {
		return errors.New("not a list of processors such as 0-1,3")
	}
	return nil
}

// Valid says whether a digest is one.
func (d Digest) Valid() bool {
	digits, ok := strings.CutPrefix(string(d), "sha256:")
	return ok && len(digits) == 64 && strings.Trim(digits, "0123456789abcdef") == ""
}

func (d *Digest) UnmarshalText(b []byte) error {
	if *d = Digest(b); !d.Valid() {
		return errors.New("not sha256: and 64 hex digits; lab image prints it")
	}
	return nil
}

// UnmarshalYAML reads one value or a list of them, by what the YAML library hands
// it.
func (v *Values) UnmarshalYAML(read func(any) error) error {
	var one string
	if read(&one) == nil {
		*v = Values{one}
		return nil
	}
	return read((*[]string)(v))
}

func (v *Values) UnmarshalJSON(b []byte) error {
	return v.UnmarshalYAML(func(to any) error { return json.Unmarshal(b, to) })
}

func (v Values) MarshalJSON() ([]byte, error) {
	if len(v) == 1 {
		return json.Marshal(v[0])
	}
	return json.Marshal([]string(v))
}

// ParseSize reads a number of bytes as people type it, "64M" or "1G": with a
// suffix for powers of 1024, above 0.
func ParseSize(s string) (int64, error) {
	shift := 0
	num := strings.TrimSuffix(strings.TrimSuffix(strings.ToUpper(s), "B"), "I")
	if n := len(num); n > 0 {
		if i := strings.IndexByte("KMGT", num[n-1]); i >= 0 {
			shift, num = 10*(i+1), num[:n-1]
		}
	}
	n, err := strconv.ParseInt(num, 10, 64)
	if err != nil || n <= 0 || n > (1<<62)>>shift {
		return 0, errors.New("not a size such as 64M or 1G")
	}
	return n << shift, nil
}

// A Pair is a setting's name with one value.
type Pair struct{ Name, Value string }

var errForm = errors.New("not of the form name=value")

// Pairs takes settings apart as they are typed: a=1,b=2. A word without a name is one more
// value of the name before it (kernel=A,B), and a value in double quotes may have blanks and
// commas.
func Pairs(text string) (out []Pair, err error) {
	quoted := false
	words := strings.FieldsFunc(text, func(r rune) bool {
		if r == '"' {
			quoted = !quoted
		}
		return r == ',' && !quoted
	})
	if quoted {
		return nil, errors.New("a quote isn't closed")
	}
	for _, w := range words {
		if w = strings.TrimSpace(w); w == "" {
			continue
		}
		name, value, ok := strings.Cut(w, "=")
		if !ok && len(out) > 0 {
			name, value, ok = out[len(out)-1].Name, w, true
		}
		if inside, isQuoted := strings.CutPrefix(value, `"`); isQuoted {
			value, isQuoted = strings.CutSuffix(inside, `"`)
			ok = ok && isQuoted
		}
		if !ok || name == "" || value == "" || strings.Contains(name+value, `"`) {
			return nil, errForm
		}
		out = append(out, Pair{name, value})
	}
	return out, nil
}

// Split takes "a,b" apart, without what is empty or there twice.
func Split(words ...string) []string {
	var out []string
	for _, w := range words {
		for s := range strings.SplitSeq(w, ",") {
			if s = strings.TrimSpace(s); s != "" && !slices.Contains(out, s) {
				out = append(out, s)
			}
		}
	}
	return out
}
