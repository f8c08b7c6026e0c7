package mockapi

import (
	"html/template"
	"net/http"
	"net/url"
	"strings"
)

// linkPath is where the confirmation pages are.
const linkPath = "/link/"

// payinURL returns the address of the page where a session is confirmed. The caller holds
// the lock.
func (s *Server) payinURL(p *payin) string { return s.baseURL + linkPath + p.code }

// confirmationPage is what the page shows.
type confirmationPage struct {
	Title, Who                    string // what the page is, and of whom
	Merchant, Reference, Number   string
	Amount, Fee, Charged, Expires string
	Open, Waiting                 bool
	Outcome                       string       // paid, declined, expired or failed, when it has ended
	ReturnURL                     template.URL // of any scheme that runs no script, as it was checked
	Problem                       string
	Confirm, Decline              string // where the forms go
}

// serveLink serves the confirmation page of a session and takes its two forms. Only POST
// changes anything, and a browser's POST must come from the page itself.
func (s *Server) serveLink(w http.ResponseWriter, r *http.Request) {
	code, action, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, linkPath), "/")
	show := func(status int, problem string) {
		page, ok := s.confirmationPage(code, problem)
		if !ok || action != "" && action != "confirm" && action != "decline" {
			s.writePage(w, r, http.StatusNotFound, "missing", confirmationPage{Title: "Payment not found"})
			return
		}
		s.writePage(w, r, status, "confirmation", page)
	}
	p, known := s.payinByCode(code)
	switch reading := r.Method == http.MethodGet || r.Method == http.MethodHead; {
	case !known, action != "confirm" && action != "decline" && (action != "" || reading):
		show(http.StatusOK, "")
	case action == "":
		w.Header().Set("Allow", "GET, HEAD")
		show(http.StatusMethodNotAllowed, "")
	case r.Method != http.MethodPost:
		w.Header().Set("Allow", "POST")
		show(http.StatusMethodNotAllowed, "This address only takes the form of the page.")
	case http.NewCrossOriginProtection().Check(r) != nil:
		show(http.StatusForbidden, "The form came from another site and was not accepted.")
	default:
		answer := s.ConfirmPayin
		if action == "decline" {
			answer = s.DeclinePayin
		}
		if answer(p.ID) != nil {
			show(http.StatusConflict, "The payment could not be changed: it may be over already.")
			return
		}
		s.committed()
		w.Header()["Date"] = s.dateValue(s.clock.Now())
		http.Redirect(w, r, linkPath+url.PathEscape(code), http.StatusSeeOther)
	}
}

func (s *Server) payinByCode(code string) (Payin, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.state.payins.byCode[code]
	if p == nil {
		return Payin{}, false
	}
	return s.publicPayin(p), true
}

func (s *Server) confirmationPage(code, problem string) (confirmationPage, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.state.payins.byCode[code]
	if p == nil {
		return confirmationPage{}, false
	}
	money := func(units int64) string { return spaced(units) + " " + p.currency() }
	page := confirmationPage{
		Title: "Pay", Who: p.account.merchant.name, Merchant: p.account.merchant.name, Reference: p.reference, Number: masked(p.number),
		Amount: money(p.amount), Charged: money(p.charged()), Expires: p.expires.UTC().Format("15:04 MST"), Problem: problem,
		Confirm: linkPath + code + "/confirm", Decline: linkPath + code + "/decline",
	}
	if p.fee > 0 {
		page.Fee = money(p.fee)
	}
	back := struct{ success, failure template.URL }{template.URL(p.successURL), template.URL(p.failureURL)} //nolint:gosec // see validatePayin
	switch {
	case p.transaction.status == payinCompleted:
		page.Outcome, page.Title, page.ReturnURL = "paid", "Payment received", back.success
	case p.status == payinExpired:
		page.Outcome, page.Title, page.ReturnURL = "expired", "Too late", back.failure
	case p.confirmation == payinDeclined:
		page.Outcome, page.Title, page.ReturnURL = "declined", "Payment declined", back.failure
	case p.ended():
		page.Outcome, page.Title, page.ReturnURL = "failed", "Payment not made", back.failure
	case p.answered:
		page.Waiting, page.Title = true, "Waiting for your operator"
	default:
		page.Open = true
	}
	if !page.Open {
		page.Who = ""
	}
	return page, true
}

// masked leaves two digits of a number: enough to recognize one's own, too little for a
// guessed link.
func masked(number string) string { return "•••• " + number[max(len(number)-2, 0):] }

const payinTemplates = `
{{define "confirmation"}}{{template "head" .}}
{{if .Problem}}<section class="problem" role="alert"><p>{{t .Problem}}</p></section>{{end}}
<section aria-label="{{t "Payment"}}">
<dl>
<dt class="total">{{t "You pay"}}</dt><dd class="amount">{{cash .Charged}}</dd>
<dt>{{t "To"}}</dt><dd>{{.Merchant}}</dd>
{{if .Fee}}<dt>{{t "Amount"}}</dt><dd>{{cash .Amount}}</dd>
<dt>{{t "Fee"}}</dt><dd>{{cash .Fee}}</dd>{{end}}
<dt>{{t "From"}}</dt><dd>{{.Number}}</dd>
<dt>{{t "Reference"}}</dt><dd>{{.Reference}}</dd>
{{if .Open}}<dt>{{t "Until"}}</dt><dd>{{.Expires}}</dd>{{end}}
</dl>
</section>
{{if .Open}}
<section>
<form method="post" action="{{.Confirm}}">
<button type="submit">{{t "Confirm"}} {{cash .Charged}}</button>
</form>
<form method="post" action="{{.Decline}}">
<button type="submit" class="stop">{{t "Decline"}}</button>
</form>
</section>
{{else if .Waiting}}
<section role="status"><p>{{t "Confirm the payment with your operator. Reload this page to see the result."}}</p></section>
{{else}}
<section role="status"{{if eq .Outcome "paid"}} class="paid"{{end}}>
{{if eq .Outcome "paid"}}<p>{{t "Your payment was received. This page is your receipt."}}</p>
{{else if eq .Outcome "expired"}}<p>{{t "The payment was not confirmed in time. No money was taken."}}</p>
{{else}}<p>{{t "No money was taken."}}</p>{{end}}
{{if .ReturnURL}}<p><a href="{{.ReturnURL}}" rel="noreferrer">{{t "Return to"}} {{.Merchant}}</a></p>{{end}}
</section>
{{end}}
{{template "foot" .}}{{end}}
`
