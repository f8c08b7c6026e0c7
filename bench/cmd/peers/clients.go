package main

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/go-resty/resty/v2"
	"github.com/google/uuid"
	"github.com/hashicorp/go-retryablehttp" //nolint:depguard // a peer, measured as it is
	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/stripe/stripe-go/v85"

	intram "github.com/intram/intram-go"
)

const (
	publicKey = "pk_live_5f2c1d9e8b7a6f5e"
	secretKey = "sk_live_4d3c2b1a09f8e7d65f2c1d9e8b7a6f5e" //nolint:gosec // made up, for a server of our own
)

// call makes one call: the same payout, by whatever client.
type call func(context.Context) error

// client is a peer. Each measurement makes a new one.
type client struct {
	name string
	open func(base string) (call, func(), error) // the second closes its connections
}

// The clients, the limit first: what the others are compared with.
var clients = []client{
	{"bare net/http", openBare},
	{"bare net/http, signed", openSigned},
	{"intram", openIntram},
	{"go-retryablehttp", openRetryable},
	{"stripe-go", func(base string) (call, func(), error) { return openStripe(base, defaultTransport()) }},
	{"stripe-go, tuned transport", func(base string) (call, func(), error) { return openStripe(base, tunedTransport()) }},
	{"resty", openResty},
	{"openai-go", openOpenAI},
}

const (
	bareName   = "bare net/http"
	signedName = "bare net/http, signed"
	intramName = "intram"
	stripeName = "stripe-go"
)

// tunedTransport keeps a connection for each of many concurrent callers.
func tunedTransport() *http.Transport {
	t := defaultTransport()
	t.DialContext = (&net.Dialer{Timeout: 10 * time.Second}).DialContext
	t.MaxIdleConns, t.MaxIdleConnsPerHost = 0, 256
	return t
}

// defaultTransport is net/http's own, for one client alone.
func defaultTransport() *http.Transport {
	t, _ := http.DefaultTransport.(*http.Transport) // it is one, unless a program replaced it
	return t.Clone()
}

// payoutBody and operation are what a developer writes who calls the API by hand.
type payoutBody struct {
	Amount      int64          `json:"amount"`
	Currency    string         `json:"currency"`
	Destination destination    `json:"destination"`
	Reference   string         `json:"reference"`
	Note        string         `json:"note"`
	Metadata    map[string]any `json:"metadata"`
}

type destination struct {
	Type           string `json:"type"`
	CountryCode    string `json:"country_code"`
	ProviderCode   string `json:"provider_code"`
	MSISDN         string `json:"msisdn"`
	AccountName    string `json:"account_name"`
	AccountSurname string `json:"account_surname"`
}

type operation struct {
	Error      bool `json:"error"`
	HTTPStatus int  `json:"http_status"`
	Data       struct {
		ID      string          `json:"operation_id"`
		Type    string          `json:"type"`
		Status  string          `json:"status"`
		Env     string          `json:"env"`
		Payload json.RawMessage `json:"payload"`
		Date    time.Time       `json:"date"`
	} `json:"data"`
}

func newPayout() *payoutBody {
	return &payoutBody{
		Amount: 25000, Currency: "XOF", Reference: "PO-2026-0001", Note: "Settlement hebdomadaire", Metadata: map[string]any{"batch_id": "B-42"},
		Destination: destination{"mobile_money", "BJ", "MTN_BENIN_229", "22961234567", "Ada", "Lovelace"},
	}
}

var errNoID = errors.New("no id in the response")

// read reads a response as a careful developer would: whole, checked, and closed.
func read(resp *http.Response) error {
	data, err := io.ReadAll(resp.Body)
	if closing := resp.Body.Close(); err == nil {
		err = closing
	}
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusAccepted {
		return fmt.Errorf("HTTP %d", resp.StatusCode)
	}
	return decode(data)
}

func decode(data []byte) error {
	var op operation
	if err := json.Unmarshal(data, &op); err != nil {
		return err
	}
	return op.check()
}

func (op *operation) check() error {
	if op.Data.ID == "" {
		return errNoID
	}
	return nil
}

// openBare is the limit: it marshals, sends and unmarshals, and neither signs nor retries
// nor has a time limit.
func openBare(base string) (call, func(), error) {
	transport := tunedTransport()
	hc := &http.Client{Transport: transport}
	return func(ctx context.Context) error {
		body, err := json.Marshal(newPayout())
		if err != nil {
			return err
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, base+"/payouts", bytes.NewReader(body))
		if err != nil {
			return err
		}
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("X-Api-Key", publicKey)
		resp, err := hc.Do(req)
		if err != nil {
			return err
		}
		return read(resp)
	}, transport.CloseIdleConnections, nil
}

