package request

import (
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// A Field is one wish of a [Request]. It is a flag's value (Set, String and Type
// are what package pflag wants); a file's value is decoded to Into.
type Field struct {
	Key, Flag, Short, Arg, Help string
	More, Place                 bool
	Words                       []string // the only ones; nil: any
	From, To                    int      // bounds of a number; To 0: there are none
	At                          any      // a pointer to the struct's field
}

// Fields lists all wishes of a request, in the struct's order.
func (r *Request) Fields() []Field {
	v := reflect.ValueOf(r).Elem()
	out := make([]Field, v.NumField())
	for i := range out {
		tag := v.Type().Field(i).Tag
		f := Field{Arg: tag.Get("arg"), Help: tag.Get("help"), More: tag.Get("more") != "", Place: tag.Get("place") != "",
			Words: Split(tag.Get("words")), At: v.Field(i).Addr().Interface()}
		f.Key, _, _ = strings.Cut(tag.Get("json"), ",")
		f.Flag, f.Short, _ = strings.Cut(tag.Get("flag"), ",")
		f.From, _ = strconv.Atoi(tag.Get("from"))
		f.To, _ = strconv.Atoi(tag.Get("to"))
		out[i] = f
	}
	return out
}

// Keys lists the keys of all wishes.
func Keys() (out []string) {
	for _, f := range new(Request).Fields() {
		out = append(out, f.Key)
	}
	return out
}

// An Error is what is wrong with a wish. At is its key and, of a list or of
// settings, which part of its value.
type Error struct {
	At  []any // string or int
	Err error
}

func (e *Error) Error() string { return fmt.Sprintf("%v: %v", e.At[0], e.Err) }
func (e *Error) Unwrap() error { return e.Err }

// An UnknownError is a word that there isn't. Whoever knows how to may say which
// one was meant.
type UnknownError struct {
	What, Word string
	Known      []string
}

func (e *UnknownError) Error() string {
	return fmt.Sprintf("unknown %s %q: there are %s", e.What, e.Word, strings.Join(e.Known, ", "))
}

// Into is where a value is decoded to: At, or what it points to, made anew.
func (f Field) Into() any {
	if v := reflect.ValueOf(f.At).Elem(); v.Kind() == reflect.Pointer {
		v.Set(reflect.New(v.Type().Elem()))
		return v.Interface()
	}
	return f.At
}

// Set reads a text as it is typed behind the flag. Lists and settings grow with
// each.
func (f Field) Set(s string) error {
	switch p := f.At.(type) {
	case encoding.TextUnmarshaler:
		return p.UnmarshalText([]byte(s))
	case *string:
		*p = s
	case *bool:
		var err error
		if *p, err = strconv.ParseBool(s); err != nil {
			return f.Wrong()
		}
	case *[]string:
		*p = Split(append(*p, s)...)
	case *Argv:
		*p = append(*p, s)
	case *Settings:
		pairs, err := Pairs(s)
		if err != nil {
			return err
		}
		for _, x := range pairs {
			if *p == nil {
				*p = Settings{}
			}
			if !slices.Contains((*p)[x.Name], x.Value) {
				(*p)[x.Name] = append((*p)[x.Name], x.Value)
			}
		}
	default:
		if json.Unmarshal([]byte(s), f.Into()) != nil { // numbers
			return f.Wrong()
		}
	}
	return f.Check()
}

// String is the value as a text, "" for none.
func (f Field) String() string {
	if v := reflect.ValueOf(f.At).Elem(); !v.IsZero() {
		return fmt.Sprint(reflect.Indirect(v))
	}
	return ""
}

// Typed is the wish as flags of lab run: one word, two, or none if nothing is asked
// for, or nothing that has a flag.
func (f Field) Typed() []string {
	value := f.String()
	if f.Flag == "" || value == "" {
		return nil
	}
	name := "--" + f.Flag
	switch p := f.At.(type) {
	case *bool:
		return []string{name}
	case *[]string:
		value = strings.Join(*p, ",")
	case *Settings:
		var all []string
		for _, k := range slices.Sorted(maps.Keys(*p)) {
			for _, v := range (*p)[k] {
				all = append(all, k+"="+v)
			}
		}
		value = strings.Join(all, ",")
	}
	return []string{name, value}
}

// Type is "bool" for what is given without a value.
func (f Field) Type() string {
	if _, ok := f.At.(*bool); ok {
		return "bool"
	}
	return "request"
}

// Check refuses a value that was read: out of its bounds, or with what couldn't be
// typed behind a flag. Its errors are [*Error].
func (f Field) Check() error {
	switch p := f.At.(type) {
	case *string:
		if f.Words != nil && !slices.Contains(f.Words, *p) {
			return &Error{[]any{f.Key}, &UnknownError{f.Key, *p, f.Words}}
		}
	case *[]string:
		for i, w := range *p {
			if f.Words != nil && !slices.Contains(f.Words, w) {
				return &Error{[]any{f.Key, i}, &UnknownError{f.Key, w, f.Words}}
			}
		}
		return plain(*p, f.Key)
	case *Argv:
		if len(*p) == 0 || (*p)[0] == "" {
			return &Error{[]any{f.Key}, errors.New("it names no program")}
		}
		for i, w := range *p {
			if strings.ContainsRune(w, 0) {
				return &Error{[]any{f.Key, i}, fmt.Errorf("%q has a zero byte, which no argument can have", w)}
			}
		}
	case *Settings:
		for k, vs := range *p {
			if err := errors.Join(plain([]string{k}, f.Key, k), values(vs, f.Key, k)); err != nil {
				return err
			}
		}
	default:
		if v := reflect.Indirect(reflect.ValueOf(p).Elem()); f.To > 0 && (v.Int() < int64(f.From) || v.Int() > int64(f.To)) {
			return f.Wrong()
		}
	}
	return nil
}

// Wrong is the error about a value that isn't of the field's kind.
func (f Field) Wrong() error {
	want := "one word, or a text in quotes"
	switch f.At.(type) {
	case *bool:
		want = "true or false"
	case **uint64:
		want = "a number from 0 on, below 2^64"
	case *int, **int:
		want = fmt.Sprintf("a number from %d to %d", f.From, f.To)
	case *[]string, *Argv:
		want = fmt.Sprintf("a list; write %s: [a, b]", f.Key)
	case *Settings:
		want = "a list of keys with values, one a line"
	}
	return &Error{[]any{f.Key}, errors.New("not " + want)}
}

// values refuses values of a setting that couldn't be typed behind its name, in quotes if
// need be, and what is there twice or not at all; at is where they are.
func values(words []string, at ...any) error {
	if len(words) == 0 {
		return plain(words, at...)
	}
	for i, w := range words {
		switch {
		case w == "" || w != strings.TrimSpace(w) || strings.ContainsAny(w, "\"\t\r\n"):
			return &Error{append(at, i), fmt.Errorf("%q isn't a value: without quotes in it, tabs, and blanks at its ends", w)}
		case slices.Contains(words[:i], w):
			return &Error{append(at, i), fmt.Errorf("%s is given twice", w)}
		}
	}
	return nil
}

// plain refuses words that couldn't as well be typed behind a flag, and what is
// there twice or not at all; at is where they are.
func plain(words []string, at ...any) error {
	if len(words) == 0 {
		return &Error{at, errors.New("it is empty; fix: leave it out")}
	}
	for i, w := range words {
		switch {
		case w == "" || strings.ContainsAny(w, ",\"= \t\r\n"):
			return &Error{append(at, i), fmt.Errorf("%q isn't one word without commas and spaces", w)}
		case slices.Contains(words[:i], w):
			return &Error{append(at, i), fmt.Errorf("%s is given twice", w)}
		}
	}
	return nil
}
