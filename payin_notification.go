package intram

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"

	"github.com/intram/intram-go/internal/credential"
	"github.com/intram/intram-go/internal/jsstringify"

	"github.com/intram/intram-go/internal/wire"
)

// headerPayinSignature carries a notification's signature (Payin docs, Notifications).
const headerPayinSignature = "X-Signature-Value"

// Notifications of payin sessions (Payin docs, Notifications).
const (
	EventPayinConfirmed EventType = "payin.confirmed"
	EventPayinDeclined  EventType = "payin.declined"
)

// PayinNotification is a notification whose signature is good.
//
// A payin that failed may become paid within [PayinFailureWindow], and a notification
// tells: what an earlier one said is not the last word.
//
// Nothing dates it: the signature covers the body alone, and the body has no time of
// sending. An old notification can be sent again by anyone who saw it. Take it as a hint
// to look: call [PayinService.Refresh], and act on its [Payin.Outcome].
type PayinNotification struct {
	// Type is what the customer did, as far as the body tells: [EventPayinConfirmed],
	// [EventPayinDeclined], or empty.
	Type EventType
	// Payin is the session as the notification shows it.
	Payin *Payin
}

// VerifyPayinNotification checks a notification's signature, and reads it. The secrets
// are the webhook's own, set in the portal, not the API credentials; give several while
// you rotate. One that is empty, damaged or of another kind is an error that names it.
// The body must be the raw bytes of the request.
//
// Two signatures are good: one of the raw bytes, and one of the body as the
// documentation's sample signs it, which is JSON.stringify(JSON.parse(body)). Of a body
// that is signed in the second form, that form is what is read, so that what you see is
// what was signed; the SDK makes it of bodies of at most 1 MiB and 64 levels.
//
// The signature is compared in constant time over decoded bytes; upper and lower case hex
// are both good. It says who wrote the body, and not when. So receive, then get:
//
//	note, err := intram.VerifyPayinNotification(r.Header, body, secret)
//	if err != nil {
//		http.Error(w, "bad signature", http.StatusUnauthorized)
//		return
//	}
//	payin, err := client.Payin.Refresh(r.Context(), note.Payin)
//	// act on payin.Outcome(), and answer 2xx when that is done: ship once for each reference, also after a failure
//
// Errors: [ErrMissingSignature], [ErrDuplicateHeader], [ErrInvalidSignature],
// [ErrInvalidPayload]. Docs: Payin, Notifications.
func VerifyPayinNotification(header http.Header, body []byte, secrets ...string) (*PayinNotification, error) {
	if len(secrets) == 0 {
		return nil, errors.New("intram: a payin notification needs at least one secret: the one set in the portal")
	}
	for i, s := range secrets {
		if mistake := credential.MACMistake(credential.PayinSecret, s); mistake != "" {
			return nil, fmt.Errorf("intram: payin webhook secret %d %s", i+1, mistake)
		}
	}
	signature, err := onlyHeader(header, headerPayinSignature, ErrMissingSignature)
	if err != nil {
		return nil, err
	}
	got, err := hex.DecodeString(signature)
	if err != nil || len(got) != sha256.Size {
		return nil, errMalformedSignature
	}
	if signsPayin(secrets, body, got) {
		return parsePayinNotification(body)
	}
	rewritten, ok := jsstringify.Rewrite(wire.WithoutBOM(body))
	if !ok || !signsPayin(secrets, rewritten, got) {
		return nil, ErrInvalidSignature
	}
	return parsePayinNotification(rewritten) // two bodies may be rewritten alike: this one was signed
}

// signsPayin reports whether one of the secrets makes this signature. It tries them all,
// whichever fits.
func signsPayin(secrets []string, body, signature []byte) (fits bool) {
	for _, s := range secrets {
		mac := hmac.New(sha256.New, []byte(s))
		mac.Write(body)
		fits = hmac.Equal(mac.Sum(nil), signature) || fits
	}
	return fits
}

func parsePayinNotification(body []byte) (*PayinNotification, error) {
	var w payinWire
	body = wire.WithoutBOM(body)
	if _, err := wire.Read(body, &w); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalidPayload, within(err))
	}
	payin := w.model(keep(body))
	if payin.Reference == "" && payin.ID == "" {
		return nil, fmt.Errorf("%w: it has no reference", ErrInvalidPayload)
	}
	note := &PayinNotification{Payin: &payin}
	switch note.Payin.ConfirmationStatus {
	case PayinConfirmationAccepted:
		note.Type = EventPayinConfirmed
	case PayinConfirmationDeclined:
		note.Type = EventPayinDeclined
	case PayinConfirmationNone, PayinConfirmationExpired:
	}
	return note, nil
}

// shown returns what is printed: which session, and what the customer did.
func (n PayinNotification) shown() string {
	id := ""
	if n.Payin != nil {
		id = scrubID(n.Payin.ID)
	}
	return hidden("PayinNotification", string(n.Type), id)
}
