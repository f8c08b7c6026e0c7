package cli

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/intramtest"
)

const signedBody = `{"amount":2500,"currency":"XOF","destination":{"type":"mobile_money","provider_code":"MTN_BENIN_229","msisdn":"22961234567"},"note":"it's 'ok'"}`

func TestASignedRequestIsTakenByTheFake(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	file := b.file(t, "body.json", signedBody)
	for _, test := range []struct {
		args  []string
		stdin string
		code  int
	}{
		{args: []string{"sign", "GET", "/balance"}, code: 200},
		{args: []string{"sign", "get", "/v1/transactions?type=DEBIT&limit=5&before=2026-05-20T10:30:00Z"}, code: 200},
		{args: []string{"sign", "POST", "/payouts", "--body", "@" + file}, code: 202},
		{args: []string{"sign", "POST", "/payouts", "--body", "@-"}, stdin: signedBody, code: 202},
		{args: []string{"sign", "POST", "/payouts", "--body", signedBody, "--idempotency-key", "key-of-a-test"}, code: 202},
	} {
		b.stdin = test.stdin
		out := b.ok(t, test.args...)
		body := ""
		if test.code == 202 {
			body = signedBody
		}
		r, err := http.NewRequestWithContext(t.Context(), strings.ToUpper(test.args[1]), b.server.URL+"/v1"+strings.TrimPrefix(test.args[2], "/v1"), strings.NewReader(body))
		require.NoError(t, err)
		for line := range strings.Lines(out) {
			name, value, ok := strings.Cut(strings.TrimSpace(line), ": ")
			require.True(t, ok, line)
			r.Header.Set(name, value)
		}
		answer, err := b.server.HTTPClient().Do(r)
		require.NoError(t, err)
		require.NoError(t, answer.Body.Close())
		assert.Equal(t, test.code, answer.StatusCode, "%v", test.args)
	}
	for _, wrong := range [][]string{
		{"sign", "PATCH", "/payouts"}, {"sign", "GET", "/balance", "--body", "{}"}, {"sign", "POST", "/"}, {"sign", "POST", "/payouts", "--body", "@missing"}, {"sign", "POST"},
	} {
		assert.Equal(t, exitUsage, b.run(t, wrong...).code, "%v", wrong)
	}
	var headers map[string]string
	b.json(t, &headers, "sign", "GET", "/balance")
	assert.Len(t, headers, 3)
}

func TestTheCurlCommandWorksWhenItIsPasted(t *testing.T) {
	t.Parallel()
	for _, program := range []string{"sh", "curl"} {
		if _, err := exec.LookPath(program); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatal(err)
			}
			t.Skip(err) //nolint:forbidigo // a laptop may lack curl
		}
	}
	b := newBench(t)
	file := b.file(t, "a 'body'.json", signedBody+"\n")
	for _, test := range []struct {
		args  []string
		stdin string
		want  string
	}{
		{args: []string{"sign", "GET", "/balance"}, want: `"currency":"XOF"`},
		{args: []string{"sign", "GET", "/operations?type=payout&limit=5"}, want: `"paging"`},
		{args: []string{"sign", "POST", "/payouts", "--body", "@" + file}, want: `"status":"queued"`},
		{args: []string{"sign", "POST", "/payouts", "--body", "@-"}, stdin: signedBody, want: `"status":"queued"`},
		{args: []string{"sign", "POST", "/webhooks/whs_1/test", "--body", "{}"}, want: "404"},
		{args: []string{"sign", "DELETE", "/webhooks/whs_1"}, want: "404"},
	} {
		b.stdin = test.stdin
		command := b.ok(t, append(test.args, "--curl")...)
		output, err := exec.CommandContext(t.Context(), "sh", "-c", command).CombinedOutput()
		require.NoError(t, err, "%s\n%s", command, output)
		assert.Contains(t, string(output), test.want, command)
	}
	assert.Equal(t, exitUsage, b.run(t, "sign", "POST", "/payouts", "--curl", "--body", "\x00").code)
	b.golden(t, "curl", b.ok(t, "sign", "POST", "/payouts", "--body", "{}", "--curl", "--idempotency-key", "key-of-a-test"))
}

