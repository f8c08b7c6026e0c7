package redislimit_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/intramtest"
	"github.com/intram/intram-go/limit/redislimit"
)

// Without WithLocalShare nothing is sent while Redis is away, and the error says so.
func Example() {
	server, err := intramtest.Start()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()
	rdb := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1", ContextTimeoutEnabled: true, MaxRetries: -1}) // there is none
	defer func() { _ = rdb.Close() }()
	limiter, err := redislimit.New(rdb, "acme/live", redislimit.Rate{Requests: 50, Per: time.Second, Burst: 10})
	if err != nil {
		fmt.Println(err)
		return
	}
	client := server.Client(intram.WithLimiter(limiter))

	_, err = client.Payouts.Create(context.Background(), intram.PayoutParams{
		Amount: intram.NewAmount(2500), Currency: intram.XOF,
		Destination: intram.MobileMoney{ProviderCode: intram.MTNBenin, MSISDN: "22961000000"},
	})
	fmt.Println(intram.OutcomeOf(err), errors.Is(err, redislimit.ErrUnavailable))
	// Output: not_sent true
}
