package mockapi

import (
	"io"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// browse does what a browser without JavaScript does with a page, redirects included.
func (f *fixture) browse(method, path string, form url.Values, edit func(*http.Request)) answer {
	f.t.Helper()
	client := &http.Client{Transport: f.s.Transport()}
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	r, err := http.NewRequestWithContext(f.t.Context(), method, "https://api.intram.test"+path, body)
	require.NoError(f.t, err)
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if edit != nil {
		edit(r)
	}
	resp, err := client.Do(r)
	require.NoError(f.t, err)
	defer func() { _ = resp.Body.Close() }()
	page, err := io.ReadAll(resp.Body)
	require.NoError(f.t, err)
	return answer{f.t, resp.StatusCode, resp.Header, page}
}

const shop = `,"return_urls":{"success":"https://shop.example.com/ok?a=1&b=2","cancel":"https://shop.example.com/no"}}`

func (f *fixture) checkout(extra string) (reference string) {
	f.t.Helper()
	body := strings.Replace(paymentBody(12_500, mtnBenin, "22961234567"), `"currency"`, `"description":"Commande <4521>","currency"`, 1)
	id := f.post("/payment-requests", strings.TrimSuffix(body, "}")+extra).ok(202).text("data.operation_id")
	return f.operation(id).text("data.result.transaction_reference")
}

func TestCheckoutPageShowsWhatIsPaid(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{Merchant: MerchantConfig{Name: "Café <Bénin>"}})
	reference := f.checkout(shop)
	a := f.browse("GET", "/gateway/"+reference, nil, nil).ok(200)
	page := string(a.body)
	for _, part := range []string{
		`<html lang="en">`, `name="viewport"`, "Café &lt;Bénin&gt;", "12\u00a0500 XOF", reference, "Commande &lt;4521&gt;", "250 XOF",
		`<form method="post" action="/gateway/` + reference + `/pay">`, `<form method="post" action="/gateway/` + reference + `/decline">`,
		`<label for="method">`, `<label for="msisdn">`, `value="22961234567"`, `<option value="MTN_BENIN_229" selected>`,
		`alt="QR code`, `src="data:image/png;base64,`,
		"<dt>Until</dt><dd>" + start.Add(6*time.Minute).Format("2 January 2006 15:04 MST") + "</dd>",
	} {
		assert.Contains(t, page, part)
	}
	assert.NotContains(t, page, "<script", "it works without JavaScript")
	assert.Equal(t, "text/html; charset=utf-8", a.header.Get("Content-Type"))
	assert.Contains(t, a.header.Get("Content-Security-Policy"), "default-src 'none'")
	assert.Empty(t, f.browse("HEAD", "/gateway/"+reference, nil, nil).ok(200).body)
}

// The fees come on top of the amount, and off what the merchant gets.
func TestTheCheckoutPageChargesTheFeesOnTop(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{})
	_, reference := f.requestPayment(10_000, mtnBenin, "22961234567")
	page := string(f.browse("GET", gatewayPath+reference, nil, nil).ok(200).body)
	for _, part := range []string{
		`<dt class="total">You pay</dt><dd class="amount">10` + "\u00a0" + `200 XOF</dd>`, `<dt>Amount</dt><dd>10` + "\u00a0" + `000 XOF</dd>`,
		`<dt>Fee</dt><dd>200 XOF</dd>`, `>Pay 10` + "\u00a0" + `200 XOF</button>`,
	} {
		assert.Contains(t, page, part)
	}
	f.browse("POST", gatewayPath+reference+"/pay", url.Values{"method": {mtnBenin}, "msisdn": {"22961234567"}}, nil).ok(200)
	moved := map[string]int64{}
	for _, e := range f.s.Ledger() {
		if e.Reference == reference {
			account, _, _ := strings.Cut(e.Account, ":")
			moved[account] += e.Amount
		}
	}
	assert.Equal(t, map[string]int64{"provider": -10_200, "wallet": 9800, "fees": 400}, moved)

	free := newFixture(t, Config{FeeBasisPoints: -1})
	_, reference = free.requestPayment(10_000, mtnBenin, "22961234567")
	page = string(free.browse("GET", gatewayPath+reference, nil, nil).ok(200).body)
	assert.Contains(t, page, `<dd class="amount">10`+"\u00a0"+`000 XOF</dd>`)
	assert.NotContains(t, page, "<dt>Fee</dt>")
}

