package mockapi

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// BenchmarkServerAgainstEcho compares the server with a bare net/http echo server: the
// same signed POSTs of fresh payouts, made beforehand, over 64 keep-alive connections, in
// interleaved rounds of one run. The median of the rounds' ratios is what counts:
// absolute numbers drift with the machine. The bar is 0.65.
func BenchmarkServerAgainstEcho(b *testing.B) {
	const connections, perRound = 64, 12_800
	var ratios, rates []float64
	echo := echoServer(b)
	for b.Loop() {
		s, err := New(Config{Seed: 1})
		require.NoError(b, err)
		require.NoError(b, s.Listen("127.0.0.1:0"))
		requests := make([][][]byte, connections)
		for n := range perRound {
			requests[n%connections] = append(requests[n%connections], signedPayout(s, n))
		}
		echoRate := requestRate(b, echo, requests, " 200 ")
		rate := requestRate(b, s.BaseURL()[len("http://"):], requests, " 202 ")
		s.Close()
		rates = append(rates, rate)
		ratios = append(ratios, rate/echoRate)
	}
	slices.Sort(ratios)
	slices.Sort(rates)
	b.ReportMetric(ratios[len(ratios)/2], "x-of-echo")
	b.ReportMetric(rates[len(rates)/2], "req/s")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkNew measures how long a server takes to be ready. The bar is 10 ms.
func BenchmarkNew(b *testing.B) {
	for b.Loop() {
		s, err := New(Config{})
		require.NoError(b, err)
		require.NoError(b, s.Listen("127.0.0.1:0"))
		s.Close()
	}
}

// BenchmarkPayout measures one payout through the handler, without a network.
func BenchmarkPayout(b *testing.B) {
	s, err := New(Config{Seed: 1})
	require.NoError(b, err)
	defer s.Close()
	request, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(signedPayout(s, 0))))
	require.NoError(b, err)
	request.RemoteAddr = "127.0.0.1:1"
	body := bytes.NewReader(nil)
	request.Body = io.NopCloser(body)
	n := 0
	b.ReportAllocs()
	for b.Loop() {
		n++
		body.Reset([]byte(benchBody))
		request.Header["Idempotency-Key"] = []string{"benchmark-" + strconv.Itoa(n)}
		s.ServeHTTP(&discard{h: http.Header{}}, request)
	}
}

type discard struct{ h http.Header }

func (d *discard) Header() http.Header         { return d.h }
func (d *discard) Write(b []byte) (int, error) { return len(b), nil }
func (d *discard) WriteHeader(int)             {}

const benchBody = `{"amount":1,"currency":"XOF","destination":{"type":"mobile_money","country_code":"BJ","provider_code":"MTN_BENIN_229","msisdn":"22961234567","account_name":"Ada","account_surname":"Lovelace"},"reference":"PO-2026-0001","note":"Settlement hebdomadaire","metadata":{"batch_id":"B-42"}}`

func signedPayout(s *Server, n int) []byte {
	timestamp := wireTime(s.Clock().Now())
	keys := s.Merchant().Sandbox
	signature := sign(keys.Secret, timestamp+"\nPOST\n/api/v1/merchant/payouts\n\n"+benchBody)
	return rawRequest("X-Api-Key: "+keys.Public+"\r\nX-Timestamp: "+timestamp+"\r\nX-Signature: "+signature+"\r\n", "benchmark-"+strconv.Itoa(n))
}

func rawRequest(headers, key string) []byte {
	if key != "" {
		headers += "Idempotency-Key: " + key + "\r\n"
	}
	return []byte("POST /v1/payouts HTTP/1.1\r\nHost: h\r\nUser-Agent: x\r\nContent-Type: application/json\r\nContent-Length: " +
		strconv.Itoa(len(benchBody)) + "\r\n" + headers + "\r\n" + benchBody)
}

func echoServer(b *testing.B) string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(b, err)
	web := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(body)
	})}
	go func() { _ = web.Serve(listener) }()
	b.Cleanup(func() { _ = web.Close() })
	return listener.Addr().String()
}

// requestRate sends each row of requests over a keep-alive connection of its own, as
// cheaply as can be, and returns requests a second.
func requestRate(b *testing.B, address string, requests [][][]byte, want string) float64 {
	runtime.GC() // each round starts alike
	failures := make([]string, len(requests))
	var wg sync.WaitGroup
	n := 0
	start := time.Now()
	for c, row := range requests {
		n += len(row)
		wg.Go(func() { failures[c] = converse(address, row, want) })
	}
	wg.Wait()
	elapsed := time.Since(start)
	for _, f := range failures {
		require.Empty(b, f)
	}
	return float64(n) / elapsed.Seconds()
}

// converse sends requests on one connection and reads the responses.
func converse(address string, requests [][]byte, want string) string {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return err.Error()
	}
	defer func() { _ = conn.Close() }()
	r := bufio.NewReaderSize(conn, 8192)
	for _, request := range requests {
		if _, err := conn.Write(request); err != nil {
			return err.Error()
		}
		line, err := r.ReadSlice('\n')
		if err != nil {
			return err.Error()
		}
		if !bytes.Contains(line, []byte(want)) {
			return string(line)
		}
		length := 0
		for {
			if line, err = r.ReadSlice('\n'); err != nil {
				return err.Error()
			}
			if len(line) <= 2 {
				break
			}
			if value, ok := bytes.CutPrefix(line, []byte("Content-Length: ")); ok {
				length, _ = strconv.Atoi(string(bytes.TrimSpace(value)))
			}
		}
		if _, err := r.Discard(length); err != nil {
			return err.Error()
		}
	}
	return ""
}
