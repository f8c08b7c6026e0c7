package intram_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	intram "github.com/intram/intram-go"
)

// wire keeps what a request looks like on the wire, byte for byte, and refuses it.
type wire struct{ sent []string }

func (w *wire) RoundTrip(req *http.Request) (*http.Response, error) {
	var out bytes.Buffer
	if err := req.Write(&out); err != nil {
		return nil, err
	}
	w.sent = append(w.sent, out.String())
	return &http.Response{
		StatusCode: http.StatusBadRequest, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(`{"error":true,"code":"x","statusCode":400}`)), Request: req,
	}, nil
}

// idCall is a call that takes something of the caller's into its path, its header or its
// body.
type idCall struct {
	make   func(ctx context.Context, c *intram.Client, id, key string) error
	method string
	// path is what the wire must show, {id} standing for the caller's id. field is what
	// an error must name.
	path, field string
	// inBody is where the id is in the body, when it is not in the path.
	inBody string
	payin  bool
}

var idCalls = map[string]idCall{
	"Operations.Get": {
		func(ctx context.Context, c *intram.Client, id, _ string) error {
			_, err := c.Operations.Get(ctx, id)
			return err
		},
		http.MethodGet, "/v1/operations/{id}", "operation_id", "", false,
	},
	"Transactions.Get": {
		func(ctx context.Context, c *intram.Client, id, _ string) error {
			_, err := c.Transactions.Get(ctx, id)
			return err
		},
		http.MethodGet, "/v1/transactions/{id}", "reference", "", false,
	},
	"Webhooks.Delete": {
		func(ctx context.Context, c *intram.Client, id, _ string) error { return c.Webhooks.Delete(ctx, id) },
		http.MethodDelete, "/v1/webhooks/{id}", "subscription_id", "", false,
	},
	"Webhooks.SendTest": {
		func(ctx context.Context, c *intram.Client, id, key string) error {
			return c.Webhooks.SendTest(ctx, id, intram.WithIdempotencyKey(key))
		},
		http.MethodPost, "/v1/webhooks/{id}/test", "subscription_id", "", false,
	},
	"Refunds.Create": {
		func(ctx context.Context, c *intram.Client, id, key string) error {
			_, err := c.Refunds.Create(ctx, intram.RefundParams{TransactionReference: id}, intram.WithIdempotencyKey(key))
			return err
		},
		http.MethodPost, "/v1/refunds", "transaction_reference", "transaction_reference", false,
	},
	"Payouts.Create": {
		func(ctx context.Context, c *intram.Client, id, key string) error {
			p := mobilePayout()
			p.Reference = id
			_, err := c.Payouts.Create(ctx, p, intram.WithIdempotencyKey(key))
			return err
		},
		http.MethodPost, "/v1/payouts", "reference", "reference", false,
	},
	"Payin.Get": {
		func(ctx context.Context, c *intram.Client, id, _ string) error {
			_, err := c.Payin.Get(ctx, id)
			return err
		},
		http.MethodGet, "/v1/payin/{id}", "reference", "", true,
	},
	"Payin.CreateSession": {
		func(ctx context.Context, c *intram.Client, id, key string) error {
			p := payinParams()
			if id != "" { // an empty one is made up
				p.Reference = id
			}
			_, err := c.Payin.CreateSession(ctx, p, intram.WithIdempotencyKey(key))
			return err
		},
		http.MethodPost, "/v1/payin/sessions", "reference", "reference", true,
	},
}

