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

// acmeAndBijou is a platform's store of secrets, with two merchants of the fake server.
func acmeAndBijou(server *intramtest.Server) func(context.Context, string) (intram.Credentials, error) {
	merchants := map[string]*intramtest.Merchant{}
	for _, id := range []string{"acme", "bijou"} {
		merchants[id], _ = server.AddMerchant(id)
	}
	return func(_ context.Context, id string) (intram.Credentials, error) {
		m := merchants[id]
		if m == nil {
			return intram.Credentials{}, errors.New("no such merchant")
		}
		return intram.Credentials{Account: id + "/sandbox", PublicKey: m.PublicKey, SecretKey: m.SecretKey}, nil
	}
}

func ExampleNewPlatform() {
	server, err := intramtest.Start()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()
	platform, err := intram.NewPlatform(acmeAndBijou(server),
		intram.WithSharedOptions(intram.WithBaseURL(server.URL), intram.WithClock(server.Clock())))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = platform.Close() }()
	fmt.Println(platform)
	_, err = intram.NewPlatform(nil)
	fmt.Println(err)
	// Output:
	// intram.Platform(0 merchants)
	// intram: NewPlatform: the function is nil
}

func ExamplePlatform_Merchant() {
	server, err := intramtest.Start()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()
	platform, err := intram.NewPlatform(acmeAndBijou(server),
		intram.WithSharedOptions(intram.WithBaseURL(server.URL), intram.WithClock(server.Clock())))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = platform.Close() }()
	client, err := platform.Merchant(context.Background(), "acme")
	if err != nil {
		fmt.Println(err)
		return
	}
	again, err := platform.Merchant(context.Background(), "acme")
	fmt.Println(client.Account(), client == again, err)
	_, err = platform.Merchant(context.Background(), "nobody")
	fmt.Println(errors.Is(err, intram.ErrCredentials))
	// Output:
	// acme/sandbox true <nil>
	// true
}

func ExamplePlatform_Close() {
	server, err := intramtest.Start()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()
	platform, err := intram.NewPlatform(acmeAndBijou(server),
		intram.WithSharedOptions(intram.WithBaseURL(server.URL), intram.WithClock(server.Clock())))
	if err != nil {
		fmt.Println(err)
		return
	}
	client, err := platform.Merchant(context.Background(), "acme")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(platform.Close(), platform.Close())
	_, err = client.Balance.Get(context.Background())
	fmt.Println(errors.Is(err, intram.ErrPlatformClosed), intram.OutcomeOf(err))
	// Output:
	// <nil> <nil>
	// true not_sent
}

// One merchant pays another limit, and all of them share what WithSharedOptions gives.
func ExampleWithMerchantOptions() {
	server, err := intramtest.Start()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()
	platform, err := intram.NewPlatform(acmeAndBijou(server),
		intram.WithSharedOptions(intram.WithBaseURL(server.URL), intram.WithClock(server.Clock())),
		intram.WithMerchantOptions(func(string) []intram.ClientOption {
			return []intram.ClientOption{intram.WithLimiter(quota{make(chan struct{})})}
		}))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = platform.Close() }()
	client, err := platform.Merchant(context.Background(), "acme")
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = client.Balance.Get(context.Background())
	fmt.Println(intram.OutcomeOf(err), errors.Unwrap(errors.Unwrap(err)))
	// Output:
	// not_sent no quota for another read
}

func ExampleWithSharedOptions() {
	_, err := intram.NewPlatform(func(context.Context, string) (intram.Credentials, error) {
		return intram.Credentials{}, errors.New("no such merchant")
	}, intram.WithSharedOptions(intram.WithPollRate(0)))
	fmt.Println(err)
	// Output:
	// intram: WithPollRate: 0 is not 1 to 1000 a second
}

// A platform with a hundred active merchants keeps the clients of ten idle ones.
func ExampleWithIdleMerchants() {
	platform, err := intram.NewPlatform(func(context.Context, string) (intram.Credentials, error) {
		return intram.Credentials{}, errors.New("no such merchant")
	}, intram.WithIdleMerchants(10))
	fmt.Println(platform, err)
	// Output:
	// intram.Platform(0 merchants) <nil>
}

func ExampleMerchantFromContext() {
	// In the function of a platform's handler it is the merchant of the event.
	id, ok := intram.MerchantFromContext(context.Background())
	fmt.Printf("%q %t\n", id, ok)
	// Output:
	// "" false
}

// A merchant's reconciler has the scope that the platform's handler gives its events.
func ExampleMerchantScope() {
	fmt.Println(intram.MerchantScope("acme", "live"))
	fmt.Println(intram.MerchantScope("acme/live", "live"), "is another merchant's")
	// Output:
	// acme/live
	// acme%2Flive/live is another merchant's
}

func ExampleResolveByHost() {
	resolve := intram.ResolveByHost("hooks.example.com")
	for _, host := range []string{"acme.hooks.example.com", "ACME.hooks.example.com:8443", "hooks.example.com"} {
		r := httptest.NewRequest(http.MethodPost, "/", nil)
		r.Host = host
		id, ok, err := resolve(r)
		fmt.Printf("%q %t %v\n", id, ok, err)
	}
	// Output:
	// "acme" true <nil>
	// "acme" true <nil>
	// "" false <nil>
}

func ExampleResolveByPath() {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /webhooks/{merchant}", func(_ http.ResponseWriter, r *http.Request) {
		fmt.Println(intram.ResolveByPath("merchant")(r))
	})
	mux.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/webhooks/acme", nil))
	// Output:
	// acme true <nil>
}
