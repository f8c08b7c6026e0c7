package intram

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/intram/intram-go/internal/strictjson"
	"github.com/intram/intram-go/internal/wire"
)

// validation collects what is wrong with the parameters of a call before anything is
// sent: all of it at once, each under the name that the docs give the field.
type validation struct{ fields []InvalidField }

func (v *validation) fail(path, format string, args ...any) {
	v.fields = append(v.fields, InvalidField{Path: path, Msg: fmt.Sprintf(format, args...)})
}

// check records the message unless ok. A message with arguments is written as an if with
// fail: what a call with nothing wrong does not need is not made.
func (v *validation) check(ok bool, path, message string) {
	if !ok {
		v.fields = append(v.fields, InvalidField{Path: path, Msg: message})
	}
}

func (v *validation) required(path, value, what string) bool {
	if value == "" {
		v.fail(path, "%s is required: %s", path, what)
		return false
	}
	return true
}

// text checks free text: one that JSON can hold, and not longer than the API takes. The
// API counts as JavaScript does. Any character goes: the docs exclude none, and a note
// that comes from a form on the web has CR LF.
func (v *validation) text(path, value string, longest int) {
	switch {
	case !utf8.ValidString(value):
		v.fail(path, "%s is not valid UTF-8", path)
	case longest > 0 && len(value) > longest && codeUnits(value) > longest:
		v.fail(path, "%s is longer than %d characters", path, longest)
	}
}

// codeUnits is the length of a text as JavaScript counts it. No text has more of them
// than bytes.
func codeUnits(text string) int {
	n := 0
	for _, r := range text {
		n += utf16.RuneLen(r)
	}
	return n
}

// amount checks an amount to be moved. XOF, the default, has no decimals.
func (v *validation) amount(path string, amount Amount, currency Currency) {
	switch {
	case amount.state == amountInvalid:
		v.fail(path, "%s is no amount: an error of ParseAmount, Scan or Unmarshal was ignored", path)
	case amount.Sign() <= 0:
		v.fail(path, "%s must be greater than 0", path)
	case amount.Cmp(maxRequestAmount) > 0:
		v.fail(path, "%s must be at most %s, the largest number that JSON carries exactly everywhere", path, maxRequestAmount)
	case (currency == "" || currency == XOF) && !amount.isWhole():
		v.fail(path, "%s must be whole: XOF has no decimals", path)
	}
}

// currency checks an optional ISO 4217 code.
func (v *validation) currency(path string, currency Currency) {
	if currency != "" && (len(currency) != 3 || !allOf(string(currency), isCapital)) {
		v.fail(path, "%s must be an ISO 4217 code in capitals, such as XOF", path)
	}
}

// country checks an optional ISO 3166 alpha-2 code.
func (v *validation) country(path, country string) {
	if country != "" && (len(country) != 2 || !allOf(country, isCapital)) {
		v.fail(path, "%s must be two capital letters, such as BJ", path)
	}
}

// msisdn checks an optional phone number in international form and returns it as both
// APIs have it but for the +. operator is whose wallet it is, if that is known.
func (v *validation) msisdn(path, msisdn string, operator ProviderCode) string {
	digits := strings.TrimPrefix(msisdn, "+")
	code := operator.callingCode()
	switch {
	case msisdn == "":
	case len(digits) < 8 || len(digits) > 15 || !allOf(digits, isDigit) || digits[0] == '0':
		v.fail(path, "%s must be an international number: 8 to 15 digits with the country's code, such as 2290161234567", path)
	case !strings.HasPrefix(digits, code) && !isPublishedTestNumber(digits, operator):
		v.fail(path, "%s does not begin with %s, the calling code of its operator", path, code)
	}
	return digits
}

// isPublishedTestNumber reports whether a number is one of the sandbox's that the docs
// print, without their country's code.
func isPublishedTestNumber(digits string, operator ProviderCode) bool {
	return digits == "61000000" && operator == MTNBenin || digits == "94000000" && operator == MoovBenin
}

// httpsURL checks an absolute https URL. Loopback may be plain http, for the fake and for
// development.
func (v *validation) httpsURL(path, raw string) {
	u, err := url.Parse(raw)
	ok := err == nil && utf8.ValidString(raw) && u.Hostname() != "" && u.User == nil && (u.Scheme == "https" || u.Scheme == "http" && isLoopback(u.Hostname()))
	if !ok {
		v.fail(path, "%s must be an https:// URL", path)
	}
}