// FuzzCallersIDs gives calls whatever a caller may have for an id, a reference or an
// idempotency key: from a form, a database, an attacker. Either nothing is sent, and the
// error names the field; or the request on the wire is the one that was meant, to the
// last byte.
func FuzzCallersIDs(f *testing.F) {
	const key = "3f1e8a52-6c7a-4b57-9d43-1f2f0f9a8c11"
	for _, id := range []string{
		"op_2f4a8b1c", "AB12CD34EF", "whs_1", "tr_9", "", ".", "..", "../balance", "a/b", `a\b`, "a%2fb", "%2e%2e", "a?b=c", "a#b", "a;b", "a b", "a+b",
		"a\nb", "a\r\nX-Api-Key: pk_live_1", "a\x00b", "é", "٣", "\xff", "a:b@c", "a&limit=1", "~", "!$'()*,=[]", strings.Repeat("a", 128), strings.Repeat("a", 129),
	} {
		f.Add(id, key)
		f.Add("op_1", id)
	}
	f.Add("op_1", "key-0001\n2026-05-20T10:30:00.000Z")
	f.Add("op_1", "key-0001\r\nX-Signature: sha256=00")
	w := new(wire)
	client, err := intram.NewClient(publicKey, secretKey, intram.WithHTTPClient(&http.Client{Transport: w}), intram.WithPayin("payin-key", "payin-client"))
	require.NoError(f, err)
	names := slices.Sorted(maps.Keys(idCalls))
	f.Fuzz(func(t *testing.T, id, key string) {
		for _, name := range names {
			call := idCalls[name]
			w.sent = nil
			err := call.make(context.Background(), client, id, key)
			var e *intram.Error
			require.ErrorAs(t, err, &e, name)
			if len(w.sent) == 0 {
				require.Equal(t, intram.OutcomeNotSent, e.Outcome, name)
				require.NotEmpty(t, e.Details, name)
				for _, d := range e.Details {
					require.Contains(t, []string{call.field, "idempotency_key"}, d.Path, name)
					require.Contains(t, d.Msg, d.Path, name)
				}
				continue
			}
			require.Len(t, w.sent, 1, name)
			require.Equal(t, http.StatusBadRequest, e.StatusCode, name)
			checkWire(t, name, call, w.sent[0], id, key)
		}
	})
}

// checkWire reads a request as a server does that knows nothing of net/http, and finds in
// it what was meant and nothing else.
func checkWire(t *testing.T, name string, call idCall, sent, id, key string) {
	t.Helper()
	head, body, found := strings.Cut(sent, "\r\n\r\n")
	require.True(t, found, name)
	lines := strings.Split(head, "\r\n")

	// The request line: three words, and the path's segments are the ones that the docs
	// write.
	words := strings.Split(lines[0], " ")
	require.Len(t, words, 3, "%s: %q", name, lines[0])
	require.Equal(t, call.method, words[0], name)
	require.Equal(t, "HTTP/1.1", words[2], name)
	require.Regexp(t, `^[!-~]+$`, words[1], name)
	require.NotContains(t, words[1], "?", name)
	require.NotContains(t, words[1], "#", name)
	segments, want := strings.Split(words[1], "/"), strings.Split(call.path, "/")
	require.Len(t, segments, len(want), "%s: %q", name, words[1])
	for i, segment := range segments {
		decoded, err := url.PathUnescape(segment)
		require.NoError(t, err, name)
		if want[i] == "{id}" {
			require.Equal(t, id, decoded, name)
			require.NotContains(t, []string{"", ".", ".."}, decoded, name)
			continue
		}
		require.Equal(t, want[i], segment, name)
	}

	// The header: each name once, and no name that does not belong there.
	header := map[string]string{}
	for _, line := range lines[1:] {
		field, value, found := strings.Cut(line, ": ")
		require.True(t, found, "%s: %q", name, line)
		require.NotContains(t, header, field, name)
		require.Regexp(t, `^[ -~]*$`, value, "%s: %s", name, field)
		header[field] = value
	}
	names := []string{"Accept", "Host", "User-Agent"}
	keyHeader := "Idempotency-Key"
	if call.payin {
		keyHeader = "X-Idempotency-Key"
		names = append(names, "Authorization")
	} else {
		names = append(names, "X-Api-Key", "X-Timestamp", "X-Signature")
	}
	if call.method == http.MethodPost {
		names = append(names, "Content-Length", "Content-Type", keyHeader)
		require.Equal(t, key, header[keyHeader], name)
	}
	require.ElementsMatch(t, names, slices.Collect(maps.Keys(header)), name)

	// The body: the id is where it belongs, as it was given.
	if call.inBody != "" {
		var fields map[string]any
		require.NoError(t, json.Unmarshal([]byte(body), &fields), name)
		if text, _ := fields[call.inBody].(string); id != "" {
			require.Equal(t, id, text, name)
		}
	}

	// The canonical string: five fields, as the wire has them.
	if !call.payin {
		endpoint := strings.TrimPrefix(words[1], "/v1")
		require.NotContains(t, endpoint, "\n", name)
		require.Equal(t, secondSignature(secretKey, header["X-Timestamp"], words[0], endpoint, "", body), header["X-Signature"], name)
	}
}
