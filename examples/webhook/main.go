// Command webhook receives Intram's events, and shows each that is really Intram's.
//
//	INTRAM_WEBHOOK_SECRET=whsec_… go run ./examples/webhook -listen 127.0.0.1:8080
//
// To rotate a secret, give the old one and the new one with a comma between them.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	intram "github.com/intram/intram-go"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:8080", "address to listen on")
	flag.Parse()
	verifier, err := intram.NewWebhookVerifier(strings.Split(os.Getenv("INTRAM_WEBHOOK_SECRET"), ",")...)
	if err != nil {
		fmt.Fprintln(os.Stderr, "INTRAM_WEBHOOK_SECRET:", err)
		os.Exit(1)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /intram/webhook", receive(verifier))
	listener, err := net.Listen("tcp", *listen)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	fmt.Printf("listening on http://%s/intram/webhook\n", listener.Addr())
	fmt.Fprintln(os.Stderr, server.Serve(listener))
	os.Exit(1)
}

func receive(verifier *intram.WebhookVerifier) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		// The raw bytes, before anything decodes them: they are what is signed.
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
		if err != nil {
			http.Error(w, "the body could not be read", http.StatusBadRequest)
			return
		}
		event, err := verifier.Verify(r.Header, body)
		if errors.Is(err, intram.ErrInvalidPayload) {
			http.Error(w, "not an event", http.StatusBadRequest)
			return
		}
		if err != nil {
			http.Error(w, "not from Intram", http.StatusUnauthorized)
			return
		}
		switch data := event.Data.(type) {
		case *intram.PayoutEventData:
			fmt.Printf("%s: payout %s of %s %s\n", event.Type, data.Reference, data.Amount, data.Currency)
		case *intram.PaymentRequestEventData:
			fmt.Printf("%s: payment %s of %s %s\n", event.Type, data.TransactionReference, data.Amount, data.Currency)
		case *intram.RefundEventData:
			fmt.Printf("%s: refund %s of %s\n", event.Type, data.RefundReference, data.Amount)
		default:
			fmt.Printf("%s: operation %s\n", event.Type, event.OperationID)
		}
		// Only now: anything but a 2xx makes Intram send the event again.
		w.WriteHeader(http.StatusNoContent)
	}
}