func TestPayingOnTheCheckoutPage(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{})
	reference := f.checkout(shop)
	a := f.browse("POST", "/gateway/"+reference+"/pay", url.Values{"method": {moovBenin}, "msisdn": {" 22994000000 "}}, nil).ok(200)
	page := string(a.body)
	assert.Contains(t, page, "Payment received")
	assert.Contains(t, page, `href="https://shop.example.com/ok?a=1&amp;b=2"`)
	assert.Contains(t, page, `role="status"`)
	assert.NotContains(t, page, "<form")
	tx := f.transaction(reference)
	assert.Equal(t, "SUCCESS", tx.text("data.status"))
	assert.Equal(t, "Moov Bénin", tx.text("data.payment_method"))
	assert.Equal(t, "22994000000", tx.text("data.source.number"))

	again := f.browse("POST", "/gateway/"+reference+"/pay", url.Values{}, nil)
	assert.Equal(t, 409, again.status)
	assert.Contains(t, string(again.body), `role="alert"`)
	assert.Equal(t, "SUCCESS", f.transaction(reference).text("data.status"))
	f.refund(reference, 0)
	assert.Contains(t, string(f.browse("GET", "/gateway/"+reference, nil, nil).body), "Payment refunded")
}

func TestTheCheckoutPageRefusesWhatIsNoNumberOfTheOperator(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{})
	reference := f.checkout(shop)
	for _, number := range []string{"12", "0161234567", "33612345678", "<b>"} {
		a := f.browse("POST", "/gateway/"+reference+"/pay", url.Values{"method": {moovBenin}, "msisdn": {number}}, nil)
		assert.Equal(t, 400, a.status, number)
		assert.Contains(t, string(a.body), "This is no mobile money number of the operator.")
		assert.NotContains(t, string(a.body), "<b>")
	}
	f.browse("POST", "/gateway/"+reference+"/pay", url.Values{"method": {moovBenin}, "msisdn": {"+229 61 23 45 67"}}, nil).ok(200)
	assert.Equal(t, "22961234567", f.transaction(reference).text("data.source.number"))
}

func TestTheCustomersPagesAreInFrenchWithFrancs(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{})
	page := string(f.browse("GET", "/gateway/"+f.checkout(shop), nil, func(r *http.Request) { r.Header.Set("Accept-Language", "fr") }).ok(200).body)
	assert.Contains(t, page, "12\u00a0500\u00a0FCFA")
	assert.Contains(t, page, ">Annuler</button>")
	assert.NotContains(t, page, "XOF")
	assert.Contains(t, page, "(pointer: coarse) { .code { display: none; } }", "a phone is not told to take a phone")
}

func TestDecliningOnTheCheckoutPage(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{})
	reference := f.checkout(shop)
	page := string(f.browse("POST", "/gateway/"+reference+"/decline", url.Values{}, nil).ok(200).body)
	assert.Contains(t, page, "No money was taken")
	assert.Contains(t, page, `href="https://shop.example.com/no"`)
	assert.Equal(t, "ERROR", f.transaction(reference).text("data.status"))
}

func TestCheckoutPageWhileTheProviderThinks(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{})
	reference := f.checkout("}")
	page := string(f.browse("POST", "/gateway/"+reference+"/pay", url.Values{"method": {cardCode}}, nil).ok(200).body)
	assert.Contains(t, page, "Waiting for confirmation")
	assert.NotContains(t, page, "<form")
	f.s.Clock().Advance(time.Minute)
	page = string(f.browse("GET", "/gateway/"+reference, nil, nil).ok(200).body)
	assert.Contains(t, page, "Payment received")
	assert.NotContains(t, page, "Return to", "no URL was given to return to")
}

func TestCheckoutTakesOnlyItsOwnForms(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{})
	reference := f.checkout("}")
	pay := "/gateway/" + reference + "/pay"
	get := f.browse("GET", pay, nil, nil)
	assert.Equal(t, 405, get.status)
	assert.Equal(t, "POST", get.header.Get("Allow"))
	assert.Equal(t, 405, f.browse("POST", "/gateway/"+reference, url.Values{}, nil).status)
	for name, value := range map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example.com"} {
		a := f.browse("POST", pay, url.Values{}, func(r *http.Request) { r.Header.Set(name, value) })
		assert.Equal(t, 403, a.status, name)
	}
	assert.Equal(t, 409, f.browse("POST", pay, url.Values{"method": {"ORANGE"}}, nil).status)
	assert.Equal(t, 409, f.browse("POST", pay, url.Values{"method": {strings.Repeat("x", 20<<10)}}, nil).status)
	assert.Equal(t, "PENDING", f.transaction(reference).text("data.status"), "none of them paid")
	f.browse("POST", pay, url.Values{}, func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "same-origin") }).ok(200)
	assert.Equal(t, "SUCCESS", f.transaction(reference).text("data.status"))
}

