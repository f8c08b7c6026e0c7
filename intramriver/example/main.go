// Command example is a merchant on several machines: a shop whose orders are payment
// requests and refunds, and salaries, which are payouts. One of its two workers is
// stopped while it holds calls, and at the end the merchant's books equal the ledger of
// the API.
//
//	go run ./example           # in the folder intramriver
//	go run ./example -serve    # keeps it running, with River's web interface
//
// The API is the bundled fake, on a loopback port. The database is a private PostgreSQL
// if one is installed, or the one that INTRAM_DATABASE_URL names: there the program makes
// a schema of its own, and drops it at the end.
//
// What to copy: an order and its payment request in one transaction (orders.go), the
// payouts of a list (salaries.go), a worker (worker.go), and what each end and each
// event writes (books.go). The exit status is 0 only if the books are right.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// patience is for how long the story may take.
const patience = 3 * time.Minute

func main() {
	serve := flag.Bool("serve", false, "keep running until Ctrl-C, and show River's web interface")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Stdout, *serve)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "\nexample:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer, serve bool) (err error) {
	db, err := openDatabase(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.close()) }()
	s, err := openShop(ctx, out, db)
	if err != nil {
		return err
	}
	defer s.close()

	telling, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := s.tell(telling); err != nil {
		return err
	}
	if serve {
		s.say("\nRiver's web interface: %s", s.url+uiPath)
		s.say("For intram events list and intram jobs list in another terminal:")
		s.say("export INTRAM_BASE_URL=%s INTRAM_PUBLIC_KEY=%s INTRAM_SECRET_KEY=%s", s.fake.URL, s.fake.PublicKey, s.fake.SecretKey)
		s.say("export %s='%s'\nCtrl-C ends it.", databaseURL, db.address)
		<-ctx.Done()
	}
	return nil
}
