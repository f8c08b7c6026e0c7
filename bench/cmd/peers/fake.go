package main

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/intramtest"
)

// serveFake is the fake API in a process of its own.
func serveFake(options ...intramtest.Option) (announcement, error) {
	server, err := intramtest.Start(options...)
	if err != nil {
		return announcement{}, err
	}
	return announcement{Plain: strings.TrimPrefix(server.URL, "http://"), PublicKey: server.PublicKey, SecretKey: server.SecretKey}, nil
}

const fakeConnections = 64

// measureFake compares the fake with the echo server and with stripe-mock, how soon each
// is there, and its two ways in.
func measureFake(ctx context.Context, s settings) (string, error) {
	folder, err := os.MkdirTemp("", "peers-")
	if err != nil {
		return "", err
	}
	defer func() { _ = os.RemoveAll(folder) }()
	mock := filepath.Join(folder, "stripe-mock")
	build := exec.CommandContext(ctx, "go", "build", "-o", mock, "github.com/stripe/stripe-mock") //nolint:gosec // our own arguments
	if output, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("stripe-mock cannot be built (run this command in the bench module): %w\n%s", err, output)
	}
	var out strings.Builder
	if err := measureServers(ctx, s, mock, &out); err != nil {
		return "", err
	}
	if err := measureStart(ctx, s, mock, &out); err != nil {
		return "", err
	}
	if err := measureWays(ctx, s, &out); err != nil {
		return "", err
	}
	return out.String(), nil
}

// measureServers sends the same number of requests to each server over 64 connections,
// ready made.
func measureServers(ctx context.Context, s settings, mock string, out *strings.Builder) error {
	perRound := s.calls * 3 / fakeConnections * fakeConnections
	var echoes, fakes, working, mocks []float64
	for round := range s.rounds {
		fmt.Fprintf(s.progress, "fake: servers, round %d of %d\n", round+1, s.rounds)
		var failure error
		for _, one := range rotated([]func() error{
			func() error {
				server, err := start(ctx, "echo")
				if err != nil {
					return err
				}
				defer server.stop()
				rate, err := requestRate(ctx, server.Plain, rows(perRound, plainPayout), " 202 ")
				echoes = append(echoes, rate)
				return err
			},
			func() error {
				server, err := start(ctx, "fake")
				if err != nil {
					return err
				}
				defer server.stop()
				rate, err := requestRate(ctx, server.Plain, rows(perRound, server.signedPayout), " 202 ")
				fakes = append(fakes, rate)
				return err
			},
			func() error {
				server, err := start(ctx, "fake-at-work")
				if err != nil {
					return err
				}
				defer server.stop()
				rate, err := requestRate(ctx, server.Plain, rows(perRound, server.signedPayout), " 202 ")
				working = append(working, rate)
				return err
			},
			func() error {
				server, err := startMock(ctx, mock)
				if err != nil {
					return err
				}
				defer server.stop()
				rate, err := requestRate(ctx, server.Plain, rows(perRound/4/fakeConnections*fakeConnections, stripePayout), " 200 ")
				mocks = append(mocks, rate)
				return err
			},
		}, round) {
			runtime.GC()
			if failure = one(); failure != nil {
				return failure
			}
		}
	}
	same := func(rate float64) float64 { return rate }
	fmt.Fprintf(out, "### The fake server\n\n%d payouts a round, each with a key of its own, over %d connections from one process to another; %d rounds. "+
		"The fake verifies the signature, checks the body, and keeps the key and the operation; with a running clock it also pays out.\n\n", perRound, fakeConnections, s.rounds)
	out.WriteString("| server | requests/s | × echo |\n|---|--:|--:|\n")
	fmt.Fprintf(out, "| echo, net/http | %.0f | 1 |\n", median(echoes))
	fmt.Fprintf(out, "| the fake, its clock frozen as in a test | %.0f | %.2f |\n", median(fakes), ratio(fakes, echoes, same))
	fmt.Fprintf(out, "| the fake, its clock running | %.0f | %.2f |\n", median(working), ratio(working, echoes, same))
	fmt.Fprintf(out, "| stripe-mock | %.0f | %.2f |\n\n", median(mocks), ratio(mocks, echoes, same))
	fmt.Fprintf(out, "The fake serves ×%.1f of stripe-mock's requests.\n\n", ratio(fakes, mocks, same))
	return nil
}

// startMock starts stripe-mock, and waits for its first response.
func startMock(ctx context.Context, path string) (*process, error) {
	address, err := freeAddress(ctx)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, path, "-http-addr", address) //nolint:gosec // what this command has built
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{announcement: announcement{Plain: address}, cmd: cmd, stdin: killer{cmd.Process}}
	if err := firstAnswer(ctx, address, stripePayout(0), " 200 "); err != nil {
		p.stop()
		return nil, fmt.Errorf("stripe-mock: %w", err)
	}
	p.ready = time.Since(began)
	return p, nil
}

// killer ends a program that does not end when its stdin does.
type killer struct{ process *os.Process }

func (k killer) Close() error { return k.process.Kill() }

// firstAnswer tries until a server responds.
func firstAnswer(ctx context.Context, address string, request []byte, status string) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		err := converse(ctx, address, [][]byte{request}, status)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("no response: %w", err)
		case <-time.After(time.Millisecond / 4):
		}
	}
}

