package signature

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// bodies are what a client may have signed in place of the bytes that it sent.
func bodies(body []byte) []option {
	text := string(body)
	if text == "" {
		const nothing = "Sign the body that is sent: nothing, for GET and DELETE."
		options := []option{{id: "body-empty-object", what: `"{}" was signed as the body, and no body was sent`, fix: nothing, value: "{}"}}
		options = append(options, option{id: "body-null", what: `"null" was signed as the body, and no body was sent`, fix: nothing, value: "null"})
		for _, word := range []string{"undefined", "None", "[]", `""`, "[object Object]", "Array"} {
			options = append(options, option{id: "body-word", what: word + " was signed as the body, and no body was sent", fix: nothing, value: word})
		}
		return options
	}
	const exact = "Write the body to a string once, sign that string, and send the same bytes."
	sum := sha256.Sum256(body)
	options := []option{
		{id: "body-missing", what: "the signature leaves the body out", fix: "Put the raw body after the fourth line feed.", value: ""},
		{
			id: "body-line-break-sent", what: "the body was sent with a line break at its end that was not signed",
			fix: "Sign the bytes that are sent, the last line break included, or send none.", value: strings.TrimRight(text, "\r\n"),
		},
		{id: "body-line-break-signed", what: "a line break was signed at the end of the body that was not sent", fix: "Sign the bytes that are sent: echo adds a line break, printf does not.", value: text + "\n", again: ending("\n")},
		{id: "body-line-break-signed", what: "a line break (CRLF) was signed at the end of the body that was not sent", fix: "Sign the bytes that are sent.", value: text + "\r\n", again: ending("\r\n")},
		{
			id: "body-crlf-sent", what: "the body was sent with CRLF line breaks and signed with LF",
			fix: "Something on the way rewrites line breaks: sign the bytes that are sent.", value: strings.ReplaceAll(text, "\r\n", "\n"),
		},
		{
			id: "body-crlf-signed", what: "the body was signed with CRLF line breaks and sent with LF",
			fix: "Something on the way rewrites line breaks: sign the bytes that are sent.", value: withCRLF(text), again: withCRLF,
		},
		{id: "body-trimmed", what: "the body was signed without the white space around it", fix: exact, value: strings.TrimSpace(text)},
		{id: "body-bom", what: "a byte order mark was sent in front of the body and not signed", fix: "Write the file without a byte order mark.", value: strings.TrimPrefix(text, "\ufeff")},
		{id: "body-bom", what: "a byte order mark was signed in front of the body and not sent", fix: "Write the file without a byte order mark.", value: "\ufeff" + text},
		{id: "body-hash", what: "the SHA-256 of the body was signed instead of the body", fix: "Put the raw body into the string that is signed, not its hash.", value: hexHash(text), again: hexHash},
		{id: "body-hash", what: "the SHA-256 of the body, in base64, was signed instead of the body", fix: "Put the raw body into the string that is signed, not its hash.", value: base64.StdEncoding.EncodeToString(sum[:])},
		{id: "body-base64", what: "the body was signed in base64", fix: "Put the raw body into the string that is signed.", value: inBase64(text), again: inBase64},
		{id: "body-word", what: "[object Object] was signed as the body: that is JavaScript's text of an object, not its JSON", fix: exact, value: "[object Object]"},
		{id: "body-word", what: "Array was signed as the body: that is PHP's text of an array, not its JSON", fix: exact, value: "Array"},
		{id: "body-quoted", what: "the body was signed as a JSON string in quotes", fix: exact, value: quoted(text), again: quoted},
	}
	options = append(options, encodings(text)...)
	tree, err := parseJSON(body)
	if err != nil {
		return options
	}
	for _, style := range []struct {
		what string
		how  jsonStyle
	}{
		{"compact", jsonStyle{}},
		{"compact, with \\u escapes for letters beyond ASCII", jsonStyle{ascii: true}},
		{"compact, with escaped slashes (PHP's json_encode)", jsonStyle{slashes: true, ascii: true}},
		{"compact, with escaped slashes", jsonStyle{slashes: true}},
		{"compact, with <, > and & escaped (Go's json.Marshal)", jsonStyle{html: true}},
		{"with a space after : and , (Python's json.dumps)", jsonStyle{comma: ", ", colon: ": ", ascii: true}},
		{"with a space after : and ,", jsonStyle{comma: ", ", colon: ": "}},
		{"indented by two spaces", jsonStyle{colon: ": ", indent: "  "}},
		{"indented by four spaces", jsonStyle{colon: ": ", indent: "    "}},
		{"indented by four spaces, with escapes (PHP's JSON_PRETTY_PRINT)", jsonStyle{colon: ": ", indent: "    ", slashes: true, ascii: true}},
		{"indented by a tab", jsonStyle{colon: ": ", indent: "\t"}},
		{"with sorted keys", jsonStyle{sorted: true}},
		{"with sorted keys, with \\u escapes", jsonStyle{sorted: true, ascii: true}},
		{"with sorted keys and < > & escaped (Go's map)", jsonStyle{sorted: true, html: true}},
		{"with sorted keys and spaces", jsonStyle{sorted: true, comma: ", ", colon: ": "}},
		{"with sorted keys and spaces, with \\u escapes", jsonStyle{sorted: true, comma: ", ", colon: ": ", ascii: true}},
		{"with sorted keys, indented by two spaces", jsonStyle{sorted: true, colon: ": ", indent: "  "}},
		{"with whole numbers written as decimals", jsonStyle{decimals: true}},
		{"with numbers in quotes", jsonStyle{quotedNumbers: true}},
		{"as Python's str() writes a dict, which is no JSON", jsonStyle{python: true, comma: ", ", colon: ": "}},
	} {
		options = append(options, option{
			id: "body-reserialised", what: "another writing of the same JSON was signed: " + style.what, fix: exact, value: tree.write(style.how),
		})
	}
	return options
}

