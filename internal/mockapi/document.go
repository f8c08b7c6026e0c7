package mockapi

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// document reads a request's JSON where it lies. Requests are validated field by field,
// with every mistake reported under its path, and numbers are read from their own digits:
// neither goes well with decoding into a struct, which stops at the first mistake, or
// into any, which makes floats.
//
// A document is only made of bytes that were found to be valid, so the reading itself
// cannot fail.
type document []byte

// parseDocument accepts a JSON object.
func parseDocument(body []byte) (document, bool) {
	d := document(bytes.Trim(body, " \t\r\n"))
	if d.kind() != kindObject || !json.Valid(d) {
		return nil, false
	}
	return d, true
}

type jsonKind int

const (
	kindAbsent jsonKind = iota
	kindNull
	kindBool
	kindNumber
	kindString
	kindArray
	kindObject
)

func (d document) kind() jsonKind {
	if len(d) == 0 {
		return kindAbsent
	}
	switch d[0] {
	case 'n':
		return kindNull
	case 't', 'f':
		return kindBool
	case '"':
		return kindString
	case '[':
		return kindArray
	case '{':
		return kindObject
	default:
		return kindNumber
	}
}

// given reports whether the field is there and not null.
func (d document) given() bool { return d.kind() > kindNull }

// member is a name and its value in an object.
type member struct{ name, value document }

// object is the members of an object, read in one pass.
type object []member

// members appends the members of an object to room, which lets the caller keep them off
// the heap.
func (d document) members(room object) object {
	if d.kind() != kindObject {
		return nil
	}
	for i := skipSpace(d, 1); d[i] != '}'; {
		end := skipValue(d, i)
		m := member{name: d[i:end]}
		i = skipSpace(d, skipSpace(d, end)+1) // past the colon
		end = skipValue(d, i)
		m.value = d[i:end]
		room = append(room, m)
		i = skipSpace(d, end)
		if d[i] == ',' {
			i = skipSpace(d, i+1)
		}
	}
	return room
}

// field returns a member, the last one when the name is repeated, as JavaScript does.
func (o object) field(name string) document {
	for _, m := range slices.Backward(o) {
		if sameKey(m.name, name) {
			return m.value
		}
	}
	return nil
}

// text returns the value of a string, and "" for anything else.
func (d document) text() string {
	if d.kind() != kindString {
		return ""
	}
	inner := d[1 : len(d)-1]
	switch string(inner) { // words that nearly every request has, and that need no copy
	case "XOF":
		return "XOF"
	case "mobile_money":
		return "mobile_money"
	case mtnBenin:
		return mtnBenin
	case moovBenin:
		return moovBenin
	}
	if bytes.IndexByte(inner, '\\') < 0 {
		if utf8.Valid(inner) {
			return string(inner)
		}
		return strings.ToValidUTF8(string(inner), "\uFFFD")
	}
	var s string
	if json.Unmarshal(d, &s) != nil {
		return ""
	}
	return s
}

// compact returns the value without insignificant white space.
func (d document) compact() []byte {
	if d.isCompact() {
		return d
	}
	var b bytes.Buffer
	b.Grow(len(d))
	if json.Compact(&b, d) != nil {
		return d
	}
	return b.Bytes()
}

// isCompact reports whether there is no white space outside strings.
func (d document) isCompact() bool {
	for i := 0; i < len(d); {
		switch d[i] {
		case ' ', '\n', '\t', '\r':
			return false
		case '"':
			i = skipValue(d, i)
		default:
			i++
		}
	}
	return true
}

// number reads an amount of whole units exactly: 1000, 1e3 and 1000.0 are the same
// number.
func (d document) number() amount {
	if d.kind() != kindNumber {
		return amount{}
	}
	if len(d) <= 18 { // nearly every amount is a few digits
		units := int64(0)
		for _, c := range d {
			if c < '0' || c > '9' {
				return parseAmount(string(d))
			}
			units = units*10 + int64(c-'0')
		}
		return amount{whole: true, fits: true, units: units}
	}
	return parseAmount(string(d))
}

// amount is a JSON number seen as whole units of a currency.
type amount struct {
	negative bool
	whole    bool  // no fraction
	fits     bool  // in an int64
	units    int64 // when whole and fits
}

