// Package explain finds out which mistake was made in signing a request. It signs the request again with each of the documented
// mistakes, alone and together, and says which of them make the signature that was received.
package explain

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"slices"
	"sort"
	"strings"
)

// SignedPrefix is the path that every signature covers, whatever URL was called.
const SignedPrefix = "/api/v1/merchant"

// Mistake is one thing done wrong, by a word that does not change.
type Mistake string

// The mistakes.
const (
	PublicPath      Mistake = "public_path"       // /v1/… was signed
	NoPathPrefix    Mistake = "no_path_prefix"    // the endpoint alone was signed
	FullURL         Mistake = "full_url"          // scheme and host were signed too
	QueryInPath     Mistake = "query_in_path"     // the query was signed as part of the path
	NoQuery         Mistake = "no_query"          // the query was not signed
	UnsortedQuery   Mistake = "unsorted_query"    // the query was signed as it was sent
	EncodedQuery    Mistake = "encoded_query"     // the query was percent-encoded before it was signed
	LowerMethod     Mistake = "lower_case_method" // get, post
	CRLF            Mistake = "crlf"              // lines ended in CR LF
	EmptyLeftOut    Mistake = "empty_left_out"    // an empty query or body lost its line feed
	Joined          Mistake = "no_line_feeds"     // the fields were joined without line feeds
	FinalNewline    Mistake = "final_newline"     // echo added a line feed
	NoBody          Mistake = "no_body"           // the body was not signed
	EmptyObjectBody Mistake = "empty_object_body" // {} was signed where nothing was sent
	CompactBody     Mistake = "compact_body"      // the body was parsed and written again, without white space
	SpacedBody      Mistake = "spaced_body"       // the same, with a space after colons and commas
	IndentedBody    Mistake = "indented_body"     // the same, indented
	SortedBody      Mistake = "sorted_body"       // the same, its keys sorted
	EscapedBody     Mistake = "escaped_body"      // the same, its slashes or letters escaped
	HashedBody      Mistake = "hashed_body"       // the SHA-256 of the body was signed
	PublicKey       Mistake = "public_key"        // the public key was the key of the HMAC
	OtherSecret     Mistake = "other_secret"      // the other environment's secret was
	DecodedSecret   Mistake = "decoded_secret"    // the secret without its prefix was
	SecretNewline   Mistake = "secret_newline"    // the secret ended in a line feed, as from a file
	PlainHash       Mistake = "plain_hash"        // SHA-256 of secret and string, not an HMAC
	NoScheme        Mistake = "no_scheme"         // sha256= is missing
	UpperHex        Mistake = "upper_case_hex"
	Base64          Mistake = "base64"
)

// Request is a request as it arrived.
type Request struct {
	Method, Path, Query string // the path escaped, as in the URL
	Host                string // scheme and host, for those who sign the whole URL; may be empty
	Timestamp           string // X-Timestamp
	Signature           string // X-Signature
	Body                []byte
}

// Keys are what a merchant may have signed with.
type Keys struct {
	Secret string // the right one
	Public string
	Others []string // secrets of other environments
}

// Line is one of the five fields of the canonical string: as it should have been signed, and as it was.
type Line struct {
	Name             string // timestamp, method, path, query, body
	Expected, Signed string
}

// Differs reports whether the field was signed otherwise than expected.
func (l Line) Differs() bool { return l.Expected != l.Signed }

// Finding is what was found out.
type Finding struct {
	// Right is set when the signature is as it should be.
	Right bool
	// Mistakes are what makes the signature that was received, the fewest that do. Empty and not Right: none of those known.
	Mistakes []Mistake
	// Canonical is the string to sign, Lines the same field by field; Signed is what was signed instead.
	Canonical string
	Signed    string
	Lines     []Line
}

// variant is one way to write a field, with the mistake it is; none for the right one.
type variant struct {
	text    string
	mistake Mistake
}

