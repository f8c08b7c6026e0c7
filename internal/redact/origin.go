package redact

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"reflect"
	"regexp"
	"strings"
	"syscall"
	"time"
)

// What is shown is chosen by its origin: this SDK's own texts and Go's constants are
// shown, a text of a server is not. No list of words could tell a name from a word.

var (
	// word matches statuses, types and events, in lower or in upper case.
	word = regexp.MustCompile(`^(?:[a-z][a-z0-9_.*]{0,63}|[A-Z][A-Z0-9_]{0,63}|\*)$`)
	// code matches the API's codes.
	code = regexp.MustCompile(`^[a-z][a-z0-9_]{0,63}$`)
	// operatorCode matches operators' own codes: 102, -1, E05, TXN_05.
	operatorCode = regexp.MustCompile(`^-?(?:[A-Z]{1,4}[_-]?)?[0-9]{1,6}$`)
	// segment matches one part of a field's path, as the API's documentation writes them.
	segment = regexp.MustCompile(`^(?:[a-z][A-Za-z_]{0,39}[0-9]{0,2}|\[?[0-9]{1,3}\]?|\*)$`)
)

const hiddenWord = "…"

// Word returns a status, a type or an event. It leaves out anything of another form.
func Word(s string) string { return shaped(s, word) }

// Code returns a code of the API. It leaves out anything of another form.
func Code(s string) string { return shaped(s, code) }

// OperatorCode returns the code of a mobile operator or a bank. It leaves out anything of
// another form.
func OperatorCode(s string) string { return shaped(s, operatorCode) }

func shaped(s string, shape *regexp.Regexp) string {
	if s != "" && !shape.MatchString(s) {
		return hiddenWord
	}
	return Text(s)
}

// Path returns a field's path, such as destination.msisdn. It leaves out anything of
// another form, and anything inside the caller's own objects, whose keys are the
// caller's.
func Path(s string) string {
	if len(s) > 128 {
		return hiddenWord
	}
	var shown []string
	for part := range strings.SplitSeq(s, ".") {
		if !segment.MatchString(part) {
			shown = append(shown, hiddenWord)
			break
		}
		shown = append(shown, part)
		if part == "metadata" || part == "webhook_data" {
			if part != s[len(s)-len(part):] {
				shown = append(shown, hiddenWord)
			}
			break
		}
	}
	return strings.Join(shown, ".")
}

// Sentinel returns an error of this SDK whose text is shown in full.
func Sentinel(text string) error { return &ownError{text: text} }

// Wrap returns an error of this SDK about another one: text is shown in full, and err as
// [Cause] describes it.
func Wrap(text string, err error) error { return &ownError{text: text, err: err} }

// ownError is an error whose text this SDK wrote.
type ownError struct {
	text string
	err  error
}

func (e *ownError) Error() string {
	if e.err == nil {
		return e.text
	}
	return e.text + ": " + e.err.Error()
}

func (e *ownError) Unwrap() error { return e.err }

// Own is implemented by errors that have a text safe to show.
type Own interface {
	// OwnText returns the text that may be shown.
	OwnText() string
}

// OwnText implements [Own].
func (e *ownError) OwnText() string {
	if e.err == nil {
		return e.text
	}
	return e.text + ": " + Cause(e.err, nil)
}

// constants are errors of the standard library with a text that never changes.
var constants = []error{
	context.Canceled, context.DeadlineExceeded, io.EOF, io.ErrUnexpectedEOF, io.ErrClosedPipe, net.ErrClosed,
	os.ErrDeadlineExceeded, http.ErrSchemeMismatch, http.ErrBodyReadAfterClose, http.ErrAbortHandler,
}

// netHTTP matches, as a whole, errors of net/http and its HTTP/2 that have no type of
// their own. They contain nothing from a server.
var netHTTP = regexp.MustCompile(`^(?:net/http: server response headers exceeded \d+ bytes; aborted` +
	`|net/http: (?:TLS handshake timeout|timeout awaiting response headers|request canceled|abort Handler|HTTP/1\.x transport connection broken)` +
	`|http: server closed idle connection|http2: (?:client connection lost|client conn not usable|timeout awaiting response headers))$`)

// Cause describes an error by its type. It shows nothing of the error's text, which may
// repeat a server's words or a URL with an id. own, unless nil, recognises more errors
// that may be shown.
func Cause(err error, own func(error) (string, bool)) string {
	if isNil(err) {
		return fmt.Sprintf("error of type %T", err)
	}
	if text, ok := describe(err, own); ok {
		return text
	}
	return fmt.Sprintf("error of type %T (errors.Unwrap shows it)", deepest(err))
}

// isNil reports whether err is nil, or a nil pointer.
func isNil(err error) bool {
	v := reflect.ValueOf(err)
	return !v.IsValid() || v.Kind() == reflect.Pointer && v.IsNil()
}

// describe describes the outermost error that is known.
func describe(err error, own func(error) (string, bool)) (string, bool) {
	if isNil(err) {
		return "", false
	}
	if own != nil {
		if text, ok := own(err); ok {
			return text, true
		}
	}
	if text, ok := known(err, own); ok {
		return text, true
	}
	switch e := err.(type) { //nolint:errorlint // this is the walk that errors.As would make
	case interface{ Unwrap() error }:
		return describe(e.Unwrap(), own)
	case interface{ Unwrap() []error }:
		var all []string
		for _, inner := range e.Unwrap() {
			if text, ok := describe(inner, own); ok {
				all = append(all, text)
			}
		}
		return strings.Join(all, "; "), len(all) > 0
	}
	return "", false
}

