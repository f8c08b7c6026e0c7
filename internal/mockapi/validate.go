package mockapi

import (
	"fmt"
	"net/http"
	"net/mail"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"
)

// The rules of intram.md section 7, written from the document. Every mistake of a request
// is reported, under the path the docs give the field.

// mistakes collects details[].
type mistakes []detail

func (m *mistakes) add(path, format string, args ...any) {
	*m = append(*m, detail{path, path + " " + fmt.Sprintf(format, args...)})
}

// text reads an optional string of at most limit characters (0: no limit).
func (m *mistakes) text(d document, path string, limit int) string {
	if !d.given() {
		return ""
	}
	if d.kind() != kindString {
		m.add(path, "must be a string")
		return ""
	}
	s := d.text()
	if limit > 0 && codeUnits(s) > limit {
		m.add(path, "must be at most %d characters", limit)
	}
	return s
}

// codeUnits returns a text's length in UTF-16, as JavaScript counts.
func codeUnits(s string) int {
	n := 0
	for _, r := range s {
		n += utf16.RuneLen(r)
	}
	return n
}

// checked does what text does, for a string that is only checked: it stays in the
// payload.
func (m *mistakes) checked(d document, path string, limit int) {
	if !d.given() {
		return
	}
	if d.kind() != kindString {
		m.add(path, "must be a string")
		return
	}
	if limit > 0 && len(d)-2 > limit { // escapes and multi-byte characters only make it shorter
		m.text(d, path, limit)
	}
}

// required reads a string that must be there.
func (m *mistakes) required(d document, path string) string {
	if !d.given() || d.kind() == kindString && d.text() == "" {
		m.add(path, "is required")
		return ""
	}
	return m.text(d, path, 0)
}

// object reads an optional object and keeps its JSON.
func (m *mistakes) object(d document, path string) document {
	if !d.given() {
		return nil
	}
	if d.kind() != kindObject {
		m.add(path, "must be an object")
		return nil
	}
	return document(d.compact())
}

// amount reads a number of whole units above zero.
func (m *mistakes) amount(d document, path string) amount {
	if !d.given() {
		m.add(path, "is required")
		return amount{}
	}
	if d.kind() != kindNumber {
		m.add(path, "must be a number")
		return amount{}
	}
	a := d.number()
	switch {
	case !a.positive():
		m.add(path, "must be > 0")
	case !a.whole:
		m.add(path, "must be a whole number of units")
	}
	return a
}

// currency reads an optional ISO 4217 code.
func (m *mistakes) currency(d document, path string) string {
	s := m.text(d, path, 0)
	if d.kind() == kindString && !isUpper(s, 3) {
		m.add(path, "must be an ISO 4217 code (3 upper-case letters)")
	}
	return s
}

func (m *mistakes) country(d document, path string) {
	m.checked(d, path, 0)
	if d.kind() == kindString && (len(d) != 4 || !isUpper(string(d[1:3]), 2)) {
		m.add(path, "must be an ISO 3166 country code (2 upper-case letters)")
	}
}

func (m *mistakes) msisdn(path, s, operator string) {
	if len(s) < 8 || len(s) > 15 || !isDigits(s) || s[0] == '0' {
		m.add(path, "must be an international number: 8 to 15 digits, country code first, no +")
		return
	}
	// Chosen: an operator has no wallets of another country. MTN_BENIN_229 is one of
	// +229.
	if i := strings.LastIndexByte(operator, '_'); i >= 0 && len(operator)-i == 4 && isDigits(operator[i+1:]) && s[:3] != operator[i+1:] {
		m.add(path, "is not a number of the operator's country")
	}
}

// absoluteURL reads an optional URL with a scheme: a page of the web, or one that an app
// opens.
func (m *mistakes) absoluteURL(d document, path string) string {
	s := m.text(d, path, 0)
	if s == "" {
		return ""
	}
	// Chosen: a link that runs a script does not lead back to a merchant's page.
	if u, err := url.Parse(s); err != nil || u.Scheme == "" || u.Host == "" && u.Path == "" && u.Opaque == "" || runsScripts(u.Scheme) {
		m.add(path, "must be an absolute URL")
	}
	return s
}

func runsScripts(scheme string) bool {
	return scheme == "javascript" || scheme == "data" || scheme == "vbscript"
}

// payoutRequest is a payout's body once it has passed.
type payoutRequest struct {
	amount       int64
	currency     string
	bank         bool
	providerCode string
	msisdn       string
	account      string
	name         string
	reference    string
}

func validatePayout(d document, s *Server, environment string) (payoutRequest, *reply) {
	var m mistakes
	var p payoutRequest
	var room [12]member
	body := d.members(room[:0])
	units := m.amount(body.field("amount"), "amount")
	if units.whole && !units.fits {
		m.add("amount", "is too large")
	}
	p.amount = units.units
	p.currency = m.currency(body.field("currency"), "currency")
	m.destination(body.field("destination"), &p, environment)
	p.reference = m.text(body.field("reference"), "reference", 100)
	m.checked(body.field("note"), "note", 500)
	m.object(body.field("metadata"), "metadata")
	if len(m) > 0 {
		return p, refusal("Invalid payout request", m)
	}
	if p.currency == "" {
		p.currency = s.currency
	}
	return p, s.knownCurrency(p.currency)
}