func TestARefusedRequestIsExplained(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	headers := b.file(t, "headers.txt", b.ok(t, "sign", "POST", "/payouts", "--body", signedBody+"\n", "--idempotency-key", "key-of-a-test"))
	body := b.file(t, "body.json", signedBody)
	r := b.run(t, "explain-signature", "POST", "/v1/payouts", "--headers", "@"+headers, "--body", "@"+body)
	assert.Equal(t, exitRefused, r.code)
	b.golden(t, "explained", r.out)
	assert.NotContains(t, r.out, "22961234567", "the body is not shown")

	wire := "POST /v1/payouts HTTP/1.1\r\nHost: api.intram.org\r\n" + strings.ReplaceAll(mustRead(t, headers), "\n", "\r\n") + "\r\n" + signedBody + "\n"
	b.stdin = wire
	assert.Contains(t, b.ok(t, "explain-signature"), "The signature of the request is good.", "with the line break it is")
	var verdict struct {
		Good, Explained bool
		Findings        []struct{ ID string }
		Lines           map[string][]string `json:"right_lines"`
	}
	b.stdin = strings.TrimSuffix(wire, "\n")
	r = b.json(t, &verdict, "explain-signature")
	assert.Equal(t, exitRefused, r.code)
	assert.True(t, verdict.Explained)
	require.Len(t, verdict.Findings, 1)
	assert.Equal(t, "body-line-break-signed", verdict.Findings[0].ID)
	assert.Len(t, verdict.Lines, 4)
	assert.Contains(t, strings.Join(verdict.Lines["node"], "\n"), "JSON.stringify(payload)")

	b.stdin = strings.Replace(wire, "X-Timestamp: 2026-05-20T10:30:00.000Z", "X-Timestamp: 2026-05-20T10:29:00.000Z", 1)
	b.golden(t, "unexplained", b.run(t, "explain-signature").out)
	python := b.run(t, "explain-signature", "--language", "python").out
	assert.Contains(t, python, "    secret_key = os.environ", "nothing is known of the mistake, so all of it is shown")
	assert.Contains(t, python, "    signature = ")
	assert.NotContains(t, python, "hash_hmac")
	r = b.run(t, "explain-signature", "--at", "2026-05-20T12:30:00Z")
	assert.Contains(t, strings.Join(strings.Fields(r.out), " "), "local time was sent as UTC")
}

func mustRead(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(data)
}

func TestTheKeysThatMayHaveSignedAreTried(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	right := b.env["INTRAM_SECRET_KEY"]
	b.env["INTRAM_SECRET_KEY"] = "sk_sandbox_feedfacefeedface"
	headers := b.file(t, "headers.txt", b.ok(t, "sign", "GET", "/balance"))
	other := b.file(t, "other.key", b.env["INTRAM_SECRET_KEY"]+"\n")
	b.env["INTRAM_SECRET_KEY"] = right
	r := b.run(t, "explain-signature", "GET", "/balance", "--headers", "@"+headers)
	assert.Contains(t, r.out, "None of the known mistakes")
	r = b.run(t, "explain-signature", "GET", "/balance", "--headers", "@"+headers, "--also", "@"+other)
	assert.Contains(t, strings.Join(strings.Fields(r.out), " "), "It was signed with a sandbox secret key (@")
	assert.NotContains(t, r.out, "feedface")

	// The live key of the configuration is tried by itself.
	require.NoError(t, os.MkdirAll(filepath.Join(b.home, "intram"), 0o700))
	b.file(t, "intram/config.toml", "[profiles.live]\npublic_key = \"pk_live_1\"\nsecret_key = \"sk_live_feedface\"\n")
	signed := b.env["INTRAM_SECRET_KEY"]
	b.env["INTRAM_PUBLIC_KEY"], b.env["INTRAM_SECRET_KEY"], b.env["INTRAM_PROFILE"] = "pk_live_1", "sk_live_feedface", "live"
	b.file(t, "headers.txt", b.ok(t, "sign", "GET", "/balance"))
	b.env["INTRAM_PUBLIC_KEY"], b.env["INTRAM_SECRET_KEY"], b.env["INTRAM_PROFILE"] = b.server.PublicKey, signed, "sandbox"
	r = b.run(t, "explain-signature", "GET", "/balance", "--headers", "@"+headers)
	assert.Contains(t, strings.Join(strings.Fields(r.out), " "), "signed with the secret key of the live side")
	for _, wrong := range [][]string{
		{"explain-signature", "GET"}, {"explain-signature", "GET", "/balance"}, {"explain-signature", "--headers", "@" + headers},
		{"explain-signature", "GET", "/balance", "--headers", "@-", "--body", "@-"}, {"explain-signature", "GET", "/balance", "--request", "@-"},
		{"explain-signature", "GET", "/balance", "--headers", "@" + headers, "--also", "sk_live_feedface"},
		{"explain-signature", "GET", "/balance", "--headers", "@" + headers, "--at", "noon"}, {"explain-signature"},
		{"explain-signature", "GET", "/balance", "--headers", "@" + headers, "--language", "cobol"},
	} {
		r := b.run(t, wrong...)
		assert.Equal(t, exitUsage, r.code, "%v", wrong)
		assert.NotContains(t, r.err, "feedface")
	}
	delete(b.env, "INTRAM_SECRET_KEY")
	assert.Contains(t, b.run(t, "explain-signature", "GET", "/balance", "--headers", "@"+headers).err, "INTRAM_SECRET_KEY")
}

