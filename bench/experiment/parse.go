package experiment

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"lab/bench/cgroup"
	"lab/bench/input"
	"lab/bench/results"
)

// A reader takes one key's value over.
type reader func(f *File, key string, n ast.Node) error

// A key of an experiment file, and how its value is read.
type key struct {
	name string
	read reader
}

// keys are all that there are, in the order in which errors list them.
var keys = []key{
	{"format", number(func(f *File) *int { return &f.Format }, 1)},
	{"title", text(func(f *File) *string { return &f.Title }, nil)},
	{"scenarios", words(func(f *File) *[]string { return &f.Scenarios })},
	{"environments", words(func(f *File) *[]string { return &f.Environments })},
	{"variant", variant},
	{"accel", text(func(f *File) *string { return &f.Accel }, oneOf("auto", "kvm", "tcg"))},
	{"cpus", text(func(f *File) *string { return &f.CPUs }, cpuList)},
	{"trials", number(func(f *File) *int { return &f.Trials }, 1)},
	{"warmup", number(func(f *File) *int { return &f.Warmup }, 0)},
	{"sessions", number(func(f *File) *int { return &f.Sessions }, 1)},
	{"seed", seed},
	{"precision", text(func(f *File) *string { return &f.Precision }, share)},
	{"max_time", text(func(f *File) *string { return &f.MaxTime }, duration)},
	{"strict", yesNo(func(f *File) *bool { return &f.Strict })},
	{"quick", yesNo(func(f *File) *bool { return &f.Quick })},
	{"image", text(func(f *File) *string { return &f.Image }, nil)},
	{"image_digest", text(func(f *File) *string { return &f.ImageDigest }, digest)},
	{"kernel", text(func(f *File) *string { return &f.Kernel }, nil)},
	{"kernel_digest", text(func(f *File) *string { return &f.KernelDigest }, digest)},
}

// Keys lists all that a file may have.
func Keys() []string {
	var out []string
	for _, k := range keys {
		out = append(out, k.name)
	}
	return out
}

// parse reads the bytes into the experiment.
func (f *File) parse() error {
	tree, err := parser.ParseBytes([]byte(input.Text(f.Data)), 0)
	if err != nil {
		e := &Error{File: f.Name, Err: errors.New("not YAML")}
		var syntax *yaml.SyntaxError
		if errors.As(err, &syntax) {
			e.Err = fmt.Errorf("not YAML: %s", syntax.Message)
			if t := syntax.Token; t != nil && t.Position != nil {
				e.Position = Position{t.Position.Line, t.Position.Column}
			}
		}
		return e
	}
	var docs []ast.Node
	for _, d := range tree.Docs {
		if d.Body != nil {
			docs = append(docs, d.Body)
		}
	}
	switch {
	case len(docs) == 0:
		return &Error{File: f.Name, Err: errors.New("it is empty")}
	case len(docs) > 1:
		return f.wrong(docs[1], "a second document: one file is one experiment")
	}
	entries, err := f.entries(docs[0], "")
	if err != nil {
		return err
	}
	for _, e := range entries {
		i := slices.IndexFunc(keys, func(k key) bool { return k.name == e.key })
		if i < 0 {
			return &Error{f.Name, where(e.node), &UnknownKey{e.key, Keys()}}
		}
		if err := keys[i].read(f, e.key, e.value); err != nil {
			return err
		}
	}
	return f.check()
}

// An entry of a mapping.
type entry struct {
	key         string
	node, value ast.Node
}

// entries takes a mapping apart, and writes down where its values stand.
func (f *File) entries(n ast.Node, below string) ([]entry, error) {
	var values []*ast.MappingValueNode
	switch n := n.(type) {
	case *ast.MappingNode:
		values = n.Values
	case *ast.MappingValueNode:
		values = []*ast.MappingValueNode{n}
	default:
		return nil, f.wrong(n, "not a list of keys with values; write key: value, one a line")
	}
	var out []entry
	for _, v := range values {
		name, ok := scalar(v.Key)
		if !ok {
			return nil, f.wrong(v.Key, "a key is a plain word")
		}
		if f.Has(below + name) {
			return nil, f.wrong(v.Key, fmt.Sprintf("%s is given twice", name))
		}
		if v.Value == nil {
			return nil, f.wrong(v.Key, name+" has no value")
		}
		f.at[below+name] = where(v.Value)
		out = append(out, entry{name, v.Key, v.Value})
	}
	return out, nil
}

func (f *File) wrong(n ast.Node, what string) error {
	return &Error{f.Name, where(n), errors.New(what)}
}

func where(n ast.Node) Position {
	if n == nil {
		return Position{}
	}
	t := n.GetToken()
	if m, ok := n.(*ast.MappingValueNode); ok { // its own token is the colon
		t = m.Key.GetToken()
	}
	if t == nil || t.Position == nil {
		return Position{}
	}
	return Position{t.Position.Line, t.Position.Column}
}

// scalar is a plain value as it is written.
func scalar(n ast.Node) (string, bool) {
	switch n := n.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		if t := n.GetToken(); t != nil {
			return strings.TrimSpace(t.Value), true
		}
	}
	return "", false
}