// Signature finds out what was done to a request's signature.
func Signature(keys Keys, r Request) Finding {
	endpoint := strings.TrimPrefix(strings.TrimPrefix(r.Path, SignedPrefix), "/v1")
	expected := [5]string{r.Timestamp, strings.ToUpper(r.Method), SignedPrefix + endpoint, Sorted(r.Query), string(r.Body)}
	f := Finding{Canonical: strings.Join(expected[:], "\n")}
	for i, name := range []string{"timestamp", "method", "path", "query", "body"} {
		f.Lines = append(f.Lines, Line{name, expected[i], expected[i]})
	}
	best := -1
	for a := range attempts(keys, r, expected, endpoint) {
		if best >= 0 && len(a.mistakes) >= best || !hmac.Equal([]byte(a.signature), []byte(r.Signature)) {
			continue
		}
		best = len(a.mistakes)
		f.Mistakes, f.Signed, f.Right = slices.Clone(a.mistakes), a.signed, best == 0
		for i := range f.Lines {
			f.Lines[i].Signed = a.fields[i]
		}
	}
	return f
}

// attempt is a signature made with some mistakes.
type attempt struct {
	fields            [5]string
	signed, signature string
	mistakes          []Mistake
}

// attempts are the request signed in every way that is known.
func attempts(keys Keys, r Request, expected [5]string, endpoint string) func(func(attempt) bool) {
	paths := []variant{
		{expected[2], ""},
		{"/v1" + endpoint, PublicPath},
		{endpoint, NoPathPrefix},
	}
	if r.Host != "" {
		paths = append(paths, variant{r.Host + r.Path, FullURL})
	}
	queries := []variant{{expected[3], ""}}
	if r.Query != "" {
		for _, p := range paths[:3:3] {
			paths = append(paths, variant{p.text + "?" + r.Query, QueryInPath})
		}
		queries = append(queries, variant{r.Query, UnsortedQuery}, variant{"?" + r.Query, QueryInPath}, variant{"", NoQuery})
		if values, err := url.ParseQuery(r.Query); err == nil {
			queries = append(queries, variant{values.Encode(), EncodedQuery})
		}
		if decoded, err := url.QueryUnescape(expected[3]); err == nil {
			queries = append(queries, variant{decoded, ""}) // the other reading of the documentation
		}
	}
	methods := []variant{{expected[1], ""}, {strings.ToLower(r.Method), LowerMethod}}
	return func(yield func(attempt) bool) {
		for _, path := range paths {
			for _, query := range queries {
				for _, method := range methods {
					for _, body := range bodies(r.Body) {
						fields := [5]string{r.Timestamp, method.text, path.text, query.text, body.text}
						for _, joined := range joins(fields) {
							for _, key := range secrets(keys) {
								mistakes := without([]Mistake{path.mistake, query.mistake, method.mistake, body.mistake, joined.mistake, key.mistake})
								for _, s := range signatures(key.text, joined.text) {
									made := attempt{fields, joined.text, s.text, without(append(slices.Clone(mistakes), s.mistake))}
									if !yield(made) {
										return
									}
								}
							}
						}
					}
				}
			}
		}
	}
}

// without leaves out what is no mistake.
func without(mistakes []Mistake) []Mistake {
	kept := slices.DeleteFunc(mistakes, func(m Mistake) bool { return m == "" })
	return slices.Compact(kept)
}

