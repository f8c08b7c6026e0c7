package mockapi

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestRotatedKeysAreValidForTheirOverlap(t *testing.T) {
	t.Parallel()
	for _, secretOnly := range []bool{false, true} {
		f := newFixture(t, Config{})
		first := f.keys
		status := func(keys Keys) int {
			return f.do(call{method: http.MethodGet, endpoint: "/balance", keys: keys}).status
		}
		next, err := f.s.RotateKeys(first.Public, time.Minute, secretOnly)
		require.NoError(t, err)
		assert.Equal(t, secretOnly, next.Public == first.Public)
		assert.NotEqual(t, first.Secret, next.Secret)
		assert.Equal(t, http.StatusOK, status(first))
		assert.Equal(t, http.StatusOK, status(next))
		assert.Equal(t, http.StatusUnauthorized, status(Keys{first.Public, "sk_sandbox_another"}))
		f.s.Clock().Advance(time.Minute - time.Millisecond)
		assert.Equal(t, http.StatusOK, status(first))
		f.s.Clock().Advance(time.Millisecond)
		assert.Equal(t, http.StatusUnauthorized, status(first))
		assert.Equal(t, http.StatusOK, status(next))

		// At once, and by any public key that the account had.
		last, err := f.s.RotateKeys(first.Public, 0, false)
		require.NoError(t, err)
		assert.Equal(t, http.StatusUnauthorized, status(next))
		assert.Equal(t, http.StatusOK, status(last))
		account, current, version, err := f.s.CurrentKeys(next.Public)
		require.NoError(t, err)
		assert.Equal(t, first.Public, account)
		assert.Equal(t, last, current)
		assert.Equal(t, 3, version)
	}
	f := newFixture(t, Config{})
	_, err := f.s.RotateKeys("pk_sandbox_unknown", 0, false)
	require.ErrorIs(t, err, errUnknownKey)
	_, _, _, err = f.s.CurrentKeys("pk_sandbox_unknown")
	require.ErrorIs(t, err, errUnknownKey)
}

func TestARotatedAccountIsTheSame(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{})
	c := call{method: http.MethodPost, endpoint: "/payouts", key: "payout-rotated-1", body: payoutBody(2000, "22961234567")}
	require.Equal(t, http.StatusAccepted, f.do(c).status)
	next, err := f.s.RotateKeys(f.keys.Public, 0, false)
	require.NoError(t, err)
	refused := f.do(c)
	assert.Equal(t, http.StatusUnauthorized, refused.status)
	assert.Contains(t, string(refused.body), "invalid_api_key")
	f.keys = next
	again := f.do(c)
	assert.Equal(t, http.StatusAccepted, again.status)
	assert.Equal(t, "true", again.header.Get("Idempotent-Replay"), "idempotency keys are the merchant's")
}