// openSigned is what the API takes from a client written by hand: signed, with an
// idempotency key, and with a time limit.
func openSigned(base string) (call, func(), error) {
	transport := tunedTransport()
	hc := &http.Client{Transport: transport, Timeout: 30 * time.Second}
	return func(ctx context.Context) error {
		body, err := json.Marshal(newPayout())
		if err != nil {
			return err
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, base+"/payouts", bytes.NewReader(body))
		if err != nil {
			return err
		}
		timestamp := time.Now().UTC().Format("2006-01-02T15:04:05.000Z")
		mac := hmac.New(sha256.New, []byte(secretKey))
		mac.Write([]byte(timestamp + "\nPOST\n/api/v1/merchant/payouts\n\n"))
		mac.Write(body)
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("X-Api-Key", publicKey)
		req.Header.Set("X-Timestamp", timestamp)
		req.Header.Set("X-Signature", "sha256="+hex.EncodeToString(mac.Sum(nil)))
		req.Header.Set("Idempotency-Key", uuid.NewString())
		resp, err := hc.Do(req)
		if err != nil {
			return err
		}
		return read(resp)
	}, transport.CloseIdleConnections, nil
}

// openIntram is the SDK as it comes.
func openIntram(base string) (call, func(), error) {
	client, err := intram.NewClient(publicKey, secretKey, intram.WithBaseURL(base))
	if err != nil {
		return nil, nil, err
	}
	return func(ctx context.Context) error {
		op, err := client.Payouts.Create(ctx, intram.PayoutParams{
			Amount: intram.NewAmount(25000), Currency: intram.XOF, Reference: "PO-2026-0001", Note: "Settlement hebdomadaire",
			Destination: intram.MobileMoney{
				ProviderCode: intram.MTNBenin, MSISDN: "22961234567", CountryCode: "BJ", AccountName: "Ada", AccountSurname: "Lovelace",
			},
			Metadata: map[string]any{"batch_id": "B-42"},
		})
		if err != nil {
			return err
		}
		if op.ID == "" {
			return errNoID
		}
		return nil
	}, client.CloseIdleConnections, nil
}

// openRetryable is go-retryablehttp as it comes, but for its log: a line for each call on
// the terminal is no part of a call.
func openRetryable(base string) (call, func(), error) {
	hc := retryablehttp.NewClient()
	hc.Logger = nil
	return func(ctx context.Context) error {
		body, err := json.Marshal(newPayout())
		if err != nil {
			return err
		}
		req, err := retryablehttp.NewRequestWithContext(ctx, http.MethodPost, base+"/payouts", body)
		if err != nil {
			return err
		}
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("X-Api-Key", publicKey)
		resp, err := hc.Do(req)
		if err != nil {
			return err
		}
		return read(resp)
	}, hc.HTTPClient.CloseIdleConnections, nil
}

// openStripe is stripe-go, with the time limit that its own client has.
func openStripe(base string, transport *http.Transport) (call, func(), error) {
	backend := stripe.GetBackendWithConfig(stripe.APIBackend, &stripe.BackendConfig{
		URL:           stripe.String(base[:len(base)-len("/v1")]),
		HTTPClient:    &http.Client{Timeout: 80 * time.Second, Transport: transport},
		LeveledLogger: &stripe.LeveledLogger{Level: stripe.LevelNull},
	})
	client := stripe.NewClient("sk_test_123", stripe.WithBackends(&stripe.Backends{API: backend, Connect: backend, Uploads: backend, MeterEvents: backend}))
	return func(ctx context.Context) error {
		payout, err := client.V1Payouts.Create(ctx, &stripe.PayoutCreateParams{
			Amount: stripe.Int64(25000), Currency: stripe.String("xof"), Description: stripe.String("Settlement hebdomadaire"),
			Method: stripe.String("standard"), Destination: stripe.String("ba_1MtIhL2eZvKYlo2C"),
			Metadata: map[string]string{"batch_id": "B-42", "reference": "PO-2026-0001"},
		})
		if err != nil {
			return err
		}
		if payout.ID == "" {
			return errNoID
		}
		return nil
	}, transport.CloseIdleConnections, nil
}

// openResty is resty as it comes.
func openResty(base string) (call, func(), error) {
	client := resty.New()
	return func(ctx context.Context) error {
		var op operation
		resp, err := client.R().SetContext(ctx).SetHeader("X-Api-Key", publicKey).SetBody(newPayout()).SetResult(&op).Post(base + "/payouts")
		if err != nil {
			return err
		}
		if resp.StatusCode() != http.StatusAccepted {
			return fmt.Errorf("HTTP %d", resp.StatusCode())
		}
		return op.check()
	}, client.GetClient().CloseIdleConnections, nil
}

// openOpenAI is openai-go as it comes, asked for an endpoint of ours.
func openOpenAI(base string) (call, func(), error) {
	transport := defaultTransport()
	client := openai.NewClient(option.WithAPIKey("sk_test_123"), option.WithBaseURL(base+"/"),
		option.WithHTTPClient(&http.Client{Transport: transport}))
	return func(ctx context.Context) error {
		var op operation
		if err := client.Post(ctx, "payouts", newPayout(), &op); err != nil {
			return err
		}
		return op.check()
	}, transport.CloseIdleConnections, nil
}
