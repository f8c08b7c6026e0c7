package mockapi

import (
	"bytes"
	"errors"
	"html/template"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"
)

// gatewayPath is where the checkout pages are.
const gatewayPath = "/gateway/"

// gatewayURL is the page a payment is paid on. The caller holds the lock.
func (s *Server) gatewayURL(reference string) string { return s.baseURL + gatewayPath + reference }

// pages are the templates in each language, parsed when the first page is asked for: most
// servers never show one.
type pages struct {
	once            sync.Once
	english, french *template.Template
	err             error
}

func (p *pages) get(french bool) (*template.Template, error) {
	p.once.Do(func() {
		parse := func(functions template.FuncMap) *template.Template {
			t, err := template.New("page").Funcs(functions).Parse(pageTemplates + payinTemplates)
			p.err = errors.Join(p.err, err)
			return t
		}
		p.english = parse(template.FuncMap{
			"lang": func() string { return "en" },
			"t":    func(s string) string { return s },
			"cash": func(s string) string { return s },
			"date": func(at time.Time) string { return at.UTC().Format("2 January 2006 15:04 MST") },
		})
		p.french = parse(template.FuncMap{
			"lang": func() string { return "fr" },
			"t":    inFrench,
			"cash": inFrancs,
			"date": func(at time.Time) string { return at.UTC().Format("02/01/2006 15:04 MST") },
		})
	})
	if french {
		return p.french, p.err
	}
	return p.english, p.err
}

// checkoutPage is what a page shows.
type checkoutPage struct {
	Title, Who                       string // what the page is, and of whom
	Merchant, Reference, Description string
	Charged, Amount, Fees            string // what the customer pays, and what of
	Date, Until                      time.Time
	Number                           string
	Methods                          []checkoutMethod
	QRCode                           template.URL
	Open, Confirming                 bool
	Outcome                          string       // paid, failed or cancelled, when it has ended
	ReturnURL                        template.URL // checked when it was given: an app's scheme is no danger, a script's is refused
	Problem                          string
	Pay, Decline                     string // where the forms go
}

// wayBack is a return URL as a link of any scheme. Those that run scripts were refused
// when it was given.
func wayBack(url string) template.URL {
	return template.URL(url) //nolint:gosec // see absoluteURL
}

type checkoutMethod struct {
	Code, Name string
	Selected   bool
}

// serveGateway serves the checkout page of a payment and takes its two forms. Only POST
// changes anything, and a browser's POST must come from the page itself.
func (s *Server) serveGateway(w http.ResponseWriter, r *http.Request) {
	reference, action, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, gatewayPath), "/")
	details, ok := s.paymentDetails(reference)
	if !ok || action != "" && action != "pay" && action != "decline" {
		s.writePage(w, r, http.StatusNotFound, "missing", checkoutPage{Title: "Payment not found"})
		return
	}
	if action == "" {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			s.writePage(w, r, http.StatusMethodNotAllowed, "checkout", s.checkoutPage(details, ""))
			return
		}
		s.writePage(w, r, http.StatusOK, "checkout", s.checkoutPage(details, ""))
		return
	}
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", "POST")
		s.writePage(w, r, http.StatusMethodNotAllowed, "checkout", s.checkoutPage(details, "This address only takes the form of the page."))
		return
	}
	if http.NewCrossOriginProtection().Check(r) != nil {
		s.writePage(w, r, http.StatusForbidden, "checkout", s.checkoutPage(details, "The form came from another site and was not accepted."))
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, 16<<10)
	if err := s.takeForm(r, reference, action); err != nil {
		details, _ = s.paymentDetails(reference)
		page, status := s.checkoutPage(details, "The payment could not be changed: it may be over already."), http.StatusConflict
		if errors.Is(err, errNumber) {
			page, status = s.checkoutPage(details, "This is no mobile money number of the operator. Write it as you know it, or with the country code."), http.StatusBadRequest
			page.typed(r.PostForm.Get("method"), r.PostForm.Get("msisdn"))
		}
		s.writePage(w, r, status, "checkout", page)
		return
	}
	s.committed()
	w.Header()["Date"] = s.dateValue(s.clock.Now())
	http.Redirect(w, r, gatewayPath+url.PathEscape(reference), http.StatusSeeOther)
}

func (s *Server) takeForm(r *http.Request, reference, action string) error {
	if err := r.ParseForm(); err != nil {
		return err
	}
	if action == "decline" {
		return s.Decline(reference)
	}
	method, number := r.PostForm.Get("method"), strings.TrimSpace(r.PostForm.Get("msisdn"))
	if mobileMethod(method) == nil || number == "" {
		return s.PayWith(reference, method, "")
	}
	number, err := s.readNumber(number, method)
	if err != nil {
		return errNumber
	}
	var m mistakes
	if m.msisdn("msisdn", number, method); len(m) > 0 {
		return errNumber
	}
	return s.PayWith(reference, method, number)
}

// errNumber is what a customer typed that is no number of the operator's.
var errNumber = errors.New("no number of the operator")