func (m *mistakes) destination(d document, p *payoutRequest, environment string) {
	if !d.given() {
		m.add("destination", "is required")
		return
	}
	if d.kind() != kindObject {
		m.add("destination", "must be an object")
		return
	}
	var room [8]member
	fields := d.members(room[:0])
	switch kind := m.required(fields.field("type"), "destination.type"); kind {
	case "":
	case "mobile_money":
		m.country(fields.field("country_code"), "destination.country_code")
		p.providerCode = m.text(fields.field("provider_code"), "destination.provider_code", 0)
		// Without a provider_code, or with one that is not handled in the country, the
		// payout is accepted and fails in the worker (intram.md section 7).
		if p.msisdn = m.required(fields.field("msisdn"), "destination.msisdn"); p.msisdn != "" && !isPublishedTestNumber(environment, p.msisdn, p.providerCode) {
			m.msisdn("destination.msisdn", p.msisdn, p.providerCode)
		}
	case "bank_account":
		p.bank = true
		p.account = m.required(fields.field("account_number"), "destination.account_number")
		swift := m.text(fields.field("swift"), "destination.swift", 0)
		if swift != "" && (len(swift) != 8 && len(swift) != 11 || !isAlphanumeric(swift)) {
			m.add("destination.swift", "must be a BIC: 8 or 11 letters and digits")
		}
	default:
		m.add("destination.type", "must be mobile_money or bank_account")
	}
	name := m.text(fields.field("account_name"), "destination.account_name", 0)
	p.name = joinName(name, m.text(fields.field("account_surname"), "destination.account_surname", 0))
}

// paymentRequest is a payment request's body once it has passed.
type paymentRequest struct {
	amount      int64
	currency    string
	description string
	email       string
	name        string
	phone       string
	methodCode  string
	msisdn      string
	successURL  string
	cancelURL   string
	webhookData document
}

func validatePaymentRequest(d document, s *Server, environment string) (paymentRequest, *reply) {
	var m mistakes
	var p paymentRequest
	body := d.members(nil)
	given := body.field("invoice")
	if !given.given() {
		r := failure(http.StatusBadRequest, "missing_invoice", "The payment request has no invoice")
		return p, &r
	}
	if given.kind() != kindObject {
		m.add("invoice", "must be an object")
		return p, refusal("Invalid payment request", m)
	}
	invoice := given.members(nil)
	units := m.amount(invoice.field("amount"), "invoice.amount")
	p.amount = units.units
	if !invoice.field("currency").given() {
		m.add("invoice.currency", "is required")
	}
	p.currency = m.currency(invoice.field("currency"), "invoice.currency")
	p.description = m.text(invoice.field("description"), "invoice.description", 500)
	if customer := invoice.field("customer"); !customer.given() {
		m.add("invoice.customer", "is required")
	} else if customer := m.object(customer, "invoice.customer").members(nil); customer != nil {
		if p.email = m.text(customer.field("email"), "invoice.customer.email", 0); p.email != "" && !isEmail(p.email) {
			m.add("invoice.customer.email", "must be a valid email")
		}
		first := m.text(customer.field("first_name"), "invoice.customer.first_name", 0)
		last := m.text(customer.field("last_name"), "invoice.customer.last_name", 0)
		p.name = joinName(first, last)
		p.phone = m.text(customer.field("phone"), "invoice.customer.phone", 0)
	}
	if method := m.object(body.field("payment_method"), "payment_method").members(nil); method != nil {
		p.methodCode = m.text(method.field("code"), "payment_method.code", 0)
		m.country(method.field("country_code"), "payment_method.country_code")
		if p.msisdn = m.text(method.field("msisdn"), "payment_method.msisdn", 0); p.msisdn != "" && !isPublishedTestNumber(environment, p.msisdn, p.methodCode) {
			m.msisdn("payment_method.msisdn", p.msisdn, p.methodCode)
		}
	}
	if urls := m.object(body.field("return_urls"), "return_urls").members(nil); urls != nil {
		p.successURL = m.absoluteURL(urls.field("success"), "return_urls.success")
		p.cancelURL = m.absoluteURL(urls.field("cancel"), "return_urls.cancel")
	}
	p.webhookData = m.object(body.field("webhook_data"), "webhook_data")
	if len(m) > 0 {
		return p, refusal("Invalid payment request", m)
	}
	if r := s.knownCurrency(p.currency); r != nil {
		return p, r
	}
	return p, s.withinLimits(units, environment)
}

// isEmail reports whether a text is one address, without a name around it.
func isEmail(s string) bool {
	address, err := mail.ParseAddress(s)
	return err == nil && address.Address == s
}

// refundRequest is a refund's body once it has passed. A zero amount means all of it.
type refundRequest struct {
	reference string
	amount    int64
	reason    string
}

