package intram_test

import (
	"context"
	"errors"
	"fmt"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/intramtest"
)

// quota is a limiter that lets so many requests pass and no more.
type quota struct{ left chan struct{} }

func (q quota) Wait(_ context.Context, kind intram.LimitKind) error {
	select {
	case <-q.left:
		return nil
	default:
		return fmt.Errorf("no quota for another %s", kind)
	}
}

func ExampleWithLimiter() {
	server, err := intramtest.Start()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()
	left := make(chan struct{}, 1)
	left <- struct{}{}
	client := server.Client(intram.WithLimiter(quota{left}))

	params := intram.PayoutParams{
		Amount: intram.NewAmount(2500), Currency: intram.XOF,
		Destination: intram.MobileMoney{ProviderCode: intram.MTNBenin, MSISDN: "22961000000"},
	}
	_, err = client.Payouts.Create(context.Background(), params)
	fmt.Println(err)
	_, err = client.Payouts.Create(context.Background(), params)
	fmt.Println(intram.OutcomeOf(err), errors.Unwrap(errors.Unwrap(err)))
	// Output:
	// <nil>
	// not_sent no quota for another write
}
