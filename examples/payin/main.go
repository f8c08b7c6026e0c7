// Command payin takes payments by payin sessions: one that the customer confirms on the
// page, one that is declined and one that the customer leaves pending, each with its
// notification, and a table of them at the end.
//
//	go run ./examples/payin
//
// It needs nothing but Go: the API is the bundled fake, on a loopback port of its own.
// With INTRAM_PAYIN_API_KEY and INTRAM_PAYIN_API_CLIENT set to the credentials of a
// sandbox account, the same program talks to the real payin sandbox, where you are the
// customer, and leaves out what only a fake can do. That sandbox moves real money: the
// program takes your 5 000 XOF only with INTRAM_PAYIN_REAL_MONEY=yes. INTRAM_PAYIN_MSISDN
// is then your number, INTRAM_PAYIN_COUNTRY its country (CI unless set), and
// INTRAM_PAYIN_ACCOUNT_ID the account, if yours needs one. INTRAM_PAYIN_BASE_URL takes
// the place of the sandbox's address, for a fake of your own.
//
// The exit status is 0 only if everything that it says about its own story holds.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/intramtest"
)

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	if err := run(ctx, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "\npayin:", err)
		os.Exit(1) //nolint:gocritic // the context's timer goes with the process
	}
}

func run(ctx context.Context, out io.Writer) error {
	app := intram.WithAppInfo("intram-payin", intram.Version)
	if apiKey, apiClient := os.Getenv("INTRAM_PAYIN_API_KEY"), os.Getenv("INTRAM_PAYIN_API_CLIENT"); apiKey != "" && apiClient != "" {
		address := os.Getenv("INTRAM_PAYIN_BASE_URL")
		if address == "" {
			if os.Getenv("INTRAM_PAYIN_REAL_MONEY") != "yes" || os.Getenv("INTRAM_PAYIN_MSISDN") == "" {
				return errors.New("the payin sandbox moves real money: set INTRAM_PAYIN_MSISDN to your own number, and INTRAM_PAYIN_REAL_MONEY=yes. Nothing was sent")
			}
			address = intram.PayinBaseURLSandbox
		}
		payin, err := intram.NewPayinClient(apiKey, apiClient, app,
			intram.WithPayinBaseURL(address),
			intram.WithPayinAccount(os.Getenv("INTRAM_PAYIN_ACCOUNT_ID")))
		if err != nil {
			return err
		}
		fmt.Fprintln(out, "Payin sessions, against the real sandbox of your account")
		s := &story{
			out: out, payin: payin,
			msisdn:  cmp.Or(os.Getenv("INTRAM_PAYIN_MSISDN"), defaultNumber),
			country: cmp.Or(os.Getenv("INTRAM_PAYIN_COUNTRY"), "CI"),
		}
		return s.tell(ctx)
	}

	server, err := intramtest.Start()
	if err != nil {
		return fmt.Errorf("the fake server does not start: %w", err)
	}
	defer server.Close()
	payin, err := intram.NewPayinClient(server.PayinAPIKey, server.PayinAPIClient, app, intram.WithPayinBaseURL(server.URL))
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "Payin sessions, against the bundled fake server at %s: no account, no real money\n", server.URL)
	s := &story{out: out, payin: payin, fake: server, msisdn: deliveredTwice, country: "CI"}
	return s.tell(ctx)
}
