package fidelity

import (
	"context"
	"io"
	"net/http"
	"time"

	"github.com/intram/intram-go/intramtest"
)

// RunFake plays the same probes against the fake, in this process and on a clock of its
// own.
func RunFake(ctx context.Context, at time.Time, payin bool) (*Report, Activity, error) {
	server, err := intramtest.Start(intramtest.WithoutListener(), intramtest.WithFrozenClock(at.UTC().Truncate(time.Second)))
	if err != nil {
		return nil, Activity{}, err
	}
	defer server.Close()
	receiver := server.Receive(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // what is delivered is not looked at
		w.WriteHeader(http.StatusNoContent)
	}))
	config := Config{
		BaseURL: server.URL + "/v1", PublicKey: server.PublicKey, SecretKey: server.SecretKey,
		Transport: server.Transport(), Clock: server.Clock(), WebhookURL: receiver + "/webhooks",
		Pause: time.Millisecond, Longest: time.Minute, Nonce: "fake",
	}
	if payin {
		config.Payin = &PayinConfig{BaseURL: server.URL, APIKey: server.PayinAPIKey, APIClient: server.PayinAPIClient}
	}
	return run(ctx, config, func(*Report) error { return nil })
}
