package intram_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"time"

	intram "github.com/intram/intram-go"
)

func ExampleNewClientFromEnv() {
	client, err := intram.NewClientFromEnv() // INTRAM_PUBLIC_KEY, INTRAM_SECRET_KEY, and INTRAM_BASE_URL if it is set
	if err != nil {
		fmt.Println(intram.OutcomeOf(err)) // nothing was sent: the error names the variable that is missing
		return
	}
	fmt.Println(client.Environment())
	// Output: not_sent
}

func ExampleWithCredentials() {
	fromVault := func(context.Context) (intram.Credentials, error) { // called again when the keys were replaced
		return intram.Credentials{Account: "kandi/sandbox", PublicKey: "pk_sandbox_a1b2c3", SecretKey: "sk_sandbox_d4e5f6"}, nil
	}
	client, err := intram.NewClient("", "", intram.WithCredentials(fromVault))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(client.Account(), client.Environment())

	away := func(context.Context) (intram.Credentials, error) {
		return intram.Credentials{}, errors.New("the vault is away")
	}
	_, err = intram.NewClient("", "", intram.WithCredentials(away))
	fmt.Println(errors.Is(err, intram.ErrCredentials), intram.OutcomeOf(err))
	// Output:
	// kandi/sandbox sandbox
	// true not_sent
}

func ExampleClient_Account() {
	client, err := intram.NewClient("", "", intram.WithCredentials(func(context.Context) (intram.Credentials, error) {
		return intram.Credentials{Account: "kandi/sandbox", PublicKey: "pk_sandbox_a1b2c3", SecretKey: "sk_sandbox_d4e5f6"}, nil
	}))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(client.Account()) // stays the same when the keys change
	// Output: kandi/sandbox
}

func ExampleClient_Environment() {
	for _, keys := range [][2]string{{"pk_sandbox_a1b2c3", "sk_sandbox_d4e5f6"}, {"pk_live_a1b2c3", "sk_live_d4e5f6"}} {
		client, err := intram.NewClient(keys[0], keys[1])
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(client.Environment() == intram.Live)
	}
	// Output:
	// false
	// true
}

func ExampleClient_PublicKey() {
	client, err := intram.NewClient("pk_sandbox_a1b2c3", "sk_sandbox_d4e5f6")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(client.PublicKey()) // names the account, and is no secret
	// Output: pk_sandbox_a1b2c3
}

func ExampleClient_Clock() {
	server, client := fake()
	defer server.Close()
	server.Advance(time.Hour) // the fake's clock is the client's, too
	fmt.Println(client.Clock().Now().Format(time.RFC3339))
	// Output: 2026-05-20T11:30:00Z
}

func ExampleClient_CloseIdleConnections() {
	client, err := intram.NewClient("pk_sandbox_a1b2c3", "sk_sandbox_d4e5f6")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.CloseIdleConnections() // at the end of the program only: a client is shared, and keeps its connections
	fmt.Println(client.Environment())
	// Output: sandbox
}

func ExampleWithBaseURL() {
	// Some accounts get a 404 from the documented address, and a response from this one.
	client, err := intram.NewClient("pk_sandbox_a1b2c3", "sk_sandbox_d4e5f6", intram.WithBaseURL(intram.BaseURLDirect))
	fmt.Println(client, err)

	_, err = intram.NewClient("pk_sandbox_a1b2c3", "sk_sandbox_d4e5f6", intram.WithBaseURL("http://api.intram.org/v1"))
	fmt.Println(err)
	// Output:
	// intram.Client(sandbox https://api.intram.org/api/v1/merchant) <nil>
	// intram: WithBaseURL: it must start with https:// (http:// is for loopback addresses only)
}

