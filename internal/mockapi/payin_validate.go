package mockapi

import (
	"net/http"
	"net/url"
	"strings"
)

// payinRequest is a session's body once it has passed.
type payinRequest struct {
	reference, number, customer string
	amount                      int64
	successURL, failureURL      string
}

// payinMistakes collects what is wrong with a body. A payin error has no details[], so
// that its message names every field.
type payinMistakes struct {
	french bool
	paths  []string
	texts  []string
}

func (m *payinMistakes) add(path string, w words) {
	text := w.en
	if m.french {
		text = w.fr
	}
	m.paths = append(m.paths, path)
	m.texts = append(m.texts, path+" "+text)
}

var (
	isRequired  = words{"is required", "est requis"}
	mustBeText  = words{"must be a string", "doit être une chaîne"}
	mustBeWhole = words{"must be a whole number of units", "doit être un nombre entier"}
	isTooLarge  = words{"is too large", "est trop grand"}
	mustBeE164  = words{"must be in E.164 form, with + and 8 to 15 digits", "doit être au format E.164, avec + et 8 à 15 chiffres"}
	mustBeISO   = words{"must be an ISO 3166 country code (2 upper-case letters)", "doit être un code pays ISO 3166 (2 lettres majuscules)"}
	mustBeURL   = words{"must be an absolute URL", "doit être une URL absolue"}

	invalidAmount = words{"Invalid amount", "Montant invalide"} // as the docs say it
)

// required reads a string that must be there and not blank.
func (m *payinMistakes) required(d document, path string) string {
	switch {
	case !d.given():
		m.add(path, isRequired)
		return ""
	case d.kind() != kindString:
		m.add(path, mustBeText)
		return ""
	}
	text := d.text()
	if strings.TrimSpace(text) == "" {
		m.add(path, isRequired)
		return ""
	}
	return text
}

func (m *payinMistakes) url(d document, path string) string {
	s := m.required(d, path)
	if s == "" {
		return ""
	}
	if u, err := url.Parse(s); err != nil || u.Scheme == "" || u.Host == "" && u.Path == "" && u.Opaque == "" || runsScripts(u.Scheme) {
		m.add(path, mustBeURL)
	}
	return s
}

// validatePayin checks every field. What is malformed is a 400 that names all of it; what
// is well-formed and not known or not possible has a code of its own in the catalogue,
// and comes after.
func (x *exchange) validatePayin() (payinRequest, *reply) {
	var p payinRequest
	m := payinMistakes{french: x.french()}
	body := x.document.members(nil)

	p.reference = m.required(body.field("reference"), "reference")
	accountID := ""
	if x.server.payin.revision == PayinFirst {
		accountID = m.required(body.field("accountId"), "accountId")
	}
	units, isNumber := amount{}, false
	switch d := body.field("amount"); {
	case !d.given():
		m.add("amount", isRequired)
	case d.kind() != kindNumber:
		m.add("amount", words{"must be a number", "doit être un nombre"})
	default:
		units, isNumber = d.number(), true
		switch {
		case !units.whole:
			m.add("amount", mustBeWhole)
		case x.server.payin.revision == PayinNewer: // which has limits, below
		case !units.fits || units.units > maxUnits:
			m.add("amount", isTooLarge)
		}
	}
	p.amount = units.units
	if p.number = m.required(body.field("msisdn"), "msisdn"); p.number != "" && !isE164(p.number) {
		m.add("msisdn", mustBeE164)
	}
	if name := body.field("customerName"); name.given() || x.server.payin.revision == PayinFirst {
		p.customer = m.required(name, "customerName")
	}
	country := m.required(body.field("country"), "country")
	if country != "" && !isUpper(country, 2) {
		m.add("country", mustBeISO)
	}
	if x.server.payin.revision == PayinNewer {
		action := body.field("action")
		urls := action.members(nil)
		if action.given() && urls == nil && action.kind() != kindObject {
			m.add("action", words{"must be an object", "doit être un objet"})
		} else {
			p.successURL = m.url(urls.field("successUrl"), "action.successUrl")
			p.failureURL = m.url(urls.field("failureUrl"), "action.failureUrl")
		}
	}
	if len(m.texts) > 0 {
		r := payinFailure(http.StatusBadRequest, "validation_error", strings.Join(m.texts, "; "), strings.Join(m.paths, ", "))
		return p, &r
	}

	refuse := func(status int, code, reason string) (payinRequest, *reply) {
		r := x.refusePayin(status, code, reason)
		return p, &r
	}
	calling, known := payinCountries[country]
	switch {
	case isNumber && !units.positive():
		return refuse(http.StatusForbidden, "transaction_greater_than_zero", "the amount is not above zero")
	case isNumber && x.server.payin.revision == PayinNewer && !payable(units, country):
		message := invalidAmount.en
		if m.french {
			message = invalidAmount.fr
		}
		r := payinFailure(http.StatusBadRequest, "validation_error", message, "the amount is beyond the limits")
		return p, &r
	case accountID != "" && accountID != x.account.payin.keys.AccountID:
		return refuse(http.StatusNotFound, "wallet_not_found", "the accountId is not the merchant's")
	case !known, country == cameroon && x.server.payin.revision == PayinFirst:
		return refuse(http.StatusNotFound, "country_not_found", "the country is none of those that are served")
	case !strings.HasPrefix(p.number, "+"+calling):
		return refuse(http.StatusNotFound, "provider_not_found", "the number is not one of the country")
	}
	return p, nil
}

// payable reports whether an amount is within the limits of its country.
func payable(a amount, country string) bool {
	if country == cameroon {
		return a.fits && a.units <= maxUnits
	}
	return a.fits && a.units >= minPayin && a.units <= maxPayin
}

// isE164: a plus and 8 to 15 digits, the first of which is not zero.
func isE164(s string) bool {
	digits, plus := strings.CutPrefix(s, "+")
	return plus && len(digits) >= 8 && len(digits) <= 15 && isDigits(digits) && digits[0] != '0'
}
