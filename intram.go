// Package intram is the Go client of the Intram Merchant API, which pays out to, takes
// payments from and refunds customers in West Africa: mobile money in Benin first. It
// signs every request, sends no payment twice, waits for what takes time, and verifies
// Intram's webhooks.
//
// # By task
//
//   - Make a client: [NewClient], [NewClientFromEnv]; through a proxy or with
//     certificates of your own: [WithHTTPClient]
//   - Pay out to mobile money or a bank: [PayoutsService]; read a number that a person
//     typed: [ParseMSISDN]; an amount: [ParseTypedAmount]; the wallet: [BalanceService]
//   - Ask a customer for a payment: [PaymentRequestsService]; by a telephone number
//     alone: [PayinService]
//   - Give money back: [RefundsService]
//   - Learn how it ended: Wait of each service, [Client.WaitMany] for many,
//     [NewWebhookHandler] for events
//   - Understand an error: [OutcomeOf] first, then [ErrorCode]
//   - Survive a crash: [DeriveIdempotencyKey], [PayoutsService.Prepare],
//     [PayoutsService.Resume]
//   - Read lists, for a report or the books: [TransactionsService], [OperationsService]
//   - Receive events: [NewWebhookHandler], [EventRouter], [EventOrder]; find those that
//     never came: [Reconciler]; manage subscriptions: [WebhooksService]
//   - Call what this version does not know: [Client.Do], and Extra of each parameters
//   - Test: package intramtest
//
// The pages in docs reply to merchants' questions, by question:
// https://github.com/intram/intram-go/blob/main/docs/README.md.
//
// # A payout, from the start
//
// Make one client from the keys of your account, and share it. The keys decide between
// the sandbox and real money:
//
//	client, err := intram.NewClient("pk_sandbox_…", "sk_sandbox_…")
//
// Ask for a payout. Amounts are whole units of the currency: 25000 is 25 000 XOF.
//
//	op, err := client.Payouts.Create(ctx, intram.PayoutParams{
//		Amount:      intram.NewAmount(25000),
//		Currency:    intram.XOF,
//		Destination: intram.MobileMoney{ProviderCode: intram.MTNBenin, MSISDN: "2290161234567"},
//		Reference:   "PO-2026-0001",
//	})
//
// The response is an [Operation], accepted and queued. The money moves a little later.
// Wait for the end of it, or let a webhook tell:
//
//	result, err := client.Payouts.Wait(ctx, op.ID)
//
// [Client.WaitMany] waits for a whole batch. All waits of a client share their lookups,
// and [Client.Notify] wakes one at once.
//
// The same pattern serves [PaymentRequestsService], where the end of the operation is a
// checkout page for your customer, and [RefundsService]. [TransactionsService] and
// [OperationsService] look up what was done.
//
// # When a call fails
//
// Every method returns an [*Error] when a call was refused, got no response, or was not
// sent. One question comes before all others: may the money have moved? [OutcomeOf]
// tells.
//
//	switch intram.OutcomeOf(err) {
//	case intram.OutcomeNotSent: // nothing left this machine
//	case intram.OutcomeRejected: // refused in the API's own words: correct it, and call with a new key
//	case intram.OutcomeUnknown: // call again with the same key and the same parameters, or look it up; no new key
//	}
//
// For why, test for a code, wherever it came from: errors.Is(err,
// [CodeInsufficientBalance]) holds for a refused call and for a failed operation alike.
// An operation that ended badly is an [*OperationError]; a wait that ended before its
// operation did is a [*WaitError], and says nothing about the money.
//
// # Calling again without paying twice
//
// Each POST carries an idempotency key. The API executes a key once, and repeats the
// stored response for 24 hours. The SDK makes a key for each call and keeps it over its
// own retries, so a network that drops responses does not pay twice. A program that may
// crash keeps its own:
//
//	key, err := intram.DeriveIdempotencyKey("payout", "PO-2026-0001")
//	op, err := client.Payouts.Create(ctx, params, intram.WithIdempotencyKey(key))
//
// Run again after a crash, the same lines return the same operation.
// [PayoutsService.Prepare] makes a record to save before the call, and
// [PayoutsService.Resume] finishes it after an outage of any length: it sends while the
// API knows the key, and afterwards looks the payout up, or tells that it was never made.
//
// # Retries
//
// Network failures, 5xx, 429 and a key that is under way are tried again, up to four
// attempts in all, with random pauses, or after the Retry-After that the server asks for,
// up to 30 s. A budget keeps an outage from being amplified. Each attempt is dated and
// signed anew, and carries the same key and the same bytes. The context ends a call at
// once, pauses included.
//
// # Webhooks
//
// Subscribe once with [WebhooksService.Create], and store the secret it returns. Mount a
// handler that calls your function once for each event, and acknowledges only when it has
// succeeded:
//
//	verifier, err := intram.NewWebhookVerifier(secret)
//	http.Handle("/intram/webhook", intram.NewWebhookHandler(verifier, inbox, handle))
//
// The [Inbox] remembers what took effect: [MemoryInbox] in a test, the module
// inbox/sqlinbox in a file or a database, inbox/pginbox and inbox/redisinbox. Events may
// come twice and out of order; [EventRouter] sorts them by type, [EventOrder] never goes
// backwards, and [Reconciler] finds those that never came.
//
// # Payin sessions
//
// A second API, with credentials of its own, takes a payment from a wallet that the
// customer confirms through a link: see [WithPayin], [PayinService] and
// [VerifyPayinNotification].
//
// # Testing your own code
//
// Package intramtest starts a whole merchant API in memory, one for each test, with
// wallets, a clock that you move, a checkout page, and signed deliveries:
//
//	server := intramtest.NewServer(t)
//	client := server.Client()
//
// # Names, units and time
//
// An [Amount] is an exact decimal, never a float. Statuses, event types and codes are
// strings with constants: one that the SDK does not know arrives as it is. What the API
// sent is kept in Raw fields. Times are UTC. Values that hold a key, a phone number or a
// name print without it.
package intram

// Version is the SDK's own, as the User-Agent shows it.
const Version = "0.1.0"

// Where the API is. Both speak for the sandbox and for live accounts: the key decides
// which (Merchant API docs, Environments).
const (
	// BaseURL is the documented address, and the default.
	BaseURL = "https://api.intram.org/v1"
	// BaseURLDirect is behind the proxy that BaseURL goes through. Some accounts get a
	// 404 from BaseURL, and a response here.
	BaseURLDirect = "https://api.intram.org/api/v1/merchant"
)
