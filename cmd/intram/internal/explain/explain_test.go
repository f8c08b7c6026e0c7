package explain_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/intram/intram-go/cmd/intram/internal/explain"
)

const (
	secret = "sk_sandbox_0123456789abcdef0123456789abcdef"
	at     = "2026-05-20T10:30:00.000Z"
)

var keys = explain.Keys{Secret: secret, Public: "pk_sandbox_abc", Others: []string{"sk_live_fedcba9876543210fedcba9876543210"}}

func sum(key, text string) []byte {
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(text))
	return mac.Sum(nil)
}

func signed(text string) string { return "sha256=" + hex.EncodeToString(sum(secret, text)) }

func TestEachMistakeIsNamed(t *testing.T) {
	t.Parallel()
	body := `{"reference": "F/1", "amount":1000, "note":"Réglé"}`
	post := explain.Request{Method: "POST", Path: "/v1/payouts", Timestamp: at, Body: []byte(body), Host: "http://127.0.0.1:4010"}
	list := explain.Request{Method: "GET", Path: "/v1/transactions", Query: "type=DEBIT&limit=2", Timestamp: at}
	get := explain.Request{Method: "GET", Path: "/api/v1/merchant/balance", Timestamp: at}
	head := at + "\nPOST\n/api/v1/merchant/payouts\n\n"
	for name, tt := range map[string]struct {
		request   explain.Request
		signature string
		want      []explain.Mistake
		line      string // the field that differs
	}{
		"nothing is wrong":        {post, signed(head + body), nil, ""},
		"the public path":         {post, signed(at + "\nPOST\n/v1/payouts\n\n" + body), []explain.Mistake{explain.PublicPath}, "path"},
		"the endpoint alone":      {post, signed(at + "\nPOST\n/payouts\n\n" + body), []explain.Mistake{explain.NoPathPrefix}, "path"},
		"the whole URL":           {post, signed(at + "\nPOST\nhttp://127.0.0.1:4010/v1/payouts\n\n" + body), []explain.Mistake{explain.FullURL}, "path"},
		"CR LF":                   {post, signed(strings.ReplaceAll(head, "\n", "\r\n") + body), []explain.Mistake{explain.CRLF}, ""},
		"a compact body":          {post, signed(head + `{"reference":"F/1","amount":1000,"note":"Réglé"}`), []explain.Mistake{explain.CompactBody}, "body"},
		"Python's body":           {post, signed(head + `{"reference": "F/1", "amount": 1000, "note": "R\u00e9gl\u00e9"}`), []explain.Mistake{explain.SpacedBody}, "body"},
		"PHP's body":              {post, signed(head + `{"reference":"F\/1","amount":1000,"note":"R\u00e9gl\u00e9"}`), []explain.Mistake{explain.EscapedBody}, "body"},
		"a sorted body":           {post, signed(head + `{"amount":1000,"note":"Réglé","reference":"F/1"}`), []explain.Mistake{explain.SortedBody}, "body"},
		"no body":                 {post, signed(head), []explain.Mistake{explain.NoBody}, "body"},
		"the body's hash":         {post, signed(head + hashOf(body)), []explain.Mistake{explain.HashedBody}, "body"},
		"a lower-case method":     {post, signed(at + "\npost\n/api/v1/merchant/payouts\n\n" + body), []explain.Mistake{explain.LowerMethod}, "method"},
		"no empty line":           {post, signed(at + "\nPOST\n/api/v1/merchant/payouts\n" + body), []explain.Mistake{explain.EmptyLeftOut}, ""},
		"no line feeds":           {post, signed(at + "POST/api/v1/merchant/payouts" + body), []explain.Mistake{explain.Joined}, ""},
		"echo's line feed":        {post, signed(head + body + "\n"), []explain.Mistake{explain.FinalNewline}, ""},
		"the query as sent":       {list, signed(at + "\nGET\n/api/v1/merchant/transactions\ntype=DEBIT&limit=2\n"), []explain.Mistake{explain.UnsortedQuery}, "query"},
		"no query":                {list, signed(at + "\nGET\n/api/v1/merchant/transactions\n\n"), []explain.Mistake{explain.NoQuery}, "query"},
		"the query in the path":   {list, signed(at + "\nGET\n/api/v1/merchant/transactions?type=DEBIT&limit=2\nlimit=2&type=DEBIT\n"), []explain.Mistake{explain.QueryInPath}, "path"},
		"the public key":          {get, "sha256=" + hex.EncodeToString(sum(keys.Public, at+"\nGET\n/api/v1/merchant/balance\n\n")), []explain.Mistake{explain.PublicKey}, ""},
		"the live secret":         {get, "sha256=" + hex.EncodeToString(sum(keys.Others[0], at+"\nGET\n/api/v1/merchant/balance\n\n")), []explain.Mistake{explain.OtherSecret}, ""},
		"a secret with a newline": {get, "sha256=" + hex.EncodeToString(sum(secret+"\n", at+"\nGET\n/api/v1/merchant/balance\n\n")), []explain.Mistake{explain.SecretNewline}, ""},
		"no sha256=":              {get, hex.EncodeToString(sum(secret, at+"\nGET\n/api/v1/merchant/balance\n\n")), []explain.Mistake{explain.NoScheme}, ""},
		"base64":                  {get, base64.StdEncoding.EncodeToString(sum(secret, at+"\nGET\n/api/v1/merchant/balance\n\n")), []explain.Mistake{explain.Base64}, ""},
		"a plain hash":            {get, "sha256=" + hashOf(secret+at+"\nGET\n/api/v1/merchant/balance\n\n"), []explain.Mistake{explain.PlainHash}, ""},
		"two at once":             {post, signed(at + "\npost\n/v1/payouts\n\n" + body), []explain.Mistake{explain.PublicPath, explain.LowerMethod}, "path"},
		"anybody's guess":         {post, signed("something else"), nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tt.request.Signature = tt.signature
			f := explain.Signature(keys, tt.request)
			assert.ElementsMatch(t, tt.want, f.Mistakes)
			assert.Equal(t, name == "nothing is wrong", f.Right)
			if tt.line == "" {
				return
			}
			for _, l := range f.Lines {
				if l.Name == tt.line {
					assert.True(t, l.Differs(), "%s: %q", l.Name, l.Signed)
				}
			}
			assert.NotEqual(t, f.Canonical, f.Signed)
		})
	}
}

func hashOf(text string) string {
	h := sha256.Sum256([]byte(text))
	return hex.EncodeToString(h[:])
}
