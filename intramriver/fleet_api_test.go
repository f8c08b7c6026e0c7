package intramriver_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/intramriver"
	"github.com/intram/intram-go/intramtest"
)

// fleetAPI is where the fake is, and whose.
type fleetAPI struct {
	URL, PublicKey, SecretKey string
	WebhookSecret             string
	Door                      string // what the fake says of itself
	Sales                     []string
}

// fleetFaults are what goes wrong with calls.
func fleetFaults() []intramtest.FaultRate {
	var rates []intramtest.FaultRate
	for _, fault := range []intramtest.Fault{
		{Kind: intramtest.DropResponse}, {Kind: intramtest.Truncate}, {Kind: intramtest.NotJSON}, {Kind: intramtest.Reset},
		{Kind: intramtest.ServerError}, {Kind: intramtest.ServerError, Executed: true}, {Kind: intramtest.ProxyError, Executed: true},
		{Kind: intramtest.IdempotencyError}, {Kind: intramtest.IdempotencyInProgress}, {Kind: intramtest.Unavailable, Status: http.StatusTooManyRequests},
	} {
		fault.Times = 2
		rates = append(rates, intramtest.FaultRate{Fault: fault, PerThousand: 15})
	}
	// One in ten is never sent, and one in twenty twice.
	return append(rates,
		intramtest.FaultRate{Fault: intramtest.Fault{Kind: intramtest.WebhookDropped, Times: 1}, PerThousand: 100},
		intramtest.FaultRate{Fault: intramtest.Fault{Kind: intramtest.WebhookDuplicate, Times: 1}, PerThousand: 50})
}

// playAPI is the process of the fake.
func playAPI(ctx context.Context, c fleetConfig) error {
	server, err := intramtest.Start(intramtest.WithSeed(fleetSeed), intramtest.WithJournalSize(16),
		intramtest.WithBalance(intram.Sandbox, intram.MTNBenin, 1_000_000_000_000))
	if err != nil {
		return err
	}
	defer server.Close()
	api := fleetAPI{URL: server.URL, PublicKey: server.PublicKey, SecretKey: server.SecretKey}
	if api.Sales, err = sell(ctx, server, c.Sales); err != nil {
		return err
	}
	client, err := server.NewClient()
	if err != nil {
		return err
	}
	subscription, err := client.Webhooks.Create(ctx, intram.WebhookParams{URL: c.Receiver, Event: intram.EventAll})
	if err != nil {
		return err
	}
	api.WebhookSecret = subscription.Secret
	if err := server.SetWorker(intramtest.After(300 * time.Millisecond)); err != nil {
		return err
	}
	if err := server.SeededFaults(fleetSeed, fleetFaults()...); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	api.Door = "http://" + listener.Addr().String()
	door := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		server.ClearFaults() // it is asked at the end
		if err := json.NewEncoder(w).Encode(fleetTold{Entries: server.Ledger().Entries, Fired: server.Fired()}); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})}
	go func() { _ = door.Serve(listener) }()
	defer func() { _ = door.Close() }()
	if err := json.NewEncoder(os.Stdout).Encode(api); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

// sell makes payments that can be refunded, and returns their references.
func sell(ctx context.Context, server *intramtest.Server, n int) ([]string, error) {
	client, err := server.NewClient()
	if err != nil {
		return nil, err
	}
	sales := make([]string, 0, n)
	for range n {
		op, err := client.PaymentRequests.Create(ctx, intram.PaymentRequestParams{Invoice: intram.Invoice{Amount: intram.NewAmount(2000), Currency: intram.XOF}})
		if err != nil {
			return nil, err
		}
		done, err := client.PaymentRequests.Wait(ctx, op.ID)
		if err != nil {
			return nil, err
		}
		if err := server.Pay(done.TransactionReference); err != nil {
			return nil, fmt.Errorf("pay: %w", err)
		}
		sales = append(sales, done.TransactionReference)
	}
	return sales, nil
}

// referenceOf returns the merchant's reference of an operation, empty for one of a sale.
func referenceOf(t *testing.T, op *intram.Operation) string {
	t.Helper()
	if op.Type == intram.OperationPayout {
		return op.Reference()
	}
	var sent struct {
		Metadata    map[string]any `json:"metadata"`
		WebhookData map[string]any `json:"webhook_data"`
	}
	require.NoError(t, json.Unmarshal(op.Payload, &sent))
	for _, own := range []map[string]any{sent.Metadata, sent.WebhookData} {
		if reference, ok := own[intramriver.ReferenceKey].(string); ok {
			return reference
		}
	}
	return ""
}
