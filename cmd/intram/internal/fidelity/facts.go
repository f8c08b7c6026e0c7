package fidelity

import (
	"bytes"
	"encoding/json"
	"math/big"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Observation is what was seen of a line, as facts: a name and a value each. No value is
// an id, a text of the server's or an amount of the merchant's: statuses, codes, the
// names of fields, kinds, and relations between responses.
type Observation map[string]string

const hidden = "…"

// outcome is a response in short: "202", "400 validation_error" or "404 page".
func (r *response) outcome() string {
	status := strconv.Itoa(r.status)
	if r.page {
		return status + " page"
	}
	if code := r.code(); code != "" {
		return status + " " + code
	}
	return status
}

// code is the error code of a response.
func (r *response) code() string { return word(dig(r.body, "code")) }

// plain is the form of codes, statuses, types and names of fields. It has no digits:
// keys, numbers and ids have some.
var plain = regexp.MustCompile(`^[A-Za-z_]{1,40}$`)

// shown is a server's word as it may be written down. What has another form is hidden,
// since it may be anything.
func shown(s string) string {
	for _, prefix := range []string{"sk_", "pk_", "whsec_"} {
		if strings.HasPrefix(s, prefix) {
			return hidden
		}
	}
	if !plain.MatchString(s) {
		return hidden
	}
	return s
}

// word is a JSON string that is a code, a status or a type.
func word(raw []byte) string {
	if s := text(raw); s != "" {
		return shown(s)
	}
	return ""
}

// text is a JSON string, for comparing. It is never shown.
func text(raw []byte) string {
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return ""
	}
	return s
}

// has tells whether a header is there.
func (r *response) has(header string) string {
	if r.header.Get(header) == "" {
		return "absent"
	}
	return "present"
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func isObject(body []byte) bool {
	body = bytes.TrimSpace(body)
	return len(body) > 0 && body[0] == '{' && json.Valid(body)
}

// member is a field of an object.
type member struct {
	name  string
	value json.RawMessage
}

// members are the fields of an object, in their order.
func members(raw []byte) []member {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	if start, err := decoder.Token(); err != nil || start != json.Delim('{') {
		return nil
	}
	var all []member
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			return nil
		}
		m := member{}
		m.name, _ = name.(string) // the decoder yields nothing else where a name is
		if decoder.Decode(&m.value) != nil {
			return nil
		}
		all = append(all, m)
	}
	return all
}

// dig is the value below the names, nil when there is none.
func dig(raw []byte, names ...string) json.RawMessage {
	for _, name := range names {
		found := json.RawMessage(nil)
		for _, m := range members(raw) {
			if m.name == name {
				found = m.value
			}
		}
		raw = found
	}
	return raw
}

// items are the elements of an array.
func items(raw []byte) []json.RawMessage {
	var all []json.RawMessage
	if json.Unmarshal(raw, &all) != nil {
		return nil
	}
	return all
}

// kind is the JSON kind of a value. A string that is a time is told apart, and so is a
// number that is not whole.
func kind(raw []byte) string {
	switch {
	case len(raw) == 0:
		return "absent"
	case raw[0] == 'n':
		return "null"
	case raw[0] == 't', raw[0] == 'f':
		return "boolean"
	case raw[0] == '{':
		return "object"
	case raw[0] == '[':
		return "array"
	case raw[0] == '"':
		if _, err := time.Parse(time.RFC3339Nano, text(raw)); err == nil {
			return "time"
		}
		return "string"
	case bytes.ContainsAny(raw, ".eE"):
		return "decimal"
	default:
		return "number"
	}
}

// number is the value of a JSON number, nil when there is none. It is compared, and never
// shown.
func number(raw []byte) *big.Rat {
	if k := kind(raw); k != "number" && k != "decimal" || len(raw) > 40 || bytes.ContainsAny(raw, "eE") {
		return nil // 1e999999999 would fill the memory
	}
	value, _ := new(big.Rat).SetString(string(raw))
	return value
}

// shape is the names and kinds of an object's fields, in their order.
func shape(raw []byte) string {
	if kind(raw) != "object" {
		return kind(raw)
	}
	var fields []string
	for _, m := range members(raw) {
		fields = append(fields, shown(m.name)+" "+kind(m.value))
	}
	return strings.Join(fields, ", ")
}

// paths are the fields that a refusal names, sorted.
func (r *response) paths() string {
	var all []string
	for _, d := range items(dig(r.body, "details")) {
		all = append(all, shownPath(text(dig(d, "path"))))
	}
	slices.Sort(all)
	return strings.Join(slices.Compact(all), ", ")
}

// shownPath is a field's path, such as destination.msisdn.
func shownPath(path string) string {
	if strings.Count(path, ".") > 3 {
		return hidden
	}
	parts := strings.Split(path, ".")
	for i := range parts {
		parts[i] = shown(parts[i])
	}
	return strings.Join(parts, ".")
}

// refused is the outcome of a refusal with the fields that it names.
func (r *response) refused() string {
	if paths := r.paths(); paths != "" {
		return r.outcome() + ": " + paths
	}
	return r.outcome()
}

// names are the names of an object's fields, whose kinds depend on how much the merchant
// has.
func names(raw []byte) string {
	var all []string
	for _, m := range members(raw) {
		all = append(all, shown(m.name))
	}
	return strings.Join(all, ", ")
}