func TestADeliveryIsVerified(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	const secret = "whsec_0123456789abcdef"
	event := `{"event":"payout.completed","operation_id":"op_1","data":{}}`
	write := func(at time.Time, body string) []string {
		var head strings.Builder
		for name, values := range intram.SignWebhook(secret, at, []byte(event)) {
			fmt.Fprintf(&head, "%s: %s\n", name, values[0])
		}
		return []string{"verify", "--headers", "@" + b.file(t, "head.txt", head.String()), "--body", "@" + b.file(t, "body.json", body)}
	}
	file := b.file(t, "secret", secret+"\n")
	b.env["HOOK"] = secret
	for _, from := range []string{"@" + file, "env:HOOK"} {
		assert.Contains(t, b.ok(t, append(write(testTime, event), "--secret", from)...), "The signature of the delivery is good.")
	}
	assert.Zero(t, b.run(t, append(write(testTime, event), "--secret", "@"+b.file(t, "old", "whsec_old"), "--secret", "env:HOOK")...).code, "while the secret is rotated")
	r := b.run(t, append(write(testTime.Add(-7*time.Minute), event), "--secret", "env:HOOK")...)
	assert.Equal(t, exitRefused, r.code)
	assert.Contains(t, r.out, "it is 7m0s old")
	assert.Zero(t, b.run(t, append(write(testTime.Add(-7*time.Minute), event), "--secret", "env:HOOK", "--at", "2026-05-20T10:23:00Z")...).code)
	r = b.run(t, append(write(testTime, strings.ReplaceAll(event, ":", ": ")), "--secret", "env:HOOK")...)
	assert.Equal(t, exitRefused, r.code)
	assert.Contains(t, r.out, "decoded and written again")
	b.env["INTRAM_WEBHOOK_SECRET"] = secret
	assert.Zero(t, b.run(t, write(testTime, event)...).code, "the configuration's secret")
	delete(b.env, "INTRAM_WEBHOOK_SECRET")

	for says, flags := range map[string][]string{
		"takes no secret itself":       {"--secret", "whsec_bare"},
		"variable NOBODY is not set":   {"--secret", "env:NOBODY"},
		"no such file":                 {"--secret", "@" + filepath.Join(b.home, "none")},
		"say which secret":             {},
		"--at must be a time":          {"--secret", "env:HOOK", "--at", "noon"},
		"there are no headers in it":   {"--secret", "env:HOOK", "--headers", "nothing"},
		"only one of --headers and --": {"--secret", "env:HOOK", "--headers", "@-", "--body", "@-"},
	} {
		r := b.run(t, append(write(testTime, event), flags...)...)
		assert.Equal(t, exitUsage, r.code)
		assert.Contains(t, strings.Join(strings.Fields(r.err), " "), says)
		assert.NotContains(t, r.err, "whsec_bare")
	}
	assert.Equal(t, exitUsage, b.run(t, "verify").code)
	require.NoError(t, os.Chmod(file, 0o644))
	r = b.run(t, append(write(testTime, event), "--secret", "@"+file)...)
	assert.Equal(t, exitUsage, r.code)
	assert.Contains(t, strings.Join(strings.Fields(r.err), " "), "chmod 600")
}

// The other keys of the configuration are suspects: what they sign is refused, and the
// message says which it was.
func TestAKeyThatIsNotTheSecretDoesNotMakeADeliveryGood(t *testing.T) {
	t.Parallel()
	event := []byte(`{"event":"payout.completed","operation_id":"op_1","data":{}}`)
	b := newBench(t)
	const own, other = "whsec_0123456789abcdef", "whsec_ffffffffffffffff"
	b.env["HOOK"] = own
	for _, test := range []struct{ signed, configured, says string }{
		{other, other, "the webhook secret of INTRAM_WEBHOOK_SECRET"},
		{b.server.SecretKey, other, "the API's secret key"},
		{b.server.SecretKey, "", "the API's secret key"},
	} {
		b.env["INTRAM_WEBHOOK_SECRET"] = test.configured
		var head strings.Builder
		for name, values := range intram.SignWebhook(test.signed, testTime, event) {
			fmt.Fprintf(&head, "%s: %s\n", name, values[0])
		}
		args := []string{"verify", "--headers", "@" + b.file(t, "head.txt", head.String()), "--body", "@" + b.file(t, "body.json", string(event))}
		r := b.run(t, append(args, "--secret", "env:HOOK")...)
		assert.Equal(t, exitRefused, r.code, "%s", r.out)
		assert.Contains(t, strings.Join(strings.Fields(r.out), " "), test.says)
		if test.configured != "" && test.signed != test.configured {
			assert.Equal(t, exitRefused, b.run(t, args...).code, "without --secret")
		}
	}
}

