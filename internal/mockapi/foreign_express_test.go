package mockapi_test

import (
	"bytes"
	"encoding/json"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/internal/mockapi"
)

// An endpoint in Express, as a merchant writes it, takes what the fake delivers, refuses
// what is forged or stale, and gets it again. Its two common mistakes fail here as they
// do against the API.
func TestAReceiverInExpress(t *testing.T) {
	t.Parallel()
	needPackage(t, "express")
	// Names that are numbers come first, and 1.0 becomes 1, when JSON.stringify writes
	// them again.
	odd := map[string]any{"rate": json.Number("1.0"), "lines": map[string]any{"b": 1, "1": 2}}
	for name, tt := range map[string]struct {
		route    string
		fault    mockapi.FaultKind
		metadata map[string]any
		failOnce intram.EventType
		statuses []int    // of the attempts, which are a minute apart
		outcomes []string // what Express made of them
	}{
		"an event takes effect": {
			route: "/raw", statuses: []int{200}, outcomes: []string{"handled"},
		},
		"the bytes are signed, whatever they are": {
			route: "/raw", metadata: odd, statuses: []int{200}, outcomes: []string{"handled"},
		},
		"a forged one is refused, and comes again": {
			route: "/raw", fault: mockapi.FaultWebhookBadSignature,
			statuses: []int{401, 200}, outcomes: []string{"refused: signature_mismatch", "handled"},
		},
		"a stale one is refused, and comes again": {
			route: "/raw", fault: mockapi.FaultWebhookStale,
			statuses: []int{401, 200}, outcomes: []string{"refused: timestamp_out_of_window", "handled"},
		},
		"one that comes twice takes effect once": {
			route: "/raw", fault: mockapi.FaultWebhookDuplicate,
			statuses: []int{200, 200}, outcomes: []string{"handled", "duplicate"},
		},
		"one whose handler fails comes again": {
			route: "/raw", failOnce: intram.EventPayoutCompleted,
			statuses: []int{500, 200}, outcomes: []string{"failed", "handled"},
		},
		"express.json first goes unnoticed with a plain body": {
			route: "/json", statuses: []int{200}, outcomes: []string{"handled"},
		},
		"express.json first refuses a body that JSON.stringify changes": {
			route: "/json", metadata: odd,
			statuses: []int{401, 401}, outcomes: []string{"refused: signature_mismatch", "refused: signature_mismatch"},
		},
		"express.json for the whole application leaves no bytes to express.raw": {
			route: "/parsed/raw", statuses: []int{500, 500}, outcomes: []string{"error: TypeError", "error: TypeError"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := newRunningServer(t)
			client := newStoryClient(t, server, nil)
			socket := listenLocally(t)
			subscription, err := client.Webhooks.Create(t.Context(),
				intram.WebhookParams{URL: "http://" + socket.Addr().String() + tt.route, Event: intram.EventAll})
			require.NoError(t, err)
			express := startExpress(t, "express_webhooks.js", socket,
				"INTRAM_WEBHOOK_SECRET="+subscription.Secret, "INTRAM_FAIL_ONCE="+string(tt.failOnce))

			if tt.fault != "" {
				require.NoError(t, server.AddFault(mockapi.Fault{Kind: tt.fault}))
			}
			params := storyPayout(25000, "22961000000", "PO-1")
			if tt.metadata != nil {
				params.Metadata = tt.metadata
			}
			_, err = client.Payouts.Create(t.Context(), params)
			require.NoError(t, err)
			require.NoError(t, server.Idle(t.Context()))
			server.Clock().Advance(time.Minute)

			deliveries := server.Deliveries()
			require.Len(t, deliveries, 1)
			var statuses []int
			for _, a := range deliveries[0].Attempts {
				statuses = append(statuses, a.Status)
			}
			assert.Equal(t, tt.statuses, statuses)
			var outcomes []string
			for i, line := range express.lines(t) {
				outcome := line["outcome"]
				if line["reason"] != "" {
					outcome += ": " + line["reason"]
				}
				outcomes = append(outcomes, outcome)
				if line["event"] != "" {
					assert.Equal(t, "payout.completed", line["event"])
					assert.Equal(t, deliveries[0].ID, line["delivery"], "the same delivery, whichever attempt")
					assert.Equal(t, string(rune('1'+i)), line["attempt"])
				}
			}
			assert.Equal(t, tt.outcomes, outcomes)
		})
	}
}

