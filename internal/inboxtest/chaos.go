// Package inboxtest lets events rain on replicas that are killed and stores that crash,
// and counts what took effect. It is what the shared inboxes are tested with.
package inboxtest

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/intramtest"
)

// Chaos is a run: events of the fake, each delivered one to three times and in no order,
// to three replicas that share one store. A replica is killed every hundred events, and
// the store crashes twice.
type Chaos struct {
	// Events is how many there are.
	Events int
	// Replica is a process that calls [ServeReplica]. It is killed with SIGKILL.
	Replica func() *exec.Cmd
	// Restart crashes the store and brings it back.
	Restart func() error
	// Pass lets time go by on the clock that leases run by.
	Pass func(d time.Duration) error
	// Effects returns how often each event took effect, by its InboxKey.
	Effects func() (map[string]int, error)
}

const (
	replicas     = 3
	killEvery    = 100
	senders      = 6
	lease        = 6 * time.Second
	envWebhook   = "INTRAM_TEST_REPLICA_WEBHOOK"
	envTime      = "INTRAM_TEST_REPLICA_TIME"
	answerWithin = 15 * time.Second
)

// delivery is one of the deliveries that the fake made, as it was signed.
type delivery struct {
	header http.Header
	body   []byte
	key    string
}

// Run makes the run, prints its numbers, and fails the test when an event is missing or
// took effect twice.
func (c Chaos) Run(tb testing.TB) {
	tb.Helper()
	server := intramtest.NewServer(tb, intramtest.WithoutListener(), intramtest.WithJournalSize(4*c.Events))
	secret, deliveries := c.record(tb, server)
	r := &run{Chaos: c, tb: tb, client: &http.Client{Timeout: answerWithin}, known: make(map[string]bool), statuses: make(map[int]int)}
	r.environment = []string{envWebhook + "=" + secret, envTime + "=" + server.Now().Format(time.RFC3339Nano)}
	for i := range r.replicas {
		r.replicas[i].process, r.replicas[i].address = r.spawn()
	}
	defer r.stop()

	pending := multiply(deliveries)
	first := len(pending)
	rounds := 0
	for ; len(pending) > 0 && !tb.Failed(); rounds++ {
		if rounds > 0 {
			// Intram waits a minute or more before it tries again. Nothing is under way
			// here: a process that holds a claim is dead.
			if err := c.Pass(time.Minute); err != nil {
				tb.Fatalf("Pass: %v", err)
			}
		}
		pending = r.round(pending)
	}
	effects, err := c.Effects()
	if err != nil {
		tb.Fatalf("Effects: %v", err)
	}
	missing, twice := 0, 0
	for _, d := range deliveries {
		switch n := effects[d.key]; {
		case n == 0:
			missing++
		case n > 1:
			twice++
		}
	}
	tb.Logf("%d events in %d deliveries, %d attempts in %d rounds (responses by status, 0 for none: %v); "+
		"%d replicas killed, %d crashes of the store; %d events took effect, %d missing, %d more than once, %d unknown",
		len(deliveries), first, r.attempts, rounds, r.statuses, r.kills, r.crashes,
		len(effects), missing, twice, len(effects)-(len(deliveries)-missing))
	if missing > 0 || twice > 0 || len(effects) != c.Events || len(deliveries) != c.Events {
		tb.Errorf("want %d events, each with one effect", c.Events)
	}
	if r.kills != c.Events/killEvery || r.crashes != 2 {
		tb.Errorf("%d replicas were killed and the store crashed %d times, want %d and 2", r.kills, r.crashes, c.Events/killEvery)
	}
}

// record lets the fake make the events, and keeps its deliveries: of four events two are
// payouts' and two a payment's.
func (c Chaos) record(tb testing.TB, server *intramtest.Server) (secret string, deliveries []delivery) {
	tb.Helper()
	ctx := tb.Context()
	var received []delivery
	url := server.Receive(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			tb.Errorf("a delivery of the fake's: %v", err)
		}
		received = append(received, delivery{header: r.Header.Clone(), body: body})
		w.WriteHeader(http.StatusOK)
	}))
	client := server.Client()
	subscription, err := client.Webhooks.Create(ctx, intram.WebhookParams{URL: url, Event: intram.EventAll})
	if err != nil {
		tb.Fatal(err)
	}
	for i := 0; i < c.Events; i += 4 {
		for _, msisdn := range []string{"22961000000", "22961000001"} { // one succeeds, one fails
			if _, err := client.Payouts.Create(ctx, intram.PayoutParams{
				Amount: intram.NewAmount(100), Currency: intram.XOF,
				Destination: intram.MobileMoney{ProviderCode: intram.MTNBenin, MSISDN: msisdn},
			}); err != nil {
				tb.Fatal(err)
			}
		}
		request, err := client.PaymentRequests.Create(ctx, intram.PaymentRequestParams{
			Invoice: intram.Invoice{Amount: intram.NewAmount(1000), Currency: intram.XOF},
		})
		if err != nil {
			tb.Fatal(err)
		}
		result, err := client.PaymentRequests.Wait(ctx, request.ID)
		if err != nil {
			tb.Fatal(err)
		}
		if err := server.Pay(result.TransactionReference); err != nil {
			tb.Fatal(err)
		}
	}
	if err := server.Idle(ctx); err != nil {
		tb.Fatal(err)
	}
	verifier, err := intram.NewWebhookVerifier(subscription.Secret)
	if err != nil {
		tb.Fatal(err)
	}
	keys := make(map[string]bool)
	for i := range received {
		event, err := verifier.WithClock(standing{server.Now()}).Verify(received[i].header, received[i].body)
		if err != nil {
			tb.Fatalf("a delivery of the fake's: %v", err)
		}
		received[i].key = event.InboxKey()
		keys[event.InboxKey()] = true
	}
	if len(keys) != len(received) {
		tb.Fatalf("the fake made %d deliveries of %d events", len(received), len(keys))
	}
	return subscription.Secret, received
}

