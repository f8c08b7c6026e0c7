package servetest

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	intram "github.com/intram/intram-go"
)

// Payout returns the parameters of a payout to a mobile number.
func Payout(msisdn string, amount int64) intram.PayoutParams {
	return intram.PayoutParams{Amount: intram.NewAmount(amount), Destination: intram.MobileMoney{ProviderCode: intram.MTNBenin, MSISDN: msisdn}}
}

// PaymentRequest returns the parameters of a request that a customer pays.
func PaymentRequest(amount int64, description string) intram.PaymentRequestParams {
	return intram.PaymentRequestParams{
		Invoice: intram.Invoice{
			Amount: intram.NewAmount(amount), Currency: intram.XOF, Description: description,
			Customer: intram.Customer{FirstName: "Ada", LastName: "Lovelace", Email: "ada@example.com", Phone: "22961000000"},
		},
		ReturnURLs: intram.ReturnURLs{Success: "https://shop.example.com/merci", Cancel: "https://shop.example.com/panier"},
	}
}

// ReferenceOf returns the reference of the transaction that a payment request has made.
func ReferenceOf(t *testing.T, client *intram.Client, op *intram.Operation) string {
	t.Helper()
	result, err := client.PaymentRequests.Wait(t.Context(), op.ID)
	require.NoError(t, err)
	return result.TransactionReference
}

// WronglySigned makes a call with the documented mistake of signing the path that is
// called, and returns the id of the request.
func WronglySigned(t *testing.T, p *Process) string {
	t.Helper()
	keys := p.Local().Sandbox
	body := `{"amount":1000,"destination":{"type":"mobile_money","provider_code":"MTN_BENIN_229","msisdn":"22961000000"},"note":"<script>alert(1)</script>"}`
	return SignedBy(t, p.URL, keys.PublicKey, keys.SecretKey, "/v1/payouts", body)
}

// SignedBy posts a payout whose signature covers a path, and returns the id of the
// request.
func SignedBy(t *testing.T, base, publicKey, secretKey, path, body string) (requestID string) {
	t.Helper()
	at := time.Now().UTC().Format("2006-01-02T15:04:05.000Z")
	mac := hmac.New(sha256.New, []byte(secretKey))
	mac.Write([]byte(at + "\nPOST\n" + path + "\n\n" + body))
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, base+"/v1/payouts", strings.NewReader(body))
	require.NoError(t, err)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Idempotency-Key", "signed-by-hand-1")
	r.Header.Set("X-Api-Key", publicKey)
	r.Header.Set("X-Timestamp", at)
	r.Header.Set("X-Signature", "sha256="+hex.EncodeToString(mac.Sum(nil)))
	resp, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	return resp.Header.Get("X-Request-Id")
}
