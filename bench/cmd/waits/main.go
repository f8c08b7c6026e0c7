// Command waits measures ten thousand waits in real time: a fake server in a process of
// its own, and a client that waits for all of its operations, with and without webhooks.
// The waiting process reports lookups, connections, memory and lags.
//
//	go -C bench run ./cmd/waits [-n 10000] [-over 60s] [-webhooks] [-many]
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/intramtest"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "waits:", err)
		os.Exit(1)
	}
}

func run() error {
	n := flag.Int("n", 10_000, "how many operations")
	over := flag.Duration("over", time.Minute, "how long it takes until all have ended")
	webhooks := flag.Bool("webhooks", false, "let events wake the waits")
	many := flag.Bool("many", false, "wait with one WaitMany instead of a goroutine for each")
	serving := flag.Bool("serve", false, "be the server: for the command itself")
	flag.Parse()
	if *serving {
		return serve(*over)
	}
	return measure(*n, *over, *webhooks, *many)
}

// serve is the server's process: it reads lines from its input, "webhooks URL" or the
// operations to end, one after the other.
func serve(over time.Duration) error {
	server, err := intramtest.Start(intramtest.WithRunningClock(), intramtest.WithWorker(intramtest.ByHand()), intramtest.WithJournalSize(1),
		intramtest.WithBalance(intram.Sandbox, intram.MTNBenin, 1_000_000_000))
	if err != nil {
		return err
	}
	defer server.Close()
	fmt.Println(server.URL, server.PublicKey, server.SecretKey)
	var ids []string
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		word, rest, _ := strings.Cut(lines.Text(), " ")
		switch word {
		case "webhooks":
			target, err := url.Parse(rest)
			if err != nil {
				return err
			}
			proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) }}
			fmt.Println(server.Receive(proxy))
		case "end":
			ids = append(ids, rest)
		case "go":
			began := now()
			for i, id := range ids {
				sleepUntil(began.Add(over * time.Duration(i) / time.Duration(len(ids))))
				if err := server.Complete(id); err != nil {
					return err
				}
				fmt.Println(id)
			}
		}
	}
	return lines.Err()
}

// lag is how long it took from the end of an operation, or its event, until its waiter
// knew.
type lags struct {
	mu    sync.Mutex
	begun map[string]time.Time
	took  []time.Duration
}

func (l *lags) begin(id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, twice := l.begun[id]; !twice {
		l.begun[id] = now()
	}
}

func (l *lags) end(id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if at, ok := l.begun[id]; ok {
		l.took = append(l.took, now().Sub(at))
	} else {
		l.took = append(l.took, 0) // known before the report of it was read
	}
}

func (l *lags) String() string {
	slices.Sort(l.took)
	at := func(percent int) time.Duration {
		return l.took[(len(l.took)-1)*percent/100].Round(10 * time.Microsecond)
	}
	return fmt.Sprintf("%v in the middle, %v for 99 %%, %v at most", at(50), at(99), at(100))
}