func ExampleWithHTTPClient() {
	transport := &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		MaxIdleConnsPerHost: 256, // as many as calls are made at once
		HTTP2:               &http.HTTP2Config{SendPingTimeout: 8 * time.Second, PingTimeout: 5 * time.Second, WriteByteTimeout: 10 * time.Second},
	}
	client, err := intram.NewClient("pk_sandbox_a1b2c3", "sk_sandbox_d4e5f6", intram.WithHTTPClient(&http.Client{Transport: transport}))
	fmt.Println(client, err)
	// Output: intram.Client(sandbox https://api.intram.org/v1) <nil>
}

func ExampleWithTimeout() {
	_, err := intram.NewClient("pk_sandbox_a1b2c3", "sk_sandbox_d4e5f6", intram.WithTimeout(10*time.Second)) // an attempt's; the context bounds the call
	fmt.Println(err)

	_, err = intram.NewClient("pk_sandbox_a1b2c3", "sk_sandbox_d4e5f6", intram.WithTimeout(0))
	fmt.Println(err)
	// Output:
	// <nil>
	// intram: WithTimeout: 0s is not a positive duration
}

func ExampleWithMaxAttempts() {
	server, _ := fake()
	defer server.Close()
	client := server.Client(intram.WithMaxAttempts(2)) // of all calls; as an option of a call it is that call's

	var response intram.Response
	_, err := client.Balance.Get(context.Background(), intram.WithMaxAttempts(1), intram.WithResponseInto(&response))
	fmt.Println(response.Attempts, err)
	// Output: 1 <nil>
}

func ExampleWithLogger() {
	server, _ := fake()
	defer server.Close()
	logger := slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		switch a.Key {
		case slog.TimeKey, "duration", "request_id": // which differ from run to run
			return slog.Attr{}
		}
		return a
	}}))
	client := server.Client(intram.WithLogger(logger))
	if _, err := client.Balance.Get(context.Background()); err != nil {
		fmt.Println(err)
	}
	// Output: level=INFO msg="intram attempt" method=GET path=/balance attempt=1 status=200
}

func ExampleWithPollRate() {
	// All waits of the client together look up 5 times a second at most.
	client, err := intram.NewClient("pk_sandbox_a1b2c3", "sk_sandbox_d4e5f6", intram.WithPollRate(5))
	fmt.Println(client, err)
	// Output: intram.Client(sandbox https://api.intram.org/v1) <nil>
}

func ExampleWithClock() {
	server, _ := fake()
	defer server.Close()
	client, err := intram.NewClient(server.PublicKey, server.SecretKey,
		intram.WithClock(server.Clock()), intram.WithHTTPClient(server.HTTPClient())) // as server.Client() does
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = client.Balance.Get(context.Background())
	fmt.Println(err)
	// Output: <nil>
}

func ExampleWithAppInfo() {
	server, _ := fake()
	defer server.Close()
	client := server.Client(intram.WithAppInfo("shop", "2.4"))
	if _, err := client.Balance.Get(context.Background()); err != nil {
		fmt.Println(err)
		return
	}
	agent := server.Requests()[0].Header.Get("User-Agent")
	fmt.Println(agent[len(agent)-len("shop/2.4"):])
	// Output: shop/2.4
}

func ExampleWithIdempotencyKey() {
	server, client := fake()
	defer server.Close()
	ctx := context.Background()
	key, err := intram.DeriveIdempotencyKey("payout", "PO-2026-0001")
	if err != nil {
		fmt.Println(err)
		return
	}
	var ids []string
	for range 2 { // the second time after a crash, in another process
		op, err := client.Payouts.Create(ctx, examplePayout(25000), intram.WithIdempotencyKey(key))
		if err != nil {
			fmt.Println(err)
			return
		}
		ids = append(ids, op.ID)
	}
	fmt.Println(ids[0] == ids[1])
	// Output: true
}

