// Package bench measures the SDK against the limits and against its peers. It is a module
// of its own, so that the peers' dependencies stay here.
package bench

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"net/http"
	"strconv"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stripe/stripe-go/v85"
	stripewebhook "github.com/stripe/stripe-go/v85/webhook"
	svix "github.com/svix/svix-webhooks/go"

	intram "github.com/intram/intram-go"
)

const webhookSecret = "whsec_test_5f2c1d9e8b7a6f5e4d3c2b1a09f8e7d6"

// webhookSizes are the sizes of the deliveries: Intram's own, and what a merchant's
// webhook_data can make of one.
var webhookSizes = []struct {
	name  string
	bytes int
}{{"350B", 350}, {"4KB", 4 << 10}, {"64KB", 64 << 10}}

// intramEvent is a payment of Intram's in at least so many bytes: the merchant's own
// order is what grows.
func intramEvent(size int) []byte {
	type line struct {
		SKU      string `json:"sku"`
		Name     string `json:"name"`
		Quantity int    `json:"quantity"`
		Price    int    `json:"price"`
	}
	order := struct {
		ID    string `json:"order_id"`
		Lines []line `json:"lines,omitempty"`
	}{ID: "4521"}
	for i := 0; ; i++ {
		data, err := json.Marshal(map[string]any{
			"event": "payment_request.paid", "operation_id": "op_4d2a8b1c", "occurred_at": "2026-05-20T10:31:14.250Z",
			"data": map[string]any{
				"transaction_reference": "AB12CD34EF", "status": "paid", "amount": 12000, "currency": "XOF", "fees": 240,
				"net_amount": 11760, "payment_method": "MTN Bénin", "webhook_data": order,
			},
		})
		if err != nil {
			panic(err)
		}
		if len(data) >= size {
			return data
		}
		order.Lines = append(order.Lines, line{fmt.Sprintf("SKU-%06d", i), "Tissu wax 6 yards", 1 + i%3, 4500 + i})
	}
}

// stripeEvent is an event of Stripe's shape of the same size.
func stripeEvent(size int) []byte {
	type transaction struct {
		ID        string `json:"id"`
		Amount    int64  `json:"amount"`
		Currency  string `json:"currency"`
		Status    string `json:"status"`
		CreatedAt string `json:"created_at"`
	}
	object := struct {
		ID           string        `json:"id"`
		Object       string        `json:"object"`
		Amount       int64         `json:"amount"`
		Currency     string        `json:"currency"`
		Status       string        `json:"status"`
		Transactions []transaction `json:"transactions,omitempty"`
	}{ID: "po_01JD8Z3Q7M5K9T2V4X", Object: "payout", Amount: 125000, Currency: "xof", Status: "paid"}
	pad := ""
	for i := 0; ; i++ {
		data, err := json.Marshal(map[string]any{
			"id": "evt_01JD8Z3Q7M5K9T2V4X", "object": "event", "type": "payout.paid", "api_version": "2025-09-30", "created": 1732212345,
			"livemode": false, "data": map[string]any{"object": object}, "request": map[string]any{"id": "req_" + pad},
		})
		if err != nil {
			panic(err)
		}
		switch short := size - len(data); {
		case short <= 0:
			return data
		case short < 130: // the rest of it, to the byte
			pad += fmt.Sprintf("%0*d", short, 0)
		default:
			object.Transactions = append(object.Transactions, transaction{
				fmt.Sprintf("txn_01JD8Z3Q7M5K9T2V4X6Y%06d", i), int64(1000 + i), "xof", "succeeded", "2025-11-21T18:59:00.123Z",
			})
		}
	}
}

// limit is what verifying costs at least: HMAC over the timestamp and the body with a key
// that is set up, the signature decoded, and the two compared.
type limit struct {
	mac      hash.Hash
	prefix   []byte
	sum, got [sha256.Size]byte
}

func newLimit() *limit {
	l := &limit{mac: hmac.New(sha256.New, []byte(webhookSecret)), prefix: make([]byte, 0, 64)}
	l.mac.Reset() // the first one saves the state that later ones restore
	return l
}

