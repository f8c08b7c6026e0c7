package otelintram

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	intram "github.com/intram/intram-go"
)

// other stands for every word that is not known, so that the number of names and of
// series is bounded. otherError and otherMethod are what the conventions call it.
const (
	other       = "other"
	otherError  = "_OTHER"
	otherMethod = "_OTHER"
)

// The words that the SDK knows.
var (
	methods = []string{"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "QUERY", "TRACE"}
	// templates are those of the methods of the client. The template of
	// [intram.Client.Do] is guessed from the caller's path, so it can have an id in it.
	templates = []string{
		"/balance", "/payouts", "/payment-requests", "/refunds",
		"/operations", "/operations/{id}", "/transactions", "/transactions/{reference}",
		"/webhooks", "/webhooks/{subscription_id}", "/webhooks/{subscription_id}/test",
		"/v1/payin/sessions", "/v1/payin/{reference}",
	}
	eventTypes = []intram.EventType{
		intram.EventPayoutCompleted, intram.EventPayoutQueued, intram.EventPayoutFailed,
		intram.EventPaymentRequestCreated, intram.EventPaymentRequestPaid, intram.EventPaymentRequestPending, intram.EventPaymentRequestFailed,
		intram.EventRefundCompleted, intram.EventRefundPending, intram.EventRefundFailed,
		intram.EventTransferCompleted, intram.EventTransferFailed, intram.EventTestPing,
		intram.EventPayinConfirmed, intram.EventPayinDeclined,
	}
	verdicts = []string{
		"took_effect", "took_before", "under_way", "store_down", "failed", "outlived", "not_recorded", "inbox_broken", "refused",
		"abandoned",
	}
	waitKinds    = []string{"operation", "transaction", "payin_session"}
	environments = []string{string(intram.Sandbox), string(intram.Live)}
	apis         = []string{"merchant", "payin"}
	sources      = []string{"webhook", "reconciler"}
	inboxWords   = []string{"claim", "complete", "release"}
)

// known returns word if the SDK knows it, and other if not.
func known[T ~string](word T, words []T) string {
	if slices.Contains(words, word) {
		return string(word)
	}
	return other
}

// method returns the HTTP method as the conventions want it.
func method(m string) string {
	if slices.Contains(methods, m) {
		return m
	}
	return otherMethod
}

// callName returns the name of a call's span: the template is left out if it is not
// known.
func callName(c *intram.TraceCall) string {
	name := method(c.Method)
	if name == otherMethod {
		name = "HTTP"
	}
	if slices.Contains(templates, c.Template) {
		name += " " + c.Template
	}
	return name
}

// code returns an error code, or other if it does not look like one: it is read from a
// response.
func code[T ~string](c T) string {
	strange := func(r rune) bool { return r != '_' && r != '.' && (r < 'a' || r > 'z') }
	if len(c) > 64 || strings.ContainsFunc(string(c), strange) {
		return other
	}
	return string(c)
}

// errorType returns the class of an error for error.type, one of a small number: a
// status, or what became of the connection.
func errorType(status int, err error) string {
	if status >= 400 && status <= 599 {
		return strconv.Itoa(status)
	}
	var (
		timeout interface{ Timeout() bool }
		dns     *net.DNSError
		cert    *tls.CertificateVerificationError
	)
	switch {
	case errors.Is(err, context.Canceled):
		return "canceled"
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return "timeout"
	case errors.As(err, &dns):
		return "name_not_resolved"
	case errors.As(err, &cert):
		return "server_certificate_invalid"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection_refused"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "connection_lost"
	}
	return otherError
}

// errorAttribute is errorType as an attribute.
func errorAttribute(status int, err error) attribute.KeyValue {
	return semconv.ErrorTypeKey.String(errorType(status, err))
}

// protocolVersion returns the version in a response's protocol: 2 of HTTP/2.0, and 1.1 of
// HTTP/1.1. It is empty if there is none.
func protocolVersion(protocol string) string {
	switch protocol {
	case "HTTP/1.0", "HTTP/1.1":
		return strings.TrimPrefix(protocol, "HTTP/")
	case "HTTP/2.0":
		return "2"
	case "HTTP/3.0":
		return "3"
	}
	return ""
}
