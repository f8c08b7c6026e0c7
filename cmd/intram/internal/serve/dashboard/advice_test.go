package dashboard

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/intram/intram-go/internal/mockapi"
)

// fake is a source file of the fake.
func fake(t *testing.T, name string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("..", "..", "..", "..", "..", "internal", "mockapi", name))
	require.NoError(t, err)
	return string(content)
}

func TestEveryErrorCodeOfTheFakeHasAdvice(t *testing.T) {
	t.Parallel()
	codes := regexp.MustCompile(`(?m)^\t"([a-z_]+)":`).FindAllStringSubmatch(fake(t, "failures.go"), -1)
	codes = append(codes, regexp.MustCompile(`failure: "([a-z_]+)"`).FindAllStringSubmatch(fake(t, "payin_numbers.go"), -1)...)
	require.Greater(t, len(codes), 12)
	for _, code := range codes {
		for _, lang := range languages {
			a := adviceOn(lang, code[1])
			assert.NotEmpty(t, a.Why, "%s, %s", code[1], lang)
			assert.NotEmpty(t, a.Do, "%s, %s", code[1], lang)
		}
	}
	assert.Empty(t, adviceOn(english, "unheard_of"))
	assert.Equal(t, "its own words", whyOf(english, "unheard_of", "its own words"))
	assert.Equal(t, "L'opérateur a refusé (Limit reached).", whyOf(french, "provider_rejected", "Limit reached"))
}

func TestEveryTestNumberOfTheFakeIsOnThePage(t *testing.T) {
	t.Parallel()
	for _, file := range []string{"testnumbers.go", "payin_numbers.go"} {
		assert.Len(t, regexp.MustCompile(`(?m)^\t\d+: +\{`).FindAllString(fake(t, file), -1), len(testNumbers), file)
	}
}

func TestEveryAccountOfTheLedgerHasWords(t *testing.T) {
	t.Parallel()
	core, err := mockapi.New(mockapi.Config{Seed: 1, Merchant: mockapi.MerchantConfig{
		Balances: map[string]map[string]int64{"sandbox": {"CARD": 1, "BANK": 1, "MTN_BENIN_229": 5}},
	}})
	require.NoError(t, err)
	t.Cleanup(core.Close)
	for _, e := range core.Ledger() {
		for _, lang := range languages {
			assert.NotContains(t, inWords(lang, e.Account), ":sandbox:")
		}
	}
	for account, want := range map[string]string{
		"wallet:mer_1:sandbox:MTN_BENIN_229": "Your MTN Bénin wallet", "wallet:mer_1:sandbox:CARD:pending": "Your Carte Visa wallet, announced",
		"wallet:mer_1:live:PAYIN": "Your Payin wallet", "provider:sandbox:MOOV_AFRICA_BENIN_229": "Moov Bénin: customers and recipients",
		"clearing:mer_1:live": "Under way", "something:else": "something:else",
	} {
		assert.Equal(t, want, inWords(english, account))
	}
	// What the fake names, and what its postings are for, is read off its source.
	for _, m := range regexp.MustCompile(`account\("([a-z]+)[":]`).FindAllStringSubmatch(fake(t, "merchants.go"), -1) {
		assert.Contains(t, accountWords, m[1])
	}
	found := 0
	for _, file := range []string{"payouts.go", "refunds.go", "paymentrequests.go", "merchants.go", "records.go", "payin_sessions.go"} {
		for _, m := range regexp.MustCompile(`(?:memo: |s\.post\(op, |Transaction\(tx, |creditBack\(op, [^,]+, |withdrawPending\(tx, )"([^"]+)"`).FindAllStringSubmatch(fake(t, file), -1) {
			found++
			assert.NotEqual(t, m[1], memo(french, m[1]), "%s has no French", m[1])
		}
	}
	assert.Greater(t, found, 12)
}