func deepest(err error) error {
	for {
		inner := errors.Unwrap(err)
		if inner == nil || isNil(inner) {
			return err
		}
		err = inner
	}
}

// known describes one error, without those that it wraps.
func known(err error, own func(error) (string, bool)) (string, bool) { //nolint:cyclop // a table of types
	for _, constant := range constants {
		if reflect.TypeOf(err).Comparable() && err == constant { //nolint:errorlint // this one, and none behind it
			return constant.Error(), true
		}
	}
	switch e := err.(type) { //nolint:errorlint // likewise
	case Own:
		return e.OwnText(), true
	case syscall.Errno:
		return e.Error(), true
	case *os.SyscallError:
		return joined(Word(e.Syscall), Cause(e.Err, own)), true
	case *net.OpError:
		return joined(operation(e), Cause(e.Err, own)), true
	case *net.DNSError:
		return "lookup " + host(e.Name) + ": " + dnsFailure(e), true
	case tls.AlertError:
		return e.Error(), true // a word for a number
	case tls.RecordHeaderError, *tls.RecordHeaderError:
		return "the server does not speak TLS", true
	case *tls.CertificateVerificationError:
		return Cause(e.Err, own), true
	case x509.UnknownAuthorityError, *x509.UnknownAuthorityError:
		return "the server's certificate is signed by an unknown authority", true
	case x509.HostnameError, *x509.HostnameError:
		return "the server's certificate is for another host", true
	case x509.CertificateInvalidError:
		if e.Reason == x509.Expired {
			return "the server's certificate has expired, is not valid yet, or this machine's clock is wrong", true
		}
		return "the server's certificate is not valid", true
	case x509.SystemRootsError:
		return "this machine has no root certificates", true
	case *http.MaxBytesError:
		return fmt.Sprintf("more than %d bytes", e.Limit), true
	case *json.SyntaxError:
		return fmt.Sprintf("malformed JSON at byte %d", e.Offset), true
	case *json.UnmarshalTypeError:
		kind, _, _ := strings.Cut(e.Value, " ")
		if e.Field == "" { // the field's path is of our own types
			return "JSON " + Word(kind) + " where another type is expected", true
		}
		return "JSON " + Word(kind) + " where " + Path(e.Field) + " has another type", true
	case *time.ParseError:
		return "a time that is not in ISO 8601", true
	}
	if text := err.Error(); netHTTP.MatchString(text) {
		return text, true
	}
	if e, ok := err.(net.Error); ok { //nolint:errorlint // likewise
		if inner := errors.Unwrap(err); inner == nil && e.Timeout() {
			return "timeout", true
		}
	}
	return "", false
}

func joined(first, second string) string {
	if first == "" {
		return second
	}
	return first + ": " + second
}

// operation describes a network error's operation, and the addresses it was between.
func operation(e *net.OpError) string {
	parts := []string{Word(e.Op), Word(e.Net)}
	local, remote := address(e.Source), address(e.Addr)
	if local != "" && remote != "" {
		local += "->"
	}
	if both := local + remote; both != "" {
		parts = append(parts, both)
	}
	return strings.Join(parts, " ")
}

// address returns the address of a machine. Other kinds of address may contain anything.
func address(a net.Addr) string {
	switch a := a.(type) {
	case *net.TCPAddr:
		if a != nil {
			return a.String()
		}
	case *net.UDPAddr:
		if a != nil {
			return a.String()
		}
	}
	return ""
}

var hostName = regexp.MustCompile(`^[A-Za-z0-9.-]{1,253}\.?$`)

func host(name string) string { return shaped(name, hostName) }

func dnsFailure(e *net.DNSError) string {
	switch {
	case e.IsNotFound:
		return "no such host"
	case e.IsTimeout:
		return "timeout"
	default:
		return "the name server failed"
	}
}

// Words returns the text of an error that this SDK made with errors.New and fmt.Errorf.
// Foreign errors that it wraps with %w are described instead.
func Words(err error) string {
	text := err.Error()
	var walk func(error)
	walk = func(one error) {
		switch e := one.(type) { //nolint:errorlint // likewise
		case interface{ Unwrap() []error }:
			for _, inner := range e.Unwrap() {
				walk(inner)
			}
			return
		case interface{ Unwrap() error }:
			if inner := e.Unwrap(); inner != nil && reflect.TypeOf(one) == wrapper {
				walk(inner)
				return
			}
		}
		if reflect.TypeOf(one) != plain && !isNil(one) && one.Error() != "" {
			text = strings.ReplaceAll(text, one.Error(), Cause(one, nil))
		}
	}
	walk(err)
	return Text(text)
}

var (
	plain   = reflect.TypeOf(errors.New(""))           // errors.New and fmt.Errorf without %w
	wrapper = reflect.TypeOf(fmt.Errorf("%w", io.EOF)) //nolint:perfsprint // its type
)