func ExampleWithResponseInto() {
	server, client := fake()
	defer server.Close()
	ctx := context.Background()
	key, err := intram.DeriveIdempotencyKey("payout", "PO-2026-0001")
	if err != nil {
		fmt.Println(err)
		return
	}
	for range 2 {
		var response intram.Response
		if _, err := client.Payouts.Create(ctx, examplePayout(25000), intram.WithIdempotencyKey(key), intram.WithResponseInto(&response)); err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(response.StatusCode, "replayed:", response.Replayed)
	}
	// Output:
	// 202 replayed: false
	// 202 replayed: true
}

func ExampleWithIntent() {
	server, client := fake()
	defer server.Close()
	ctx := context.Background()
	intent, err := client.Payouts.Prepare(examplePayout(25000)) // save it
	if err != nil {
		fmt.Println(err)
		return
	}
	op, err := client.Payouts.Create(ctx, examplePayout(25000), intram.WithIntent(intent))
	fmt.Println(op.Status, err)

	_, err = client.Payouts.Create(ctx, examplePayout(26000), intram.WithIntent(intent)) // another amount
	fmt.Println(errors.Is(err, intram.ErrIntentMismatch), intram.OutcomeOf(err))
	// Output:
	// queued <nil>
	// true unknown
}

func ExampleWithLookBack() {
	server, client := fake()
	defer server.Close()
	ctx := context.Background()
	intent, err := client.Payouts.Prepare(examplePayout(25000))
	if err != nil {
		fmt.Println(err)
		return
	}
	server.Advance(72 * time.Hour) // an outage: the key is forgotten

	var read intram.LookBack // one read of the list for all saved intents of this run
	_, err = client.Payouts.Resume(ctx, examplePayout(25000), intent, intram.WithLookBack(&read))
	fmt.Println(errors.Is(err, intram.ErrNeverSent))
	// Output: true
}

func ExampleIntent_SentAt() {
	server, client := fake()
	defer server.Close()
	ctx := context.Background()
	// A program that has kept only the key and the time of its first use.
	key, first := "payout-PO-2026-0001", server.Clock().Now().Add(-72*time.Hour)

	intent, err := client.Payouts.Prepare(examplePayout(25000), intram.WithIdempotencyKey(key))
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = client.Payouts.Resume(ctx, examplePayout(25000), intent.SentAt(first)) // too old to send: it looks
	fmt.Println(errors.Is(err, intram.ErrNeverSent), intram.OutcomeOf(err))
	// Output: true not_sent
}

func ExampleClient_PrepareDo() {
	server, client := fake()
	defer server.Close()
	ctx := context.Background()
	body := map[string]any{"amount": 25000, "destination": map[string]any{
		"type": "mobile_money", "provider_code": "MTN_BENIN_229", "msisdn": "2290161000000",
	}}
	intent, err := client.PrepareDo(http.MethodPost, "/payouts", body) // save it
	if err != nil {
		fmt.Println(err)
		return
	}
	response, err := client.Do(ctx, http.MethodPost, "/payouts", body, intram.WithIntent(intent))
	fmt.Println(len(response) > 0, err)
	// Output: true <nil>
}

func ExampleClient_Notify() {
	server, client := fake()
	defer server.Close()
	ctx := context.Background()
	op, err := client.Payouts.Create(ctx, examplePayout(25000))
	if err != nil {
		fmt.Println(err)
		return
	}
	// Your own queue has brought the event: the wait looks at once.
	client.Notify(&intram.Event{Type: intram.EventPayoutCompleted, OperationID: op.ID})
	result, err := client.Payouts.Wait(ctx, op.ID, intram.WithInitialDelay(30*time.Second))
	fmt.Println(result.Status, err)
	// Output: completed <nil>
}

func ExampleWithPayinAccount() {
	payin, err := intram.NewPayinClient("my-api-key", "my-api-client", intram.WithPayinAccount("acc_kandi")) // of sessions that name none
	fmt.Println(payin != nil, err)
	// Output: true <nil>
}

