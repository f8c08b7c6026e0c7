package intram_test

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"testing/quick"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/intram/intram-go"
)

func TestKeyIsARandomUUIDUnlessGiven(t *testing.T) {
	t.Parallel()
	client, s := scripted(t)
	s.forever = answerFile(t, 202, "payout.accepted.current.json")
	seen := map[string]bool{}
	for range 100 {
		var resp intram.Response
		_, err := client.Payouts.Create(t.Context(), mobilePayout(), intram.WithResponseInto(&resp))
		require.NoError(t, err)
		keys := s.last().Header["Idempotency-Key"]
		require.Len(t, keys, 1)
		id, err := uuid.Parse(keys[0])
		require.NoError(t, err)
		assert.Equal(t, uuid.Version(4), id.Version())
		assert.Equal(t, uuid.RFC4122, id.Variant())
		assert.Equal(t, strings.ToLower(id.String()), keys[0])
		assert.False(t, seen[keys[0]], "a key was used twice")
		seen[keys[0]] = true
		assert.Equal(t, keys[0], resp.IdempotencyKey)
	}
}

func TestEveryPostCarriesAKeyAndNothingElseDoes(t *testing.T) {
	t.Parallel()
	for name, call := range everyCall {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, s := scripted(t)
			s.forever = answer(404, `{"error":true,"code":"x"}`)
			err := call(t.Context(), client, intram.WithIdempotencyKey("mine-0001"))
			var e *intram.Error
			require.ErrorAs(t, err, &e)
			sent := s.last()
			if sent.Method == http.MethodPost {
				assert.Equal(t, []string{"mine-0001"}, sent.Header["Idempotency-Key"])
				assert.Equal(t, "mine-0001", e.IdempotencyKey)
				assert.Equal(t, []string{"application/json"}, sent.Header["Content-Type"])
			} else {
				assert.NotContains(t, sent.Header, "Idempotency-Key")
				assert.Empty(t, e.IdempotencyKey)
				assert.NotContains(t, sent.Header, "Content-Type")
				assert.Empty(t, sent.Body)
			}
		})
	}
}

func TestKeyBounds(t *testing.T) {
	t.Parallel()
	good := []string{
		strings.Repeat("a", 8), strings.Repeat("a", 128), "AZaz09_-", "--------", "________", "00000000",
		"3f1e8a52-6c7a-4b57-9d43-1f2f0f9a8c11",
	}
	bad := []string{
		"", "a", strings.Repeat("a", 7), strings.Repeat("a", 129), strings.Repeat("a", 10000),
		"with space", "line\nbreak-x", "tab\tinside", "dot.inside", "slash/inside", "colon:inside", "plus+inside", "percent%20",
		"accenté-cle", "emoji-🔑-key", "nul\x00inside", "aaaaaaa\r\n", "quote\"quote", "équilibre", "aaaaaaa\x7f", "aaaaaaa\xff", "aaaaaaa@", "aaaaaaa[", "aaaaaaa`", "aaaaaaa{",
	}
	for _, key := range good {
		client, s := scripted(t, answerFile(t, 202, "payout.accepted.current.json"))
		_, err := client.Payouts.Create(t.Context(), mobilePayout(), intram.WithIdempotencyKey(key))
		require.NoError(t, err, "%q", key)
		assert.Equal(t, []string{key}, s.last().Header["Idempotency-Key"])
	}
	for _, key := range bad {
		client, s := scripted(t)
		_, err := client.Payouts.Create(t.Context(), mobilePayout(), intram.WithIdempotencyKey(key))
		e := refusal(t, err)
		assert.Equal(t, []intram.InvalidField{{
			Path: "idempotency_key", Msg: "idempotency_key must be 8 to 128 characters of A-Z, a-z, 0-9, _ and -",
		}}, e.Details, "%q", key)
		assert.Empty(t, s.requests(), "nothing is signed or sent")
		// The last option wins, so a bad key can be put right.
		client, _ = scripted(t, answerFile(t, 202, "payout.accepted.current.json"))
		_, err = client.Payouts.Create(t.Context(), mobilePayout(), intram.WithIdempotencyKey(key), intram.WithIdempotencyKey("good-key"))
		require.NoError(t, err)
	}
}

// The same key and the same bytes on every attempt, and the key in every error: a caller
// goes on with it.
func TestKeyAndBytesStayOverAttempts(t *testing.T) {
	t.Parallel()
	client, s := scripted(t, lost, answer(503, "<html>"), answer(429, "{}"), lost)
	_, err := client.Payouts.Create(t.Context(), mobilePayout())
	var e *intram.Error
	require.ErrorAs(t, err, &e)
	sent := s.requests()
	require.Len(t, sent, 4)
	for _, one := range sent {
		assert.Equal(t, sent[0].Header["Idempotency-Key"], one.Header["Idempotency-Key"])
		assert.Equal(t, sent[0].Body, one.Body)
	}
	assert.Equal(t, sent[0].Header.Get("Idempotency-Key"), e.IdempotencyKey)
	assert.Equal(t, 4, e.Attempts)
	assert.Contains(t, err.Error(), "idempotency key "+e.IdempotencyKey)
	assert.Contains(t, err.Error(), "call again with the same idempotency key")
	assert.Equal(t, intram.OutcomeUnknown, intram.OutcomeOf(err))
}

