package signature

import (
	"bytes"
	"crypto/fips140"
	"crypto/hmac"
	"crypto/md5"  //nolint:gosec // one of the mistakes
	"crypto/sha1" //nolint:gosec // one of the mistakes
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash"
	"iter"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Key is a key that may have signed. Its value is shown nowhere.
type Key struct {
	// Label says whose it is, in words: "the live secret key".
	Label string
	Value string
}

// Format implements [fmt.Formatter]: the label, never the key.
func (k Key) Format(f fmt.State, _ rune) { fmt.Fprint(f, k.Label) }

// Finding is one mistake, and what to do about it.
type Finding struct {
	// ID is the mistake's name for scripts and tests.
	ID string `json:"id"`
	// What is the mistake in a sentence, Fix what to do.
	What string `json:"what"`
	Fix  string `json:"fix"`
}

// Verdict is what was found out about a signature.
type Verdict struct {
	// Good says that the signature and its time are as the documentation asks.
	Good bool `json:"good"`
	// Explained says that the findings are the whole reason: with them fixed, the
	// signature is good.
	Explained bool      `json:"explained"`
	Findings  []Finding `json:"findings"`
	// Canonical is what should have been signed, up to and with its fourth line feed. The
	// body comes after it.
	Canonical string `json:"canonical_head,omitempty"`
	BodyBytes int    `json:"body_bytes"`
	// Signature is what the header should have been, for the key that was meant.
	Signature string `json:"expected_signature,omitempty"`
	// Lines are those of a program that are right where the mistakes are, by the
	// language's ID.
	Lines map[string][]string `json:"right_lines,omitempty"`
	// Signed are the five fields as they were signed (timestamp, method, path, query,
	// body) when the findings explain the signature. What was wrong may be how they were
	// joined, or the key.
	Signed []string `json:"-"`
}

// add notes a finding.
func (v *Verdict) add(id, fix, format string, args ...any) {
	v.Findings = append(v.Findings, Finding{ID: id, What: fmt.Sprintf(format, args...), Fix: fix})
}

// Explain finds out why the API refuses a request's signature. The first key is the one
// that should have signed; the others are tried as mistakes. The timestamp is judged by
// the time at which the request arrived.
func Explain(r *Request, keys []Key, at time.Time) (*Verdict, error) {
	endpoint, path, query, err := Split(r.Target)
	if err != nil {
		return nil, err
	}
	v := &Verdict{BodyBytes: len(r.Body)}
	publicKey, n := only(r.Header, "X-Api-Key")
	switch {
	case n == 0:
		v.add("missing-api-key", "Send the public key in X-Api-Key.", "the header X-Api-Key is missing")
	case n > 1:
		v.add("duplicate-header", "Send it once.", "the header X-Api-Key came %d times", n)
	case strings.HasPrefix(publicKey, "sk_"):
		v.add("secret-key-sent", "Send the public key (pk_…), and replace the secret key in your account now: it has left your machine.",
			"the secret key was sent in X-Api-Key")
	}
	timestamp, n := only(r.Header, "X-Timestamp")
	if n == 0 || timestamp == "" {
		v.add("missing-timestamp", "Send the time that was signed in X-Timestamp.", "the header X-Timestamp is missing")
	}
	if n > 1 {
		v.add("duplicate-header", "Send it once.", "the header X-Timestamp came %d times", n)
	}
	signature, n := only(r.Header, "X-Signature")
	if n > 1 {
		v.add("duplicate-header", "Send it once.", "the header X-Signature came %d times", n)
	}
	method := strings.ToUpper(r.Method)
	v.Canonical = strings.Join([]string{timestamp, method, SignedPrefix + endpoint, sortQuery(query), ""}, "\n")
	v.Signature = "sha256=" + hex.EncodeToString(hmacSHA256([]byte(keys[0].Value), append([]byte(v.Canonical), r.Body...)))
	v.checkEnvironment(publicKey, keys[0])
	if timestamp != "" {
		v.checkTimestamp(timestamp, at)
	}
	if signature == "" {
		v.add("missing-signature", "Send X-Signature: sha256= and the HMAC in lower-case hex.", "the header X-Signature is missing")
		v.Explained = true
		return v, nil
	}
	sums, form := decodeSignature(signature)
	if len(sums) == 0 {
		v.add("malformed-signature", "Send sha256= and 64 hexadecimal digits.", "X-Signature is neither hex nor base64")
		return v, nil
	}
	p := merchantPuzzle(r, endpoint, path, query, timestamp, publicKey, keys)
	solution, ok := p.solve(sums, timesNear(timestamp))
	if ok {
		v.Signed = p.fields(solution)
	}
	if form != nil {
		v.Findings = append(v.Findings, *form)
	}
	v.Findings = append(v.Findings, p.findings(solution)...)
	// Without the time that was signed, nothing can be compared; that it is missing is
	// the reason.
	v.Explained = ok || timestamp == ""
	v.Good = ok && len(v.Findings) == 0
	return v, nil
}

// checkEnvironment compares the public key that was sent with the secret one that should
// sign.
func (v *Verdict) checkEnvironment(publicKey string, secret Key) {
	for _, pair := range [][2]string{{"sandbox", "live"}, {"live", "sandbox"}} {
		if strings.HasPrefix(publicKey, "pk_"+pair[0]+"_") && strings.HasPrefix(secret.Value, "sk_"+pair[1]+"_") {
			v.add("two-environments", "Use both keys of one environment.", "the public key that was sent is of the %s, and %s of the %s side", pair[0], secret.Label, pair[1])
		}
	}
}

// window is how far a timestamp may be off, either way (Merchant API docs, Request
// headers).
const window = 5 * time.Minute

// isoTime reads a timestamp in each form that the API is known to take, or that its docs
// do not exclude: with a fraction of any length or none, in UTC or with another offset.
func isoTime(timestamp string) (time.Time, bool) {
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05Z0700", "2006-01-02T15:04:05Z07"} {
		if t, err := time.Parse(layout, timestamp); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

// checkTimestamp judges the form and the age of the timestamp.
func (v *Verdict) checkTimestamp(timestamp string, at time.Time) {
	const format = "Send a time such as 2026-05-20T10:30:00.000Z."
	sent, ok := isoTime(timestamp)
	if !ok {
		if sent, ok = looseTime(timestamp); !ok {
			v.add("timestamp-format", format, "X-Timestamp is not a time in ISO 8601")
			return
		}
		v.add("timestamp-format", format, "X-Timestamp is a time, but not in ISO 8601 with its offset from UTC")
	}
	off := sent.Sub(at)
	if off <= window && off >= -window {
		return
	}
	direction := "behind"
	if off > 0 {
		direction = "ahead"
	}
	distance := off.Abs().Round(time.Second)
	quarter := off.Abs().Round(15 * time.Minute)
	if (off.Abs()-quarter).Abs() < 2*time.Minute && quarter >= 30*time.Minute && quarter <= 14*time.Hour {
		v.add("timestamp-local-time", "Take UTC, not local time: the Z says so.",
			"X-Timestamp is %s %s, which is a time zone: local time was sent as UTC (unless the request is that old)", distance, direction)
		return
	}
	v.add("timestamp-window", "Set the machine's clock (NTP), and sign each attempt anew: a signature lasts five minutes.",
		"X-Timestamp is %s %s, and may be off by 5 minutes (unless the request is that old: give --at)", distance, direction)
}

// signaturePrefix is what others write before a signature.
var signaturePrefix = regexp.MustCompile(`^(?i:(?:hmac-)?sha-?256[=: ]+|v1=)`)

// decodeSignature reads a signature in every form that it may have been sent in. The
// finding is what is wrong with the form.
func decodeSignature(header string) (sums [][]byte, form *Finding) {
	text, prefixed := strings.CutPrefix(header, "sha256=")
	finding := func(id, what string) *Finding {
		return &Finding{ID: id, What: what, Fix: "Send sha256= and then the HMAC in lower-case hex."}
	}
	if trimmed := strings.TrimSpace(text); trimmed != text {
		text, form = trimmed, finding("signature-space", "X-Signature has white space in it")
	}
	if !prefixed {
		form = finding("signature-prefix", "X-Signature does not begin with sha256=")
		if written := signaturePrefix.FindString(text); written != "" {
			text, form = text[len(written):], finding("signature-prefix", "X-Signature begins with "+written+" instead of sha256=")
		}
	}
	if sum, err := hex.DecodeString(text); err == nil && len(sum) >= md5.Size {
		if text != strings.ToLower(text) {
			form = finding("signature-upper-case", "the hex digits of X-Signature are capitals")
		}
		return [][]byte{sum}, form
	}
	for _, encoding := range []*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding, base64.URLEncoding, base64.RawURLEncoding} {
		sum, err := encoding.DecodeString(text)
		if err != nil || len(sum) < md5.Size {
			continue
		}
		if inner, err := hex.DecodeString(string(sum)); err == nil {
			return [][]byte{inner}, finding("signature-base64", "X-Signature is the base64 of the hex digits")
		}
		return [][]byte{sum}, finding("signature-base64", "X-Signature is in base64 instead of hex")
	}
	return nil, nil
}

func hmacSHA256(key, text []byte) []byte { return keyedSum(sha256.New, key, text) }

// keyedSum is an HMAC that was computed somewhere else, by whatever hash and key: it is
// compared, and protects nothing. Go's strict FIPS mode would panic at a short key, and
// at MD5 and SHA-1.
func keyedSum(h func() hash.Hash, key, text []byte) (sum []byte) {
	fips140.WithoutEnforcement(func() {
		mac := hmac.New(h, key)
		mac.Write(text)
		sum = mac.Sum(nil)
	})
	return sum
}

// merchantPuzzle is all that may have been done wrong with a request of the Merchant API.
func merchantPuzzle(r *Request, endpoint, path, query, timestamp, publicKey string, keys []Key) *puzzle {
	p := &puzzle{}
	p.addKeys(keys, publicKey, "Sign with the secret key (sk_…) of the environment.")
	p.addTimestamps(timestamp)
	method := strings.ToUpper(r.Method)
	const upper = "Write the method in capitals: " + "GET, POST, DELETE."
	p.add(partMethod, option{value: method},
		option{id: "method-lower-case", what: "the method was signed in lower case", fix: upper, value: strings.ToLower(method)},
		option{id: "method-case", what: "the method was signed with one capital", fix: upper, value: method[:1] + strings.ToLower(method[1:])},
		option{id: "method-missing", what: "the method was left out of the signature", fix: "Put the method on the second line.", value: ""})
	for _, other := range []string{"POST", "GET", "PUT", "DELETE"} {
		p.add(partMethod, option{id: "method-other", what: "the method " + other + " was signed, and another was sent", fix: "Sign the method that is sent.", value: other})
	}
	p.addPaths(r, endpoint, path, query)
	p.addQueries(query)
	p.add(partBody, option{value: string(r.Body)})
	p.add(partBody, bodies(r.Body)...)
	p.addLayouts()
	p.addAlgorithms()
	p.compose()
	return p
}

func (p *puzzle) addKeys(keys []Key, publicKey, fix string) {
	p.add(partKey, option{value: keys[0].Value})
	if publicKey != "" {
		p.add(partKey, option{id: "public-key-as-secret", what: "it was signed with the public key", fix: fix, value: publicKey})
	}
	for _, k := range keys[1:] {
		p.add(partKey, option{id: "wrong-key", what: "it was signed with " + k.Label, fix: fix, value: k.Value})
	}
	right := keys[0].Value
	p.add(partKey,
		option{id: "key-empty", what: "it was signed with an empty key", fix: "The variable that should hold the secret key is not set where the program runs.", value: ""},
		option{id: "key-white-space", what: "it was signed with the key and a line break after it", fix: "Take off the line break that reading a file leaves.", value: right + "\n", again: ending("\n")},
		option{id: "key-white-space", what: "it was signed with the key and CRLF after it", fix: "Take off the line break that reading a file leaves.", value: right + "\r\n", again: ending("\r\n")},
		option{id: "key-white-space", what: "it was signed with the key and a space after it", fix: "Take off the space.", value: right + " ", again: ending(" ")},
		option{id: "key-white-space", what: "it was signed with the key in quotes", fix: "Take off the quotes: they are the configuration file's.", value: `"` + right + `"`, again: func(key string) string { return `"` + key + `"` }},
		option{id: "key-white-space", what: "it was signed with a key that has white space around it", fix: "Take off the white space.", value: strings.TrimSpace(right)})
	for _, prefix := range []string{"sk_sandbox_", "sk_live_", "sk_", "whsec_"} {
		rest, ok := strings.CutPrefix(right, prefix)
		if !ok {
			continue
		}
		whole := "Use the key as it is shown, its prefix included: its bytes are what signs."
		p.add(partKey, option{id: "key-without-prefix", what: "it was signed with the key without " + prefix, fix: whole, value: rest})
		if raw, err := hex.DecodeString(rest); err == nil {
			p.add(partKey, option{id: "key-decoded", what: "it was signed with the key decoded from hex", fix: whole, value: string(raw)})
		}
		if raw, err := base64.StdEncoding.DecodeString(rest); err == nil {
			p.add(partKey, option{id: "key-decoded", what: "it was signed with the key decoded from base64", fix: whole, value: string(raw)})
		}
	}
	p.add(partKey, option{id: "key-decoded", what: "it was signed with the base64 of the key", fix: "Use the key as it is shown.", value: base64.StdEncoding.EncodeToString([]byte(right))})
}

func (p *puzzle) addPaths(r *Request, endpoint, path, query string) {
	right := SignedPrefix + endpoint
	const fix = "Sign " + SignedPrefix + " and the endpoint, whatever URL is called."
	p.add(partPath, option{value: right})
	// What the documentation leaves open: the API may read the path as it came, or
	// decoded.
	if decoded, err := url.PathUnescape(right); err == nil {
		p.add(partPath, option{id: "path-decoded", what: "the path was signed decoded, and sent with percent signs", fix: "Use ids that need no encoding, or sign the path as it is sent.", value: decoded})
	}
	p.add(partPath,
		option{id: "public-path", what: "the public path /v1" + endpoint + " was signed", fix: fix, value: "/v1" + endpoint},
		option{id: "endpoint-path", what: "the endpoint alone, " + endpoint + ", was signed as the path", fix: fix, value: endpoint},
		option{id: "partial-path", what: "the path /api/v1" + endpoint + " was signed", fix: fix, value: "/api/v1" + endpoint},
		option{id: "partial-path", what: "the path /merchant" + endpoint + " was signed", fix: fix, value: "/merchant" + endpoint},
		option{id: "path-slash", what: "the path was signed with a slash at its end", fix: fix, value: right + "/", again: ending("/")},
		option{id: "path-slash", what: "the path was sent with a slash at its end, and signed without", fix: fix, value: strings.TrimRight(right, "/")},
		option{id: "partial-path", what: "the path " + SignedPrefix + path + " was signed", fix: fix, value: SignedPrefix + path},
		option{id: "path-slash", what: "the path was signed without the slash at its beginning", fix: fix, value: right[1:]},
		option{id: "path-missing", what: "the path was left out of the signature", fix: fix, value: ""})
	hosts := []string{"https://api.intram.org"}
	if host, _ := only(r.Header, "Host"); host != "" {
		hosts = append(hosts, "https://"+host, "http://"+host)
	}
	if u, err := url.Parse(r.Target); err == nil && u.Host != "" {
		hosts = append(hosts, u.Scheme+"://"+u.Host)
	}
	for _, host := range hosts {
		for _, full := range []string{path, "/v1" + endpoint, right} {
			p.add(partPath, option{id: "full-url", what: "the full URL was signed as the path", fix: fix, value: host + full})
			if query != "" {
				p.add(partPath, option{id: "full-url", what: "the full URL with its query was signed as the path", fix: fix, value: host + full + "?" + query})
			}
		}
	}
	if query != "" {
		own := "Put the sorted query on its own line, without the question mark."
		p.add(partPath,
			option{id: "query-in-path", what: "the query was signed as a part of the path", fix: own, value: right + "?" + query},
			option{id: "query-in-path", what: "the public path was signed, with the query in it", fix: fix + " " + own, value: "/v1" + endpoint + "?" + query})
	}
}

func (p *puzzle) addQueries(query string) {
	sorted := sortQuery(query)
	p.add(partQuery, option{value: sorted})
	if query == "" {
		p.add(partQuery, option{id: "query-mark", what: "a question mark was signed, and there is no query", fix: "Leave the query's line empty.", value: "?"})
		for _, word := range []string{"undefined", "null", "None", "{}", "[]", "[object Object]"} {
			p.add(partQuery, option{id: "query-word", what: word + " was signed as the query, and there is none", fix: "Leave the query's line empty.", value: word})
		}
		return
	}
	const fix = "Sign the pairs key=value sorted by key and joined with &, without the question mark."
	mark := func(query string) string { return "?" + query }
	p.add(partQuery,
		option{id: "query-unsorted", what: "the query was signed as it was sent, unsorted", fix: fix, value: query},
		option{id: "query-missing", what: "the query was left out of the signature", fix: fix, value: ""},
		option{id: "query-mark", what: "the query was signed with its question mark", fix: fix, value: mark(sorted), again: mark},
		option{id: "query-mark", what: "the query was signed with its question mark, unsorted", fix: fix, value: mark(query)})
	const plain = "Send values that need no encoding (a time's colons need none), so that both readings are the same."
	p.add(partQuery, option{
		id: "query-decoded", what: "the query was signed decoded, and sent with percent signs", fix: plain, value: decodeQuery(sorted), again: decodeQuery,
	})
	for _, encode := range []func(string) string{url.QueryEscape, percentTwenty, lowerHex} {
		again := func(query string) string { return eachPair(query, encode) }
		p.add(partQuery, option{
			id: "query-encoded", what: "the query was signed with percent signs that were not sent", fix: plain, value: again(sorted), again: again,
		})
	}
	pairs := strings.Split(query, "&")
	slices.Sort(pairs)
	slices.Reverse(pairs)
	unjoined := func(query string) string { return strings.ReplaceAll(query, "&", "") }
	p.add(partQuery,
		option{id: "query-unsorted", what: "the query was signed in another order", fix: fix, value: strings.Join(pairs, "&")},
		option{id: "query-unjoined", what: "the query was signed without &", fix: fix, value: unjoined(sorted), again: unjoined})
}

// sortQuery sorts the pairs of a query by key, and leaves them as they are written.
func sortQuery(query string) string {
	pairs := strings.Split(query, "&")
	slices.SortStableFunc(pairs, func(a, b string) int {
		keyA, _, _ := strings.Cut(a, "=")
		keyB, _, _ := strings.Cut(b, "=")
		return strings.Compare(keyA, keyB)
	})
	return strings.Join(pairs, "&")
}

// decodeQuery reads the percent signs of a query. One that cannot be read stays.
func decodeQuery(query string) string {
	return eachPair(query, func(s string) string { return s })
}

func percentTwenty(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }

// percents are what encoders write for a byte.
var percents = regexp.MustCompile("%[0-9A-F]{2}")

func lowerHex(s string) string {
	return percents.ReplaceAllStringFunc(url.QueryEscape(s), strings.ToLower)
}

// eachPair writes the decoded keys and values of a query in another way.
func eachPair(query string, write func(string) string) string {
	pairs := strings.Split(query, "&")
	for i, pair := range pairs {
		key, value, assigned := strings.Cut(pair, "=")
		plainKey, err := url.QueryUnescape(key)
		if err != nil {
			return query
		}
		plainValue, err := url.QueryUnescape(value)
		if err != nil {
			return query
		}
		if pairs[i] = write(plainKey); assigned {
			pairs[i] += "=" + write(plainValue)
		}
	}
	return strings.Join(pairs, "&")
}

// addLayouts offers the ways in which the five fields may have been put together.
func (p *puzzle) addLayouts() {
	const fix = "Join the five fields with one line feed each, four in all: an empty field keeps its line."
	joined := func(separator string) func([]string) string {
		return func(fields []string) string { return strings.Join(fields, separator) }
	}
	ordered := func(order ...int) func([]string) string {
		return func(fields []string) string {
			picked := make([]string, len(order))
			for i, at := range order {
				picked[i] = fields[at]
			}
			return strings.Join(picked, "\n")
		}
	}
	type layout struct {
		id, what string
		layout   func([]string) string
	}
	layouts := []layout{
		{"", "", joined("\n")},
		{"separator-missing", "the fields were joined without line feeds", joined("")},
		{"separator-crlf", "the fields were joined with CRLF", joined("\r\n")},
		{"separator-literal", `the fields were joined with a backslash and an n: in single quotes \n is no line feed`, joined(`\n`)},
		{"separator-other", "the fields were joined with |", joined("|")},
		{"separator-other", "the fields were joined with a dot", joined(".")},
		{"separator-other", "the fields were joined with a space", joined(" ")},
		{"separator-other", "the fields were joined with a colon", joined(":")},
		{"separator-other", "the fields were joined with &", joined("&")},
		{"separator-extra", "a line feed was signed after the body", func(f []string) string { return strings.Join(f, "\n") + "\n" }},
		{"separator-extra", "an empty line was signed before the body", func(f []string) string {
			return strings.Join(f[:4], "\n") + "\n\n" + f[4]
		}},
		{"separator-extra", "a line feed was signed before the timestamp", func(f []string) string { return "\n" + strings.Join(f, "\n") }},
		{"empty-field-dropped", "an empty field was left out together with its line feed", func(f []string) string {
			return strings.Join(slices.DeleteFunc(slices.Clone(f), func(s string) bool { return s == "" }), "\n")
		}},
		{"query-line-missing", "the query's line was left out", ordered(0, 1, 2, 4)},
		{"field-order", "the method was signed before the timestamp", ordered(1, 2, 3, 0, 4)},
		{"field-order", "the fields were signed in another order: method, path, timestamp, query, body", ordered(1, 2, 0, 3, 4)},
		{"field-order", "the fields were signed in another order: method, timestamp, path, query, body", ordered(1, 0, 2, 3, 4)},
		{"field-order", "the fields were signed in another order: timestamp, method, path, body, query", ordered(0, 1, 2, 4, 3)},
		{"field-order", "the timestamp was signed last", ordered(1, 2, 3, 4, 0)},
		{"webhook-layout", "it was signed as a webhook is: timestamp, a dot, the body", func(f []string) string { return f[0] + "." + f[4] }},
		{"body-only", "the body alone was signed", func(f []string) string { return f[4] }},
	}
	names := []string{"timestamp", "method", "path", "query", "body"}
	known := len(layouts)
	for order := range permutations([]int{0, 1, 2, 3, 4}) {
		said := make([]string, len(order))
		for i, at := range order {
			said[i] = names[at]
		}
		layouts = append(layouts, layout{"field-order", "the fields were signed in another order: " + strings.Join(said, ", "), ordered(order...)})
	}
	for i, l := range layouts {
		o := option{id: l.id, what: l.what, value: strconv.Itoa(i), rare: i >= known}
		if l.id != "" {
			o.fix = fix
		}
		p.options[partLayout] = append(p.options[partLayout], o)
		p.layouts = append(p.layouts, l.layout)
	}
}

// permutations are all orders of a list.
func permutations(list []int) iter.Seq[[]int] {
	return func(yield func([]int) bool) {
		var from func(done int) bool
		from = func(done int) bool {
			if done == len(list) {
				return yield(slices.Clone(list))
			}
			for i := done; i < len(list); i++ {
				list[done], list[i] = list[i], list[done]
				if !from(done + 1) {
					return false
				}
				list[done], list[i] = list[i], list[done]
			}
			return true
		}
		from(0)
	}
}

func (p *puzzle) addAlgorithms() {
	const fix = "Compute HMAC-SHA256 with the secret key's bytes as its key."
	keyed := func(h func() hash.Hash) func(key, text []byte) []byte {
		return func(key, text []byte) []byte { return keyedSum(h, key, text) }
	}
	plain := func(order func(key, text []byte) []byte) func(key, text []byte) []byte {
		return func(key, text []byte) []byte { sum := sha256.Sum256(order(key, text)); return sum[:] }
	}
	for i, a := range []struct {
		id, what string
		compute  func(key, text []byte) []byte
	}{
		{"", "", keyed(sha256.New)},
		{"hash-without-key", "a plain SHA-256 was computed, without the key", plain(func(_, text []byte) []byte { return text })},
		{"hash-not-hmac", "a SHA-256 of key and text was computed, which is no HMAC", plain(func(key, text []byte) []byte { return slices.Concat(key, text) })},
		{"hash-not-hmac", "a SHA-256 of text and key was computed, which is no HMAC", plain(func(key, text []byte) []byte { return slices.Concat(text, key) })},
		{"hmac-swapped", "key and text were swapped", func(key, text []byte) []byte { return hmacSHA256(text, key) }},
		{"hash-before-hmac", "the HMAC of the text's SHA-256 in hex was computed", func(key, text []byte) []byte {
			sum := sha256.Sum256(text)
			return hmacSHA256(key, []byte(hex.EncodeToString(sum[:])))
		}},
		{"hash-before-hmac", "the HMAC of the text's SHA-256 was computed", func(key, text []byte) []byte {
			sum := sha256.Sum256(text)
			return hmacSHA256(key, sum[:])
		}},
		{"text-utf16", "the text was signed in UTF-16 (.NET's Encoding.Unicode)", func(key, text []byte) []byte { return hmacSHA256(key, utf16le(text)) }},
		{"text-utf16", "text and key were in UTF-16 (.NET's Encoding.Unicode)", func(key, text []byte) []byte { return hmacSHA256(utf16le(key), utf16le(text)) }},
		{"other-algorithm", "HMAC-SHA512 was computed", keyed(sha512.New)},
		{"other-algorithm", "HMAC-SHA1 was computed", keyed(sha1.New)},
		{"other-algorithm", "HMAC-MD5 was computed", keyed(md5.New)},
		{"other-algorithm", "HMAC-SHA384 was computed", keyed(sha512.New384)},
	} {
		o := option{id: a.id, what: a.what, value: strconv.Itoa(i)}
		if a.id != "" {
			o.fix = fix
		}
		p.options[partAlgorithm] = append(p.options[partAlgorithm], o)
		p.algorithms = append(p.algorithms, a.compute)
	}
}

// Sign makes the headers of a request: what the documentation asks for.
func Sign(publicKey, secretKey, method, target string, body []byte, at time.Time) (headers [][2]string, err error) {
	return SignAs(publicKey, secretKey, method, target, body, at.UTC().Format("2006-01-02T15:04:05.000Z"))
}

// SignAs is [Sign] with a timestamp that is written already, in whichever form.
func SignAs(publicKey, secretKey, method, target string, body []byte, timestamp string) (headers [][2]string, err error) {
	endpoint, _, query, err := Split(target)
	if err != nil {
		return nil, err
	}
	var text bytes.Buffer
	text.WriteString(strings.Join([]string{timestamp, strings.ToUpper(method), SignedPrefix + endpoint, sortQuery(query), ""}, "\n"))
	text.Write(body)
	return [][2]string{
		{"X-Api-Key", publicKey},
		{"X-Timestamp", timestamp},
		{"X-Signature", "sha256=" + hex.EncodeToString(hmacSHA256([]byte(secretKey), text.Bytes()))},
	}, nil
}
