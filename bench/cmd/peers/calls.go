package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

// result is what one client came to in one round, a call.
type result struct {
	rate        float64 // calls a second
	cpu         float64 // µs of the client's process, user and system
	allocations float64
	bytes       float64
	connections float64 // TCP connections opened, in all
}

// setting is how the clients are asked to call.
type setting struct {
	name    string
	tls     bool
	callers int
}

var callSettings = []setting{
	{"plain, 1 caller", false, 1},
	{"plain, 64 callers", false, 64},
	{"TLS, 1 caller", true, 1},
	{"TLS, 64 callers", true, 64},
}

// measureCalls compares the clients on the same call to one echo server.
func measureCalls(ctx context.Context, s settings) (string, error) {
	server, err := start(ctx, "echo")
	if err != nil {
		return "", err
	}
	defer server.stop()
	if err := trust(server.Certificate); err != nil {
		return "", err
	}
	var out strings.Builder
	for _, set := range callSettings {
		base := "http://" + server.Plain + "/v1"
		if set.tls {
			base = "https://" + server.TLS + "/v1"
		}
		calls := s.calls
		if set.callers > 1 {
			calls *= 3
		}
		results := make(map[string][]result)
		for round := range s.rounds {
			fmt.Fprintf(s.progress, "calls: %s, round %d of %d\n", set.name, round+1, s.rounds)
			for _, c := range rotated(clients, round) {
				r, err := measureClient(ctx, c, base, server.Admin, set.callers, calls)
				if err != nil {
					return "", fmt.Errorf("%s, %s: %w", set.name, c.name, err)
				}
				results[c.name] = append(results[c.name], r)
			}
		}
		writeCalls(&out, set, calls, s.rounds, results)
	}
	return out.String(), nil
}

// trust makes the certificate the one that this process trusts, for every client alike.
func trust(certificate string) error {
	file, err := os.CreateTemp("", "peers-*.pem")
	if err != nil {
		return err
	}
	if _, err := file.WriteString(certificate); err != nil {
		return err
	}
	return errors.Join(file.Close(), os.Setenv("SSL_CERT_FILE", file.Name()))
}

// measureClient makes calls with a new client: some to warm up, and then those that
// count.
func measureClient(ctx context.Context, c client, base, admin string, callers, calls int) (result, error) {
	if _, err := askServer(ctx, admin, http.MethodPost); err != nil {
		return result{}, err
	}
	call, closeConnections, err := c.open(base)
	if err != nil {
		return result{}, err
	}
	defer closeConnections()
	each := calls / callers
	if err := callAll(ctx, call, callers, each/20+3); err != nil {
		return result{}, err
	}
	runtime.GC()
	before, err := askServer(ctx, admin, http.MethodGet)
	if err != nil {
		return result{}, err
	}
	var memory [2]runtime.MemStats
	runtime.ReadMemStats(&memory[0])
	cpu, began := cpuTime(), time.Now()
	if err := callAll(ctx, call, callers, each); err != nil {
		return result{}, err
	}
	elapsed, cpu := time.Since(began), cpuTime()-cpu
	runtime.ReadMemStats(&memory[1])
	after, err := askServer(ctx, admin, http.MethodGet)
	if err != nil {
		return result{}, err
	}
	n := float64(each * callers)
	if got := after.Requests - before.Requests; got != int64(each*callers) {
		return result{}, fmt.Errorf("%d calls made %d requests", each*callers, got)
	}
	return result{
		rate: n / elapsed.Seconds(), cpu: cpu.Seconds() * 1e6 / n,
		allocations: float64(memory[1].Mallocs-memory[0].Mallocs) / n,
		bytes:       float64(memory[1].TotalAlloc-memory[0].TotalAlloc) / n,
		connections: float64(after.Connections),
	}, nil
}

// callAll has each caller make its calls, one after the other.
func callAll(ctx context.Context, call call, callers, each int) error {
	failures := make([]error, callers)
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() {
			for range each {
				if failures[i] = call(ctx); failures[i] != nil {
					return
				}
			}
		})
	}
	wg.Wait()
	return errors.Join(failures...)
}

// cpuTime is what this process has used so far, user and system.
func cpuTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

var adminClient = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}

// askServer reads what the echo server counted; POST sets it to zero.
func askServer(ctx context.Context, admin, method string) (traffic, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://"+admin, nil)
	if err != nil {
		return traffic{}, err
	}
	resp, err := adminClient.Do(req)
	if err != nil {
		return traffic{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	var t traffic
	return t, json.NewDecoder(resp.Body).Decode(&t)
}

func writeCalls(out *strings.Builder, set setting, calls, rounds int, results map[string][]result) {
	fmt.Fprintf(out, "### %s\n\n", strings.ToUpper(set.name[:1])+set.name[1:])
	fmt.Fprintf(out, "%d rounds of %d calls. Medians; × is the median of the ratios to bare net/http in the same round.\n\n", rounds, calls)
	out.WriteString("| client | calls/s | × | client CPU µs | × | allocations | bytes | × | connections |\n|---|--:|--:|--:|--:|--:|--:|--:|--:|\n")
	base := results[bareName]
	for _, c := range clients {
		r := results[c.name]
		of := func(figure func(result) float64) float64 { return median(column(r, figure)) }
		fmt.Fprintf(out, "| %s | %.0f | %.2f | %.1f | %.2f | %.1f | %.0f | %.2f | %.0f |\n", c.name,
			of(result.ofRate), ratio(r, base, result.ofRate), of(result.ofCPU), ratio(r, base, result.ofCPU),
			of(result.ofAllocations), of(result.ofBytes), ratio(r, base, result.ofBytes), of(result.ofConnections))
	}
	own, signed := results[intramName], results[signedName]
	fmt.Fprintf(out, "\nintram against bare net/http, signed: calls/s ×%.2f, CPU ×%.2f, allocations %+.1f, bytes ×%.2f. Against stripe-go: CPU ×%.2f.\n\n",
		ratio(own, signed, result.ofRate), ratio(own, signed, result.ofCPU),
		median(column(own, result.ofAllocations))-median(column(signed, result.ofAllocations)), ratio(own, signed, result.ofBytes),
		ratio(own, results[stripeName], result.ofCPU))
}

func (r result) ofRate() float64        { return r.rate }
func (r result) ofCPU() float64         { return r.cpu }
func (r result) ofAllocations() float64 { return r.allocations }
func (r result) ofBytes() float64       { return r.bytes }
func (r result) ofConnections() float64 { return r.connections }