func TestKeyIsInEveryError(t *testing.T) {
	t.Parallel()
	for name, steps := range map[string][]step{
		"refused":       {answer(400, `{"error":true,"code":"validation_error"}`)},
		"conflict":      {answer(409, `{"error":true,"code":"idempotency_conflict"}`)},
		"a proxy":       {answer(404, "<html>")},
		"not connected": {refused, refused, refused, refused},
		"not JSON":      {answer(202, "<html>")},
		"empty":         {answer(202, "")},
		"redirect":      {answer(302, "", "Location", "https://elsewhere.example.com")},
	} {
		for _, key := range []string{"", "payout-PO-2026-0001"} {
			client, s := scripted(t, steps...)
			var opts []intram.CallOption
			if key != "" {
				opts = append(opts, intram.WithIdempotencyKey(key))
			}
			_, err := client.Payouts.Create(t.Context(), mobilePayout(), opts...)
			var e *intram.Error
			require.ErrorAs(t, err, &e, name)
			assert.Equal(t, s.last().Header.Get("Idempotency-Key"), e.IdempotencyKey, name)
			assert.Contains(t, err.Error(), e.IdempotencyKey, name)
			if key != "" {
				assert.Equal(t, key, e.IdempotencyKey, name)
			}
		}
	}
	// Even when nothing was sent: the caller corrects the parameters and goes on.
	client, _ := scripted(t)
	_, err := client.Payouts.Create(t.Context(), intram.PayoutParams{}, intram.WithIdempotencyKey("payout-PO-2026-0001"))
	assert.Equal(t, "payout-PO-2026-0001", refusal(t, err).IdempotencyKey)
	_, err = client.Payouts.Create(t.Context(), intram.PayoutParams{})
	_, parseErr := uuid.Parse(refusal(t, err).IdempotencyKey)
	require.NoError(t, parseErr)
}

func TestReplayIsReported(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]bool{"true": true, "false": false, "": false} {
		client, _ := scripted(t, answer(202, example(t, "payout.accepted.current.json"), "Idempotent-Replay", header))
		var resp intram.Response
		_, err := client.Payouts.Create(t.Context(), mobilePayout(), intram.WithResponseInto(&resp))
		require.NoError(t, err)
		assert.Equal(t, want, resp.Replayed)
	}
}

func TestDeriveIdempotencyKey(t *testing.T) {
	t.Parallel()
	derive := func(purpose, reference string) string {
		t.Helper()
		key, err := intram.DeriveIdempotencyKey(purpose, reference)
		require.NoError(t, err)
		return key
	}
	// Written down once: a program that upgrades the SDK must find its keys again.
	assert.Equal(t, "idem_"+sha256Hex("\x00\x00\x00\x00\x00\x00\x00\x06payoutPO-2026-0001"), derive("payout", "PO-2026-0001"))

	pairs := [][2]string{
		{"ab", "c"}, {"a", "bc"}, {"abc", "d"}, {"a", "b"}, {"b", "a"}, {"payout", "1"}, {"refund", "1"}, {"payout", "11"}, {"payout1", "1"},
		{"a\x00", "b"}, {"a", "\x00b"}, {" a", "b"}, {"a", "b "}, {"A", "b"}, {"é", "x"}, {"e\u0301", "x"},
		{strings.Repeat("x", 300), "y"}, {"x", strings.Repeat("x", 299) + "y"},
	}
	seen := map[string][2]string{}
	valid := regexp.MustCompile(`^[A-Za-z0-9_-]{8,128}$`)
	for _, p := range pairs {
		key := derive(p[0], p[1])
		assert.Regexp(t, valid, key)
		assert.True(t, intram.ValidIdempotencyKey(key))
		if other, dup := seen[key]; dup {
			t.Errorf("%q and %q have one key", p, other)
		}
		seen[key] = p
	}
	injective := func(p1, r1, p2, r2 string) bool {
		k1, err1 := intram.DeriveIdempotencyKey(p1, r1)
		k2, err2 := intram.DeriveIdempotencyKey(p2, r2)
		if err1 != nil || err2 != nil {
			return p1 == "" || r1 == "" || p2 == "" || r2 == ""
		}
		return (k1 == k2) == (p1 == p2 && r1 == r2) && valid.MatchString(k1)
	}
	require.NoError(t, quick.Check(injective, nil))

	_, err := intram.DeriveIdempotencyKey("", "PO-1")
	require.ErrorContains(t, err, "purpose is empty")
	_, err = intram.DeriveIdempotencyKey("payout", "")
	require.ErrorContains(t, err, "reference is empty")
	// What it is made of cannot be read back from it, or from the error.
	assert.NotContains(t, derive("payout", "22961234567"), "22961234567")
}

// refusal is an error made before anything was sent.
func refusal(tb testing.TB, err error) *intram.Error {
	tb.Helper()
	var e *intram.Error
	require.ErrorAs(tb, err, &e)
	assert.Equal(tb, intram.CodeValidationError, e.Code)
	assert.Equal(tb, intram.OutcomeNotSent, e.Outcome)
	assert.Equal(tb, intram.OutcomeNotSent, intram.OutcomeOf(err))
	assert.Zero(tb, e.StatusCode)
	assert.Zero(tb, e.Attempts)
	require.ErrorIs(tb, err, intram.CodeValidationError)
	assert.Contains(tb, err.Error(), "nothing was sent")
	assert.NotContains(tb, err.Error(), "\n")
	return e
}

func sha256Hex(s string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(s))) }