// multiply makes one to three deliveries of each, in no order. The order is the same in
// every run.
func multiply(deliveries []delivery) []delivery {
	var all []delivery
	for i, d := range deliveries {
		for range 1 + i%3 {
			all = append(all, d)
		}
	}
	shuffle := rand.New(rand.NewPCG(1, 2))
	shuffle.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all
}

// run is what is going on.
type run struct {
	Chaos
	tb          testing.TB
	client      *http.Client
	environment []string

	mu       sync.Mutex
	replicas [replicas]replica
	known    map[string]bool // the events that were acknowledged
	statuses map[int]int
	attempts int
	kills    int
	crashes  int
}

type replica struct {
	process *exec.Cmd
	address string
}

// round tries each delivery once, and returns those that were not acknowledged.
func (r *run) round(pending []delivery) (failed []delivery) {
	queue := make(chan delivery)
	var work sync.WaitGroup
	for range senders {
		work.Go(func() {
			for d := range queue {
				if !r.attempt(d) {
					r.mu.Lock()
					failed = append(failed, d)
					r.mu.Unlock()
				}
			}
		})
	}
	for _, d := range pending {
		queue <- d
	}
	close(queue)
	work.Wait()
	return failed
}

// attempt sends a delivery to the next replica, and reports whether it was acknowledged.
func (r *run) attempt(d delivery) bool {
	r.mu.Lock()
	address := r.replicas[r.attempts%replicas].address
	r.attempts++
	r.mu.Unlock()
	status := r.post(address, d)
	r.mu.Lock()
	r.statuses[status]++
	fresh := status == http.StatusOK && !r.known[d.key]
	if fresh {
		r.known[d.key] = true
	}
	n := len(r.known)
	r.mu.Unlock()
	if fresh {
		r.disturb(n)
	}
	return status == http.StatusOK
}

func (r *run) post(address string, d delivery) (status int) {
	req, err := http.NewRequestWithContext(r.tb.Context(), http.MethodPost, address, strings.NewReader(string(d.body)))
	if err != nil {
		return 0
	}
	req.Header = d.header.Clone()
	resp, err := r.client.Do(req)
	if err != nil {
		return 0 // killed, with the request in its hands
	}
	defer func() { _ = resp.Body.Close() }()
	_, _ = io.Copy(io.Discard, resp.Body) // so that the connection is used again
	return resp.StatusCode
}

// disturb does what is due after the n-th event was acknowledged. The other senders go on
// meanwhile.
func (r *run) disturb(n int) {
	if n%killEvery == 0 {
		r.mu.Lock()
		at := r.kills % replicas
		r.kills++
		victim := r.replicas[at].process
		r.mu.Unlock()
		_ = victim.Process.Kill()
		_ = victim.Wait()
		process, address := r.spawn()
		r.mu.Lock()
		r.replicas[at] = replica{process, address}
		r.mu.Unlock()
	}
	if n == r.Events/3 || n == 2*r.Events/3 {
		if err := r.Restart(); err != nil {
			r.tb.Errorf("the store did not come back: %v", err)
		}
		r.mu.Lock()
		r.crashes++
		r.mu.Unlock()
	}
}

// spawn starts a replica and waits until it listens.
func (r *run) spawn() (*exec.Cmd, string) {
	cmd := r.Replica()
	cmd.Env = slices.Concat(os.Environ(), cmd.Env, r.environment)
	cmd.Stderr = os.Stderr
	stdout, err := cmd.StdoutPipe()
	if err == nil {
		_, err = cmd.StdinPipe() // it ends when this test does
	}
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		r.tb.Errorf("a replica does not start: %v", err)
		return cmd, ""
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		r.tb.Errorf("a replica does not listen: %v", err)
	}
	return cmd, strings.TrimSpace(line)
}

func (r *run) stop() {
	for _, replica := range r.replicas {
		if replica.process.Process != nil {
			_ = replica.process.Process.Kill()
			_ = replica.process.Wait()
		}
	}
	r.client.CloseIdleConnections()
}

// ServeReplica runs a replica: it receives deliveries for the run that started it, until
// it is killed or the run has ended. It returns why it could not.
func ServeReplica(inbox intram.Inbox, handle intram.EventHandler) error {
	at, err := time.Parse(time.RFC3339Nano, os.Getenv(envTime))
	if err != nil {
		return err
	}
	verifier, err := intram.NewWebhookVerifier(os.Getenv(envWebhook))
	if err != nil {
		return err
	}
	// The fake's clock stands still: so does this one.
	handler := intram.NewWebhookHandler(verifier.WithClock(standing{at}), inbox, handle,
		intram.WithHandlerTimeout(time.Second), intram.WithClaimLease(lease))
	var config net.ListenConfig
	listener, err := config.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		_ = listener.Close()
	}()
	if _, err := fmt.Fprintf(os.Stdout, "http://%s/\n", listener.Addr()); err != nil {
		return err
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: answerWithin}
	return server.Serve(listener)
}

// standing is a clock that stands still.
type standing struct{ at time.Time }

func (s standing) Now() time.Time                                 { return s.at }
func (standing) Sleep(ctx context.Context, _ time.Duration) error { return ctx.Err() }
