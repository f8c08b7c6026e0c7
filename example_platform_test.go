package intram_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

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

// A platform's program names a merchant, and gets its client.
func ExamplePlatform() {
	server, err := intramtest.Start()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()
	merchants := map[string]*intramtest.Merchant{}
	for _, id := range []string{"acme", "bijou"} {
		if merchants[id], err = server.AddMerchant(id); err != nil {
			fmt.Println(err)
			return
		}
	}

	platform, err := intram.NewPlatform(func(_ context.Context, id string) (intram.Credentials, error) {
		m := merchants[id] // your store of secrets
		if m == nil {
			return intram.Credentials{}, errors.New("no such merchant")
		}
		return intram.Credentials{Account: id + "/sandbox", PublicKey: m.PublicKey, SecretKey: m.SecretKey}, nil
	}, intram.WithSharedOptions(intram.WithBaseURL(server.URL), intram.WithClock(server.Clock())))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = platform.Close() }()

	for _, id := range []string{"acme", "bijou", "acme"} {
		client, err := platform.Merchant(context.Background(), id)
		if err != nil {
			fmt.Println(err)
			return
		}
		_, err = client.Balance.Get(context.Background())
		fmt.Println(client.Account(), err)
	}
	fmt.Printf("%v\n", platform)
	// Output:
	// acme/sandbox <nil>
	// bijou/sandbox <nil>
	// acme/sandbox <nil>
	// intram.Platform(2 merchants)
}

// One handler receives the deliveries of all merchants.
func ExamplePlatform_WebhookHandler() {
	platform, err := intram.NewPlatform(func(context.Context, string) (intram.Credentials, error) {
		return intram.Credentials{}, errors.New("no client is needed to receive")
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	secrets := func(_ context.Context, id string) ([]intram.WebhookSecret, error) {
		if id != "acme" {
			return nil, intram.ErrUnknownMerchant
		}
		return []intram.WebhookSecret{{Secret: "whsec_of_acme", Scope: "live"}}, nil
	}
	mux := http.NewServeMux()
	mux.Handle("/webhooks/{merchant}", platform.WebhookHandler(intram.ResolveByPath("merchant"), secrets, new(intram.MemoryInbox),
		func(ctx context.Context, event *intram.Event) error {
			id, _ := intram.MerchantFromContext(ctx)
			fmt.Println(id, event.Type, event.Scope)
			return nil
		}))

	body := `{"event":"payout.completed","operation_id":"op_1","data":{}}`
	for _, path := range []string{"/webhooks/acme", "/webhooks/bijou"} {
		req := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
		req.Header = intram.SignWebhook("whsec_of_acme", time.Now(), []byte(body))
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, req)
		fmt.Println(w.Code)
	}
	// Output:
	// acme payout.completed acme/live
	// 200
	// 401
}
