package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"
)

// intramAnswer is what the API responds to a payout, and stripeAnswer what Stripe's
// responds to one, in about as many bytes.
const (
	intramAnswer = `{"error":false,"http_status":202,"data":{"operation_id":"op_2f4a8b1c","type":"payout","status":"queued","env":"live",` +
		`"payload":{"amount":25000,"currency":"XOF","destination":{"type":"mobile_money","country_code":"BJ","provider_code":"MTN_BENIN_229",` +
		`"msisdn":"22961234567","account_name":"Ada","account_surname":"Lovelace"},"reference":"PO-2026-0001","note":"Settlement hebdomadaire",` +
		`"metadata":{"batch_id":"B-42"}},"date":"2026-05-20T10:30:00.000Z"}}`
	stripeAnswer = `{"id":"po_01JD8Z3Q7M5K9T2V4X6Y8A0B1D","object":"payout","amount":25000,"arrival_date":1732298745,"automatic":false,` +
		`"balance_transaction":"txn_1QO3Bq2eZvKYlo2C","created":1732212345,"currency":"xof","description":"Settlement hebdomadaire",` +
		`"destination":"ba_1MtIhL2eZvKYlo2C","failure_code":null,"livemode":true,"metadata":{"batch_id":"B-42","reference":"PO-2026-0001"},` +
		`"method":"standard","source_type":"card","status":"pending","type":"bank_account"}`
)

// traffic is what the echo server counts.
type traffic struct {
	Connections int64 `json:"connections"` // opened
	Requests    int64 `json:"requests"`
}

// serveEcho responds to every request with the response of its kind and looks at nothing:
// what is left is the client's cost. It listens in plain and with TLS, where it offers
// HTTP/2, and counts requests and TCP connections.
func serveEcho() (announcement, error) {
	var connections, requests atomic.Int64
	answer := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header()["Content-Type"] = []string{"application/json"}
		if strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
			_, _ = io.WriteString(w, stripeAnswer)
			return
		}
		w.WriteHeader(http.StatusAccepted)
		_, _ = io.WriteString(w, intramAnswer)
	})
	count := func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	certificate, encoded, err := selfSigned()
	if err != nil {
		return announcement{}, err
	}
	admin := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			connections.Store(0)
			requests.Store(0)
		}
		if err := json.NewEncoder(w).Encode(traffic{connections.Load(), requests.Load()}); err != nil {
			return // the one who asked is gone
		}
	})
	quiet := slog.NewLogLogger(slog.DiscardHandler, slog.LevelError) // clients that go leave unfinished handshakes behind
	a := announcement{Certificate: encoded}
	for _, s := range []struct {
		address *string
		server  *http.Server
	}{
		{&a.Plain, &http.Server{Handler: answer, ConnState: count, ErrorLog: quiet, ReadHeaderTimeout: time.Minute}},
		{&a.TLS, &http.Server{Handler: answer, ConnState: count, ErrorLog: quiet, ReadHeaderTimeout: time.Minute,
			TLSConfig: &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}}},
		{&a.Admin, &http.Server{Handler: admin, ReadHeaderTimeout: time.Minute}},
	} {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return announcement{}, err
		}
		*s.address = listener.Addr().String()
		go func() {
			if s.server.TLSConfig != nil {
				_ = s.server.ServeTLS(listener, "", "")
			} else {
				_ = s.server.Serve(listener)
			}
		}()
	}
	return a, nil
}

// selfSigned makes a certificate for the loopback.
func selfSigned() (tls.Certificate, string, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, "", err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return tls.Certificate{}, "", err
	}
	encoded := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, encoded, nil
}
