package results

import (
	"bytes"
	"strconv"
)

// A lineReader reads lines of trials.jsonl as the lab writes them, without reflection:
// a class's folders have millions. What isn't written so (an escape, a letter that
// isn't ASCII, a name that the lab has no field for, a number in another form) it leaves
// to [encoding/json], which decides what is right; the results are the same. Equal texts,
// and equal variants, are one in memory.
type lineReader struct {
	texts    map[string]string
	variants map[string]map[string]string
	text     []byte // what is left of the line
	bad      bool
}

func newLineReader() *lineReader {
	return &lineReader{texts: map[string]string{}, variants: map[string]map[string]string{}}
}

// read reads one line into l, which is empty. It returns false, and l is of no use, if
// it can't tell what the line is.
func (r *lineReader) read(line []byte, l *Line) bool {
	r.text, r.bad = bytes.TrimRight(line, "\r\n"), false
	r.want('{')
	var seen uint32
	for !r.bad {
		name := r.raw()
		r.want(':')
		bit := uint32(0)
		switch string(name) {
		case "id":
			bit, l.ID = 1<<0, r.string()
		case "scenario":
			bit, l.Scenario = 1<<1, r.string()
		case "env":
			bit, l.Env = 1<<2, r.string()
		case "variant":
			bit, l.Variant = 1<<3, r.variant()
		case "n":
			bit, l.N = 1<<4, r.int()
		case "session":
			bit, l.Session = 1<<5, r.int()
		case "block":
			bit, l.Block = 1<<6, r.int()
		case "pos":
			bit, l.Pos = 1<<7, r.int()
		case "trial":
			bit, l.Trial = 1<<8, r.int()
		case "warmup":
			bit, l.Warmup = 1<<9, r.bool()
		case "metric":
			bit, l.Metric = 1<<10, r.string()
		case "value":
			bit = 1 << 11
			if !r.null() {
				v := r.float()
				l.Value = &v
			}
		case "unit":
			bit, l.Unit = 1<<12, r.string()
		case "better":
			bit, l.Better = 1<<13, r.string()
		case "stat":
			bit, l.Stat = 1<<14, r.string()
		case "samples":
			bit, l.Samples = 1<<15, r.int()
		case "part_of":
			bit, l.PartOf = 1<<16, r.string()
		case "seq":
			bit, l.Seq = 1<<17, r.int()
		case "instance":
			bit, l.Instance = 1<<18, r.int()
		case "text":
			bit, l.Text = 1<<19, r.string()
		case "err":
			bit, l.Err = 1<<20, r.string()
		case "blame":
			bit, l.Blame = 1<<21, r.string()
		case "taint":
			bit, l.Taint = 1<<22, r.strings()
		case "repeated":
			bit, l.Repeated = 1<<23, r.bool()
		case "at":
			bit, l.At = 1<<24, r.float()
		case "last":
			bit, l.Last = 1<<25, r.bool()
		case "pair":
			bit, l.Pair = 1<<26, r.int()
		case "cpus":
			bit, l.CPUs = 1<<27, r.string()
		case "env_pad":
			bit, l.EnvPad = 1<<28, r.int()
		case "argv_pad":
			bit, l.ArgvPad = 1<<29, r.int()
		}
		if bit == 0 || seen&bit != 0 { // another name, or one that is there twice
			return false
		}
		seen |= bit
		if r.is('}') {
			return !r.bad && len(r.text) == 0
		}
		r.want(',')
	}
	return false
}

// is takes a byte, if it is next.
func (r *lineReader) is(c byte) bool {
	if len(r.text) == 0 || r.text[0] != c {
		return false
	}
	r.text = r.text[1:]
	return true
}

func (r *lineReader) want(c byte) {
	if !r.is(c) {
		r.bad = true
	}
}

// raw is a plain text's bytes: printable ASCII, nothing escaped.
func (r *lineReader) raw() []byte {
	r.want('"')
	for i, c := range r.text {
		switch {
		case c == '"':
			s := r.text[:i]
			r.text = r.text[i+1:]
			return s
		case c < ' ' || c > '~' || c == '\\':
			r.bad = true
			return nil
		}
	}
	r.bad = true
	return nil
}

// maxTexts is how many texts are kept to be found again: more come but of a folder that
// has a text of its own in each line.
const maxTexts = 4096

func (r *lineReader) string() string {
	b := r.raw()
	if len(b) == 0 {
		return ""
	}
	if s, ok := r.texts[string(b)]; ok {
		return s
	}
	s := string(b)
	if len(r.texts) < maxTexts {
		r.texts[s] = s
	}
	return s
}

func (r *lineReader) strings() []string {
	if r.null() {
		return nil
	}
	r.want('[')
	out := []string{}
	if r.is(']') {
		return out
	}
	for !r.bad {
		out = append(out, r.string())
		if r.is(']') {
			return out
		}
		r.want(',')
	}
	return nil
}

func (r *lineReader) variant() map[string]string {
	if r.null() {
		return nil
	}
	end := bytes.IndexByte(r.text, '}') + 1 // one within a text is the end of no object, and then it isn't read here
	if end == 0 {
		r.bad = true
		return nil
	}
	all := r.text[:end]
	if v, ok := r.variants[string(all)]; ok {
		r.text = r.text[end:]
		return v
	}
	key, before := string(all), len(r.text)
	r.want('{')
	out := map[string]string{}
	if !r.is('}') {
		for {
			name := r.string()
			r.want(':')
			out[name] = r.string()
			if r.is('}') {
				break
			}
			if r.want(','); r.bad {
				return nil
			}
		}
	}
	if before-len(r.text) != end || len(r.variants) >= maxTexts {
		return out
	}
	r.variants[key] = out
	return out
}

// number is the bytes of a number, as JSON has them.
func (r *lineReader) number() []byte {
	i := 0
	for i < len(r.text) && (digit(r.text[i]) || r.text[i] == '-' || r.text[i] == '+' || r.text[i] == '.' || r.text[i] == 'e' || r.text[i] == 'E') {
		i++
	}
	b := r.text[:i]
	r.text = r.text[i:]
	// What strconv takes and JSON doesn't: 01, +1, .5, 1.
	digits := bytes.TrimPrefix(b, []byte("-"))
	dot := bytes.IndexByte(digits, '.')
	if len(digits) == 0 || !digit(digits[0]) || digits[0] == '0' && len(digits) > 1 && digit(digits[1]) || dot >= 0 && (dot+1 == len(digits) || !digit(digits[dot+1])) {
		r.bad = true
	}
	return b
}

func digit(c byte) bool { return c >= '0' && c <= '9' }

func (r *lineReader) int() int {
	n, err := strconv.Atoi(string(r.number()))
	r.bad = r.bad || err != nil
	return n
}

func (r *lineReader) float() float64 {
	f, err := strconv.ParseFloat(string(r.number()), 64)
	r.bad = r.bad || err != nil
	return f
}

func (r *lineReader) bool() bool {
	if r.word("true") {
		return true
	}
	if !r.word("false") {
		r.bad = true
	}
	return false
}

func (r *lineReader) null() bool { return r.word("null") }

func (r *lineReader) word(w string) bool {
	if len(r.text) < len(w) || string(r.text[:len(w)]) != w {
		return false
	}
	r.text = r.text[len(w):]
	return true
}