// bodies are the ways to write a body.
func bodies(body []byte) []variant {
	sum := sha256.Sum256(body)
	all := []variant{{string(body), ""}, {hex.EncodeToString(sum[:]), HashedBody}}
	if len(body) == 0 {
		return append(all, variant{"{}", EmptyObjectBody})
	}
	all = append(all, variant{"", NoBody})
	var compact, indented bytes.Buffer
	if json.Compact(&compact, body) != nil {
		return all
	}
	all = append(all, variant{compact.String(), CompactBody}, variant{spaced(compact.Bytes()), SpacedBody},
		variant{strings.ReplaceAll(compact.String(), "/", `\/`), EscapedBody}, variant{ascii(compact.String()), EscapedBody},
		variant{ascii(strings.ReplaceAll(compact.String(), "/", `\/`)), EscapedBody}, variant{ascii(spaced(compact.Bytes())), SpacedBody})
	for _, indent := range []string{"  ", "    ", "\t"} {
		indented.Reset()
		if json.Indent(&indented, compact.Bytes(), "", indent) == nil {
			all = append(all, variant{indented.String(), IndentedBody})
		}
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var value any
	if d.Decode(&value) == nil {
		var sorted bytes.Buffer
		e := json.NewEncoder(&sorted)
		e.SetEscapeHTML(false)
		if e.Encode(value) == nil {
			all = append(all, variant{strings.TrimSuffix(sorted.String(), "\n"), SortedBody})
		}
		if escaped, err := json.Marshal(value); err == nil {
			all = append(all, variant{string(escaped), SortedBody})
		}
	}
	return distinct(all)
}

// distinct drops what is written as one before it.
func distinct(all []variant) []variant {
	seen := map[string]bool{}
	return slices.DeleteFunc(all, func(v variant) bool {
		had := seen[v.text]
		seen[v.text] = true
		return had
	})
}

// spaced is compact JSON with a space after each colon and comma that is not in a string, as Python writes it.
func spaced(compact []byte) string {
	var b strings.Builder
	inString, escaped := false, false
	for _, c := range compact {
		b.WriteByte(c)
		switch {
		case escaped:
			escaped = false
		case inString && c == '\\':
			escaped = true
		case c == '"':
			inString = !inString
		case !inString && (c == ',' || c == ':'):
			b.WriteByte(' ')
		}
	}
	return b.String()
}

// ascii writes every other letter as \uXXXX, as PHP and Python do unless told otherwise.
func ascii(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r < 0x80:
			b.WriteRune(r)
		case r > 0xffff:
			r -= 0x10000
			b.WriteString(escape(0xd800+r>>10) + escape(0xdc00+r&0x3ff))
		default:
			b.WriteString(escape(r))
		}
	}
	return b.String()
}

func escape(r rune) string {
	const digits = "0123456789abcdef"
	return `\u` + string([]byte{digits[r>>12&15], digits[r>>8&15], digits[r>>4&15], digits[r&15]})
}

// joins are the ways to join the fields.
func joins(fields [5]string) []variant {
	all := []variant{
		{strings.Join(fields[:], "\n"), ""},
		{strings.Join(fields[:], "\r\n"), CRLF},
		{strings.Join(fields[:], "\n") + "\n", FinalNewline},
		{strings.Join(fields[:], ""), Joined},
	}
	var given []string
	for _, f := range fields {
		if f != "" {
			given = append(given, f)
		}
	}
	if len(given) < len(fields) {
		all = append(all, variant{strings.Join(given, "\n"), EmptyLeftOut}, variant{strings.Join(given, "\n") + "\n", EmptyLeftOut})
	}
	return all
}

func secrets(keys Keys) []variant {
	all := []variant{{keys.Secret, ""}, {keys.Public, PublicKey}, {keys.Secret + "\n", SecretNewline}}
	if i := strings.LastIndexByte(keys.Secret, '_'); i >= 0 {
		all = append(all, variant{keys.Secret[i+1:], DecodedSecret})
		if raw, err := hex.DecodeString(keys.Secret[i+1:]); err == nil {
			all = append(all, variant{string(raw), DecodedSecret})
		}
	}
	for _, other := range keys.Others {
		all = append(all, variant{other, OtherSecret})
	}
	return all
}

// signatures are the ways to sign a string and to write the result.
func signatures(secret, text string) []variant {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(text))
	sum := mac.Sum(nil)
	plain := sha256.Sum256([]byte(secret + text))
	return []variant{
		{"sha256=" + hex.EncodeToString(sum), ""},
		{hex.EncodeToString(sum), NoScheme},
		{"sha256=" + strings.ToUpper(hex.EncodeToString(sum)), UpperHex},
		{strings.ToUpper(hex.EncodeToString(sum)), UpperHex},
		{"sha256=" + base64.StdEncoding.EncodeToString(sum), Base64},
		{base64.StdEncoding.EncodeToString(sum), Base64},
		{"sha256=" + hex.EncodeToString(plain[:]), PlainHash},
	}
}

// Sign is the signature of a canonical string.
func Sign(secret, canonical string) string { return signatures(secret, canonical)[0].text }

// Sorted is a query as it is signed: its pairs sorted by key, each as it was written.
func Sorted(query string) string {
	pairs := strings.Split(query, "&")
	sort.SliceStable(pairs, func(i, j int) bool { return key(pairs[i]) < key(pairs[j]) })
	return strings.Join(pairs, "&")
}

func key(pair string) string {
	name, _, _ := strings.Cut(pair, "=")
	return name
}