// The documentation's sample for payins checks the signature of the body that it has
// parsed and written again.
func TestAPayinReceiverInExpress(t *testing.T) {
	t.Parallel()
	needPackage(t, "express")
	server := newRunningServer(t)
	keys := server.Merchant().SandboxPayin
	socket := listenLocally(t)
	endpoint := "http://" + socket.Addr().String() + "/payin"
	require.NoError(t, server.SetPayinWebhook(keys.APIKey, endpoint, "payin-webhook-secret"))
	express := startExpress(t, "express_payin.js", socket, "PAYIN_WEBHOOK_SECRET=payin-webhook-secret",
		"PAYIN_URL="+server.BaseURL(), "PAYIN_API_KEY="+keys.APIKey, "PAYIN_API_CLIENT="+keys.APIClient)

	const customer = "Aïcha <b>&\u2028\"😀"
	payins, err := intram.NewPayinClient(keys.APIKey, keys.APIClient,
		intram.WithPayin(keys.APIKey, keys.APIClient, intram.WithPayinBaseURL(server.BaseURL())), intram.WithClock(server.Clock()))
	require.NoError(t, err)
	_, err = payins.CreateSession(t.Context(), intram.PayinSessionParams{
		Reference: "order-1", Amount: intram.NewAmount(300), MSISDN: "+2250700000000", CustomerName: customer, Country: "CI",
		SuccessURL: "https://shop.example.com/ok", FailureURL: "https://shop.example.com/no",
	})
	require.NoError(t, err)
	require.NoError(t, server.AddFault(mockapi.Fault{Kind: mockapi.FaultWebhookBadSignature}))
	require.NoError(t, server.ConfirmPayin("order-1"))
	require.NoError(t, server.Idle(t.Context()))
	server.Clock().Advance(time.Minute)

	deliveries := server.Deliveries()
	require.Len(t, deliveries, 1)
	require.Len(t, deliveries[0].Attempts, 2, "the forged one is refused, and the next is taken")
	assert.Equal(t, http.StatusUnauthorized, deliveries[0].Attempts[0].Status)
	assert.Equal(t, http.StatusOK, deliveries[0].Attempts[1].Status)
	verified := map[string]string{
		"outcome": "verified", "reference": "order-1", "customer": customer, "confirmationStatus": "accepted", "paid": "true", "amount": "300",
	}
	assert.Equal(t, []map[string]string{{"outcome": "refused"}, verified}, express.lines(t))

	body, signature := deliveries[0].Body, deliveries[0].Attempts[1].Signature
	require.Contains(t, string(body), `"amount":300`)
	var indented bytes.Buffer
	require.NoError(t, json.Indent(&indented, body, "", "  "))
	assert.Equal(t, http.StatusUnauthorized, postNotification(t, endpoint, signature, bytes.Replace(body, []byte(`"amount":300`), []byte(`"amount":301`), 1)))
	assert.Equal(t, http.StatusUnauthorized, postNotification(t, endpoint, "", body))
	assert.Equal(t, http.StatusOK, postNotification(t, endpoint, signature, indented.Bytes()), "the sample signs what is said, not its bytes")
}

func postNotification(t *testing.T, endpoint, signature string, body []byte) int {
	t.Helper()
	return statusOf(t, http.MethodPost, endpoint, body, http.Header{
		"Content-Type": {"application/json"}, "X-Signature-Value": {signature},
	})
}

func statusOf(t *testing.T, method, url string, body []byte, header http.Header) int {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, bytes.NewReader(body))
	require.NoError(t, err)
	request.Header = header
	response, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(request)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	return response.StatusCode
}

// newRunningServer starts a fake on the present: the receivers tell the time by the
// machine's clock, as a merchant's do.
func newRunningServer(t *testing.T) *mockapi.Server {
	t.Helper()
	server, err := mockapi.New(mockapi.Config{Seed: 1, Running: true})
	require.NoError(t, err)
	t.Cleanup(server.Close)
	require.NoError(t, server.Listen("127.0.0.1:0"))
	return server
}

func listenLocally(t *testing.T) *net.TCPListener {
	t.Helper()
	socket, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	require.NoError(t, err)
	t.Cleanup(func() { _ = socket.Close() })
	return socket
}

// expressServer is a script that serves a socket and writes a line about each request
// before it responds.
type expressServer struct{ output string }

// startExpress hands the socket to a script, and returns when it serves it. The socket
// listens already, so that a request waits until the script is ready.
func startExpress(t *testing.T, script string, socket *net.TCPListener, env ...string) *expressServer {
	t.Helper()
	inherited, err := socket.File()
	require.NoError(t, err)
	output, err := os.Create(filepath.Join(t.TempDir(), "output"))
	require.NoError(t, err)
	var stderr bytes.Buffer
	command := exec.CommandContext(t.Context(), "node", filepath.Join("testdata", "clients", script))
	command.Env = append(append(os.Environ(), "NO_PROXY=*", "no_proxy=*"), env...)
	command.Stdout, command.Stderr, command.ExtraFiles = output, &stderr, []*os.File{inherited}
	require.NoError(t, command.Start())
	t.Cleanup(func() {
		_ = command.Wait() // the end of the test's context ends it
		if t.Failed() {
			t.Logf("%s: %s", script, stderr.String())
		}
	})
	for _, ours := range []interface{ Close() error }{output, inherited, socket} { // a script that ends refuses connections
		require.NoError(t, ours.Close())
	}
	// The fake gives a receiver 15 s, which a busy machine may need to start node.
	require.Equal(t, http.StatusNotFound, statusOf(t, http.MethodGet, "http://"+socket.Addr().String(), nil, http.Header{}))
	return &expressServer{output.Name()}
}

func (e *expressServer) lines(t *testing.T) (lines []map[string]string) {
	t.Helper()
	output, err := os.ReadFile(e.output)
	require.NoError(t, err)
	for line := range bytes.Lines(output) {
		f := fields{}
		f.raw(t, "", line)
		lines = append(lines, f)
	}
	return lines
}
