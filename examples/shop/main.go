// Command shop is a web shop that takes payments: an order, the checkout page, the
// webhook, the way back. It keeps its orders in PostgreSQL, runs on any number of
// machines, and may be killed at any moment. Copy it, and replace the catalogue.
//
//	export INTRAM_PUBLIC_KEY=pk_sandbox_… INTRAM_SECRET_KEY=sk_sandbox_… INTRAM_WEBHOOK_SECRET=whsec_…
//	DATABASE_URL=postgres://localhost/shop go run . -address :8000 -url https://shop.example
//
// To try it without an account, start the fake in another terminal. Set INTRAM_BASE_URL,
// the sandbox keys and the sandbox webhook secret that it prints:
//
//	intram serve --forward-to http://localhost:8000/intram/webhook
//	DATABASE_URL=postgres://localhost/shop go run . -url http://localhost:8000
//
// The database has to exist (createdb shop); the tables are made at the start.
//
// What it holds on to:
//
//   - An order and the intent of its payment request are saved in one transaction before
//     anything is sent. Whatever happens afterwards, the same intent asks again, and a
//     customer gets one checkout page.
//   - What a customer brings back from the checkout page proves nothing. An order is paid
//     when the signed webhook says so, and the effect and the note that the event took
//     effect are one transaction.
//   - A checkout page outlives the order: what is paid after the goods went back on the
//     shelf is refunded.
//   - Events that never arrive are found by the reconciler.
package main

import (
	"context"
	"crypto/rand"
	_ "embed"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/inbox/pginbox"
)

// patience is how long an order waits for its payment before the goods go back on the
// shelf.
const patience = 30 * time.Minute

// schema has one row an order. A payment and its refund each have an intent, which is
// saved before it is sent.
const schema = `CREATE TABLE IF NOT EXISTS orders (
	id             text PRIMARY KEY,
	item           text NOT NULL,
	amount         bigint NOT NULL,
	state          text NOT NULL DEFAULT 'open', -- open, paid, failed, refused, abandoned, refund_due, refund_sent, refunded, for_a_person
	created_at     timestamptz NOT NULL,
	intent         jsonb NOT NULL,
	operation_id   text UNIQUE,
	checkout_url   text,
	transaction    text,
	progress       jsonb NOT NULL DEFAULT '{}',
	refund_intent  jsonb
)`

// catalogue has the prices. They never come from a form.
var catalogue = map[string]int64{"Karité butter, 500 g": 4_500, "Bogolan cloth": 25_000}

type shop struct {
	db       *pgxpool.Pool
	client   *intram.Client
	inbox    *pginbox.Inbox
	verifier *intram.WebhookVerifier
	url      string // where customers reach the shop
	log      *slog.Logger
	now      func() time.Time
}

func main() {
	address := flag.String("address", "localhost:8000", "where to listen")
	public := flag.String("url", "", "the shop's address for customers, https://…")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, *address, *public)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "the shop is closed:", err) // the SDK's errors hold no secret and no customer
		os.Exit(1)
	}
}

func run(ctx context.Context, address, public string) error {
	client, err := intram.NewClientFromEnv()
	if err != nil {
		return err
	}
	verifier, err := intram.NewWebhookVerifier(os.Getenv("INTRAM_WEBHOOK_SECRET"))
	if err != nil {
		return err
	}
	pool, err := pgxpool.New(ctx, os.Getenv("DATABASE_URL"))
	if err != nil {
		return err
	}
	defer pool.Close()
	s, err := open(ctx, pool, client, verifier, public)
	if err != nil {
		return err
	}
	server := &http.Server{Addr: address, Handler: s.routes(), ReadHeaderTimeout: 5 * time.Second}
	go s.keepHouse(ctx)
	go func() {
		<-ctx.Done()
		_ = server.Shutdown(context.WithoutCancel(ctx))
	}()
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func open(ctx context.Context, db *pgxpool.Pool, client *intram.Client, verifier *intram.WebhookVerifier, public string) (*shop, error) {
	if err := pginbox.Migrate(ctx, db); err != nil {
		return nil, err
	}
	if _, err := db.Exec(ctx, schema); err != nil {
		return nil, err
	}
	inbox, err := pginbox.New(db)
	if err != nil {
		return nil, err
	}
	return &shop{db: db, client: client, inbox: inbox, verifier: verifier, url: public, log: slog.Default(), now: time.Now}, nil
}

func (s *shop) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", s.showCatalogue)
	mux.HandleFunc("POST /orders", s.placeOrder)
	mux.HandleFunc("GET /orders/{id}", s.showOrder)
	mux.HandleFunc("POST /orders/{id}/pay", s.payOrder)
	mux.Handle("POST /intram/webhook", intram.NewWebhookHandler(s.verifier, s.inbox, s.inbox.Transactional(s.take)))
	return mux
}