func (l *limit) verify(timestamp, body, signature []byte) bool {
	l.mac.Reset()
	l.prefix = append(append(l.prefix[:0], timestamp...), '.')
	l.mac.Write(l.prefix)
	l.mac.Write(body)
	if _, err := hex.Decode(l.got[:], signature); err != nil {
		return false
	}
	return hmac.Equal(l.mac.Sum(l.sum[:0]), l.got[:])
}

// BenchmarkWebhook is read by cmd/ratio, against its own "limit" and
// "stripe-ConstructEvent" of the same round.
func BenchmarkWebhook(b *testing.B) {
	for _, size := range webhookSizes {
		body := intramEvent(size.bytes)
		now := time.Now()
		header := intram.SignWebhook(webhookSecret, now, body)
		verifier, err := intram.NewWebhookVerifier(webhookSecret)
		if err != nil {
			b.Fatal(err)
		}
		run := func(name string, f func() error) {
			b.Run(size.name+"/"+name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if err := f(); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
		bare, timestamp := newLimit(), []byte(header.Get("X-Intram-Timestamp"))
		signature := []byte(header.Get("X-Intram-Signature")[len("sha256="):])
		run("limit", func() error {
			if !bare.verify(timestamp, body, signature) {
				return intram.ErrInvalidSignature
			}
			return nil
		})
		run("intram-Authenticate", func() error { return verifier.Authenticate(header, body) })
		run("intram-Verify", func() error { _, err := verifier.Verify(header, body); return err })
		benchmarkPeers(run, size.bytes, now)
	}
}

// benchmarkPeers measures the peers on an event of their own kind and the same size.
func benchmarkPeers(run func(string, func() error), size int, now time.Time) {
	body := stripeEvent(size)
	timestamp := strconv.FormatInt(now.Unix(), 10)
	mac := hmac.New(sha256.New, []byte(webhookSecret))
	mac.Write([]byte(timestamp + "."))
	mac.Write(body)
	signature := "t=" + timestamp + ",v1=" + hex.EncodeToString(mac.Sum(nil))
	run("stripe-ValidatePayload", func() error { return stripewebhook.ValidatePayload(body, signature, webhookSecret) })
	options := stripewebhook.ConstructEventOptions{IgnoreAPIVersionMismatch: true}
	var event stripe.Event
	run("stripe-ConstructEvent", func() (err error) {
		event, err = stripewebhook.ConstructEventWithOptions(body, signature, webhookSecret, options)
		return err
	})
	_ = event

	signed := func(prefix string, sign func(string, time.Time, []byte) (string, error)) (http.Header, error) {
		header := http.Header{}
		header.Set(prefix+"-id", "msg_1")
		header.Set(prefix+"-timestamp", timestamp)
		value, err := sign("msg_1", now, body)
		header.Set(prefix+"-signature", value)
		return header, err
	}
	if hook, err := svix.NewWebhookRaw([]byte(webhookSecret)); err == nil {
		header, err := signed("svix", hook.Sign)
		run("svix-Verify", func() error {
			if err != nil {
				return err
			}
			return hook.Verify(body, header)
		})
	}
	if hook, err := standardwebhooks.NewWebhookRaw([]byte(webhookSecret)); err == nil {
		header, err := signed("webhook", hook.Sign)
		run("standardwebhooks-Verify", func() error {
			if err != nil {
				return err
			}
			return hook.Verify(body, header)
		})
	}
}

func TestTheEventsHaveTheSizesTheyAreNamedFor(t *testing.T) {
	t.Parallel()
	for _, size := range webhookSizes {
		for name, body := range map[string][]byte{"Intram": intramEvent(size.bytes), "Stripe": stripeEvent(size.bytes)} {
			if len(body) < size.bytes || len(body) > size.bytes+100 {
				t.Errorf("the event of %s of %s has %d bytes", name, size.name, len(body))
			}
		}
	}
}
