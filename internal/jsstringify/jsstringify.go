// Package jsstringify rewrites a JSON document as JavaScript's
// JSON.stringify(JSON.parse(document)) does. A sample in Node without access to the raw
// bytes signs this text.
package jsstringify

import (
	"bytes"
	"cmp"
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// Larger or deeper documents are not rewritten: no notification is that large, and anyone
// can send one.
const (
	MaxSize  = 1 << 20
	MaxDepth = 64
)

// Rewrite returns JSON.stringify(JSON.parse(document)). It returns false for anything
// that is not JSON in UTF-8, or is beyond the bounds.
//
// The output has no spaces; strings with the necessary escapes and no others; numbers as
// JavaScript prints doubles; of two keys with one name, the last value in the place of
// the first; keys that are array indices first, in numeric order.
func Rewrite(document []byte) ([]byte, bool) {
	if len(document) > MaxSize || !utf8.Valid(document) || !json.Valid(document) {
		return nil, false
	}
	w := writer{in: document, out: make([]byte, 0, len(document))}
	if !w.value(0) {
		return nil, false
	}
	return w.out, true
}

// writer reads valid JSON once, and writes it anew.
type writer struct {
	in  []byte
	at  int
	out []byte
}

// next returns the next byte that is not a space.
func (w *writer) next() byte {
	for {
		switch c := w.in[w.at]; c {
		case ' ', '\t', '\n', '\r':
			w.at++
		default:
			return c
		}
	}
}

// value writes one value nested in depth others. It reports whether it is within the
// bounds.
func (w *writer) value(depth int) bool {
	switch c := w.next(); {
	case depth >= MaxDepth && (c == '{' || c == '['):
		return false
	case c == '{':
		return w.object(depth + 1)
	case c == '[':
		return w.array(depth + 1)
	case c == '"':
		w.text()
	case c == '-' || c >= '0' && c <= '9':
		w.number()
	default: // true, false or null
		start := w.at
		for w.at < len(w.in) && w.in[w.at] >= 'a' && w.in[w.at] <= 'z' {
			w.at++
		}
		w.out = append(w.out, w.in[start:w.at]...)
	}
	return true
}

func (w *writer) array(depth int) bool {
	w.at++
	w.out = append(w.out, '[')
	for w.next() != ']' {
		if w.in[w.at] == ',' {
			w.at++
			w.out = append(w.out, ',')
		}
		if !w.value(depth) {
			return false
		}
	}
	w.at++
	w.out = append(w.out, ']')
	return true
}

// member is a member of an object in the output: where it begins, its key, and where it
// ends.
type member struct{ start, key, end int }

func (w *writer) object(depth int) bool {
	w.at++
	w.out = append(w.out, '{')
	first := len(w.out)
	var members []member
	for w.next() != '}' {
		if w.in[w.at] == ',' {
			w.at++
			w.next()
			w.out = append(w.out, ',')
		}
		m := member{start: len(w.out)}
		w.text()
		m.key = len(w.out)
		w.next()
		w.at++ // the colon
		w.out = append(w.out, ':')
		if !w.value(depth) {
			return false
		}
		m.end = len(w.out)
		members = append(members, m)
	}
	w.at++
	w.arrange(first, members)
	w.out = append(w.out, '}')
	return true
}

// arrange puts the members of an object, which begin at first, into JavaScript's order.
func (w *writer) arrange(first int, members []member) {
	type index struct {
		value  uint64
		member int
	}
	var indices []index
	var others []int
	seen := make(map[string]int, len(members)) // the place of a key among the members that stay
	twice := false
	for i, m := range members {
		key := string(w.out[m.start:m.key])
		if place, known := seen[key]; known {
			members[place], twice = m, true // the place of the first, the value of the last
			continue
		}
		seen[key] = i
		if value, ok := arrayIndex(key[1 : len(key)-1]); ok {
			indices = append(indices, index{value, i})
		} else {
			others = append(others, i)
		}
	}
	if !twice && indices == nil {
		return
	}
	slices.SortFunc(indices, func(a, b index) int { return cmp.Compare(a.value, b.value) })
	order := make([]int, 0, len(indices)+len(others))
	for _, i := range indices {
		order = append(order, i.member)
	}
	written := bytes.Clone(w.out[first:])
	w.out = w.out[:first]
	for n, i := range append(order, others...) {
		if n > 0 {
			w.out = append(w.out, ',')
		}
		w.out = append(w.out, written[members[i].start-first:members[i].end-first]...)
	}
}

// arrayIndex parses a key that JavaScript treats as an array index: a number below 2³²-1
// in its usual form.
func arrayIndex(key string) (uint64, bool) {
	if key == "" || len(key) > 10 || key[0] == '0' && key != "0" || key[0] == '+' {
		return 0, false
	}
	value, err := strconv.ParseUint(key, 10, 64)
	return value, err == nil && value < math.MaxUint32
}

// text writes a string with the escapes that JSON.stringify writes.
func (w *writer) text() {
	w.out = append(w.out, '"')
	for w.at++; w.in[w.at] != '"'; w.at++ {
		if w.in[w.at] != '\\' {
			w.out = append(w.out, w.in[w.at])
			continue
		}
		w.at++
		switch c := w.in[w.at]; c {
		case '/':
			w.out = append(w.out, '/')
		case 'u':
			w.unit(w.hex())
		default:
			w.out = append(w.out, '\\', c)
		}
	}
	w.at++
	w.out = append(w.out, '"')
}

// hex reads the four digits after \u, and stops at the last one.
func (w *writer) hex() rune {
	unit, _ := strconv.ParseUint(string(w.in[w.at+1:w.at+5]), 16, 16) // they were checked
	w.at += 4
	return rune(unit)
}

// unit writes an escaped code unit, together with its second half if it is the first of a
// surrogate pair.
func (w *writer) unit(unit rune) {
	switch {
	case unit == '"' || unit == '\\':
		w.out = append(w.out, '\\', byte(unit))
	case unit < ' ':
		const letters = "\b\t\n\f\r"
		if i := strings.IndexByte(letters, byte(unit)); i >= 0 { //nolint:gosec // one byte
			w.out = append(w.out, '\\', "btnfr"[i])
			return
		}
		w.escape(unit)
	case utf16.IsSurrogate(unit):
		if bytes.HasPrefix(w.in[w.at+1:], []byte(`\u`)) {
			before := w.at
			w.at += 2
			if pair := utf16.DecodeRune(unit, w.hex()); pair != utf8.RuneError {
				w.out = utf8.AppendRune(w.out, pair)
				return
			}
			w.at = before
		}
		w.escape(unit)
	default:
		w.out = utf8.AppendRune(w.out, unit)
	}
}

func (w *writer) escape(unit rune) {
	const digits = "0123456789abcdef"
	w.out = append(w.out, '\\', 'u', digits[unit>>12&15], digits[unit>>8&15], digits[unit>>4&15], digits[unit&15])
}

// number writes a number as JavaScript prints its double.
//
//nolint:forbidigo // no amount is read from it: the text is what a signature covers, and JavaScript has floats alone
func (w *writer) number() {
	start := w.at
	for w.at < len(w.in) && bytes.IndexByte([]byte("+-.0123456789eE"), w.in[w.at]) >= 0 {
		w.at++
	}
	f, _ := strconv.ParseFloat(string(w.in[start:w.at]), 64) // beyond the largest, it is infinite
	switch size := math.Abs(f); {
	case math.IsInf(f, 0):
		w.out = append(w.out, "null"...)
	case f == 0: // -0 too
		w.out = append(w.out, '0')
	case size >= 1e-6 && size < 1e21:
		w.out = strconv.AppendFloat(w.out, f, 'f', -1, 64)
	default:
		w.out = strconv.AppendFloat(w.out, f, 'e', -1, 64)
		if n := len(w.out); w.out[n-4] == 'e' && w.out[n-2] == '0' { // 1e-07 is 1e-7
			w.out = append(w.out[:n-2], w.out[n-1])
		}
	}
}