func ExampleWithPayinBaseURL() {
	_, err := intram.NewPayinClient("my-api-key", "my-api-client", intram.WithPayinBaseURL("http://127.0.0.1:4010")) // the fake's
	fmt.Println(err)

	_, err = intram.NewPayinClient("my-api-key", "my-api-client", intram.WithPayinBaseURL("http://payin.example.com"))
	fmt.Println(err)
	// Output:
	// <nil>
	// intram: WithPayinBaseURL: it must start with https:// (http:// is for loopback addresses only)
}

func ExampleWithPayinEnvironment() {
	// The sandbox of payin sessions moves real money, according to the provider's guide.
	payin, err := intram.NewPayinClient("my-api-key", "my-api-client", intram.WithPayinEnvironment(intram.Sandbox))
	fmt.Println(payin != nil, err)
	// Output: true <nil>
}

func ExampleWithPayinLanguage() {
	payin, err := intram.NewPayinClient("my-api-key", "my-api-client", intram.WithPayinLanguage("fr")) // of the messages in errors
	fmt.Println(payin != nil, err)
	// Output: true <nil>
}

func ExampleWithInitialDelay() {
	server, client := fake()
	defer server.Close()
	ctx := context.Background()
	op, err := client.Payouts.Create(ctx, examplePayout(25000))
	if err != nil {
		fmt.Println(err)
		return
	}
	// With webhooks that call Notify, most waits end before their first lookup.
	result, err := client.Payouts.Wait(ctx, op.ID, intram.WithInitialDelay(30*time.Second))
	fmt.Println(result.Status, err)
	// Output: completed <nil>
}

func ExampleWithMaxWait() {
	server, client := fake()
	defer server.Close()
	ctx := context.Background()
	params := examplePayout(25000)
	params.Destination = intram.MobileMoney{ProviderCode: intram.MTNBenin, MSISDN: "2290161000008"} // succeeds after 30 s
	op, err := client.Payouts.Create(ctx, params)
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = client.Payouts.Wait(ctx, op.ID, intram.WithMaxWait(10*time.Second))
	unfinished, ok := errors.AsType[*intram.WaitError](err)
	fmt.Println(ok && unfinished.ID == op.ID, intram.OutcomeOf(err)) // no failure: wait again with the same id

	result, err := client.Payouts.Wait(ctx, op.ID)
	fmt.Println(result.Status, err)
	// Output:
	// true unknown
	// completed <nil>
}

func ExampleWithPollInterval() {
	server, client := fake()
	defer server.Close()
	ctx := context.Background()
	op, err := client.Payouts.Create(ctx, examplePayout(25000))
	if err != nil {
		fmt.Println(err)
		return
	}
	result, err := client.Payouts.Wait(ctx, op.ID, intram.WithPollInterval(2*time.Second, 30*time.Second))
	fmt.Println(result.Status, err)
	// Output: completed <nil>
}

func ExampleWithProgress() {
	server, client := fake()
	defer server.Close()
	ctx := context.Background()
	params := examplePayout(25000)
	params.Destination = intram.MobileMoney{ProviderCode: intram.MTNBenin, MSISDN: "2290161000008"} // succeeds after 30 s
	op, err := client.Payouts.Create(ctx, params)
	if err != nil {
		fmt.Println(err)
		return
	}
	var last intram.OperationStatus
	_, err = client.Payouts.Wait(ctx, op.ID, intram.WithProgress(func(op *intram.Operation) {
		if op.Status != last {
			last = op.Status
			fmt.Println(last)
		}
	}))
	fmt.Println(err)
	// Output:
	// processing
	// succeeded
	// <nil>
}

// examplePayout is the payout of the examples.
func examplePayout(units int64) intram.PayoutParams {
	return intram.PayoutParams{
		Amount: intram.NewAmount(units), Currency: intram.XOF, Reference: "PO-2026-0001",
		Destination: intram.MobileMoney{ProviderCode: intram.MTNBenin, MSISDN: "2290161000000"},
	}
}
