package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/internal/pgtest"
	"github.com/intram/intram-go/intramtest"
)

var postgres pgtest.Shared

func TestMain(m *testing.M) {
	status := m.Run()
	postgres.Stop()
	os.Exit(status)
}

var schemas atomic.Int64

// newPool has a schema of its own.
func newPool(t *testing.T) *pgxpool.Pool {
	t.Helper()
	config, err := pgxpool.ParseConfig(postgres.URL(t))
	require.NoError(t, err)
	schema := fmt.Sprintf("shop_%d_%d", os.Getpid(), schemas.Add(1))
	config.ConnConfig.RuntimeParams["search_path"] = schema
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	_, err = pool.Exec(t.Context(), "CREATE SCHEMA "+schema)
	require.NoError(t, err)
	t.Cleanup(func() { _, _ = pool.Exec(context.Background(), "DROP SCHEMA "+schema+" CASCADE") })
	return pool
}

// town is a shop, its payment provider, and a customer.
type town struct {
	*shop

	t      *testing.T
	intram *intramtest.Server
}

func newTown(t *testing.T, opts ...intram.ClientOption) *town {
	t.Helper()
	server := intramtest.NewServer(t, intramtest.WithoutListener(), intramtest.WithPaymentExpiry(24*time.Hour)) // as long as a card may take
	pool := newPool(t)
	c := &town{t: t, intram: server}
	server.Subscribe("/intram/webhook", func(verifier *intram.WebhookVerifier) http.Handler {
		var err error
		c.shop, err = open(t.Context(), pool, server.Client(opts...), verifier, "https://shop.example")
		require.NoError(t, err)
		c.now = server.Now
		return c.routes()
	})
	return c
}