// typed shows again what the customer has typed.
func (p *checkoutPage) typed(method, number string) {
	p.Number = number
	for i := range p.Methods {
		p.Methods[i].Selected = p.Methods[i].Code == method
	}
}

func (s *Server) checkoutPage(d paymentDetails, problem string) checkoutPage {
	p := checkoutPage{
		Title: "Pay", Who: d.merchant, Merchant: d.merchant, Reference: d.reference, Description: d.description,
		Charged: spaced(d.amount+d.fees) + " " + d.currency, Date: d.date, Until: d.deadline,
		Number: d.number, Problem: problem,
		QRCode: template.URL(d.qrCode), //nolint:gosec // made by us: a PNG data URL
		Pay:    gatewayPath + d.reference + "/pay", Decline: gatewayPath + d.reference + "/decline",
	}
	if d.fees > 0 {
		p.Amount, p.Fees = spaced(d.amount)+" "+d.currency, spaced(d.fees)+" "+d.currency
	}
	for _, m := range methods {
		p.Methods = append(p.Methods, checkoutMethod{m.code, m.name, m.code == d.methodCode})
	}
	switch {
	case d.status == txSuccess:
		p.Outcome, p.Title, p.ReturnURL = "paid", "Payment received", wayBack(d.successURL)
	case d.status == txError:
		p.Outcome, p.Title, p.ReturnURL = "failed", "Payment not made", wayBack(d.cancelURL)
	case d.status == txRefunded:
		p.Outcome, p.Title, p.ReturnURL = "refunded", "Payment refunded", wayBack(d.cancelURL)
	case d.stage == paymentConfirming:
		p.Confirming, p.Title = true, "Waiting for confirmation"
	default:
		p.Open = true
	}
	if !p.Open {
		p.Who = ""
	}
	return p
}

