package batch_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/batch"
	"github.com/intram/intram-go/batch/boltjournal"
)

func TestTheTotalIsComparedWithTheBalance(t *testing.T) {
	t.Parallel()
	lines := []batch.Line{pay(2, "A", 600, "22961000000"), pay(3, "B", 401, "22961000001")}
	balance := &intram.Balance{Currency: intram.XOF, Available: intram.NewAmount(1000)}
	problems := batch.CheckBalance(balance, lines)
	require.Len(t, problems, 1)
	assert.Contains(t, problems[0].Message, "come to 1 001, and the wallet has 1 000 available: short by 1")
	balance.Available = intram.NewAmount(1001)
	assert.Empty(t, batch.CheckBalance(balance, lines))
	lines[0].Params.Currency = "EUR"
	assert.Equal(t, []batch.Problem{{Line: 2, Field: "currency", Message: "not the wallet's"}}, batch.CheckBalance(balance, lines))
}

func TestALineShowsNobody(t *testing.T) {
	t.Parallel()
	for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
		assert.Equal(t, "line 2", fmt.Sprintf(format, pay(2, "A", 600, "22961234567")))
	}
}

// Each problem is reported once, with the field as the API calls it, and without personal
// data.
func TestWhatIsWrongWithLinesIsFoundBeforeAnythingIsSent(t *testing.T) {
	t.Parallel()
	b := newBench(t, 0)
	orange := pay(8, "G", 700, "22507000000")
	orange.Params.Destination = intram.MobileMoney{ProviderCode: "ORANGE_CI", MSISDN: "22507000000"}
	nameless := pay(9, "H", 800, "22961000008")
	nameless.Params.Destination = &intram.MobileMoney{MSISDN: "22961000008"}
	bank := func(number int, reference, account string) batch.Line {
		return batch.Line{Number: number, Params: intram.PayoutParams{
			Reference: reference, Amount: intram.NewAmount(100), Destination: intram.BankAccount{AccountNumber: account, SWIFT: "ECOCBJBJ"},
		}}
	}
	b.lines = []batch.Line{
		pay(2, "A", 100, "22961000000"), pay(3, "A", 200, "22961000001"), pay(4, "B", 100, "2290161000000"), pay(5, "", 300, "22961000002"),
		pay(6, "D", 0, "22961000003"), pay(2, "E", 500, "22961000004"), pay(0, "F", 600, "22961000005"), orange, nameless,
		bank(10, "I", "BJ0610"), bank(11, "J", "bj06 10"), {Number: 12, Params: intram.PayoutParams{Reference: "K", Amount: intram.NewAmount(1)}},
	}
	var found []string
	problems := batch.Check(b.server.Client(), b.lines, batch.Rules{})
	for _, p := range problems {
		found = append(found, p.String())
		assert.NotContains(t, p.String(), "61000000")
	}
	assert.Equal(t, []string{
		"invalid or repeated number: use each number from 1 once",
		"line 2: invalid or repeated number: use each number from 1 once",
		"line 3: reference: the same as in line 2",
		"line 4: the same amount goes to the same account as in line 2",
		"line 5: reference: missing: it tells one payout from another",
		"line 6: amount: it must be greater than 0",
		"line 8: destination.provider_code: not a known operator (MTN_BENIN_229, MOOV_AFRICA_BENIN_229, SBIN_BENIN_229)",
		"line 9: destination.provider_code: missing: without the operator's code the payout fails",
		"line 11: the same amount goes to the same account as in line 10",
		"line 12: destination: it is required: an intram.MobileMoney or an intram.BankAccount",
	}, found)
	_, err := b.open(t)
	stopped := new(batch.ProblemsError)
	require.ErrorAs(t, err, &stopped)
	assert.Equal(t, problems, stopped.Problems)
	assert.Equal(t, "batch: nothing was sent: "+found[0]+"; "+found[1]+"; "+found[2]+"; 7 more", err.Error())
	assert.NoFileExists(t, b.path)

	allowed := []batch.Line{pay(1, "A", 100, "22961000000"), pay(2, "B", 100, "22961000000"), orange}
	assert.Empty(t, batch.Check(b.server.Client(), allowed, batch.Rules{AllowProviders: []intram.ProviderCode{"ORANGE_CI"}, AllowDuplicates: true}))
}

func TestWhatOpenCannotWorkWithIsRefused(t *testing.T) {
	t.Parallel()
	b := newBench(t, 1)
	client, journal := b.server.Client(), boltjournal.At(b.path)
	for words, open := range map[string]func() (*batch.Run, error){
		"there are no lines":               func() (*batch.Run, error) { return batch.Open(t.Context(), client, journal, nil) },
		"needs a client and a journal":     func() (*batch.Run, error) { return batch.Open(t.Context(), nil, journal, b.lines) },
		"Open needs a client and a journa": func() (*batch.Run, error) { return batch.Open(t.Context(), client, nil, b.lines) },
		"WithConcurrency: 0 is not": func() (*batch.Run, error) {
			return batch.Open(t.Context(), client, journal, b.lines, batch.WithConcurrency(0))
		},
		"WithConcurrency: 33 is not": func() (*batch.Run, error) {
			return batch.Open(t.Context(), client, journal, b.lines, batch.WithConcurrency(33))
		},
		"WithMaxWait": func() (*batch.Run, error) {
			return batch.Open(t.Context(), client, journal, b.lines, batch.WithMaxWait(-1))
		},
	} {
		_, err := open()
		require.ErrorContains(t, err, words)
	}
	assert.NoFileExists(t, b.path)
	run, err := batch.Open(t.Context(), client, journal, b.lines, batch.WithConcurrency(32), batch.WithMaxWait(0), batch.WithProgress(nil))
	require.NoError(t, err)
	require.NoError(t, run.Pay(t.Context()))
	require.NoError(t, run.Close())
	require.NoError(t, run.Close(), "a second time is no error")
}