// positive reports whether the number is above zero, whatever its size.
func (a amount) positive() bool { return !a.negative && (!a.whole || !a.fits || a.units > 0) }

// parseAmount reads a valid JSON number.
func parseAmount(literal string) amount {
	var a amount
	literal, a.negative = strings.CutPrefix(literal, "-")
	mantissa, exponentText := literal, ""
	if i := strings.IndexAny(literal, "eE"); i >= 0 {
		mantissa, exponentText = literal[:i], literal[i+1:]
	}
	integer, fraction, _ := strings.Cut(mantissa, ".")
	digits := strings.TrimLeft(integer+fraction, "0")
	if digits == "" {
		return amount{whole: true, fits: true} // zero, and minus zero too
	}
	exponent := 0
	if exponentText != "" {
		e, err := strconv.Atoi(exponentText)
		if err != nil || e > 1_000_000 || e < -1_000_000 {
			// So far out that the digits do not matter: 1e99999999999 is too large,
			// 1e-99999999999 a fraction.
			a.whole = !strings.HasPrefix(exponentText, "-")
			return a
		}
		exponent = e
	}
	exponent -= len(fraction)
	trimmed := strings.TrimRight(digits, "0")
	exponent += len(digits) - len(trimmed)
	if exponent < 0 {
		return a
	}
	a.whole = true
	if len(trimmed)+exponent > 19 {
		return a
	}
	units, err := strconv.ParseInt(trimmed+strings.Repeat("0", exponent), 10, 64)
	if err != nil {
		return a
	}
	a.units, a.fits = units, true
	if a.negative {
		a.units = -units
	}
	return a
}

func sameKey(key document, name string) bool {
	if len(key)-2 <= len(name) { // an escape only makes it longer
		return string(key[1:len(key)-1]) == name
	}
	return bytes.IndexByte(key, '\\') >= 0 && key.text() == name
}

func skipSpace(d []byte, i int) int {
	for d[i] == ' ' || d[i] == '\n' || d[i] == '\t' || d[i] == '\r' {
		i++
	}
	return i
}

// skipValue returns the index after the value that starts at i.
func skipValue(d []byte, i int) int {
	switch d[i] {
	case '"':
		for i++; d[i] != '"'; i++ {
			if d[i] == '\\' {
				i++
			}
		}
		return i + 1
	case '{', '[':
		depth := 0
		for {
			switch d[i] {
			case '"':
				i = skipValue(d, i)
				continue
			case '{', '[':
				depth++
			case '}', ']':
				depth--
				if depth == 0 {
					return i + 1
				}
			}
			i++
		}
	default:
		for ; i < len(d); i++ {
			switch d[i] {
			case ',', '}', ']', ' ', '\n', '\t', '\r':
				return i
			}
		}
		return i
	}
}

// The functions below write JSON in the order of the documentation's payloads. Building
// the bytes by hand keeps that order and costs one allocation a response.

func appendString(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c == '"' || c == '\\' || c >= 0x80 {
			return appendEscaped(b, s)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}

func appendEscaped(b []byte, s string) []byte {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(s) //nolint:errchkjson // a string can always be written
	return append(b, bytes.TrimSuffix(buf.Bytes(), []byte("\n"))...)
}

// appendStringField appends `,"name":"value"`.
func appendStringField(b []byte, name, value string) []byte {
	return appendString(appendName(b, name), value)
}

// appendOptionalString does what appendStringField does, with null for an empty value.
func appendOptionalString(b []byte, name, value string) []byte {
	if value == "" {
		return append(appendName(b, name), "null"...)
	}
	return appendStringField(b, name, value)
}

func appendIntField(b []byte, name string, value int64) []byte {
	return strconv.AppendInt(appendName(b, name), value, 10)
}

func appendRawField(b []byte, name string, value []byte) []byte {
	return append(appendName(b, name), value...)
}

// appendName appends `"name":`, after a comma unless it is the first member.
func appendName(b []byte, name string) []byte {
	if last := b[len(b)-1]; last != '{' {
		b = append(b, ',')
	}
	b = append(b, '"')
	b = append(b, name...)
	return append(b, '"', ':')
}
