package intram_test

import (
	"crypto/fips140"
	"net/http"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/intram/intram-go"
	"github.com/intram/intram-go/intramtest"
)

// Go's strict FIPS mode panics at short keys and at SHA-1: the SDK must not, in any of
// its corners.
func TestStrictFIPSModePanicsNowhere(t *testing.T) {
	t.Parallel()
	if fips140.Enforced() {
		t.Skip("this is the run in that mode") //nolint:forbidigo // its caller checks what it says
	}
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), self, "-test.run=^(TestUnderStrictFIPSMode|TestSignatureVectors|TestWebhookVectors)$", "-test.v")
	cmd.Env = append(os.Environ(), "GODEBUG=fips140=only")
	said, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", said)
	assert.Contains(t, string(said), "--- PASS: TestUnderStrictFIPSMode")
}

func TestUnderStrictFIPSMode(t *testing.T) {
	t.Parallel()
	strict := fips140.Enforced()
	const short = "whsec_short"
	body := []byte(`{"event":"test.ping","operation_id":"op_1"}`)

	_, err := intram.NewClient("pk_sandbox_a1", "sk_a1")
	_, hookErr := intram.NewWebhookVerifier(short)
	_, payinErr := intram.VerifyPayinNotification(intramtest.SignPayinNotification("short", body), body, "short")
	if strict {
		require.ErrorContains(t, err, "secretKey is shorter than 14 bytes")
		require.ErrorContains(t, hookErr, "webhook secret 1 is shorter than 14 bytes")
		require.ErrorContains(t, payinErr, "payin webhook secret 1 is shorter than 14 bytes")
	} else {
		require.NoError(t, err)
		require.NoError(t, hookErr)
		require.ErrorIs(t, payinErr, intram.ErrInvalidPayload)
	}
	assert.NotEmpty(t, intram.SignWebhook(short, time.Now(), body).Get("X-Intram-Signature"))

	// A key that changed would charge a customer twice.
	for reference, want := range map[string]string{
		"order-4521":          "11fe8cef-c2ed-5fa7-b05e-1a60b936ed44",
		"order-4522":          "57abe5e9-a5ca-5c39-b1ad-69f4debaf93f",
		"commande n° 7 – été": "8baccd82-6623-5c85-842e-bcfe1231b9cf",
	} {
		key, err := intram.DerivePayinKey(reference)
		require.NoError(t, err)
		assert.Equal(t, want, key)
	}

	// A whole payout and its webhook, with the fake.
	server := intramtest.NewServer(t)
	client := server.Client()
	op, err := client.Payouts.Create(t.Context(), mobilePayout())
	require.NoError(t, err)
	_, err = client.Payouts.Wait(t.Context(), op.ID)
	require.NoError(t, err)
	session := payinParams()
	session.SuccessURL, session.FailureURL = "https://shop.example/ok", "https://shop.example/no"
	_, err = client.Payin.CreateSession(t.Context(), session)
	require.NoError(t, err)
	verifier, err := intram.NewWebhookVerifier("whsec_b4c3a2d1e0f9a8b7")
	require.NoError(t, err)
	_, err = verifier.Verify(intram.SignWebhook("whsec_b4c3a2d1e0f9a8b7", time.Now(), body), body)
	require.NoError(t, err)
	_, err = verifier.Verify(http.Header{}, body)
	require.ErrorIs(t, err, intram.ErrMissingSignature)
}
