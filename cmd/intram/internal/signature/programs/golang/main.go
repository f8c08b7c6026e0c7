// Command golang signs a request of the Intram Merchant API without the SDK, and prints
// it. What stands between two marks is shown for a mistake there.
package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"
)

type call struct {
	Method, Endpoint string
	Params           map[string]string
	Payload          json.RawMessage
}

// signed is a request that can be sent.
type signed struct {
	Method  string   `json:"method"`
	Target  string   `json:"target"`
	Headers []string `json:"headers"`
	Body    []byte   `json:"body"`
}

func sign(httpMethod, endpoint string, params map[string]string, payload any) (s signed, err error) {
	publicKey := os.Getenv("INTRAM_PUBLIC_KEY")
	// [key]
	// sk_..., whole
	secretKey := strings.TrimSpace(os.Getenv("INTRAM_SECRET_KEY"))
	// [timestamp]
	const layout = "2006-01-02T15:04:05.000Z"
	timestamp := time.Now().UTC().Format(layout) // once, for both
	// [method]
	method := strings.ToUpper(httpMethod) // GET, POST, DELETE
	// [path]
	path := "/api/v1/merchant" + endpoint // whatever URL is called
	// [query]
	var pairs []string
	// sorted, and sent so
	for _, key := range slices.Sorted(maps.Keys(params)) {
		pairs = append(pairs, key+"="+params[key])
	}
	query := strings.Join(pairs, "&") // no ? in front
	// [body]
	var body []byte
	if payload != nil {
		body, err = json.Marshal(payload) // send these bytes
	}
	if err != nil {
		return s, err
	}
	// [text]
	fields := []string{timestamp, method, path, query, string(body)}
	text := strings.Join(fields, "\n")
	// [signature]
	mac := hmac.New(sha256.New, []byte(secretKey))
	mac.Write([]byte(text))
	signature := "sha256=" + hex.EncodeToString(mac.Sum(nil))
	// [headers]
	header := http.Header{}
	header.Set("X-Api-Key", publicKey)
	header.Set("X-Timestamp", timestamp)
	header.Set("X-Signature", signature)
	header.Set("Content-Type", "application/json")
	// [end]
	s = signed{Method: method, Target: "/v1" + endpoint, Body: body}
	if query != "" {
		s.Target += "?" + query
	}
	for name := range header {
		s.Headers = append(s.Headers, name+": "+header.Get(name))
	}
	return s, nil
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	var calls []call
	if err := json.NewDecoder(os.Stdin).Decode(&calls); err != nil {
		return err
	}
	for _, c := range calls {
		var payload any
		if len(c.Payload) > 0 {
			payload = c.Payload
		}
		s, err := sign(c.Method, c.Endpoint, c.Params, payload)
		if err != nil {
			return err
		}
		line, err := json.Marshal(s)
		if err != nil {
			return err
		}
		fmt.Println(string(line))
	}
	return nil
}
