package request

import (
	"encoding"
	"fmt"
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

func (e *Error) Error() string { return e.Err.Error() }
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
	switch p := f.At.(type) {
	case **int:
		*p = new(int)
		return *p
	case **uint64:
		*p = new(uint64)
		return *p
	}
	return f.At
}

// Set reads a text as it is typed behind the flag. Lists and settings grow with
// each.
func (f Field) Set(s string) (err error) {
	switch p := f.Into().(type) {
	case encoding.TextUnmarshaler:
		err = p.UnmarshalText([]byte(s))
	case *string:
		*p = s
	case *bool:
		*p, err = strconv.ParseBool(s)
	case *int:
		*p, err = strconv.Atoi(s)
	case *uint64:
		*p, err = strconv.ParseUint(s, 10, 64)
	case *[]string:
		if *p = Split(append(*p, s)...); *p == nil {
			err = fmt.Errorf("it is empty")
		}
	case *Settings:
		if *p == nil {
			*p = Settings{}
		}
		for _, w := range Split(s) {
			k, v, ok := strings.Cut(w, "=")
			if !ok || k == "" {
				return fmt.Errorf("not of the form name=value")
			}
			if !slices.Contains((*p)[k], v) {
				(*p)[k] = append((*p)[k], v)
			}
		}
	}
	if err != nil && f.wanted() != "" {
		return fmt.Errorf("not %s", f.wanted())
	}
	if err == nil {
		err = f.Check()
	}
	return err
}

// String is the value as a text, "" for none.
func (f Field) String() string {
	v := reflect.ValueOf(f.At).Elem()
	if v.IsZero() {
		return ""
	}
	switch p := f.At.(type) {
	case encoding.TextMarshaler:
		b, _ := p.MarshalText() // ours don't fail
		return string(b)
	case *[]string:
		return strings.Join(*p, ",")
	}
	return fmt.Sprint(reflect.Indirect(v))
}

// Type is "bool" for what is given without a value.
func (f Field) Type() string {
	if _, ok := f.At.(*bool); ok {
		return "bool"
	}
	return "request"
}

// Whole says whether a value is a whole number.
func (f Field) Whole() bool {
	switch f.At.(type) {
	case *int, **int, **uint64:
		return true
	}
	return false
}

// Check refuses a value that was read: out of its bounds, or with what couldn't be
// typed behind a flag. Its errors are [*Error] or [*UnknownError].
func (f Field) Check() error {
	n, isNumber := 0, false
	switch p := f.At.(type) {
	case *int:
		n, isNumber = *p, true
	case **int:
		n, isNumber = **p, true
	case *string:
		if f.Words != nil && !slices.Contains(f.Words, *p) {
			return &Error{[]any{f.Key}, &UnknownError{f.Key, *p, f.Words}}
		}
	case *[]string:
		return plain(*p, "a name is one word", f.Key)
	case *Settings:
		for k, vs := range *p {
			if err := plain(vs, k+" has one value or a list of them, each without commas and spaces", f.Key, k); err != nil {
				return err
			}
			if plain([]string{k}, "") != nil {
				return &Error{[]any{f.Key, k}, fmt.Errorf("%s: the name of a setting is one word", f.Key)}
			}
		}
	}
	if isNumber && (n < f.From || n > f.To) {
		return &Error{[]any{f.Key}, fmt.Errorf("not %s", f.wanted())}
	}
	return nil
}

// Wanted says what a value is to be: "trials is a number, at least 1".
func (f Field) Wanted() string {
	switch f.At.(type) {
	case *[]string:
		return fmt.Sprintf("%s is a list; write %s: [a, b]", f.Key, f.Key)
	case *Settings:
		return f.Key + " is a list of keys with values, one a line"
	}
	if w := f.wanted(); w != "" {
		return f.Key + " is " + w
	}
	return f.Key + " is one word, or a text in quotes"
}

func (f Field) wanted() string {
	switch f.At.(type) {
	case *bool:
		return "true or false"
	case **uint64:
		return "a number from 0 on, below 2^64"
	case *int, **int:
		switch {
		case f.To == f.From:
			return fmt.Sprintf("%d, which is what this lab reads", f.From)
		case f.To >= 1_000_000:
			return fmt.Sprintf("a number, at least %d", f.From)
		}
		return fmt.Sprintf("a number from %d to %d", f.From, f.To)
	}
	return ""
}

// plain refuses words that couldn't as well be typed behind a flag, and what is
// there twice or not at all; at is where they are.
func plain(words []string, want string, at ...any) error {
	if len(words) == 0 {
		return &Error{at, fmt.Errorf("it is empty; leave it out, or write %v: [a, b]", at[len(at)-1])}
	}
	for i, w := range words {
		switch {
		case w == "" || strings.ContainsAny(w, ",\"= \t\r\n"):
			return &Error{append(at, i), fmt.Errorf("%s", want)}
		case slices.Contains(words[:i], w):
			return &Error{append(at, i), fmt.Errorf("%s is given twice", w)}
		}
	}
	return nil
}