func validateRefund(d document) (refundRequest, *reply) {
	var m mistakes
	var p refundRequest
	body := d.members(nil)
	p.reference = m.required(body.field("transaction_reference"), "transaction_reference")
	if field := body.field("amount"); field.given() {
		units := m.amount(field, "amount")
		if units.whole && !units.fits {
			m.add("amount", "is too large")
		}
		p.amount = units.units
	}
	p.reason = m.text(body.field("reason"), "reason", 500)
	m.object(body.field("metadata"), "metadata")
	if len(m) > 0 {
		return p, refusal("Invalid refund request", m)
	}
	return p, nil
}

// subscriptionRequest is a webhook subscription's body once it has passed.
type subscriptionRequest struct{ url, event string }

func validateSubscription(d document, strict bool) (subscriptionRequest, *reply) {
	var m mistakes
	var p subscriptionRequest
	body := d.members(nil)
	if p.url = m.required(body.field("url"), "url"); p.url != "" && !isWebhookURL(p.url, strict) {
		m.add("url", "must be an https:// URL")
	}
	if p.event = m.required(body.field("event"), "event"); p.event != "" && !isEventPattern(p.event) {
		m.add("event", "must be an event such as payout.completed, a family such as payout.*, * or all")
	}
	if len(m) > 0 {
		return p, refusal("Invalid webhook request", m)
	}
	return p, nil
}

// isWebhookURL: https only; unless strict, http on a loopback host too, for receivers
// under test.
func isWebhookURL(s string, strict bool) bool {
	u, err := url.Parse(s)
	if err != nil || u.Hostname() == "" || u.User != nil {
		return false
	}
	if u.Scheme == "https" {
		return true
	}
	return !strict && u.Scheme == "http" && isLoopback(u.Hostname())
}

func isLoopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}

// listQuery is what a list asks for.
type listQuery struct {
	limit  int
	status string
	kind   string
	before time.Time // zero: from the newest
}

// validateList reads the query of a list; words are the status and type words the list
// knows.
func validateList(rawQuery string, statuses, kinds []string) (listQuery, *reply) {
	q := listQuery{limit: 20}
	var m mistakes
	values, err := url.ParseQuery(rawQuery)
	if err != nil {
		m.add("query", "is malformed")
		return q, refusal("Invalid query", m)
	}
	if values.Has("limit") {
		n, err := strconv.Atoi(values.Get("limit"))
		if err != nil || n < 1 || n > 100 {
			m.add("limit", "must be a number from 1 to 100")
		}
		q.limit = n
	}
	q.status = m.word(values, "status", statuses)
	q.kind = m.word(values, "type", kinds)
	if values.Has("before") {
		before, ok := parseCursor(values.Get("before"))
		if !ok {
			m.add("before", "must be an ISO 8601 date")
		}
		q.before = before
	}
	if len(m) > 0 {
		return q, refusal("Invalid query", m)
	}
	return q, nil
}

func (m *mistakes) word(values url.Values, name string, words []string) string {
	if !values.Has(name) {
		return ""
	}
	s := values.Get(name)
	if slices.Contains(words, s) {
		return s
	}
	m.add(name, "must be one of %s", strings.Join(words, ", "))
	return ""
}

// knownCurrency refuses a well-formed code the API does not handle.
func (s *Server) knownCurrency(code string) *reply {
	if code == s.currency {
		return nil
	}
	r := failure(http.StatusBadRequest, "unknown_currency", "Unknown currency: "+code)
	return &r
}

// withinLimits refuses an invoice outside the currency's limits, which are more
// permissive in the sandbox.
func (s *Server) withinLimits(a amount, environment string) *reply {
	largest := s.maxAmount
	if environment == sandbox {
		largest = s.sandboxMaxAmount
	}
	var r reply
	switch {
	case !a.fits || a.units > largest:
		r = failure(http.StatusBadRequest, "amount_too_large", fmt.Sprintf("The amount must be at most %d %s", largest, s.currency))
	case a.units < s.minAmount:
		r = failure(http.StatusBadRequest, "amount_too_small", fmt.Sprintf("The amount must be at least %d %s", s.minAmount, s.currency))
	default:
		return nil
	}
	return &r
}

func refusal(message string, m mistakes) *reply {
	r := failure(http.StatusBadRequest, "validation_error", message, m...)
	paths := make([]string, len(m))
	for i, d := range m {
		paths[i] = d.path
	}
	r.reason = strings.Join(paths, ", ")
	return &r
}

// validIdempotencyKey: 8 to 128 of [A-Za-z0-9_-] (intram.md section 2).
func validIdempotencyKey(key string) bool {
	if len(key) < 8 || len(key) > 128 {
		return false
	}
	for i := range len(key) {
		c := key[i]
		if !isLetterOrDigit(c) && c != '_' && c != '-' {
			return false
		}
	}
	return true
}

func isUpper(s string, n int) bool {
	for i := range len(s) {
		if s[i] < 'A' || s[i] > 'Z' {
			return false
		}
	}
	return len(s) == n
}

func isDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

func isAlphanumeric(s string) bool {
	for i := range len(s) {
		if !isLetterOrDigit(s[i]) {
			return false
		}
	}
	return s != ""
}

func isLetterOrDigit(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z'
}
