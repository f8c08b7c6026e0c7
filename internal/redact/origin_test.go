package redact_test

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
	"net/url"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/intram/intram-go/internal/redact"
)

// No word of a server's comes through, whatever the word is: names are words, and words
// are names.
func TestTheCauseOfAFailureIsToldByItsKind(t *testing.T) {
	t.Parallel()
	var decoded struct{ Amount int }
	dial := &net.TCPAddr{IP: net.IPv4(203, 0, 113, 99), Port: 443}
	for name, tt := range map[string]struct {
		err  error
		want string
	}{
		"refused":           {&net.OpError{Op: "dial", Net: "tcp", Addr: dial, Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}, "dial tcp 203.0.113.99:443: connect: connection refused"},
		"reset":             {&net.OpError{Op: "read", Net: "tcp", Source: dial, Addr: dial, Err: syscall.ECONNRESET}, "read tcp 203.0.113.99:443->203.0.113.99:443: connection reset by peer"},
		"a strange address": {&net.OpError{Op: "Read May", Net: "tcp", Addr: &net.UnixAddr{Name: "/may/22961234567"}, Err: io.EOF}, "… tcp: EOF"},
		"no address":        {&net.OpError{Op: "dial", Net: "tcp"}, "dial tcp: error of type <nil>"},
		"DNS":               {&net.DNSError{Err: "May Long", Name: "api.intram.org", IsNotFound: true}, "lookup api.intram.org: no such host"},
		"DNS time":          {&net.DNSError{Name: "api intram", IsTimeout: true}, "lookup …: timeout"},
		"DNS server":        {&net.DNSError{Err: "May Long", Name: "x"}, "lookup x: the name server failed"},
		"authority":         {&tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}, "the server's certificate is signed by an unknown authority"},
		"host":              {x509.HostnameError{Host: "may.example", Certificate: &x509.Certificate{}}, "the server's certificate is for another host"},
		"expired":           {x509.CertificateInvalidError{Reason: x509.Expired, Detail: "May"}, "the server's certificate has expired, is not valid yet, or this machine's clock is wrong"},
		"certificate":       {x509.CertificateInvalidError{Reason: x509.NotAuthorizedToSign}, "the server's certificate is not valid"},
		"roots":             {x509.SystemRootsError{Err: errors.New("May")}, "this machine has no root certificates"},
		"no TLS":            {tls.RecordHeaderError{Msg: "May"}, "the server does not speak TLS"},
		"alert":             {tls.AlertError(40), "tls: handshake failure"},
		"ended":             {fmt.Errorf("May Long: %w", io.ErrUnexpectedEOF), "unexpected EOF"},
		"deadline":          {&url.Error{Op: "Get", URL: "https://x/operations/op_1", Err: context.DeadlineExceeded}, "context deadline exceeded"},
		"too large":         {&http.MaxBytesError{Limit: 5}, "more than 5 bytes"},
		"joined":            {errors.Join(errors.New("May"), io.EOF, syscall.EPIPE), "EOF; broken pipe"},
		"a server's words":  {errors.New(`malformed HTTP response "May Long 22961234567"`), "error of type *errors.errorString (errors.Unwrap shows it)"},
		"a URL":             {&url.Error{Op: "Get", URL: "https://x/operations/op_1", Err: url.InvalidHostError("May")}, "error of type url.InvalidHostError (errors.Unwrap shows it)"},
		"syntax":            {json.Unmarshal([]byte(`{"Amount":May}`), &decoded), "malformed JSON at byte 11"},
		"type":              {json.Unmarshal([]byte(`{"Amount":"May"}`), &decoded), "JSON string where … has another type"},
		"type at the top":   {json.Unmarshal([]byte(`"May"`), &decoded), "JSON string where another type is expected"},
		"date":              {&time.ParseError{Value: "May Long"}, "a time that is not in ISO 8601"},
		"our own":           {redact.Wrap("the answer was cut short", errors.New("May")), "the answer was cut short: error of type *errors.errorString (errors.Unwrap shows it)"},
		"our own constant":  {fmt.Errorf("May: %w", redact.Sentinel("the answer is too large")), "the answer is too large"},
		"a nil pointer":     {(*net.OpError)(nil), "error of type *net.OpError"},
		"nil within":        {fmt.Errorf("May: %w", (*net.OpError)(nil)), "error of type *fmt.wrapError (errors.Unwrap shows it)"},
		"not comparable":    {strange{"May"}, "error of type redact_test.strange (errors.Unwrap shows it)"},
		"net/http's words":  {errors.New("net/http: server response headers exceeded 65536 bytes; aborted"), "net/http: server response headers exceeded 65536 bytes; aborted"},
		"and a server's":    {errors.New("http2: client connection lost: May"), "error of type *errors.errorString (errors.Unwrap shows it)"},
		"a time limit":      {slow{}, "timeout"},
	} {
		assert.Equal(t, tt.want, redact.Cause(tt.err, nil), name)
	}
	assert.NotEmpty(t, redact.Cause(nil, nil))
	assert.Equal(t, "mine", redact.Cause(fmt.Errorf("May: %w", errors.New("x")), func(err error) (string, bool) { return "mine", err.Error() == "x" }))
}