// measureStart takes the time from starting a process to its first response, and the
// fake's in a process that runs.
func measureStart(ctx context.Context, s settings, mock string, out *strings.Builder) error {
	var fakes, mocks, inProcess []float64
	for round := range s.rounds {
		fmt.Fprintf(s.progress, "fake: start, round %d of %d\n", round+1, s.rounds)
		began := time.Now()
		server, err := start(ctx, "fake-at-work")
		if err != nil {
			return err
		}
		err = firstAnswer(ctx, server.Plain, server.signedPayout(0), " 202 ")
		fakes = append(fakes, milliseconds(time.Since(began)))
		server.stop()
		if err != nil {
			return err
		}
		other, err := startMock(ctx, mock)
		if err != nil {
			return err
		}
		mocks = append(mocks, milliseconds(other.ready))
		other.stop()
		began = time.Now()
		own, err := intramtest.Start()
		if err != nil {
			return err
		}
		inProcess = append(inProcess, milliseconds(time.Since(began)))
		own.Close()
	}
	out.WriteString("| from nothing to ready | ms |\n|---|--:|\n")
	fmt.Fprintf(out, "| the fake in a test: `intramtest.Start`, listening | %.2f |\n", median(inProcess))
	fmt.Fprintf(out, "| the fake as a program: started, first response to a payout | %.1f |\n", median(fakes))
	fmt.Fprintf(out, "| stripe-mock as a program: started, first response to a payout | %.1f |\n\n", median(mocks))
	return nil
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// measureWays compares the fake's two ways in, by calls of the SDK from the same process.
func measureWays(ctx context.Context, s settings, out *strings.Builder) error {
	type way struct {
		options []intramtest.Option
		rates   []float64
	}
	ways := []*way{{}, {options: []intramtest.Option{intramtest.WithoutListener()}}}
	for round := range s.rounds {
		fmt.Fprintf(s.progress, "fake: ways in, round %d of %d\n", round+1, s.rounds)
		for _, w := range rotated(ways, round) {
			rate, err := callFake(ctx, s.calls, w.options)
			if err != nil {
				return err
			}
			w.rates = append(w.rates, rate)
		}
	}
	same := func(rate float64) float64 { return rate }
	out.WriteString("| the SDK against the fake in its own process, one caller | calls/s | × |\n|---|--:|--:|\n")
	fmt.Fprintf(out, "| through a socket | %.0f | 1 |\n", median(ways[0].rates))
	fmt.Fprintf(out, "| without a listener | %.0f | %.2f |\n", median(ways[1].rates), ratio(ways[1].rates, ways[0].rates, same))
	return nil
}

func callFake(ctx context.Context, calls int, options []intramtest.Option) (float64, error) {
	server, err := intramtest.Start(options...)
	if err != nil {
		return 0, err
	}
	defer server.Close()
	client, err := server.NewClient()
	if err != nil {
		return 0, err
	}
	runtime.GC()
	began := time.Now()
	for range calls {
		if _, err := client.Payouts.Create(ctx, intram.PayoutParams{
			Amount: intram.NewAmount(1), Destination: intram.MobileMoney{ProviderCode: intram.MTNBenin, MSISDN: "22961234567"},
		}); err != nil {
			return 0, err
		}
	}
	return float64(calls) / time.Since(began).Seconds(), nil
}

// rows makes n requests and deals them out to the connections.
func rows(n int, request func(int) []byte) [][][]byte {
	dealt := make([][][]byte, fakeConnections)
	for i := range n {
		dealt[i%fakeConnections] = append(dealt[i%fakeConnections], request(i))
	}
	return dealt
}

// signedPayout is a payout of one unit, signed by hand for the fake, with a key of its
// own.
func (a *announcement) signedPayout(n int) []byte {
	body := rawPayout()
	timestamp := time.Now().UTC().Format("2006-01-02T15:04:05.000Z")
	mac := hmac.New(sha256.New, []byte(a.SecretKey))
	mac.Write([]byte(timestamp + "\nPOST\n/api/v1/merchant/payouts\n\n" + body))
	return rawRequest(body, "application/json", "X-Api-Key: "+a.PublicKey, "X-Timestamp: "+timestamp,
		"X-Signature: sha256="+hex.EncodeToString(mac.Sum(nil)), "Idempotency-Key: benchmark-"+strconv.Itoa(n))
}

func plainPayout(int) []byte { return rawRequest(rawPayout(), "application/json") }

func stripePayout(int) []byte {
	return rawRequest("amount=1100&currency=usd&description=Settlement&method=standard&metadata[batch_id]=B-42",
		"application/x-www-form-urlencoded", "Authorization: Bearer sk_test_123")
}

func rawPayout() string {
	payout := newPayout()
	payout.Amount = 1
	body, err := json.Marshal(payout)
	if err != nil {
		return ""
	}
	return string(body)
}

func rawRequest(body, contentType string, headers ...string) []byte {
	lines := append([]string{
		http.MethodPost + " /v1/payouts HTTP/1.1", "Host: localhost", "Content-Type: " + contentType, "Content-Length: " + strconv.Itoa(len(body)),
	}, headers...)
	return []byte(strings.Join(lines, "\r\n") + "\r\n\r\n" + body)
}
