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

// listed is how many events and deliveries the page of one object shows.
const listed = 100

// views are the pages of an environment, by the pattern of their address.
func (d *Dashboard) views() map[string]view {
	return map[string]view{
		"{$}":               {"overview", d.overview},
		"requests":          {"requests", d.requests},
		"requests/{id}":     {"request", d.request},
		"search":            {"search", d.search},
		"numbers":           {"numbers", func(*page) (any, bool) { return nil, true }},
		"operations":        {"operations", func(p *page) (any, bool) { return listOf(p, d.operationRows(p.Env), operationRow.item), true }},
		"operations/{id}":   {"operation", d.operation},
		"transactions":      {"transactions", func(p *page) (any, bool) { return listOf(p, d.transactionRows(p.Env), transactionRow.item), true }},
		"transactions/{id}": {"transaction", d.transaction},
		"payins":            {"payins", func(p *page) (any, bool) { return listOf(p, d.payins(p.Env), payinItem), true }},
		"payins/{id}":       {"payin", d.payin},
		"wallets":           {"wallets", d.wallets},
		"webhooks":          {"webhooks", d.webhooks},
		"deliveries/{id}":   {"delivery", d.delivery},
		"faults":            {"faults", d.faults},
	}
}

// requestsView is the list of calls, with repeated polls folded or not.
type requestsView struct {
	list[requestRow]
	Polls     bool // each of them is a row
	Forgotten int  // how many are remembered, when older ones are forgotten; else 0
}

func (d *Dashboard) requests(p *page) (any, bool) {
	polls := p.request.URL.Query().Get("polls") != ""
	v := requestsView{list: listOf(p, d.requestRows(p.Env, !polls), requestRow.item), Polls: polls}
	if size := d.Core.JournalSize(); len(d.Core.Requests()) == size {
		v.Forgotten = size
	}
	return v, true
}

type operationView struct {
	operationRow
	Open       bool   // it can still be completed or failed
	Advice     advice // on a failure
	PageURL    string // of the customer, while the payment is open
	Events     []mockapi.Event
	Deliveries []deliveryRow
	EventTypes []string
}

func (d *Dashboard) operation(p *page) (any, bool) {
	op, ok := d.Core.Operation(p.ID())
	if !ok || op.Environment != p.Env {
		return nil, false
	}
	v := operationView{operationRow: d.operationRow(op), EventTypes: eventTypes(op.Type)}
	v.Open, v.Advice = !v.Ended(), adviceOnRow(p.Lang, v.operationRow)
	if tx, ok := d.Core.Transaction(op.Reference); ok && tx.Open {
		v.PageURL = "/gateway/" + tx.Reference
	}
	v.Events, v.Deliveries = d.about(p.Env, op.ID)
	return v, true
}

// about are the events about an object, newest first, and their deliveries.
func (d *Dashboard) about(env, id string) (events []mockapi.Event, deliveries []deliveryRow) {
	var ids []string
	for _, e := range slices.Backward(d.Core.Events()) {
		if slices.Contains(e.About[:], id) && len(events) < listed {
			events = append(events, e)
			ids = append(ids, e.Deliveries...)
		}
	}
	for _, one := range slices.Backward(d.Core.Deliveries()) {
		if one.Environment == env && slices.Contains(ids, one.ID) && len(deliveries) < listed {
			deliveries = append(deliveries, d.deliveryRow(one))
		}
	}
	return events, deliveries
}

// eventTypes are the events that may be about a kind of object, those of its own kind
// first.
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
	transactionRow
	PageURL    string
	Ledger     []entryRow
	Events     []mockapi.Event
	Deliveries []deliveryRow
	EventTypes []string
	Pending    bool
}

// historyView is what happened to an object.
type historyView struct {
	ID         string
	Events     []mockapi.Event
	Deliveries []deliveryRow
	EventTypes []string
}

func (d *Dashboard) transaction(p *page) (any, bool) {
	tx, ok := d.Core.Transaction(p.ID())
	if !ok || tx.Environment != p.Env {
		return nil, false
	}
	kind := map[string]string{"CREDIT": "payment_request", "DEBIT": "payout", "REFUND": "refund"}[tx.Type]
	v := transactionView{transactionRow: d.transactionRow(tx), EventTypes: eventTypes(kind), Pending: tx.Open || tx.Confirming}
	if tx.Type == "CREDIT" {
		v.PageURL = "/gateway/" + tx.Reference
	}
	for _, e := range d.Core.Ledger() {
		if e.Reference == tx.Reference {
			v.Ledger = append(v.Ledger, d.entryRow(e))
		}
	}
	v.Events, v.Deliveries = d.about(p.Env, tx.Reference)
	return v, true
}

