// Package signature finds out why a signature was refused, by trying the mistakes that
// can be made. It has the canonical string from the API's documentation, and shares no
// code with the SDK's signer.
package signature

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httputil"
	"net/textproto"
	"net/url"
	"strconv"
	"strings"
)

// SignedPrefix starts the signed path, whatever URL is called (Merchant API docs,
// Signature).
const SignedPrefix = "/api/v1/merchant"

// Request is a request as it was sent.
type Request struct {
	Method string
	// Target is what was called: a path with its query, or a whole URL.
	Target string
	Header http.Header
	Body   []byte
}

// Format implements [fmt.Formatter]: the method and the length, since the rest may be
// anyone's.
func (r Request) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "Request(%s, body of %d bytes)", strings.ToUpper(r.Method), len(r.Body))
}

// Split takes a target apart: the endpoint as the documentation writes it ("/payouts"),
// the path as it was called, and the query.
func Split(target string) (endpoint, path, query string, err error) {
	rest, _, _ := strings.Cut(target, "#")
	path, query, _ = strings.Cut(rest, "?")
	if strings.Contains(path, "://") {
		u, err := url.Parse(path)
		if err != nil || u.Host == "" {
			return "", "", "", errors.New("the path is no URL: write it as /payouts, or as it was called")
		}
		path = u.EscapedPath()
	}
	if !strings.HasPrefix(path, "/") {
		path = "/" + path
	}
	endpoint = path
	for _, prefix := range []string{SignedPrefix + "/", "/v1/"} {
		if after, ok := strings.CutPrefix(path, prefix); ok {
			endpoint = "/" + after
			break
		}
	}
	if endpoint == "/" || strings.ContainsAny(endpoint, " \t\r\n") {
		return "", "", "", errors.New("the path names no endpoint: write it as /payouts, or as it was called")
	}
	return endpoint, path, query, nil
}

// ParseHeaders reads headers as people keep them: "Name: value" lines, those of curl -v
// with > in front, or a JSON object. Lines that are no header, such as the request line,
// are passed over.
func ParseHeaders(data []byte) (http.Header, error) {
	if trimmed := bytes.TrimSpace(data); len(trimmed) > 0 && trimmed[0] == '{' {
		return jsonHeaders(trimmed)
	}
	header := http.Header{}
	data = bytes.TrimPrefix(data, []byte("\uFEFF")) // an editor's mark, which is no part of the first name
	for line := range strings.Lines(string(data)) {
		line = strings.TrimRight(line, "\r\n")
		if strings.HasPrefix(line, "< ") {
			continue // curl's mark of the response
		}
		line = strings.TrimPrefix(line, "> ")
		name, value, ok := strings.Cut(line, ":")
		if ok && isToken(name) {
			header.Add(name, strings.Trim(value, " \t"))
		}
	}
	if len(header) == 0 {
		return nil, errors.New("there are no headers in it: write a line for each, such as X-Timestamp: 2026-05-20T10:30:00.000Z")
	}
	return header, nil
}

// jsonHeaders reads headers as frameworks print them.
func jsonHeaders(data []byte) (http.Header, error) {
	var object map[string]any
	if err := json.Unmarshal(data, &object); err != nil {
		return nil, errors.New("the headers begin as JSON, and are no JSON object")
	}
	header := http.Header{}
	for name, value := range object {
		switch v := value.(type) {
		case string:
			header.Add(name, v)
		case []any:
			for _, one := range v {
				header.Add(name, fmt.Sprint(one))
			}
		default:
			header.Add(name, fmt.Sprint(v))
		}
	}
	return header, nil
}

func isToken(name string) bool {
	return name != "" && strings.IndexFunc(name, func(r rune) bool {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
		return !letter && r != '-' && r != '_'
	}) < 0
}

// ParseDump reads a whole request as it went over the wire: request line, headers, an
// empty line, body.
func ParseDump(data []byte) (*Request, error) {
	reader := bufio.NewReader(bytes.NewReader(bytes.TrimPrefix(data, []byte("\uFEFF"))))
	var head strings.Builder
	request := new(Request)
	for first := true; ; first = false {
		line, err := reader.ReadString('\n')
		line = strings.TrimPrefix(strings.TrimRight(line, "\r\n"), "> ")
		switch {
		case first:
			words := strings.Fields(line)
			if len(words) < 2 || !isToken(words[0]) {
				return nil, errors.New("the first line is no request line, such as: POST /v1/payouts HTTP/1.1")
			}
			request.Method, request.Target = words[0], words[1]
		case line == "" || line == ">":
			return request, request.readBody(head.String(), reader)
		default:
			head.WriteString(line + "\n")
		}
		if err != nil {
			return request, request.readBody(head.String(), reader) // it has no body
		}
	}
}

// readBody ends a dump: the headers are known, and what is left is the body.
func (r *Request) readBody(head string, reader io.Reader) error {
	var err error
	if r.Header, err = ParseHeaders([]byte(head)); err != nil {
		return err
	}
	if r.Body, err = io.ReadAll(reader); err != nil {
		return err
	}
	if strings.EqualFold(r.Header.Get("Transfer-Encoding"), "chunked") {
		if body, err := io.ReadAll(httputil.NewChunkedReader(bytes.NewReader(r.Body))); err == nil {
			r.Body = body
		}
	}
	// An editor adds a line break at the end of the file; the request's own length says
	// that it is not the body's.
	if n, err := strconv.Atoi(r.Header.Get("Content-Length")); err == nil && n >= 0 && n < len(r.Body) {
		r.Body = r.Body[:n]
	}
	return nil
}

// only returns a header's value, and how often it came.
func only(header http.Header, name string) (string, int) {
	values := header[textproto.CanonicalMIMEHeaderKey(name)]
	if len(values) == 0 {
		return "", 0
	}
	return values[0], len(values)
}