func withCRLF(text string) string {
	return strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\n", "\r\n")
}

func hexHash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

func inBase64(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }

func quoted(text string) string {
	data, err := json.Marshal(text)
	if err != nil {
		return ""
	}
	return string(data)
}

// node is a JSON value that remembers the order of its keys.
type node struct {
	object bool
	array  bool
	keys   []string
	items  []node
	number json.Number
	text   string
	quoted bool // text is a string
}

// jsonStyle is how a JSON library writes.
type jsonStyle struct {
	comma, colon  string
	indent        string
	sorted        bool
	ascii         bool
	slashes       bool
	html          bool
	decimals      bool
	quotedNumbers bool
	python        bool
}

var errNotJSON = errors.New("not one JSON object or array")

func parseJSON(data []byte) (node, error) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	tree, err := readNode(decoder, 0)
	if err != nil {
		return node{}, err
	}
	if decoder.More() || !tree.object && !tree.array {
		return node{}, errNotJSON
	}
	return tree, nil
}

func readNode(decoder *json.Decoder, depth int) (node, error) {
	if depth > 100 {
		return node{}, errNotJSON
	}
	token, err := decoder.Token()
	if err != nil {
		return node{}, errNotJSON
	}
	var n node
	switch t := token.(type) {
	case json.Delim:
		n.object, n.array = t == '{', t == '['
		for decoder.More() {
			if n.object {
				key, err := decoder.Token()
				if err != nil {
					return n, errNotJSON
				}
				name, _ := key.(string) // the decoder takes no other key
				n.keys = append(n.keys, name)
			}
			item, err := readNode(decoder, depth+1)
			if err != nil {
				return n, err
			}
			n.items = append(n.items, item)
		}
		if _, err := decoder.Token(); err != nil {
			return n, errNotJSON
		}
	case json.Number:
		n.number = t
	case string:
		n.text, n.quoted = t, true
	case bool:
		n.text = fmt.Sprint(t)
	case nil:
		n.text = "null"
	}
	return n, nil
}

func (n node) write(style jsonStyle) string {
	if style.comma == "" {
		style.comma = ","
	}
	if style.colon == "" {
		style.colon = ":"
	}
	var b strings.Builder
	n.writeTo(&b, style, 0)
	return b.String()
}

func (n node) writeTo(b *strings.Builder, style jsonStyle, depth int) {
	switch {
	case n.object || n.array:
		n.writeItems(b, style, depth)
	case n.number != "" && style.quotedNumbers:
		b.WriteString(`"` + n.number.String() + `"`)
	case n.number != "":
		b.WriteString(n.number.String())
		if style.decimals && !strings.ContainsAny(n.number.String(), ".eE") {
			b.WriteString(".0")
		}
	case n.quoted:
		writeJSONString(b, n.text, style)
	case style.python:
		b.WriteString(map[string]string{"true": "True", "false": "False", "null": "None"}[n.text])
	default:
		b.WriteString(n.text)
	}
}

func (n node) writeItems(b *strings.Builder, style jsonStyle, depth int) {
	opening, closing := byte('['), byte(']')
	if n.object {
		opening, closing = '{', '}'
	}
	b.WriteByte(opening)
	order := make([]int, len(n.items))
	for i := range order {
		order[i] = i
	}
	if n.object && style.sorted {
		slices.SortStableFunc(order, func(a, b int) int { return strings.Compare(n.keys[a], n.keys[b]) })
	}
	line := func(depth int) {
		if style.indent != "" {
			b.WriteString("\n" + strings.Repeat(style.indent, depth))
		}
	}
	for i, at := range order {
		if i > 0 {
			b.WriteString(style.comma)
		}
		line(depth + 1)
		if n.object {
			writeJSONString(b, n.keys[at], style)
			b.WriteString(style.colon)
		}
		n.items[at].writeTo(b, style, depth+1)
	}
	if len(order) > 0 {
		line(depth)
	}
	b.WriteByte(closing)
}

func writeJSONString(b *strings.Builder, text string, style jsonStyle) {
	if style.python {
		quote := "'"
		if strings.Contains(text, quote) {
			quote = `"`
		}
		b.WriteString(quote + strings.NewReplacer(`\`, `\\`, "\n", `\n`, "\r", `\r`, "\t", `\t`).Replace(text) + quote)
		return
	}
	b.WriteByte('"')
	for _, r := range text {
		switch {
		case r == '"' || r == '\\':
			b.WriteString(`\` + string(r))
		case r == '/' && style.slashes:
			b.WriteString(`\/`)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == '\b':
			b.WriteString(`\b`)
		case r == '\f':
			b.WriteString(`\f`)
		case r < 0x20, style.html && (r == '<' || r == '>' || r == '&'):
			fmt.Fprintf(b, `\u%04x`, r)
		case r < utf8.RuneSelf || !style.ascii:
			b.WriteRune(r)
		case r > 0xffff:
			r -= 0x10000
			fmt.Fprintf(b, `\u%04x\u%04x`, 0xd800+(r>>10), 0xdc00+(r&0x3ff))
		default:
			fmt.Fprintf(b, `\u%04x`, r)
		}
	}
	b.WriteByte('"')
}
