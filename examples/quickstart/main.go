// Command quickstart runs a day of a shop against the Merchant API: a payout, a payment
// request that a customer pays, a refund of a part of it, the webhooks of all that, and
// the books at the end.
//
//	go run ./examples/quickstart
//
// It needs nothing but Go: the API is the bundled fake, on a loopback port of its own.
// With INTRAM_PUBLIC_KEY and INTRAM_SECRET_KEY set to the keys of a sandbox account, the
// same program talks to the real sandbox, and leaves out what only a fake can do. It
// refuses live keys.
//
// The exit status is 0 only if everything that it says about its own story holds.
package main

import (
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
		fmt.Fprintln(os.Stderr, "\nquickstart:", err)
		os.Exit(1) //nolint:gocritic // the context's timer goes with the process
	}
}

func run(ctx context.Context, out io.Writer) error {
	if os.Getenv("INTRAM_PUBLIC_KEY") != "" && os.Getenv("INTRAM_SECRET_KEY") != "" {
		client, err := intram.NewClientFromEnv(intram.WithAppInfo("intram-quickstart", intram.Version))
		if err != nil {
			return err
		}
		if client.Environment() != intram.Sandbox {
			return errors.New("these are live keys, and this program moves money: use the keys of the sandbox (pk_sandbox_…)")
		}
		fmt.Fprintln(out, "Intram quickstart, against the real sandbox of your account")
		s := &story{out: out, client: client}
		return s.tell(ctx)
	}

	server, err := intramtest.Start()
	if err != nil {
		return fmt.Errorf("the fake server does not start: %w", err)
	}
	defer server.Close()
	client, err := intram.NewClient(server.PublicKey, server.SecretKey,
		intram.WithBaseURL(server.URL), intram.WithAppInfo("intram-quickstart", intram.Version))
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "Intram quickstart, against the bundled fake server at %s: no account, no real money\n", server.URL)
	s := &story{out: out, client: client, fake: server}
	return s.tell(ctx)
}
