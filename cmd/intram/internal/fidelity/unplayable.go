package fidelity

import "slices"

// reason says why lines of a section have no probe. The words follow the line: "it …".
type reason struct {
	section, why string
	lines        []string
}

// wholeSections are played nowhere but in the fake.
var wholeSections = map[string]string{
	"Faults":                            "is of the fake alone: its faults are scripted",
	"Money and time":                    "is of the fake alone: its books and its clock",
	sectionNumbers:                      "is this SDK's own convention: only the published test numbers are paid",
	"Codes that the fake does not send": "is of the catalogue alone: no situation is known that calls for it",
}

const (
	whyReceiver = "needs a receiver that the sandbox can reach; see intram verify"
	whyLive     = "is of the live environment, where nothing is played"
	whyPaid     = "needs a payment that a customer makes"
	whyFails    = "needs a payout that fails, and only published test numbers are paid, which succeed"
	whySession  = "needs a payin session, and the provider's sandbox moves real money"
	whyFake     = "is of the fake alone"
	whyServer   = "needs a failure of the server"
)

var reasons = []reason{
	{sectionAccess, "needs a second merchant, or the live environment", []string{
		"Keys look like pk_sandbox_… and sk_live_…; the key decides the environment; ids of the other environment or another merchant get 404",
	}},
	{sectionAccess, whyLive, []string{
		"`merchant_inactive`: 403, live only: the sandbox is open to accounts that are not validated",
		"`ip_allowlist_empty`, `ip_not_allowed`: 403 in live, exact addresses and CIDR, IPv4 and IPv6, `client_ip` in the second, at its top level",
	}},
	{sectionAccess, "is set in the portal, not by the API", []string{
		"At most 20 entries; 0.0.0.0/0 is refused",
	}},
	{sectionIdempotency, whyServer, []string{
		"`idempotency_in_progress`: 409 while a request with the key is under way, by a scripted fault",
		"`internal_error`: 500, not stored, so that the same key can be sent again",
		"`auth_error`, `idempotency_error`: 500, by a scripted fault",
	}},
	{sectionIdempotency, "takes a day", []string{
		"Keys are kept for 24 hours",
	}},
	{sectionIdempotency, whyLive, []string{
		"Sandbox and live share no keys",
	}},
	{sectionPayloads, whyReceiver, []string{
		"Events have the fields of the published ones",
	}},
	{sectionPayouts, "needs a merchant without a wallet", []string{
		"A merchant without a wallet has no currency and an empty list; `merchant_wallet_missing` on its payouts",
	}},
	{sectionPayouts, whyFails, []string{
		"A refused payout is credited back; `payout.failed`",
		"`provider_unavailable`, `provider_error`: on the operation",
		"`provider_rejected`: on the operation, with the operator's code and words in details",
	}},
	{sectionPayouts, whyReceiver, []string{
		"`metadata` of a payout is in each of its events",
	}},
	{sectionPayouts, "needs a payout of more than the wallet holds, and only small amounts are sent", []string{
		"`insufficient_balance`: on the operation, nothing moves",
	}},
	{sectionPayouts, "needs a rate of fees, which the sandbox may not have", []string{
		"The fees of a payout come on top: `insufficient_balance` is judged on amount plus fees, and the wallet is debited with both",
	}},
	{sectionPayouts, "needs a bank account, and only published test numbers are paid", []string{
		"A bank payout ends as queued_for_settlement with `payout.queued`; the back office settles it later",
	}},
	{sectionPayments, whyReceiver, []string{
		"`webhook_data`: in every event of its payment request",
	}},
	{sectionPayments, "takes more than six minutes, or a day", []string{
		"A mobile-money payment that is not paid ends after 6 minutes, with `payment_request.failed`, and is no more payable",
		"It counts from the request, also when that names no method; one by card or bank ends after 24 hours; the error is `provider_rejected`",
	}},
	{sectionPayments, whyPaid, []string{
		"The page shows what is paid; Pay and Decline work without JavaScript; only its own forms are taken",
		"The page takes a number as its customer knows it, and refuses what is none of the operator's country",
		"The customer is charged amount plus fees, as the checkout page says, and the wallet is credited with net_amount, which is amount less fees",
		"What the customer confirmed in time is not ended by it",
		"A payment that was declined, or failed, cannot be paid again: no page says that it can",
		"`payment_request.failed`: the customer declined or the operator refused",
		"`payment_request.pending`: a card or bank payment waits for its provider",
	}},
	{sectionRefunds, whyPaid, []string{
		"A full refund: `refund.completed`, the transaction becomes REFUNDED, the wallet is debited",
		"Partial refunds add up; the transaction becomes REFUNDED when nothing is left",
		"A pending card payment is cancelled",
		"A mobile-money refund that waits for its operator ends its operation with the result `pending` and fires `refund.pending`; `refund.completed` or `refund.failed` follows",
		"`stripe_unavailable`: a card refund while the card provider is down",
	}},
	{sectionWebhooks, whyReceiver, []string{
		"The signature covers the bytes of the body: a receiver in Express that checks what `JSON.stringify` writes again refuses `1.0` and names that are numbers",
		"Signature and headers of a delivery",
		"The signature, against vectors made with openssl",
		"Only a 2xx within 15 s acknowledges",
		"Retries after 1 min, 5 min, 30 min, 2 h, then exhausted; the same delivery id, the next attempt",
		"One more retry after 12 h, as the changelog lists it and the table of headers does not; settable",
		"A retry has a fresh timestamp and signature",
		"Deleting a subscription does not cancel its deliveries",
	}},
	{sectionWebhooks, whyFake, []string{
		"An operation reaches a state once: of two events of one state and operation, the first takes effect; a later one with another `occurred_at` and other data is logged and counted",
		"`transfer.completed`, `transfer.failed`: of the earlier revision, sent by hand only",
	}},
	{sectionPayin, whySession, []string{
		"The docs' sample, in Express, verifies notifications and refuses a forged one",
		"`POST /v1/payin/sessions`: the same key gets the same response to the byte and creates nothing",
		"A reference is unique for a merchant in an environment; a second session with it gets `transaction_is_already_processed`: 409",
		"The first revision requires accountId; another's is `wallet_not_found`: 404",
		"Responses have the fields of the published ones, in both revisions",
		"chargedAmount is amount plus fee",
		"The page at paymentUrl confirms and declines without JavaScript",
		"A session expires after 6 minutes on the server's clock; no notification tells",
		"The test numbers, for payin; `client_not_enough_cash`, `client_not_found`, `transaction_error` as a session's failure",
		"A notification is the session, signed and undated: `payin.confirmed`, `payin.declined`",
		"The signature of a notification, against a vector made with openssl",
		"Notifications are retried on the schedule of webhooks",
		"An amount in XOF below 100 or above 2 000 000 is a 400 that says \"Invalid amount\"; customerName is optional (newer revision)",
		"\"Invalid amount\" has the code validation_error; the first revision has no limits, nor does Cameroon, whose own no page names",
		"Cameroon (`CM`) pays in XAF (newer revision)",
		"Payins in XAF have a wallet, a provider and fees of their own; the first revision knows no Cameroon",
		"The first revision's published request passes as it stands",
		"A session with a failure has the status failed (newer revision), and may be paid within 48 hours: the status becomes success, and a notification is sent",
		"The notification of a late payment is `payin.confirmed`, its failure is null again; a refused transaction may be paid late too; what was paid at once stays processed, with a completed transaction",
		"Countries are the eight of XOF and Cameroon, others are country_not_found; a number of another country is provider_not_found",
		"The fee is the configured one (2 %), on top; the wallet gets the amount",
		"Payins have a wallet of their own, which GET /balance and the lists do not show",
		"Payin test numbers act on confirmation: 00 paid, 01 transaction_error, 02 client_not_enough_cash, 03 declined, 04 client_not_found, 05 refused, 06 expires, 07 stuck, 08 and 09 paid and refused after 30 s, 10 silent, 11 twice, 12 out of order, 13 response lost (at creation), 14 no confirmation required, 15 failed and paid after 10 minutes",
		"A notification's body is what `JSON.stringify` writes, without escaped slashes, so that it verifies in the form of the docs' sample too",
		"A notification of a session without confirmation says processing and none",
		"payin.confirmed is sent once, when the customer confirms, paid or not; nothing tells that money which was under way has arrived",
		"Out of order, an older notification arrives last",
		"The page takes only its own forms",
		"Two requests with one key at once: one is executed, the other waits for its response",
	}},
	{sectionPayin, whyLive, []string{
		"Payins of sandbox and live share no keys",
		"Live knows no payin test numbers",
	}},
	{sectionPayin, whyFake, []string{
		"Payin calls meet the same scripted faults, in their own envelope",
		"Basic credentials are kept out of the journal",
	}},
}

// unplayable says why there is no probe of a line, and is empty for those that have one.
func unplayable(line Line) string {
	for _, r := range reasons {
		if r.section == line.Section && slices.Contains(r.lines, line.Behaviour) {
			return r.why
		}
	}
	if why := wholeSections[line.Section]; why != "" && line != successNumber && line != printedNumbers {
		return why
	}
	return ""
}