type payinView struct {
	mockapi.Payin
	Advice     advice // on a failure
	Page       string
	Events     []mockapi.Event
	Deliveries []deliveryRow
	EventTypes []string
}

func (d *Dashboard) payin(p *page) (any, bool) {
	one, err := d.Core.Payin(p.ID())
	if err != nil || one.Environment != p.Env {
		return nil, false
	}
	v := payinView{Payin: one, Advice: adviceOn(p.Lang, one.Failure), Page: strings.TrimPrefix(one.PaymentURL, d.Core.BaseURL()), EventTypes: eventTypes("payin")}
	v.Events, v.Deliveries = d.about(p.Env, one.ID)
	return v, true
}

type walletsView struct {
	list[entryRow]
	Wallets []mockapi.Wallet
	Sum     int64
}

// entryRow is a side of a posting with the merchant's own reference of what it is about.
type entryRow struct {
	mockapi.Entry
	Own, Currency string
}

func (d *Dashboard) wallets(p *page) (any, bool) {
	v := walletsView{Wallets: d.Core.Wallets(p.Env)}
	var rows []entryRow
	for _, e := range slices.Backward(d.Core.Ledger()) {
		v.Sum += e.Amount
		if strings.Contains(e.Account+":", ":"+p.Env+":") {
			rows = append(rows, d.entryRow(e))
		}
	}
	v.list = listOf(p, rows, func(r entryRow) item {
		return item{at: r.Time, amount: r.Amount, words: []string{r.Own, r.Reference, r.OperationID, r.Memo}}
	})
	return v, true
}

func (d *Dashboard) entryRow(e mockapi.Entry) entryRow {
	s, _ := d.subjectOf(e.OperationID)
	return entryRow{e, s.Own, currencyOf(e.Account)}
}

type webhooksView struct {
	list[deliveryRow]
	Subscriptions []mockapi.Subscription
	EventTypes    []string
}

func (d *Dashboard) webhooks(p *page) (any, bool) {
	return webhooksView{
		list: listOf(p, d.deliveryRows(p.Env), deliveryRow.item), Subscriptions: d.Core.Subscriptions(p.Env),
		EventTypes: append([]string{"*", "payout.*", "payment_request.*", "refund.*"}, mockapi.EventTypes()...),
	}, true
}

type deliveryView struct {
	deliveryRow
	Subscription mockapi.Subscription
}

func (d *Dashboard) delivery(p *page) (any, bool) {
	for _, one := range d.Core.Deliveries() {
		if one.ID != p.ID() || one.Environment != p.Env {
			continue
		}
		v := deliveryView{deliveryRow: d.deliveryRow(one)}
		for _, sub := range d.Core.Subscriptions(p.Env) {
			if sub.ID == one.SubscriptionID {
				v.Subscription = sub
			}
		}
		return v, true
	}
	return nil, false
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
		"count": func(key string, n int) string { return counted(lang, key, n) },
		"money": money,
		"coin":  func(currency string) string { return coin(lang, currency) },
		"cash": func(units int64, currency ...string) string {
			return money(units) + "\u00a0" + coin(lang, strings.Join(currency, ""))
		},
		"quoted": func(s string) string {
			if lang == french {
				return "«\u00a0" + s + "\u00a0»"
			}
			return "“" + s + "”"
		},
		"masked": end,
		"why":    func(r operationRow) string { return adviceOnRow(lang, r).Why },
		"words":  func(account string) string { return inWords(lang, account) },
		"memo":   func(s string) string { return memo(lang, s) },
		"class":  func(status any) string { return statusClass(fmt.Sprint(status)) },
		"when":   func(at time.Time) template.HTML { return when(lang, at, false) },
		"date":   func(at time.Time) template.HTML { return when(lang, at, true) },
		"span":   span,
		"iso":    func(at time.Time) string { return at.UTC().Format(time.RFC3339Nano) },
		"ms":     func(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) + "\u00a0ms" },
		"json":   indented,
		"code":   codeClass,
		// list hands several values to a template that is part of others.
		"list": func(values ...any) []any { return values },
		// about is a transaction by the id that events are triggered with.
		"about": func(v transactionView) historyView {
			return historyView{v.Reference, v.Events, v.Deliveries, v.EventTypes}
		},
		"name": func(s any) string { return strings.ReplaceAll(fmt.Sprint(s), "_", " ") },
	}
}

// coin is what a currency is called where it is spent: the two CFA francs are both FCFA
// in French. The API's own is XOF.
func coin(lang language, currency string) string {
	if currency == "XAF" && lang == english {
		return currency
	}
	return text(lang, "xof")
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
