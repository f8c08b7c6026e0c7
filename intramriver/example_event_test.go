package intramriver_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/jackc/pgx/v5/pgxpool"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/intramriver"
)

func ExampleWork_Handler() {
	ctx := context.Background()
	client, err := intram.NewClient("pk_sandbox_example", "sk_sandbox_example")
	if err != nil {
		fmt.Println(err)
		return
	}
	pool, err := pgxpool.New(ctx, "postgres://127.0.0.1/shop") // migrated, and River's
	if err != nil {
		fmt.Println(err)
		return
	}
	defer pool.Close()

	router := new(intram.EventRouter)
	intram.OnData(router, "payout.*", func(ctx context.Context, e *intram.Event, _ *intram.PayoutEventData) error {
		return recordPayout(ctx, intramriver.Tx(ctx), e) // with the completion of the job, or not at all
	})
	if err := router.Err(); err != nil {
		fmt.Println(err)
		return
	}
	work, err := intramriver.New(client, intramriver.Config{Pool: pool, OnEvent: router.Handle})
	if err != nil {
		fmt.Println(err)
		return
	}
	verifier, err := intram.NewWebhookVerifier("whsec_example")
	if err != nil {
		fmt.Println(err)
		return
	}
	handler := work.Handler(verifier) // on your mux: mux.Handle("/intram/webhook", handler)

	w := httptest.NewRecorder()
	handler.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/intram/webhook", strings.NewReader(`{"event":"payout.completed"}`)))
	fmt.Println(w.Code, strings.TrimSpace(w.Body.String()))
	// Output: 401 bad signature
}

func ExampleWork_Replay() {
	var work *intramriver.Work // of intramriver.New, on a database
	replay := func(ctx context.Context) error {
		dead, err := work.Events(ctx, intramriver.EventFilter{States: []intramriver.EventState{intramriver.EventDead}})
		if err != nil {
			return err
		}
		for _, e := range dead {
			fmt.Println(e.ReceivedAt, e.Type, e.OperationID, e.Error)
		}
		// The function is repaired: all dead payouts again.
		n, err := work.Replay(ctx, intramriver.EventFilter{Types: []intram.EventType{intram.EventPayoutCompleted, intram.EventPayoutFailed}})
		fmt.Println(n, "replayed")
		return err
	}
	fmt.Println(replay != nil)
	// Output: true
}
