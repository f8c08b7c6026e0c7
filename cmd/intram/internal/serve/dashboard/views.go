package dashboard

import (
	"bytes"
	"encoding/json"
	"fmt"
	"html/template"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/intram/intram-go/cmd/intram/internal/serve/preset"
	"github.com/intram/intram-go/internal/mockapi"
)

// listed is how many of a kind a page shows.
const listed = 100

// views are the pages of an environment, by the pattern of their address.
func (d *Dashboard) views() map[string]view {
	return map[string]view{
		"{$}":               {"overview", d.overview},
		"requests":          {"requests", d.requests},
		"requests/{id}":     {"request", d.request},
		"operations":        {"operations", func(p *page) (any, bool) { return d.Core.Operations(p.Env, listed), true }},
		"operations/{id}":   {"operation", d.operation},
		"transactions":      {"transactions", func(p *page) (any, bool) { return d.Core.Transactions(p.Env, listed), true }},
		"transactions/{id}": {"transaction", d.transaction},
		"payins":            {"payins", func(p *page) (any, bool) { return d.Core.Payins(p.Env, listed), true }},
		"payins/{id}":       {"payin", d.payin},
		"wallets":           {"wallets", d.wallets},
		"webhooks":          {"webhooks", d.webhooks},
		"deliveries/{id}":   {"delivery", d.delivery},
		"faults":            {"faults", d.faults},
	}
}

type overview struct {
	Keys       mockapi.Keys
	Payin      mockapi.PayinKeys
	Wallets    []mockapi.Wallet
	Requests   []mockapi.Request
	Deliveries []mockapi.Delivery
}

func (d *Dashboard) overview(p *page) (any, bool) {
	m := d.Core.Merchant()
	o := overview{Keys: m.Sandbox, Payin: m.SandboxPayin, Wallets: d.Core.Wallets(p.Env)}
	if p.Env == "live" {
		o.Keys, o.Payin = m.Live, m.LivePayin
	}
	o.Requests = d.requestsOf(p.Env, 8)
	o.Deliveries = d.deliveriesOf(p.Env, 5, func(mockapi.Delivery) bool { return true })
	return o, true
}

// requestsOf are the last calls of an environment, newest first, with those whose key was not known.
func (d *Dashboard) requestsOf(env string, n int) []mockapi.Request {
	var shown []mockapi.Request
	for _, r := range slices.Backward(d.Core.Requests()) {
		if len(shown) == n {
			break
		}
		if r.Environment == env || r.Environment == "" {
			shown = append(shown, r)
		}
	}
	return shown
}

func (d *Dashboard) deliveriesOf(env string, n int, matches func(mockapi.Delivery) bool) []mockapi.Delivery {
	var shown []mockapi.Delivery
	for _, one := range slices.Backward(d.Core.Deliveries()) {
		if len(shown) == n {
			break
		}
		if one.Environment == env && matches(one) {
			shown = append(shown, one)
		}
	}
	return shown
}

func (d *Dashboard) requests(p *page) (any, bool) { return d.requestsOf(p.Env, listed), true }

type operationView struct {
	mockapi.Operation
	Transaction mockapi.Transaction
	Open        bool // it can still be completed or failed
	Events      []mockapi.Event
	Deliveries  []mockapi.Delivery
	EventTypes  []string
}

func (d *Dashboard) operation(p *page) (any, bool) {
	op, ok := d.Core.Operation(p.ID())
	if !ok || op.Environment != p.Env {
		return nil, false
	}
	v := operationView{Operation: op, Open: op.Status == "queued" || op.Status == "processing", EventTypes: eventTypes(op.Type)}
	v.Transaction, _ = d.Core.Transaction(op.Reference)
	v.Events, v.Deliveries = d.about(p.Env, op.ID)
	return v, true
}

// about are the events about an object, newest first, and their deliveries.
func (d *Dashboard) about(env, id string) (events []mockapi.Event, deliveries []mockapi.Delivery) {
	var ids []string
	for _, e := range slices.Backward(d.Core.Events()) {
		if slices.Contains(e.About[:], id) && len(events) < listed {
			events = append(events, e)
			ids = append(ids, e.Deliveries...)
		}
	}
	return events, d.deliveriesOf(env, listed, func(one mockapi.Delivery) bool { return slices.Contains(ids, one.ID) })
}

// eventTypes are the events that may be about a kind of object, those of its own kind first.
func eventTypes(kind string) []string {
	all := mockapi.EventTypes()
	slices.SortStableFunc(all, func(a, b string) int {
		own := func(e string) int {
			if strings.HasPrefix(e, kind+".") {
				return 0
			}
			return 1
		}
		return own(a) - own(b)
	})
	return all
}

type transactionView struct {
	mockapi.Transaction
	PageURL    string
	Ledger     []mockapi.Entry
	Events     []mockapi.Event
	Deliveries []mockapi.Delivery
	EventTypes []string
	Pending    bool
}

// historyView is what happened to an object.
type historyView struct {
	ID         string
	Events     []mockapi.Event
	Deliveries []mockapi.Delivery
	EventTypes []string
}

func (d *Dashboard) transaction(p *page) (any, bool) {
	tx, ok := d.Core.Transaction(p.ID())
	if !ok || tx.Environment != p.Env {
		return nil, false
	}
	kind := map[string]string{"CREDIT": "payment_request", "DEBIT": "payout", "REFUND": "refund"}[tx.Type]
	v := transactionView{Transaction: tx, EventTypes: eventTypes(kind), Pending: tx.Open || tx.Confirming}
	if tx.Type == "CREDIT" {
		v.PageURL = "/gateway/" + tx.Reference
	}
	for _, e := range d.Core.Ledger() {
		if e.Reference == tx.Reference {
			v.Ledger = append(v.Ledger, e)
		}
	}
	v.Events, v.Deliveries = d.about(p.Env, tx.Reference)
	return v, true
}