func TestCheckoutOfNothing(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{})
	reference := f.checkout("}")
	payout, _ := f.s.Operation(f.payout(1, "22961234567"))
	tx, _ := f.s.Transaction(reference)
	for _, path := range []string{"/gateway/ZZZZZZZZZZ", "/gateway/", "/gateway/" + reference + "/steal", "/gateway/" + payout.Reference, "/gateway/" + tx.ID} {
		a := f.browse("GET", path, nil, nil)
		assert.Equal(t, 404, a.status, path)
		assert.Contains(t, string(a.body), "Payment not found")
	}
}

func TestAmountsAreGroupedByThree(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1 000", 25_000: "25 000", 1_234_567: "1 234 567"} {
		assert.Equal(t, strings.ReplaceAll(want, " ", "\u00a0"), spaced(n))
	}
}

func TestCheckoutOverTheNetwork(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{})
	require.NoError(t, f.s.Listen("127.0.0.1:0"))
	require.Error(t, f.s.Listen("127.0.0.1:0"), "once is enough")
	id, reference := f.requestPayment(1000, mtnBenin, "22961234567")
	network := &http.Transport{DisableKeepAlives: true}
	form, err := http.NewRequestWithContext(t.Context(), http.MethodPost, f.operation(id).text("data.result.gateway_url")+"/pay", http.NoBody)
	require.NoError(t, err)
	form.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := (&http.Client{Transport: network}).Do(form)
	require.NoError(t, err)
	defer func() { _ = resp.Body.Close() }()
	assert.Equal(t, 200, resp.StatusCode)
	assert.Equal(t, "SUCCESS", f.transaction(reference).text("data.status"))
}

// TestTheCustomersPagesAreInFrenchToo reads the texts off the templates, and off what the
// pages are given.
func TestTheCustomersPagesAreInFrenchToo(t *testing.T) {
	t.Parallel()
	used := map[string]bool{"": true}
	for _, m := range regexp.MustCompile(`{{t "([^"]*)"}}`).FindAllStringSubmatch(pageTemplates+payinTemplates, -1) {
		used[m[1]] = true
	}
	for _, file := range []string{"checkout.go", "payin_page.go"} {
		source, err := os.ReadFile(file)
		require.NoError(t, err)
		code, _, _ := strings.Cut(string(source), "Templates = `")
		for _, m := range regexp.MustCompile(`"([A-Z][a-z]+(?: [^"]*|))"`).FindAllStringSubmatch(code, -1) {
			if !strings.Contains(code, `Set("`+m[1]) && !strings.Contains(code, `Header()["`+m[1]) && m[1] != "Allow" && m[1] != "The page could not be made." {
				used[m[1]] = true
			}
		}
	}
	for english := range used {
		assert.Contains(t, frenchPages, english)
	}
	for english := range frenchPages {
		assert.True(t, used[english], "%q is on no page", english)
	}

	f := newFixture(t, Config{})
	_, reference := f.requestPayment(1000, mtnBenin, "22961000000")
	page := func(language string) string {
		return string(f.do(call{method: "GET", endpoint: "/balance", edit: func(r *http.Request) {
			r.URL.Path = "/gateway/" + reference
			r.Header.Set("Accept-Language", language)
		}}).ok(200).body)
	}
	assert.Contains(t, page("fr-BJ,fr;q=0.9"), `<html lang="fr">`)
	assert.Contains(t, page("fr-BJ,fr;q=0.9"), "Payer Test merchant")
	assert.Contains(t, page("en"), "Pay Test merchant")
	assert.Contains(t, page(""), `<html lang="en">`)
	require.NoError(t, f.s.Pay(reference))
	assert.Contains(t, page("fr"), "Paiement reçu")
	assert.NotContains(t, page("fr"), "Your payment")
}
