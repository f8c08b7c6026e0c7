package mockapi

import (
	"strings"
	"time"
)

// payinScript is what a test number makes of a session once the customer confirms.
type payinScript struct {
	failure    string        // the session fails with this code, and no money moves
	declines   bool          // the customer declines at the operator's prompt
	refused    bool          // the transaction is made, and fails
	delay      time.Duration // how long the operator takes
	unanswered bool          // the customer ignores the operator's prompt: the session expires
	stuck      bool          // it never ends
	silent     bool          // its notification is never sent
	twice      bool          // its notification is delivered twice
	reordered  bool          // an older notification arrives last
	lost       bool          // the session is created, and the response is lost
	direct     bool          // no confirmation is required
	late       time.Duration // so long after it failed, it is paid after all
}

// payinScripts is the table of fake.md read for payins, by the number's last two digits;
// 14 and 15 are of payins alone.
var payinScripts = [...]payinScript{
	0:  {},
	1:  {failure: "transaction_error"},
	2:  {failure: "client_not_enough_cash"},
	3:  {declines: true},
	4:  {failure: "client_not_found"},
	5:  {refused: true},
	6:  {unanswered: true},
	7:  {stuck: true},
	8:  {delay: lateAnswer},
	9:  {delay: lateAnswer, refused: true},
	10: {silent: true},
	11: {twice: true},
	12: {reordered: true},
	13: {lost: true},
	14: {direct: true},
	15: {failure: "transaction_error", late: latePayment},
}

// payinScriptOf finds the outcome a number stands for. Only the sandbox knows test
// numbers.
func payinScriptOf(environment, number string) payinScript {
	n := len(number)
	if environment != sandbox || n < 6 || !strings.HasPrefix(number[n-6:], "0000") || !isDigits(number[n-2:]) {
		return payinScript{}
	}
	code := int(number[n-2]-'0')*10 + int(number[n-1]-'0')
	if code >= len(payinScripts) {
		return payinScript{}
	}
	return payinScripts[code]
}

// latePayment is how long after its failure the payin of number 15 is paid.
const latePayment = 10 * time.Minute

// The currencies of payins. Neither has decimals.
const (
	xof = "XOF"
	xaf = "XAF"
)

// cameroon pays in XAF. The newer pages alone have it.
const cameroon = "CM"

// payinCountries are the countries with their calling codes: the eight of the West
// African monetary union, which pay in XOF, and Cameroon. A number is routed by them.
var payinCountries = map[string]string{
	"BF": "226", "BJ": "229", "CI": "225", "GW": "245", "ML": "223", "NE": "227", "SN": "221", "TG": "228", cameroon: "237",
}

// The limits of an amount in XOF. Cameroon has its own, which no page names.
const (
	minPayin = 100
	maxPayin = 2_000_000
)