// A secret that was damaged when it was saved is named, before its signature fails to
// fit.
func TestADamagedSecretIsNamed(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	const secret = "whsec_feedface0123456789"
	const event = `{"event":"test.ping"}`
	wide := func(text string) string {
		out := []byte{0xff, 0xfe}
		for _, c := range []byte(text) {
			out = append(out, c, 0)
		}
		return string(out)
	}
	var head strings.Builder
	for name, values := range intram.SignWebhook(secret, testTime, []byte(event)) {
		fmt.Fprintf(&head, "%s: %s\n", name, values[0])
	}
	headers, body := "@"+b.file(t, "head.txt", "\uFEFF"+head.String()), "@"+b.file(t, "body.json", event)
	note := "@" + b.file(t, "note.txt", "X-Signature-Value: "+intramtest.SignPayinNotification("s", nil).Get("X-Signature-Value"))
	refused := func(says string, args ...string) {
		t.Helper()
		r := b.run(t, args...)
		assert.Equal(t, exitUsage, r.code, says)
		assert.Contains(t, strings.Join(strings.Fields(r.err), " "), says)
		assert.NotContains(t, r.err+r.out, "feedface")
	}
	b.env["HOOK"] = secret
	assert.Zero(t, b.run(t, "verify", "--secret", "env:HOOK", "--headers", headers, "--body", body).code, "a BOM in front of the headers is no part of them")
	for value, says := range map[string]string{
		`"` + secret + `"`: "has quotes around it", "\uFEFF" + secret: "begins with a byte order mark", secret + "\u200b": "has an invisible character",
		secret + " # live": "has a comment behind it", secret + `\n`: "ends in a backslash and a letter", "whsec_": "ends after its prefix",
		"sk_live_feedface": "is a secret key (sk_…)", "pk_live_feedface": "is a public key (pk_…)",
	} {
		b.env["HOOK"] = value
		refused("the secret of env:HOOK "+says, "verify", "--secret", "env:HOOK", "--headers", headers, "--body", body)
		b.env["INTRAM_WEBHOOK_SECRET"] = value
		refused(says, "verify", "--headers", headers, "--body", body)
		assert.Contains(t, b.ok(t, "config"), "webhook_secret of INTRAM_WEBHOOK_SECRET")
		assert.NotContains(t, b.ok(t, "config", "--json"), "feedface")
		delete(b.env, "INTRAM_WEBHOOK_SECRET")
	}
	b.env["HOOK"] = secret
	refused("is a webhook secret (whsec_…)", "verify", "--secret", "env:HOOK", "--headers", note, "--body", body)
	refused("is UTF-16 text", "verify", "--secret", "@"+b.file(t, "wide", wide(secret)), "--headers", headers, "--body", body)
	refused("is UTF-16 text", "verify", "--secret", "env:HOOK", "--headers", "@"+b.file(t, "wide-head", wide(head.String())), "--body", body)
	refused("is UTF-16 text", "explain-signature", "--request", "@"+b.file(t, "wide-dump", wide("GET /v1/balance HTTP/1.1\n\n")))
	refused("is UTF-16 text", "config", "--config", b.file(t, "wide.toml", wide("profile = 'live'")))

	b.env["INTRAM_SECRET_KEY"] = "'sk_sandbox_feedface'"
	refused("the secret key of INTRAM_SECRET_KEY has quotes around it", "explain-signature", "GET", "/balance", "--headers", headers)
	refused("the secret key has quotes around it", "balance")
	b.env["INTRAM_SECRET_KEY"] = secret
	refused("the secret key of INTRAM_SECRET_KEY is a webhook secret", "explain-signature", "GET", "/balance", "--headers", headers)
}

func TestADeliveryOfTheFakeIsVerified(t *testing.T) {
	t.Parallel()
	b := newBench(t, intramtest.WithSeed(2))
	var head strings.Builder
	var body string
	url := b.server.Receive(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		for name, values := range r.Header {
			fmt.Fprintf(&head, "%s: %s\n", name, values[0])
		}
		data := make([]byte, r.ContentLength)
		_, _ = r.Body.Read(data)
		body = string(data)
	}))
	secret := filepath.Join(b.home, "secret")
	b.ok(t, "webhooks", "create", "--url", url, "--secret-file", secret)
	b.ok(t, payoutArgs()...)
	require.NoError(t, b.server.Idle(t.Context()))
	require.NotEmpty(t, body)
	b.ok(t, "verify", "--secret", "@"+secret, "--headers", "@"+b.file(t, "h", head.String()), "--body", "@"+b.file(t, "b", body))
}
