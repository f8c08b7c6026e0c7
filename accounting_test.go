package intram_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/intramtest"
)

// moved is what the transactions of a time did to the wallet, pending money left aside.
// docs/accounting.md shows it.
func moved(ctx context.Context, client *intram.Client, since, before time.Time) (intram.Amount, error) {
	sum := intram.NewAmount(0)
	for t, err := range client.Transactions.All(ctx, intram.TransactionListParams{Since: since, Before: before}) {
		if err != nil {
			return intram.Amount{}, err
		}
		switch {
		case t.Type == intram.TransactionCredit && (t.Status == intram.TransactionSuccess || t.Status == intram.TransactionRefunded):
			sum = sum.Add(t.NetAmount)
		case t.Type == intram.TransactionDebit && t.Status != intram.TransactionError:
			sum = sum.Sub(t.Amount).Sub(t.Fees)
		case t.Type == intram.TransactionRefund && t.Status == intram.TransactionSuccess:
			sum = sum.Sub(t.Amount)
		}
	}
	return sum, nil
}

func TestTheBooksOfADayGiveTheBalance(t *testing.T) {
	t.Parallel()
	server := intramtest.NewServer(t, intramtest.WithoutListener(), intramtest.WithPayoutFeeBasisPoints(100))
	client, ctx := server.Client(), t.Context()
	balance := func() intram.Amount {
		b, err := client.Balance.Get(ctx)
		require.NoError(t, err)
		return b.Available
	}
	began, opening := server.Clock().Now(), balance()

	paid := payment(ctx, server, client, 12_000)
	again := payment(ctx, server, client, 5_000)
	for _, refund := range []intram.RefundParams{{TransactionReference: paid, Amount: intram.NewAmount(2_000)}, {TransactionReference: again}} {
		op, err := client.Refunds.Create(ctx, refund)
		require.NoError(t, err)
		_, err = client.Refunds.Wait(ctx, op.ID)
		require.NoError(t, err)
	}
	for number, fails := range map[string]bool{"2290161000000": false, "2290161000003": true} { // one is declined
		op, err := client.Payouts.Create(ctx, intram.PayoutParams{
			Amount: intram.NewAmount(25_000), Destination: intram.MobileMoney{ProviderCode: intram.MTNBenin, MSISDN: number},
		})
		require.NoError(t, err)
		_, err = client.Payouts.Wait(ctx, op.ID)
		assert.Equal(t, fails, err != nil, "%v", err)
	}
	bank, err := client.Payouts.Create(ctx, intram.PayoutParams{
		Amount: intram.NewAmount(40_000), Destination: intram.BankAccount{AccountNumber: "BJ0660100100100000000000", SWIFT: "ECOCBJBJ"},
	})
	require.NoError(t, err)
	_, err = client.Payouts.Wait(ctx, bank.ID)
	require.NoError(t, err)

	sum, err := moved(ctx, client, began.Add(-time.Second), server.Clock().Now().Add(time.Second))
	require.NoError(t, err)
	closing := balance()
	assert.Equal(t, closing.String(), opening.Add(sum).String())
	assert.NotEqual(t, opening.String(), closing.String(), "something moved")
}
