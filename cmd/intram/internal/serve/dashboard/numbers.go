package dashboard

// testNumber is a number whose end chooses what happens, in the sandbox.
type testNumber struct {
	end    string // the last two digits
	status string // what a payout to it ends as
	code   string // and its error code
	does   phrase
}

// testNumbers are the numbers of docs/fidelity.md. A test compares them with what the
// fake does.
var testNumbers = []testNumber{
	{end: "00", status: "succeeded", does: phrase{"succeeds", "réussit"}},
	{end: "01", status: "failed", code: "provider_error", does: phrase{"fails: the operator returns an error", "échoue : l'opérateur répond par une erreur"}},
	{end: "02", status: "failed", code: "insufficient_balance", does: phrase{"fails: too little money", "échoue : pas assez d'argent"}},
	{end: "03", status: "failed", code: "provider_rejected", does: phrase{"is declined by the customer", "est refusé par le client"}},
	{end: "04", status: "failed", code: "provider_rejected", does: phrase{"fails: the operator does not know the number", "échoue : l'opérateur ne connaît pas le numéro"}},
	{end: "05", status: "failed", code: "provider_rejected", does: phrase{"fails: a limit is reached", "échoue : un plafond est atteint"}},
	{end: "06", status: "expired", code: "provider_unavailable", does: phrase{"expires after 6 minutes: no response", "expire après 6 minutes : sans réponse"}},
	{end: "07", status: "processing", does: phrase{"never ends", "ne se termine jamais"}},
	{end: "08", status: "succeeded", does: phrase{"succeeds after 30 seconds", "réussit après 30 secondes"}},
	{end: "09", status: "failed", code: "provider_error", does: phrase{"fails after 30 seconds", "échoue après 30 secondes"}},
	{end: "10", status: "succeeded", does: phrase{"succeeds, and its event is never sent", "réussit, et son évènement n'est jamais envoyé"}},
	{end: "11", status: "succeeded", does: phrase{"succeeds, and its event arrives twice", "réussit, et son évènement arrive deux fois"}},
	{end: "12", status: "succeeded", does: phrase{"succeeds, and its events come out of order", "réussit, et ses évènements arrivent dans le désordre"}},
	{end: "13", status: "succeeded", does: phrase{"succeeds, and the response is lost", "réussit, et la réponse se perd"}},
	{end: "14", status: "succeeded", does: phrase{"succeeds; a refund of its payment waits 30 seconds", "réussit ; un remboursement attend 30 secondes"}},
	{end: "15", status: "succeeded", does: phrase{"succeeds; a refund of its payment waits 30 seconds and fails", "réussit ; un remboursement attend 30 secondes et échoue"}},
}

// numberView is a test number as the pages show it.
type numberView struct{ Number, Does string }

// beginOfTestNumbers is put before the end, for a whole number of Benin. Any number of
// any country with 0000 before its end will do.
const beginOfTestNumbers = "2290161000"

// Numbers are the test numbers in the page's language, none where they mean nothing.
func (p *page) Numbers() []numberView {
	if p.Env != "sandbox" {
		return nil
	}
	views := make([]numberView, len(testNumbers))
	for i, n := range testNumbers {
		views[i] = numberView{beginOfTestNumbers + "0" + n.end, n.does.in(p.Lang)}
	}
	return views
}
