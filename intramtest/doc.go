// Package intramtest is the Intram Merchant API in memory, for the tests of code that
// uses package intram. It is not canned responses: it checks signatures, keeps
// idempotency keys, moves money through a ledger, works operations off, shows a checkout
// page and sends signed webhooks.
//
//	func TestPayout(t *testing.T) {
//		server := intramtest.NewServer(t)
//		client := server.Client()
//		op, err := client.Payouts.Create(ctx, intram.PayoutParams{ … })
//		…
//		result, err := client.Payouts.Wait(ctx, op.ID)
//	}
//
// Each server is on its own: nothing is shared, so tests run in parallel. It closes with
// its test, and when the test fails it prints the seed its keys and ids came from
// ([WithSeed] brings them back).
//
// # Time
//
// The clock of a test's server stands still. [Server.Advance] moves it, running in time
// order whatever comes due: operations, webhook retries, late payments. A client made by
// [Server.Client] waits through the same clock, and its waiting moves it, so that a test
// of a wait of ten minutes takes none. [WithRunningClock] makes it an ordinary clock.
//
// # Outcomes
//
// In the sandbox, the last six digits of a phone number choose what happens:
//
//	000000 success                          000007 stuck in processing, no event
//	000001 provider_error                   000008 success after 30 s
//	000002 insufficient_balance             000009 failure after 30 s
//	000003 declined by the payer            000010 success, the event is never sent
//	000004 no such account                  000011 success, the event is delivered twice
//	000005 limit reached                    000012 success, events out of order
//	000006 expires unanswered after 6 min   000013 executed, and the response is lost
//	000014 success, its refund waits 30 s   000015 success, its refund fails after 30 s
//
// Any other number succeeds. A mobile-money payment that is not paid fails after 6
// minutes of the server's clock ([WithPaymentExpiry]), and cannot be paid any more. What
// a network can do wrong is scripted with [Server.Fault], or drawn from a seed with
// [Server.SeededFaults]. [Server.Complete], [Server.Fail], [Server.Pay] and
// [Server.Decline] settle one thing by hand.
//
// # Webhooks
//
// [Server.Receive] gives a handler of yours a URL to subscribe with; deliveries to it
// need no network. Wait for one thing by its identity, never by counting or sleeping:
// [Server.AwaitOperation], [Server.AwaitTransaction], [Server.AwaitEvent],
// [Server.AwaitDelivery].
//
// # Payin sessions
//
// A client of [Server.Client] takes payin sessions too, and [Server.PayinClient] takes
// nothing else. The customer confirms or declines on the session's PaymentURL, or through
// [Server.ConfirmPayin] and [Server.DeclinePayin]; a session stays open until the clock
// or [Server.ExpirePayin] ends it. What the numbers above then stand for, and two more:
//
//	000000 paid                             000008 paid after 30 s
//	000001 failed, transaction_error        000009 refused after 30 s
//	000002 failed, client_not_enough_cash   000010 paid, the notification is never sent
//	000003 declined at the operator's       000011 paid, the notification is delivered twice
//	000004 failed, client_not_found         000012 paid, an older notification arrives last
//	000005 refused                          000013 created, and the response is lost
//	000006 expires unanswered               000014 paid without any confirmation
//	000007 stuck in processing              000015 failed, and paid 10 minutes later
//
// [Server.SetPayinWebhook] sets where notifications go, as the portal does.
//
// # synctest
//
// With [WithoutListener] a server has no socket, and it, its client and its receivers
// work inside [testing/synctest]. Start it inside the bubble.
package intramtest
