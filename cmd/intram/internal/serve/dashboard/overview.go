package dashboard

import (
	"strconv"
	"time"

	"github.com/intram/intram-go/internal/mockapi"
)

const (
	// recent is how far back the overview looks for what needs attention, on the server's
	// clock.
	recent = 24 * time.Hour
	// The overview shows this many operations, calls, and lines of each concern.
	overviewOperations = 8
	overviewRequests   = 6
	overviewLines      = 3
)

type overview struct {
	Keys       mockapi.Keys
	Payin      mockapi.PayinKeys
	Wallets    []mockapi.Wallet
	Concerns   []concern
	Operations []operationRow
	Requests   []requestRow
	Empty      bool // nothing was ever asked for
}

// concern is something that needs attention: how much of it, the newest of it, and where
// the rest is.
type concern struct {
	Key   string // of its text
	Class string // of its colour
	Count int
	Link  string
	Lines []concernLine
}

type concernLine struct {
	At        time.Time
	Link      string
	What, Why string
	Own       string
	Amount    int64
	Currency  string
}

func (c *concern) add(line concernLine) {
	if c.Count++; len(c.Lines) < overviewLines {
		c.Lines = append(c.Lines, line)
	}
}

func (d *Dashboard) overview(p *page) (any, bool) {
	m := d.Core.Merchant()
	o := overview{Keys: m.Sandbox, Payin: m.SandboxPayin, Wallets: d.Core.Wallets(p.Env)}
	if p.Env == "live" {
		o.Keys, o.Payin = m.Live, m.LivePayin
	}
	operations, requests := d.operationRows(p.Env), d.requestRows(p.Env, true)
	o.Empty = len(operations) == 0 && len(d.Core.Payins(p.Env, 1)) == 0
	o.Concerns = d.concerns(p, operations, requests)
	o.Operations = operations[:min(len(operations), overviewOperations)]
	o.Requests = requests[:min(len(requests), overviewRequests)]
	return o, true
}

// concerns are what needs attention, the worst first.
func (d *Dashboard) concerns(p *page, operations []operationRow, requests []requestRow) []concern {
	base, since := Path+p.Env, p.Now.Add(-recent)
	from := "&from=" + since.UTC().Format(inputTime)
	failed := concern{Key: "failed_operations", Class: "bad", Link: base + "/operations?status=failed"}
	expired := concern{Key: "expired_operations", Class: "bad", Link: base + "/operations?status=expired"}
	refused := concern{Key: "refused_calls", Class: "bad", Link: base + "/requests?status=refused" + from}
	waiting := concern{Key: "waiting_deliveries", Class: "wait", Link: base + "/webhooks?status=pending"}
	lost := concern{Key: "lost_deliveries", Class: "bad", Link: base + "/webhooks?status=exhausted" + from}
	settling := concern{Key: "settling_payouts", Class: "wait", Link: base + "/operations?status=queued_for_settlement"}
	for _, op := range operations {
		line := concernLine{
			At: op.Created, Link: base + "/operations/" + op.ID, What: end(op.Number), Why: adviceOnRow(p.Lang, op).Why, Own: op.Own, Amount: op.Amount,
		}
		switch {
		case op.AwaitsSettlement:
			settling.add(line)
		case op.Updated.Before(since):
		case op.Status == "failed", op.Returned():
			failed.add(line)
		case op.Status == "expired":
			expired.add(line)
		}
	}
	for _, r := range requests {
		if r.refused() && !r.Time.Before(since) {
			refused.add(concernLine{
				At: r.Time, Link: base + "/requests/" + r.ID, What: r.Method + " " + r.Path, Why: or(r.Code, strconv.Itoa(r.Status)), Own: r.Own, Amount: r.Amount, Currency: r.Currency,
			})
		}
	}
	for _, r := range d.deliveryRows(p.Env) {
		line := concernLine{Link: base + "/deliveries/" + r.ID, What: r.Event, Own: r.Own, Amount: r.Amount, Currency: r.Currency}
		i := r.item()
		line.At, line.Why = i.at, i.code
		switch {
		case r.Status == mockapi.DeliveryPending && len(r.Attempts) > 0:
			waiting.add(line)
		case r.Status == mockapi.DeliveryExhausted && !i.at.Before(since):
			lost.add(line)
		}
	}
	var all []concern
	for _, c := range []concern{failed, expired, refused, lost, waiting, settling} {
		if c.Count > 0 {
			all = append(all, c)
		}
	}
	return all
}

// refused reports whether the API turned the call down, and no fault did.
func (r requestRow) refused() bool { return r.Status >= 400 && r.Status < 500 && r.Fault == "" }
