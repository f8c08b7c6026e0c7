package mockapi

import (
	"strings"
	"time"
)

const (
	// lateAnswer is how long outcomes 08 and 09 take, and how long a card or bank payment
	// stays pending.
	lateAnswer = 30 * time.Second
	// unanswered is the longest a customer's confirmation takes (intram.md section 7):
	// then outcome 06 ends.
	unanswered = 6 * time.Minute
)

// script is what a test number makes happen (fake.md, "Test numbers").
type script struct {
	fails     *operationFailure // what the provider returns instead of success
	before    bool              // it fails before any money moves
	delay     time.Duration     // how long the provider takes
	expires   bool              // the payer does not respond, and it ends after 6 minutes
	stuck     bool              // it never ends
	silent    bool              // its event is never sent
	twice     bool              // its event is delivered twice
	reordered bool              // its events come out of order
	lost      bool              // it is executed, and the response is lost
	pends     bool              // its refund waits for the operator, and is completed later
	refused   bool              // a refund that waits is refused in the end
}

// scripts is the table, by the number's last two digits.
var scripts = [...]script{
	0:  {},
	1:  {fails: failureOf("provider_error")},
	2:  {fails: failureOf("insufficient_balance"), before: true},
	3:  {fails: rejection("101", "Declined by the payer")},
	4:  {fails: rejection("102", "Subscriber not found")},
	5:  {fails: rejection("103", "Limit reached")},
	6:  {fails: failureOf("provider_unavailable"), delay: unanswered, expires: true},
	7:  {stuck: true},
	8:  {delay: lateAnswer},
	9:  {fails: failureOf("provider_error"), delay: lateAnswer},
	10: {silent: true},
	11: {twice: true},
	12: {reordered: true},
	13: {lost: true},
	14: {pends: true},
	15: {pends: true, refused: true},
}

// isPublishedTestNumber reports whether a number is one that the docs print for tests of
// an operator in the sandbox. They print them without a country code, and so they are
// taken, although a number is international anywhere else.
func isPublishedTestNumber(environment, number, operator string) bool {
	return environment == sandbox && (number == "61000000" && operator == mtnBenin || number == "94000000" && operator == moovBenin)
}

// scriptOf finds the outcome a number stands for. Only the sandbox knows test numbers; a
// number that is not one succeeds.
func scriptOf(environment, number string) script {
	n := len(number)
	if environment != sandbox || n < 6 || !strings.HasPrefix(number[n-6:], "0000") || !isDigits(number[n-2:]) {
		return script{}
	}
	code := int(number[n-2]-'0')*10 + int(number[n-1]-'0')
	if code >= len(scripts) {
		return script{}
	}
	return scripts[code]
}