type payinView struct {
	mockapi.Payin
	Page       string
	Events     []mockapi.Event
	Deliveries []mockapi.Delivery
	EventTypes []string
}

func (d *Dashboard) payin(p *page) (any, bool) {
	one, err := d.Core.Payin(p.ID())
	if err != nil || one.Environment != p.Env {
		return nil, false
	}
	v := payinView{Payin: one, Page: strings.TrimPrefix(one.PaymentURL, d.Core.BaseURL()), EventTypes: eventTypes("payin")}
	v.Events, v.Deliveries = d.about(p.Env, one.ID)
	return v, true
}

type walletsView struct {
	Wallets []mockapi.Wallet
	Ledger  []mockapi.Entry // newest first
	Sum     int64
}

func (d *Dashboard) wallets(p *page) (any, bool) {
	v := walletsView{Wallets: d.Core.Wallets(p.Env)}
	entries := d.Core.Ledger()
	for _, e := range slices.Backward(entries) {
		v.Sum += e.Amount
		if len(v.Ledger) < 2*listed && strings.Contains(e.Account+":", ":"+p.Env+":") {
			v.Ledger = append(v.Ledger, e)
		}
	}
	return v, true
}

type webhooksView struct {
	Subscriptions []mockapi.Subscription
	Deliveries    []mockapi.Delivery
	EventTypes    []string
}

func (d *Dashboard) webhooks(p *page) (any, bool) {
	return webhooksView{
		Subscriptions: d.Core.Subscriptions(p.Env), EventTypes: append([]string{"*", "payout.*", "payment_request.*", "refund.*"}, mockapi.EventTypes()...),
		Deliveries: d.deliveriesOf(p.Env, listed, func(mockapi.Delivery) bool { return true }),
	}, true
}

type deliveryView struct {
	mockapi.Delivery
	Subscription mockapi.Subscription
}

func (d *Dashboard) delivery(p *page) (any, bool) {
	found := d.deliveriesOf(p.Env, 1, func(one mockapi.Delivery) bool { return one.ID == p.ID() })
	if len(found) == 0 {
		return nil, false
	}
	v := deliveryView{Delivery: found[0]}
	for _, sub := range d.Core.Subscriptions(p.Env) {
		if sub.ID == found[0].SubscriptionID {
			v.Subscription = sub
		}
	}
	return v, true
}

type faultsView struct {
	Presets []presetView
	Pending []mockapi.Fault
	Fired   []firedView
	Kinds   []mockapi.FaultKind
}

type presetView struct {
	Name, About string
	On          bool
}

type firedView struct {
	Kind mockapi.FaultKind
	N    int
}

func (d *Dashboard) faults(p *page) (any, bool) {
	v := faultsView{Pending: d.Core.PendingFaults(), Kinds: mockapi.FaultKinds()}
	on := d.Presets.Names()
	for _, one := range preset.All() {
		about := one.About
		if p.Lang == french {
			about = one.AboutFrench
		}
		v.Presets = append(v.Presets, presetView{one.Name, about, slices.Contains(on, one.Name)})
	}
	fired := d.Core.FiredFaults()
	for _, kind := range v.Kinds {
		if n := fired[kind]; n > 0 {
			v.Fired = append(v.Fired, firedView{kind, n})
		}
	}
	return v, true
}

// functions are what the templates use, in one language.
func functions(lang language) template.FuncMap {
	return template.FuncMap{
		"t":     func(key string) string { return text(lang, key) },
		"money": money,
		"class": func(status any) string { return statusClass(fmt.Sprint(status)) },
		"date":  func(at time.Time) string { return at.UTC().Format("2006-01-02 15:04:05") },
		"hour":  func(at time.Time) string { return at.UTC().Format("15:04:05") },
		"iso":   func(at time.Time) string { return at.UTC().Format(time.RFC3339Nano) },
		"ms":    func(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) + "\u00a0ms" },
		"json":  indented,
		"code":  codeClass,
		// list hands several values to a template that is part of others.
		"list": func(values ...any) []any { return values },
		// about is a transaction by the id that events are triggered with.
		"about": func(v transactionView) historyView {
			return historyView{v.Reference, v.Events, v.Deliveries, v.EventTypes}
		},
		"name": func(s any) string { return strings.ReplaceAll(fmt.Sprint(s), "_", " ") },
	}
}

// codeClass is the colour of an HTTP status.
func codeClass(status int) string {
	switch {
	case status >= 200 && status < 400:
		return "good"
	case status == 0 || status >= 400:
		return "bad"
	}
	return ""
}

// money groups the digits of an amount by three, with no-break spaces.
func money(units int64) string {
	sign := ""
	if units < 0 {
		sign, units = "\u2212", -units
	}
	digits := strconv.FormatInt(units, 10)
	var b strings.Builder
	for i, c := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b.WriteRune('\u00a0')
		}
		b.WriteRune(c)
	}
	return sign + b.String()
}

// indented is JSON to be read; what is no JSON stays as it is.
func indented(body []byte) string {
	var b bytes.Buffer
	if json.Indent(&b, body, "", "  ") != nil {
		return string(body)
	}
	return b.String()
}