// absoluteURL checks a URL with a scheme, of the web or an app's.
func (v *validation) absoluteURL(path, raw string) {
	u, err := url.Parse(raw)
	if err != nil || !utf8.ValidString(raw) || slices.Contains([]string{"", "javascript", "data", "vbscript"}, u.Scheme) || u.Host == "" && u.Path == "" && u.Opaque == "" {
		v.fail(path, "%s must be an absolute URL, such as https://shop.example/paid or myapp://paid", path)
	}
}

// own checks an object of the caller's own, and returns it in the one form in which it is
// sent: what was read back from JSON makes the same bytes as what it was written from, a
// struct or a raw message included. changed says that version 0.1.0 may have sent other
// bytes.
func (v *validation) own(path string, object map[string]any) (_ map[string]any, changed bool) {
	if len(object) == 0 {
		return nil, object != nil
	}
	if wire.IsPlain(object, maxObjectDepth) {
		return object, false
	}
	var sent map[string]any // on the heap, which what is plain does not need
	written, err := json.Marshal(object)
	switch {
	case err != nil:
		v.fail(path, "%s cannot be written as JSON", path)
	case wire.AltersText(object, written):
		v.fail(path, "%s has text that is not valid UTF-8", path)
	case strictjson.Depth(written) > maxObjectDepth:
		v.fail(path, "%s has more than %d levels", path, maxObjectDepth)
	case decodeParams(written, &sent) != nil:
		v.fail(path, "%s cannot be read back from its JSON", path)
	}
	return sent, true
}

// lossless writes parameters as JSON, to be stored. Its error names a field, below the
// path within, that would be read back as something else.
func lossless(within string, params any) ([]byte, error) {
	data, err := json.Marshal(params)
	if err == nil && wire.AltersText(params, data) {
		return nil, fmt.Errorf("intram: %s%s is not valid UTF-8: JSON cannot hold it", within, wire.AlteredField(params, data))
	}
	return data, err
}

// pageLimit checks a page's size; 0 leaves it to the API.
func (v *validation) pageLimit(limit int) {
	if limit < 0 || limit > maxPageLimit {
		v.fail("limit", "limit must be between 1 and %d, or 0 for the default of 20", maxPageLimit)
	}
}

// filter checks a word of a query.
func (v *validation) filter(path, value string) {
	if len(value) > 64 || !needsNoEncoding(value) {
		v.fail(path, "%s must be one word of letters, digits, - and _", path)
	}
}

// before checks a cursor.
func (v *validation) before(t time.Time) {
	year := t.UTC().Year()
	v.check(t.IsZero() || year >= 1 && year <= 9998, "before", "before must be a date between the years 1 and 9998")
}

// pathID checks an id that becomes a segment of the path. It may not be empty or a step
// up the path; every other character is escaped, so what remains is what no id has.
func (v *validation) pathID(name, id string) {
	switch {
	case id == "":
		v.fail(name, "%s is required", name)
	case id == "." || id == "..":
		v.fail(name, "%s must be an id, not a path", name)
	case len(id) > 128:
		v.fail(name, "%s is longer than 128 characters", name)
	case !allOf(id, func(c byte) bool { return c > ' ' && c < 0x7f && c != '/' && c != '\\' && c != '%' }):
		v.fail(name, "%s has characters that no id has", name)
	}
}

// payinReference checks a merchant's own name of a payin session, which becomes a segment
// of the path. The docs exclude no character, and all are escaped; but a step up the path
// is one again behind a proxy that undoes the escapes.
func (v *validation) payinReference(name, reference string) {
	isStep := func(part string) bool { return part == "." || part == ".." }
	switch {
	case reference == "":
		v.fail(name, "%s is required", name)
	case slices.ContainsFunc(strings.FieldsFunc(reference, func(r rune) bool { return r == '/' || r == '\\' }), isStep):
		v.fail(name, "%s must be a name, not a path", name)
	default:
		v.text(name, reference, 0)
	}
}

// usablePayinReference reports whether a session can be looked up by the name that a
// response gave it.
func usablePayinReference(reference string) bool {
	var v validation
	v.payinReference("reference", reference)
	return len(v.fields) == 0
}

func allOf(s string, ok func(byte) bool) bool {
	for i := range len(s) {
		if !ok(s[i]) {
			return false
		}
	}
	return true
}

func isDigit(c byte) bool   { return c >= '0' && c <= '9' }
func isCapital(c byte) bool { return c >= 'A' && c <= 'Z' }
