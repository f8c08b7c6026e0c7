package mockapi

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// visit is a browser without JavaScript: it opens a page, or sends one of its forms, and
// does not follow.
func (f *payinFixture) visit(method, target string, edit ...func(*http.Request)) answer {
	f.t.Helper()
	u, err := url.Parse(target)
	require.NoError(f.t, err)
	return f.send(payinCall{method: method, path: u.EscapedPath(), edit: func(r *http.Request) {
		r.Header = http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
		for _, e := range edit {
			e(r)
		}
	}})
}

// press finds a form of the page and sends it to where the form goes.
func (f *payinFixture) press(page, button string) answer {
	f.t.Helper()
	html := string(f.visit("GET", page).ok(200).body)
	before, _, found := strings.Cut(html, button)
	require.True(f.t, found, "no button %q in %s", button, html)
	_, action, found := strings.Cut(before[strings.LastIndex(before, "<form"):], `action="`)
	require.True(f.t, found)
	action, _, _ = strings.Cut(action, `"`)
	return f.visit("POST", "https://api.intram.test"+action)
}

func TestPayinPageConfirms(t *testing.T) {
	t.Parallel()
	f := newPayinFixture(t, Config{Merchant: MerchantConfig{Name: "Ada's <Shop>"}})
	page := f.create("order-1", payinNumber).text("paymentUrl")
	require.Regexp(t, `^https://api\.intram\.test/link/[A-Z0-9]+$`, page)
	a := f.visit("GET", page).ok(200)
	html := string(a.body)
	for _, want := range []string{
		"Ada&#39;s &lt;Shop&gt;", "306 XOF", "300 XOF", "6 XOF", "order-1", "•••• 86", "width=device-width", "10:36 UTC", "<form method=\"post\"",
	} {
		assert.Contains(t, html, want)
	}
	for _, never := range []string{"<script", "0702968786", ">Ada<"} {
		assert.NotContains(t, html, never)
	}
	assert.Equal(t, "no-store", a.header.Get("Cache-Control"))
	assert.Contains(t, a.header.Get("Content-Security-Policy"), "default-src 'none'")
	assert.Equal(t, "none", f.get("order-1").text("confirmationStatus"), "looking changes nothing")
	assert.Empty(t, f.visit("HEAD", page).ok(200).body)

	sent := f.press(page, "Confirm").ok(http.StatusSeeOther)
	assert.Equal(t, strings.TrimPrefix(page, "https://api.intram.test"), sent.header.Get("Location"))
	assert.Equal(t, "completed", f.get("order-1").text("transaction.status"))
	receipt := string(f.visit("GET", page).ok(200).body)
	assert.Contains(t, receipt, "Your payment was received")
	assert.Contains(t, receipt, `href="https://shop.example.com/ok"`)
	assert.NotContains(t, receipt, "<form")

	again := f.visit("POST", page+"/confirm").ok(http.StatusConflict)
	assert.Contains(t, string(again.body), "over already")
	assert.EqualValues(t, 300, f.payinWallet(), "pressed twice, charged once")
}

func TestPayinPageDeclines(t *testing.T) {
	t.Parallel()
	f := newPayinFixture(t, Config{})
	page := f.create("order-1", payinNumber).text("paymentUrl")
	f.press(page, "Decline").ok(http.StatusSeeOther)
	assert.Equal(t, "declined", f.get("order-1").text("confirmationStatus"))
	html := string(f.visit("GET", page).ok(200).body)
	assert.Contains(t, html, "Payment declined")
	assert.Contains(t, html, "No money was taken")
	assert.Contains(t, html, `href="https://shop.example.com/no"`)
	assert.Zero(t, f.payinWallet())
}