func measure(n int, over time.Duration, webhooks, many bool) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	child := exec.CommandContext(ctx, self, "-serve", "-over", over.String()) //nolint:gosec // this very program
	child.Stderr = os.Stderr
	in, err := child.StdinPipe()
	if err != nil {
		return err
	}
	out, err := child.StdoutPipe()
	if err != nil {
		return err
	}
	if err := child.Start(); err != nil {
		return err
	}
	defer func() { _ = in.Close(); _ = child.Wait() }()
	lines := bufio.NewScanner(out)
	var base, public, secret string
	lines.Scan()
	if _, err := fmt.Sscan(lines.Text(), &base, &public, &secret); err != nil {
		return err
	}
	counter := &counter{}
	client, err := intram.NewClient(public, secret, intram.WithBaseURL(base), intram.WithHTTPClient(&http.Client{Transport: counter.transport()}))
	if err != nil {
		return err
	}
	lag := &lags{begun: make(map[string]time.Time, n), took: make([]time.Duration, 0, n)}
	opts := []intram.WaitOption{intram.WithMaxWait(0)}
	if webhooks {
		opts = append(opts, intram.WithInitialDelay(2*over))
		if err := receive(ctx, client, lag, in, lines); err != nil {
			return err
		}
	}

	ids, err := pay(ctx, client, n)
	if err != nil {
		return err
	}
	counter.looks.Store(0)
	before := heapNow()
	var wg sync.WaitGroup
	failed := make(chan error, n)
	if many {
		wg.Go(func() {
			for op, err := range client.WaitMany(ctx, ids, opts...) {
				if err != nil {
					failed <- err
					continue
				}
				lag.end(op.ID)
			}
		})
	}
	for i := 0; !many && i < n; i++ {
		wg.Go(func() {
			if _, err := client.WaitForOperation(ctx, ids[i], opts...); err != nil {
				failed <- err
			}
			lag.end(ids[i])
		})
	}
	for i := range ids { // in an order of their own
		if _, err := fmt.Fprintln(in, "end", ids[(i*7919)%n]); err != nil {
			return err
		}
	}
	if _, err := fmt.Fprintln(in, "go"); err != nil {
		return err
	}
	began := now()
	go func() {
		for lines.Scan() {
			if !webhooks {
				lag.begin(lines.Text())
			}
		}
	}()
	wg.Wait()
	close(failed)
	for err := range failed {
		return err
	}
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return err
	}
	looks := int(counter.looks.Load())
	fmt.Printf("%d operations ended over %v, webhooks %v, one WaitMany %v, after %v\n", n, over, webhooks, many, now().Sub(began).Round(time.Millisecond))
	fmt.Printf("  lookups an operation  %d.%03d\n", looks/n, looks*1000/n%1000)
	fmt.Printf("  to the waiter          %v\n", lag)
	fmt.Printf("  connections opened     %d, of which %d while the payouts were made\n", counter.conns.Load(), counter.before)
	fmt.Printf("  peak memory            %d MB resident, of the whole process (heap before the waits %d MB)\n", usage.Maxrss>>10, before>>20)
	fmt.Printf("  client's CPU           %v\n", time.Duration(usage.Utime.Nano()+usage.Stime.Nano()).Round(time.Millisecond))
	return nil
}

// receive mounts a webhook handler that wakes the client's waits.
func receive(ctx context.Context, client *intram.Client, lag *lags, in io.Writer, lines *bufio.Scanner) error {
	var handler http.Handler
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler.ServeHTTP(w, r) }))
	if _, err := fmt.Fprintln(in, "webhooks", server.URL); err != nil {
		return err
	}
	if !lines.Scan() {
		return errors.New("the server has ended")
	}
	subscription, err := client.Webhooks.Create(ctx, intram.WebhookParams{URL: lines.Text(), Event: "payout.*"})
	if err != nil {
		return err
	}
	verifier, err := intram.NewWebhookVerifier(subscription.Secret)
	if err != nil {
		return err
	}
	verified := intram.NewWebhookHandler(verifier, new(intram.MemoryInbox), func(context.Context, *intram.Event) error { return nil }, intram.WithNotify(client))
	handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		if event, err := verifier.Verify(r.Header, body); err == nil {
			lag.begin(event.OperationID)
		}
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		verified.ServeHTTP(w, r)
	})
	return nil
}

// pay makes n payouts, 32 at a time.
func pay(ctx context.Context, client *intram.Client, n int) ([]string, error) {
	ids := make([]string, n)
	var failure atomic.Pointer[error]
	var wg sync.WaitGroup
	var next atomic.Int64
	for range 32 {
		wg.Go(func() {
			for i := next.Add(1) - 1; i < int64(n); i = next.Add(1) - 1 {
				op, err := client.Payouts.Create(ctx, intram.PayoutParams{
					Amount: intram.NewAmount(100), Destination: intram.MobileMoney{ProviderCode: intram.MTNBenin, MSISDN: "22961234567"},
				})
				if err != nil {
					failure.Store(&err)
					return
				}
				ids[i] = op.ID
			}
		})
	}
	wg.Wait()
	if err := failure.Load(); err != nil {
		return nil, *err
	}
	return ids, nil
}

// counter counts lookups and connections.
type counter struct {
	looks, conns atomic.Int64
	before       int64
	once         sync.Once
	next         http.RoundTripper
}

func (c *counter) transport() http.RoundTripper {
	dialer := new(net.Dialer)
	c.next = &http.Transport{MaxIdleConnsPerHost: 256, DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		c.conns.Add(1)
		return dialer.DialContext(ctx, network, address)
	}}
	return c
}

// RoundTrip implements http.RoundTripper.
func (c *counter) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Method == http.MethodGet {
		c.once.Do(func() { c.before = c.conns.Load() })
		c.looks.Add(1)
	}
	return c.next.RoundTrip(req)
}

func heapNow() uint64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}