func text(to func(*File) *string, check func(string) error) reader {
	return func(f *File, key string, n ast.Node) error {
		s, ok := scalar(n)
		if !ok || strings.TrimSpace(s) == "" {
			return f.wrong(n, key+" is one word, or a text in quotes")
		}
		if check != nil {
			if err := check(s); err != nil {
				return &Error{f.Name, where(n), fmt.Errorf("%s: %w", key, err)}
			}
		}
		*to(f) = s
		return nil
	}
}

func number(to func(*File) *int, least int) reader {
	return func(f *File, key string, n ast.Node) error {
		s, _ := scalar(n)
		v, err := strconv.Atoi(s)
		if err != nil || v < least || v > 1_000_000_000 {
			return f.wrong(n, fmt.Sprintf("%s is a number, at least %d", key, least))
		}
		*to(f) = v
		return nil
	}
}

func seed(f *File, key string, n ast.Node) (err error) {
	s, _ := scalar(n)
	if f.Seed, err = strconv.ParseUint(s, 10, 64); err != nil {
		return f.wrong(n, key+" is a number from 0 on, below 2^64")
	}
	return nil
}

func yesNo(to func(*File) *bool) reader {
	return func(f *File, key string, n ast.Node) error {
		b, ok := n.(*ast.BoolNode)
		if !ok {
			return f.wrong(n, key+" is true or false")
		}
		*to(f) = b.Value
		return nil
	}
}

// words reads [a, b], or the same one a line.
func words(to func(*File) *[]string) reader {
	return func(f *File, key string, n ast.Node) error {
		list, ok := n.(*ast.SequenceNode)
		if !ok {
			return f.wrong(n, fmt.Sprintf("%s is a list; write %s: [a, b]", key, key))
		}
		var out []string
		for i, v := range list.Values {
			s, ok := scalar(v)
			if !ok || !plain(s) {
				return f.wrong(v, key+": a name is one word")
			}
			if slices.Contains(out, s) {
				return f.wrong(v, fmt.Sprintf("%s: %s is given twice", key, s))
			}
			f.at[fmt.Sprintf("%s.%d", key, i)] = where(v)
			out = append(out, s)
		}
		if len(out) == 0 {
			return f.wrong(n, fmt.Sprintf("%s is empty; leave it out, or write %s: [a, b]", key, key))
		}
		*to(f) = out
		return nil
	}
}

func variant(f *File, key string, n ast.Node) error {
	entries, err := f.entries(n, key+".")
	if err != nil {
		return err
	}
	f.Variant = map[string]results.Values{}
	for _, e := range entries {
		list := []ast.Node{e.value}
		if seq, ok := e.value.(*ast.SequenceNode); ok {
			if list = seq.Values; len(list) == 0 {
				return f.wrong(e.value, fmt.Sprintf("variant: %s has no value", e.key))
			}
		}
		for i, n := range list {
			s, ok := scalar(n)
			if !ok || !plain(s) || !plain(e.key) {
				return f.wrong(n, fmt.Sprintf("variant: %s has one value or a list of them, each without commas and spaces", e.key))
			}
			if slices.Contains(f.Variant[e.key], s) {
				return f.wrong(n, fmt.Sprintf("variant: %s=%s is given twice", e.key, s))
			}
			f.at[fmt.Sprintf("%s.%s.%d", key, e.key, i)] = where(n)
			f.Variant[e.key] = append(f.Variant[e.key], s)
		}
	}
	return nil
}

// plain says whether a word could as well be typed behind a flag.
func plain(s string) bool { return s != "" && !strings.ContainsAny(s, ",\"= \t\r\n") }

func oneOf(known ...string) func(string) error {
	return func(s string) error {
		if !slices.Contains(known, s) {
			return fmt.Errorf("%q isn't one of %s", s, strings.Join(known, ", "))
		}
		return nil
	}
}

// share reads "2%" or "0.02".
func share(s string) error { _, err := ParseShare(s); return err }

// ParseShare reads a share above 0 and below 1: "2%", "0.02".
func ParseShare(s string) (float64, error) {
	num, percent := strings.CutSuffix(s, "%")
	v, err := strconv.ParseFloat(strings.TrimSpace(num), 64)
	if percent {
		v /= 100
	}
	if err != nil || !(v > 0 && v < 1) {
		return 0, fmt.Errorf("%q isn't a share above 0 and below 100%%; write 2%%", s)
	}
	return v, nil
}

func duration(s string) error {
	if d, err := time.ParseDuration(s); err != nil || d <= 0 {
		return fmt.Errorf("%q isn't a time such as 5m or 90s", s)
	}
	return nil
}

func cpuList(s string) error {
	if !cgroup.ValidCPUSet(s) {
		return fmt.Errorf("%q isn't a list of processors such as 0-1,3", s)
	}
	return nil
}

var sha256Digest = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)

// IsDigest reports whether a text is "sha256:" and 64 hex digits.
func IsDigest(s string) bool { return sha256Digest.MatchString(s) }

func digest(s string) error {
	if !IsDigest(s) {
		return fmt.Errorf("%q isn't sha256: and 64 hex digits; lab image prints it", s)
	}
	return nil
}