// order is a row of the table.
type order struct {
	ID, Item, State string
	Amount          int64
	CreatedAt       time.Time
	Intent          *intram.Intent
	CheckoutURL     string
	Transaction     string
	Progress        intram.EventOrder
	RefundIntent    *intram.Intent
}

const selectOrder = `SELECT id, item, amount, state, created_at, intent, coalesce(checkout_url, ''), coalesce(transaction, ''), progress,
	refund_intent FROM orders `

func scanOrder(row pgx.Row) (*order, error) {
	o := new(order)
	err := row.Scan(&o.ID, &o.Item, &o.Amount, &o.State, &o.CreatedAt, &o.Intent, &o.CheckoutURL, &o.Transaction, &o.Progress, &o.RefundIntent)
	return o, err
}

// Price is what the order costs, as people read it.
func (o *order) Price() string { return intram.NewAmount(o.Amount).Grouped() + " F CFA" }

// Payable reports whether the customer may go to the checkout page. A declined payment is
// over: its page takes no other.
func (o *order) Payable() bool { return o.State == "open" }

// Again is the id of the order that a customer makes after this one.
func (o *order) Again() string { return rand.Text() }

// payment asks for what the order costs. It must say the same each time it is called: the
// intent is for these parameters.
func (s *shop) payment(o *order) intram.PaymentRequestParams {
	return intram.PaymentRequestParams{
		Invoice:     intram.Invoice{Amount: intram.NewAmount(o.Amount), Currency: intram.XOF, Description: o.Item},
		ReturnURLs:  intram.ReturnURLs{Success: s.url + "/orders/" + o.ID, Cancel: s.url + "/orders/" + o.ID},
		WebhookData: map[string]any{"order": o.ID},
	}
}

func refund(o *order) intram.RefundParams {
	return intram.RefundParams{
		TransactionReference: o.Transaction, Reason: "paid after the order was closed", Metadata: map[string]any{"order": o.ID},
	}
}

// placeOrder saves the order with the intent of its payment, and sends the customer on.
// The form brings the order's id, so that a second click is the same order.
func (s *shop) placeOrder(w http.ResponseWriter, r *http.Request) {
	o := &order{ID: r.FormValue("order"), Item: r.FormValue("item"), CreatedAt: s.now()}
	o.Amount = catalogue[o.Item]
	if len(o.ID) != 26 || o.Amount == 0 {
		http.Error(w, "this order cannot be read", http.StatusBadRequest)
		return
	}
	intent, err := s.client.PaymentRequests.Prepare(s.payment(o)) // sends nothing
	if err == nil {
		_, err = s.db.Exec(r.Context(), `INSERT INTO orders (id, item, amount, created_at, intent) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (id) DO NOTHING`, o.ID, o.Item, o.Amount, o.CreatedAt, intent)
	}
	if err != nil {
		s.log.ErrorContext(r.Context(), "an order was not saved", slog.String("order", o.ID), slog.Any("error", err))
		http.Error(w, "the order was not taken: try again", http.StatusServiceUnavailable)
		return
	}
	s.toCheckout(w, r, o.ID)
}

// payOrder is for a customer who comes back to an order that is not paid yet.
func (s *shop) payOrder(w http.ResponseWriter, r *http.Request) {
	s.toCheckout(w, r, r.PathValue("id"))
}

func (s *shop) toCheckout(w http.ResponseWriter, r *http.Request, id string) {
	o, err := scanOrder(s.db.QueryRow(r.Context(), selectOrder+"WHERE id = $1", id))
	if err == nil && o.Payable() && o.CheckoutURL == "" {
		err = s.askForPayment(r.Context(), o)
	}
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		http.NotFound(w, r)
	case err != nil:
		// The order is saved, and its intent asks again: here, or from keepHouse.
		s.log.WarnContext(r.Context(), "no checkout page yet", slog.String("order", id), slog.Any("outcome", intram.OutcomeOf(err)), slog.Any("error", err))
		http.Redirect(w, r, "/orders/"+url.PathEscape(id), http.StatusSeeOther)
	case !o.Payable() || o.CheckoutURL == "": // it is closed, or it began anew
		http.Redirect(w, r, "/orders/"+url.PathEscape(id), http.StatusSeeOther)
	default:
		http.Redirect(w, r, o.CheckoutURL, http.StatusSeeOther)
	}
}