func (s *Server) writePage(w http.ResponseWriter, r *http.Request, status int, name string, p any) {
	templates, err := s.pages.get(wantsFrench(r.Header))
	var b bytes.Buffer
	if err == nil {
		err = templates.ExecuteTemplate(&b, name, p)
	}
	if err != nil {
		http.Error(w, "The page could not be made.", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h["Date"] = s.dateValue(s.clock.Now())
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Vary", "Accept-Language")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(b.Bytes()) // the browser may be gone
	}
}

// inFrancs is an amount as people in the countries of the CFA franc write it.
func inFrancs(amount string) string {
	for _, code := range []string{xof, xaf} {
		if units, ok := strings.CutSuffix(amount, " "+code); ok {
			return units + "\u00a0FCFA"
		}
	}
	return amount
}

// spaced groups the digits of an amount by three, with no-break spaces.
func spaced(n int64) string {
	s := strconv.FormatInt(n, 10)
	var b strings.Builder
	for i, c := range s {
		if i > 0 && (len(s)-i)%3 == 0 {
			b.WriteRune('\u00a0')
		}
		b.WriteRune(c)
	}
	return b.String()
}

const pageTemplates = `
{{define "head"}}<!DOCTYPE html>
<html lang="{{lang}}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{t .Title}}{{with .Who}} {{.}}{{end}}</title>
<style>
:root { color-scheme: light dark; --ink: #17211d; --quiet: #55635c; --paper: #f4f6f5; --card: #fff; --line: #dfe5e2; --field: #84918a; --go: #0b6b45; --on-go: #fff; --stop: #a11d2b; --good: #e3f2ea; --bad: #fbe9ea; }
@media (prefers-color-scheme: dark) { :root { --ink: #e9efec; --quiet: #a8b5af; --paper: #0f1513; --card: #18201d; --line: #2b3632; --field: #77857e; --go: #59c795; --on-go: #06140d; --stop: #ff9a9f; --good: #163227; --bad: #3b1a1d; } }
* { box-sizing: border-box; }
body { margin: 0; min-height: 100vh; background: var(--paper); color: var(--ink); font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
main { max-width: 26rem; margin: 0 auto; padding: 1.5rem 1rem; }
section { background: var(--card); border: 1px solid var(--line); border-radius: 1rem; padding: 1.25rem; margin-top: .875rem; box-shadow: 0 1px 2px rgb(16 32 24 / 6%); }
h1 { font-size: 1.25rem; letter-spacing: -.01em; line-height: 1.3; margin: 0 .25rem; }
dl { display: grid; grid-template-columns: auto 1fr; gap: .3rem 1rem; margin: 0; font-size: .9375rem; }
dt { color: var(--quiet); } dd { margin: 0; text-align: right; overflow-wrap: anywhere; }
dt.total { grid-column: 1 / -1; } dd.amount { grid-column: 1 / -1; text-align: left; font-size: 2.125rem; line-height: 1.15; font-weight: 700; letter-spacing: -.02em; padding-bottom: .75rem; margin-bottom: .5rem; border-bottom: 1px solid var(--line); }
label { display: block; font-size: .9375rem; font-weight: 600; margin: 0 0 .3rem; }
label + select { margin-bottom: 1rem; }
select, input { width: 100%; min-height: 3rem; padding: .5rem .75rem; font: inherit; color: inherit; background: var(--card); border: 1px solid var(--field); border-radius: .625rem; }
select option { color: #17211d; background: #fff; }
button { width: 100%; min-height: 3.25rem; margin-top: .75rem; border: 1px solid var(--go); border-radius: .625rem; font: inherit; font-weight: 650; color: var(--on-go); background: var(--go); cursor: pointer; }
button.stop { color: var(--stop); background: none; border-color: transparent; }
:focus-visible { outline: 3px solid #d98a00; outline-offset: 2px; }
.hint { margin: .4rem 0 .25rem; }
.hint, footer { color: var(--quiet); font-size: .875rem; }
footer { text-align: center; margin-top: 1rem; }
.problem { background: var(--bad); color: var(--stop); border-color: transparent; }
section[role] p { margin: 0; } section[role] p + p { margin-top: .75rem; }
.paid { background: var(--good); color: var(--go); border-color: transparent; font-weight: 600; }
.code { text-align: center; } .code p { margin: 0 0 .75rem; color: var(--quiet); font-size: .875rem; }
img { display: block; margin: 0 auto; width: 11rem; max-width: 100%; height: auto; background: #fff; padding: .5rem; border-radius: .5rem; image-rendering: pixelated; }
@media (max-width: 30rem), (pointer: coarse) { .code { display: none; } }
a { color: inherit; font-weight: 650; display: inline-block; min-height: 2.75rem; padding: .6rem 0; }
</style>
</head>
<body>
<main>
<h1>{{t .Title}}{{with .Who}} {{.}}{{end}}</h1>{{end}}

{{define "foot"}}<footer><p>{{t "Test gateway: no real money moves here."}}</p></footer>
</main>
</body>
</html>
{{end}}

{{define "checkout"}}{{template "head" .}}
{{if .Problem}}<section class="problem" role="alert"><p>{{t .Problem}}</p></section>{{end}}
<section aria-label="{{t "Payment"}}">
<dl>
<dt class="total">{{t "You pay"}}</dt><dd class="amount">{{cash .Charged}}</dd>
{{if .Fees}}<dt>{{t "Amount"}}</dt><dd>{{cash .Amount}}</dd>
<dt>{{t "Fee"}}</dt><dd>{{cash .Fees}}</dd>{{end}}
<dt>{{t "To"}}</dt><dd>{{.Merchant}}</dd>
{{if .Description}}<dt>{{t "For"}}</dt><dd>{{.Description}}</dd>{{end}}
<dt>{{t "Reference"}}</dt><dd>{{.Reference}}</dd>
<dt>{{t "Date"}}</dt><dd>{{date .Date}}</dd>
{{if .Open}}<dt>{{t "Until"}}</dt><dd>{{date .Until}}</dd>{{end}}
</dl>
</section>
{{if .Open}}
<section>
<form method="post" action="{{.Pay}}">
<label for="method">{{t "Pay with"}}</label>
<select id="method" name="method" required>{{range .Methods}}
<option value="{{.Code}}"{{if .Selected}} selected{{end}}>{{.Name}}</option>{{end}}
</select>
<label for="msisdn">{{t "Mobile money number"}}</label>
<input id="msisdn" name="msisdn" type="tel" inputmode="tel" autocomplete="tel" maxlength="32" value="{{.Number}}" aria-describedby="msisdn-hint">
<p class="hint" id="msisdn-hint">{{t "As you know it, or with the country code. Not needed for card and bank payments."}}</p>
<button type="submit">{{t "Pay"}} {{cash .Charged}}</button>
</form>
<form method="post" action="{{.Decline}}">
<button type="submit" class="stop">{{t "Decline"}}</button>
</form>
</section>
{{if .QRCode}}<section class="code"><p>{{t "On another screen? Pay with your phone."}}</p><img src="{{.QRCode}}" alt="{{t "QR code that opens this page on a phone"}}"></section>{{end}}
{{else if .Confirming}}
<section role="status"><p>{{t "Confirm the payment with your operator. Reload this page to see the result."}}</p></section>
{{else}}
<section role="status"{{if eq .Outcome "paid"}} class="paid"{{end}}>
{{if eq .Outcome "paid"}}<p>{{t "Your payment was received. This page is your receipt."}}</p>
{{else if eq .Outcome "refunded"}}<p>{{t "This payment was given back."}}</p>
{{else}}<p>{{t "No money was taken."}}</p>{{end}}
{{if .ReturnURL}}<p><a href="{{.ReturnURL}}" rel="noreferrer">{{t "Return to"}} {{.Merchant}}</a></p>{{end}}
</section>
{{end}}
{{template "foot" .}}{{end}}

{{define "missing"}}{{template "head" .}}
<section role="status"><p>{{t "There is no payment at this address."}}</p></section>
{{template "foot" .}}{{end}}
`