func TestPayinPageSaysHowTheSessionEnded(t *testing.T) {
	t.Parallel()
	f := newPayinFixture(t, Config{})
	for reference, tc := range map[string]struct{ number, button, says string }{
		"refused": {"+2250700000005", "Confirm", "Payment not made"}, "failed": {"+2250700000002", "Confirm", "Payment not made"},
		"late": {"+2250700000008", "Confirm", "Waiting for your operator"}, "unanswered": {"+2250700000006", "Confirm", "Waiting for your operator"},
	} {
		page := f.create(reference, tc.number).text("paymentUrl")
		f.press(page, tc.button).ok(http.StatusSeeOther)
		html := string(f.visit("GET", page).ok(200).body)
		assert.Contains(t, html, tc.says, reference)
		assert.NotContains(t, html, "<form", reference)
	}
	page := f.create("expired", payinNumber).text("paymentUrl")
	f.s.Clock().Advance(6 * time.Minute)
	assert.Contains(t, string(f.visit("GET", page).ok(200).body), "Too late")
	f.visit("POST", page+"/confirm").ok(http.StatusConflict)
	assert.Equal(t, "expired", f.get("expired").text("status"))
	p, err := f.s.Payin("unanswered")
	require.NoError(t, err)
	assert.Contains(t, string(f.visit("GET", p.PaymentURL).ok(200).body), "not confirmed in time")
	assert.EqualValues(t, 300, f.payinWallet(), "the late one")
}

func TestPayinPageLeadsBackToAnApp(t *testing.T) {
	t.Parallel()
	f := newPayinFixture(t, Config{})
	body := f.session("order-1", payinNumber, func(m map[string]any) {
		m["action"] = map[string]any{"successUrl": "myapp://paid?a=1&b=\"2", "failureUrl": "http://shop.example.com/no"}
	})
	page := f.send(payinCall{method: "POST", path: "/v1/payin/sessions", body: body}).ok(200).text("paymentUrl")
	require.NoError(t, f.s.FailPayin("order-1", "transaction_error"))
	assert.Contains(t, string(f.visit("GET", page).ok(200).body), `href="http://shop.example.com/no"`)
	require.NoError(t, f.s.SettlePayin("order-1"))
	assert.Contains(t, string(f.visit("GET", page).ok(200).body), `href="myapp://paid?a=1&amp;b=%222"`)
}

func TestPayinPageHasNoFeeLineWithoutAFee(t *testing.T) {
	t.Parallel()
	f := newPayinFixture(t, Config{FeeBasisPoints: -1, PayinRevision: PayinFirst})
	page := f.create("order-1", payinNumber).text("paymentUrl")
	assert.NotContains(t, string(f.visit("GET", page).ok(200).body), "<dt>Fee</dt>")
	f.press(page, "Confirm").ok(http.StatusSeeOther)
	assert.NotContains(t, string(f.visit("GET", page).ok(200).body), "Return to", "the first revision has no URLs to return to")
}

func TestPayinPageTakesOnlyItsOwnForms(t *testing.T) {
	t.Parallel()
	f := newPayinFixture(t, Config{})
	page := f.create("order-1", payinNumber).text("paymentUrl")
	for _, c := range []struct {
		method, target, allow string
		status                int
	}{
		{"POST", page, "GET, HEAD", 405}, {"GET", page + "/confirm", "POST", 405}, {"GET", page + "/decline", "POST", 405},
		{"POST", page + "/refund", "", 404}, {"GET", page + "/x", "", 404}, {"GET", "https://api.intram.test/link/NOBODY", "", 404},
		{"POST", "https://api.intram.test/link/NOBODY/confirm", "", 404}, {"GET", "https://api.intram.test/link/", "", 404},
	} {
		a := f.visit(c.method, c.target)
		assert.Equal(t, c.status, a.status, "%s %s", c.method, c.target)
		assert.Equal(t, c.allow, a.header.Get("Allow"), "%s %s", c.method, c.target)
		assert.Contains(t, string(a.body), "<html")
	}
	foreign := f.visit("POST", page+"/confirm", func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") })
	assert.Equal(t, 403, foreign.status)
	assert.Contains(t, string(foreign.body), "another site")
	assert.Equal(t, "none", f.get("order-1").text("confirmationStatus"), "none of this changed anything")
}