func (c *town) do(method, path string, form url.Values) *httptest.ResponseRecorder {
	c.t.Helper()
	r := httptest.NewRequestWithContext(c.t.Context(), method, path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	c.routes().ServeHTTP(w, r)
	return w
}

const orderID = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

func (c *town) buy() *httptest.ResponseRecorder {
	c.t.Helper()
	return c.do("POST", "/orders", url.Values{"order": {orderID}, "item": {"Bogolan cloth"}})
}

func (c *town) order() *order {
	c.t.Helper()
	o, err := scanOrder(c.db.QueryRow(c.t.Context(), selectOrder+"WHERE id = $1", orderID))
	require.NoError(c.t, err)
	return o
}

// requests counts the payment requests that the provider has executed.
func (c *town) requests() int {
	c.t.Helper()
	n := 0
	for _, err := range c.client.PaymentRequests.All(c.t.Context(), intram.OperationListParams{}) {
		require.NoError(c.t, err)
		n++
	}
	return n
}

func TestAnOrderIsPaidByItsWebhook(t *testing.T) {
	t.Parallel()
	c := newTown(t)
	assert.Contains(t, c.do("GET", "/", nil).Body.String(), "Bogolan cloth: 25 000 F CFA")
	w := c.buy()
	require.Equal(t, http.StatusSeeOther, w.Code, w.Body)
	o := c.order()
	assert.Equal(t, o.CheckoutURL, w.Header().Get("Location"))

	// The way back proves nothing.
	page := c.do("GET", "/orders/"+orderID+"?status=success", nil).Body.String()
	assert.Contains(t, page, "We are waiting for your payment.")

	require.NoError(t, c.intram.Pay(o.Transaction))
	c.intram.Advance(time.Minute)
	assert.Equal(t, "paid", c.order().State)
	assert.Contains(t, c.do("GET", "/orders/"+orderID, nil).Body.String(), "Your parcel is on its way.")
	assert.Equal(t, "/orders/"+orderID, c.do("POST", "/orders/"+orderID+"/pay", nil).Header().Get("Location"), "nothing is paid twice")
}

func TestADoubleClickIsOneOrder(t *testing.T) {
	t.Parallel()
	c := newTown(t)
	first, second := c.buy(), c.buy()
	assert.Equal(t, first.Header().Get("Location"), second.Header().Get("Location"))
	assert.Equal(t, 1, c.requests())
}

func TestPricesDoNotComeFromTheForm(t *testing.T) {
	t.Parallel()
	c := newTown(t)
	for _, form := range []url.Values{
		{"order": {orderID}, "item": {"<b>gold</b>"}, "amount": {"1"}}, {"order": {"1"}, "item": {"Bogolan cloth"}}, {},
	} {
		assert.Equal(t, http.StatusBadRequest, c.do("POST", "/orders", form).Code)
	}
	assert.Equal(t, http.StatusNotFound, c.do("GET", "/orders/none", nil).Code)
	assert.Equal(t, http.StatusNotFound, c.do("POST", "/orders/none/pay", nil).Code)
	assert.Equal(t, http.StatusUnauthorized, c.do("POST", "/intram/webhook", nil).Code)
}

// The request was executed, and its response was lost with the machine: the same intent
// brings the same page.
func TestAnOrderWhoseResponseWasLostIsAskedForOnce(t *testing.T) {
	t.Parallel()
	c := newTown(t, intram.WithMaxAttempts(1))
	require.NoError(t, c.intram.Fault(intramtest.Fault{Kind: intramtest.DropResponse, Times: 1}))
	assert.Equal(t, "/orders/"+orderID, c.buy().Header().Get("Location"))
	assert.Empty(t, c.order().CheckoutURL)
	require.NoError(t, c.tidy(t.Context()))
	assert.NotEmpty(t, c.order().CheckoutURL)
	assert.Equal(t, 1, c.requests())
}

// An event is one transaction with its effect: a failure of the database undoes both, and
// the next delivery does both.
func TestAnEventTakesEffectOnceThroughAFailure(t *testing.T) {
	t.Parallel()
	c := newTown(t)
	c.buy()
	_, err := c.db.Exec(t.Context(), `CREATE TABLE shipped (id text);
		CREATE FUNCTION ship() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
			IF NEW.state = 'paid' AND OLD.state <> 'paid' THEN INSERT INTO shipped VALUES (NEW.id); END IF; RETURN NEW; END $$;
		CREATE TRIGGER ship AFTER UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION ship();
		ALTER TABLE shipped ADD CONSTRAINT down CHECK (false)`)
	require.NoError(t, err)
	require.NoError(t, c.intram.Pay(c.order().Transaction))
	c.intram.Advance(10 * time.Second)
	assert.Equal(t, "open", c.order().State)
	_, err = c.db.Exec(t.Context(), "ALTER TABLE shipped DROP CONSTRAINT down")
	require.NoError(t, err)
	c.intram.Advance(time.Hour)
	for _, d := range c.intram.Deliveries() {
		require.NoError(t, c.intram.Resend(d.ID))
	}
	c.intram.Advance(time.Hour)
	var shipped int
	require.NoError(t, c.db.QueryRow(t.Context(), "SELECT count(*) FROM shipped").Scan(&shipped))
	assert.Equal(t, 1, shipped)
	assert.Equal(t, "paid", c.order().State)
}

// Declined is declined: the customer tries again with another order.
func TestADeclinedPaymentMayBeTriedAgain(t *testing.T) {
	t.Parallel()
	c := newTown(t)
	c.buy()
	require.NoError(t, c.intram.Decline(c.order().Transaction))
	c.intram.Advance(time.Minute)
	assert.Equal(t, "failed", c.order().State)
	page := c.do("GET", "/orders/"+orderID, nil).Body.String()
	assert.Contains(t, page, "The payment was declined")
	again := regexp.MustCompile(`name="order" value="([A-Z2-7]{26})"`).FindStringSubmatch(page)
	require.NotNil(t, again)
	w := c.do("POST", "/orders", url.Values{"order": {again[1]}, "item": {"Bogolan cloth"}})
	assert.NotEqual(t, c.order().CheckoutURL, w.Header().Get("Location"))
	assert.Equal(t, "/orders/"+orderID, c.do("POST", "/orders/"+orderID+"/pay", nil).Header().Get("Location"))
}

// No payment comes in time, the goods go back on the shelf, and then the money comes.
func TestALatePaymentIsRefundedOnce(t *testing.T) {
	t.Parallel()
	c := newTown(t, intram.WithMaxAttempts(1))
	c.buy()
	c.intram.Advance(patience + time.Minute)
	require.NoError(t, c.tidy(t.Context()))
	assert.Contains(t, c.do("GET", "/orders/"+orderID, nil).Body.String(), "This order was closed")

	require.NoError(t, c.intram.Pay(c.order().Transaction))
	c.intram.Advance(time.Minute)
	assert.Equal(t, "refund_due", c.order().State)
	require.NoError(t, c.intram.SetWorker(intramtest.After(30*time.Second))) // its event does not overtake what follows
	require.NoError(t, c.intram.Fault(intramtest.Fault{Kind: intramtest.DropResponse, Times: 1}))
	require.Error(t, c.tidy(t.Context()), "its response is lost")
	assert.Equal(t, "refund_due", c.order().State)
	require.NoError(t, c.tidy(t.Context()))
	c.intram.Advance(time.Minute)
	require.NoError(t, c.tidy(t.Context()))
	assert.Equal(t, "refunded", c.order().State)
	refunds := 0
	for _, err := range c.client.Refunds.All(t.Context(), intram.OperationListParams{}) {
		require.NoError(t, err)
		refunds++
	}
	assert.Equal(t, 1, refunds)
	assert.Contains(t, c.do("GET", "/orders/"+orderID, nil).Body.String(), "We have sent it back.")
}

// Deliveries that never arrive are found.
func TestAPaymentWhoseWebhookIsLostIsFound(t *testing.T) {
	t.Parallel()
	c := newTown(t)
	c.buy()
	require.NoError(t, c.intram.Fault(intramtest.Fault{Kind: intramtest.WebhookDropped, For: 24 * time.Hour}))
	require.NoError(t, c.intram.Pay(c.order().Transaction))
	c.intram.Advance(time.Hour)
	assert.Equal(t, "open", c.order().State)
	require.NoError(t, c.reconcile(t.Context()))
	assert.Equal(t, "paid", c.order().State)
}

// A payment of another amount than the order's is for a person.
func TestAnotherAmountIsForAPerson(t *testing.T) {
	t.Parallel()
	c := newTown(t)
	c.buy()
	_, err := c.db.Exec(t.Context(), "UPDATE orders SET amount = amount + 1")
	require.NoError(t, err)
	require.NoError(t, c.intram.Pay(c.order().Transaction))
	c.intram.Advance(time.Minute)
	assert.Equal(t, "for_a_person", c.order().State)
}

// A shop that stood still for days asks for nothing with an old key, and begins anew when
// nothing had been sent.
func TestAnOrderOfLastWeekBeginsAnew(t *testing.T) {
	t.Parallel()
	c := newTown(t, intram.WithMaxAttempts(1))
	require.NoError(t, c.intram.Fault(intramtest.Fault{Kind: intramtest.Reset, Times: 1}))
	c.buy()
	c.intram.Advance(72 * time.Hour)
	before := c.order()
	require.NoError(t, c.askForPayment(t.Context(), before))
	after := c.order()
	assert.NotEqual(t, before.Intent.IdempotencyKey, after.Intent.IdempotencyKey)
	require.NoError(t, c.askForPayment(t.Context(), after))
	assert.NotEmpty(t, c.order().CheckoutURL)
	assert.Equal(t, 1, c.requests())
}

// The customer who comes back to it has no page yet, and is shown the order.
func TestAnOrderThatBeginsAnewIsShown(t *testing.T) {
	t.Parallel()
	c := newTown(t, intram.WithMaxAttempts(1))
	require.NoError(t, c.intram.Fault(intramtest.Fault{Kind: intramtest.Reset, Times: 1}))
	c.buy()
	c.intram.Advance(72 * time.Hour)
	assert.Equal(t, "/orders/"+orderID, c.do("POST", "/orders/"+orderID+"/pay", nil).Header().Get("Location"))
}