// askForPayment brings an order its checkout page. Call it as often as you like: the
// intent makes it one payment request.
func (s *shop) askForPayment(ctx context.Context, o *order) error {
	op, err := s.client.PaymentRequests.Resume(ctx, s.payment(o), o.Intent)
	switch {
	case errors.Is(err, intram.ErrNeverSent): // days later, and nothing had been sent: a new intent is safe
		return s.beginAnew(ctx, o)
	case errors.Is(err, intram.ErrCannotTell):
		return s.mark(ctx, o, "for_a_person")
	case intram.OutcomeOf(err) == intram.OutcomeRejected:
		s.log.ErrorContext(ctx, "the payment request was refused", slog.String("order", o.ID), slog.Any("error", err))
		return s.mark(ctx, o, "refused")
	case err != nil:
		return err
	}
	// Its id is saved first: the page may take longer than this machine lives.
	if _, err := s.db.Exec(ctx, "UPDATE orders SET operation_id = $2 WHERE id = $1", o.ID, op.ID); err != nil {
		return err
	}
	page, err := s.client.PaymentRequests.Wait(ctx, op.ID)
	if err != nil {
		return err
	}
	o.CheckoutURL, o.Transaction = page.GatewayURL, page.TransactionReference
	_, err = s.db.Exec(ctx, "UPDATE orders SET checkout_url = $2, transaction = $3 WHERE id = $1", o.ID, o.CheckoutURL, o.Transaction)
	return err
}

func (s *shop) beginAnew(ctx context.Context, o *order) error {
	intent, err := s.client.PaymentRequests.Prepare(s.payment(o))
	if err != nil {
		return err
	}
	_, err = s.db.Exec(ctx, "UPDATE orders SET intent = $2 WHERE id = $1 AND intent ->> 'idempotency_key' = $3",
		o.ID, intent, o.Intent.IdempotencyKey) // another machine may have begun anew meanwhile
	return err
}

func (s *shop) mark(ctx context.Context, o *order, state string) error {
	_, err := s.db.Exec(ctx, "UPDATE orders SET state = $2 WHERE id = $1 AND state = $3", o.ID, state, o.State) // unless it moved meanwhile
	o.State = state
	return err
}

// take lets an event take effect. It runs in the transaction that notes the event as
// done, and its events come in any order.
func (s *shop) take(ctx context.Context, event *intram.Event) error {
	tx := pginbox.Tx(ctx)
	var own struct{ Order string }
	switch data := event.Data.(type) {
	case *intram.PaymentRequestEventData:
		_ = json.Unmarshal(data.WebhookData, &own) // an event that the reconciler found may be without: then the operation's id tells
		o, err := scanOrder(tx.QueryRow(ctx, selectOrder+"WHERE id = $1 OR operation_id = $2 FOR UPDATE", own.Order, event.OperationID))
		if errors.Is(err, pgx.ErrNoRows) {
			return nil // another program's payment
		}
		if err != nil {
			return err
		}
		return s.paymentMoved(ctx, tx, o, event, data)
	case *intram.RefundEventData:
		state := map[bool]string{true: "refunded", false: "for_a_person"}[data.Refunded()]
		if !data.Refunded() && !data.Failed() {
			return nil // pending: another event follows
		}
		_, err := tx.Exec(ctx, "UPDATE orders SET state = $2 WHERE transaction = $1 AND state IN ('refund_due', 'refund_sent')",
			data.TransactionReference, state)
		return err
	}
	return nil
}

func (s *shop) paymentMoved(ctx context.Context, tx pgx.Tx, o *order, event *intram.Event, data *intram.PaymentRequestEventData) error {
	next, moved := o.Progress.Apply(event)
	if !moved {
		return nil // older news than what is known
	}
	if data.TransactionReference != "" {
		o.Transaction = data.TransactionReference
	}
	switch {
	case event.Type == intram.EventPaymentRequestFailed && o.State == "open":
		o.State = "failed"
	case event.Type != intram.EventPaymentRequestPaid:
	case !data.Amount.Equal(intram.NewAmount(o.Amount)):
		o.State = "for_a_person"
	case o.Payable() || o.State == "failed":
		o.State = "paid" // send the goods: in this transaction, for example as a row for the warehouse
	case o.State == "abandoned" || o.State == "refused":
		intent, err := s.client.Refunds.Prepare(refund(o)) // sends nothing; keepHouse does
		if err != nil {
			return err
		}
		o.State, o.RefundIntent = "refund_due", intent
	}
	_, err := tx.Exec(ctx, "UPDATE orders SET state = $2, transaction = nullif($3, ''), progress = $4, refund_intent = $5 WHERE id = $1",
		o.ID, o.State, o.Transaction, next, o.RefundIntent)
	return err
}