type strange []string

func (s strange) Error() string { return s[0] }

type slow struct{}

func (slow) Error() string   { return "May" }
func (slow) Timeout() bool   { return true }
func (slow) Temporary() bool { return true }

func TestOwnWordsAreShownWithoutWhatTheyWrap(t *testing.T) {
	t.Parallel()
	var decoded struct{}
	syntax := json.Unmarshal([]byte("May"), &decoded)
	assert.Equal(t, "the answer is not JSON: malformed JSON at byte 1", redact.Words(fmt.Errorf("the answer is not JSON: %w", syntax)))
	twice := fmt.Errorf("%w: %w", errors.New("the body is not an event"), syntax)
	assert.Equal(t, "the body is not an event: malformed JSON at byte 1", redact.Words(twice))
	assert.Equal(t, "the answer has no data", redact.Words(errors.New("the answer has no data")))
}

func TestWhatComesFromTheAPIIsShownByItsShape(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"validation_error": "validation_error", "code_of_2027": "code_of_2027", "Ada": "…", "ADA": "…", "ada lovelace": "…", "": "",
	} {
		assert.Equal(t, want, redact.Code(in))
	}
	for in, want := range map[string]string{
		"102": "102", "-1": "-1", "E05": "E05", "TXN_05": "TXN_05", "Ada": "…", "ADA": "…", "22961234567": "…", "": "",
	} {
		assert.Equal(t, want, redact.OperatorCode(in))
	}
	for in, want := range map[string]string{
		"destination.msisdn": "destination.msisdn", "invoice.customer.first_name": "invoice.customer.first_name", "action.successUrl": "action.successUrl",
		"lines.0.amount": "lines.0.amount", "x.[3]": "x.[3]", "metadata": "metadata", "metadata.ada": "metadata.…", "webhook_data.a.b": "webhook_data.…",
		"Ada": "…", "destination.22961234567": "destination.…", "name Ada": "…", "destination.a22961234567": "destination.…", "": "…",
	} {
		assert.Equal(t, want, redact.Path(in), in)
	}
	for in, want := range map[string]string{"SUCCESS": "SUCCESS", "succeeded": "succeeded", "Ada Lovelace": "…", "payout.*": "payout.*", "*": "*", "": ""} {
		assert.Equal(t, want, redact.Word(in))
	}
	for in, want := range map[string]string{"req-1": "req-1", "Root=1-5e:a/b": "Root=1-5e:a/b", "Ada Lovelace": "…", "22961234567": "•••••••••67"} {
		assert.Equal(t, want, redact.ID(in))
	}
}