// keepHouse does what no request waits for.
func (s *shop) keepHouse(ctx context.Context) {
	minute, hour := time.NewTicker(time.Minute), time.NewTicker(time.Hour)
	defer minute.Stop()
	defer hour.Stop()
	for {
		var err error
		select {
		case <-ctx.Done():
			return
		case <-minute.C:
			err = s.tidy(ctx)
		case <-hour.C:
			err = s.reconcile(ctx)
		}
		if err != nil {
			s.log.ErrorContext(ctx, "the house is not kept", slog.Any("error", err))
		}
	}
}

// tidy finishes what a crash or an outage left: orders without a page, orders that no
// customer pays, refunds that are due. Each machine may do it at once.
func (s *shop) tidy(ctx context.Context) error {
	_, abandoned := s.db.Exec(ctx, "UPDATE orders SET state = 'abandoned' WHERE state IN ('open', 'failed') AND created_at < $1",
		s.now().Add(-patience)) // and put the goods back on the shelf, here
	return errors.Join(abandoned,
		s.each(ctx, "WHERE state = 'open' AND checkout_url IS NULL", s.askForPayment),
		s.each(ctx, "WHERE state = 'refund_due'", func(ctx context.Context, o *order) error {
			_, err := s.client.Refunds.Resume(ctx, refund(o), o.RefundIntent)
			switch {
			case errors.Is(err, intram.ErrNeverSent), errors.Is(err, intram.ErrCannotTell), intram.OutcomeOf(err) == intram.OutcomeRejected:
				s.log.ErrorContext(ctx, "a refund needs a person", slog.String("order", o.ID), slog.Any("error", err))
				return s.mark(ctx, o, "for_a_person")
			case err != nil:
				return err // it may have been executed: the same intent asks again in a minute
			}
			_, err = s.db.Exec(ctx, "UPDATE orders SET state = 'refund_sent' WHERE id = $1 AND state = 'refund_due'", o.ID)
			return err
		}))
}

func (s *shop) each(ctx context.Context, where string, do func(context.Context, *order) error) error {
	rows, err := s.db.Query(ctx, selectOrder+where)
	if err != nil {
		return err
	}
	orders, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (*order, error) { return scanOrder(row) })
	for _, o := range orders {
		err = errors.Join(err, do(ctx, o))
	}
	return err
}

// reconcile finds the events of the last days that never arrived.
func (s *shop) reconcile(ctx context.Context) error {
	r, err := intram.NewReconciler(s.client, s.inbox, s.inbox.Transactional(s.take))
	if err != nil {
		return err
	}
	result, err := r.Run(ctx, s.now().Add(-48*time.Hour))
	if err != nil {
		return err
	}
	for _, failure := range result.Failures {
		s.log.ErrorContext(ctx, "an event needs a person", slog.Any("failure", failure))
	}
	return nil
}

//go:embed pages.html
var pagesHTML string

var pages = template.Must(template.New("").Parse(pagesHTML))

func (s *shop) showCatalogue(w http.ResponseWriter, r *http.Request) {
	type offer struct{ Item, Price, Order string }
	var offers []offer
	for item, amount := range catalogue {
		offers = append(offers, offer{item, intram.NewAmount(amount).Grouped() + " F CFA", rand.Text()})
	}
	s.show(w, r, "catalogue", offers)
}

// showOrder is where the checkout page sends the customer back to. It believes nothing
// that comes with the address.
func (s *shop) showOrder(w http.ResponseWriter, r *http.Request) {
	o, err := scanOrder(s.db.QueryRow(r.Context(), selectOrder+"WHERE id = $1", r.PathValue("id")))
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		http.NotFound(w, r)
	case err != nil:
		s.log.ErrorContext(r.Context(), "an order was not read", slog.Any("error", err))
		http.Error(w, "come back in a minute", http.StatusServiceUnavailable)
	default:
		s.show(w, r, "order", o)
	}
}

func (s *shop) show(w http.ResponseWriter, r *http.Request, page string, data any) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	if err := pages.ExecuteTemplate(w, page, data); err != nil {
		s.log.ErrorContext(r.Context(), "a page was not shown", slog.String("page", page), slog.Any("error", err))
	}
}
