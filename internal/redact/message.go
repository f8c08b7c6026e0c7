package redact

import (
	"regexp"
	"strings"
	"sync"
	"unicode"
)

// Message makes what a server says fit for an error or a log. Beyond what [Text] does, it leaves out every word that
// is not one of those which the API's messages are made of: a message may repeat what a customer typed, and a name looks like
// any other word. "Subscriber Ada Lovelace not found" becomes "Subscriber … not found".
func Message(s string) string {
	words := vocabulary()
	var out []string
	for word := range strings.FieldsSeq(Text(s)) {
		if !known(words, word) {
			word = "…"
			if len(out) > 0 && out[len(out)-1] == "…" {
				continue
			}
		}
		out = append(out, word)
	}
	return strings.Join(out, " ")
}

// word is what codes, statuses and types look like, in lower or in upper case.
var word = regexp.MustCompile(`^(?:[a-z][a-z0-9_.*]{0,63}|[A-Z][A-Z0-9_]{0,63}|\*)$`)

// Word makes a code, a status or a type fit for an error or a log: what does not look like one is left out.
func Word(s string) string {
	if s != "" && !word.MatchString(s) {
		return "…"
	}
	return Text(s)
}

// quoted is a part of an error that repeats what came in: a malformed header, a word of JSON.
var quoted = regexp.MustCompile(`"(?:[^"\\]|\\.)*"?`)

// Cause makes the text of a network or decoding error fit for an error or a log. Such errors are this machine's own words, except
// for what they quote.
func Cause(s string) string { return Text(quoted.ReplaceAllString(s, `"…"`)) }

// number of digits that no person is found by: an amount, a limit, a status.
var harmlessNumber = regexp.MustCompile(`^[+-]?\d{1,6}(?:[.,]\d{1,3})*%?$`)

// known reports whether all parts of a word are in the vocabulary, or are harmless by their shape.
func known(words map[string]bool, word string) bool {
	core := strings.TrimFunc(word, func(r rune) bool { return unicode.IsPunct(r) && r != '•' || unicode.IsSymbol(r) })
	switch {
	case strings.Contains(word, "•"), strings.Contains(word, "[e-mail]"):
		return allPartsKnown(words, strings.Trim(strings.ReplaceAll(core, "e-mail", ""), "•0123456789"))
	case harmlessNumber.MatchString(core):
		return true
	}
	return allPartsKnown(words, core)
}

func allPartsKnown(words map[string]bool, core string) bool {
	core = strings.ToLower(core)
	if words[core] {
		return true
	}
	for part := range strings.FieldsFuncSeq(core, func(r rune) bool { return strings.ContainsRune(`-_./:=,;'’()[]{}<>*`, r) }) {
		if !words[part] && !harmlessNumber.MatchString(part) {
			return false
		}
	}
	return true
}

// vocabulary is every word that the docs' messages, field names and codes are made of, and the plain words around them. Words
// that are also people's names are not in it.
var vocabulary = sync.OnceValue(func() map[string]bool {
	words := make(map[string]bool)
	for word := range strings.FieldsSeq(vocabularyText) {
		words[word] = true
	}
	return words
})

const vocabularyText = `
a about above absent accept accepted access account accounts across action active activated additional address addresses after again against agent ago
alive all allow allowed allowlist alpha alphanumeric already also alternative amount amounts an and another answer any anymore api app application are array as at attempt
attempts auth authentication authorization authorized available back bad balance bank base be because been before being below benin between beyond
bic bj blocked body boolean both busy but by call called caller calls can cancel canceled cancelled cannot capital capitals card cents change changed
channel character characters charge charged check checked checks checkout clock closed code codes come comes completed configuration configured
confirmation confirmed conflict connect connection contain contains content conversion correct could count country create created creating credentials
credit credited currencies currency currently customer customers daily data database date dates days debit debited declined default deleted
delivery denied destination destinations details did different digit digits directly disabled does doesn done down duplicate during each either
email empty enabled encoding end ended endpoint enough entity entry env environment equal error errors event events exact exceed exceeded exceeds
execute executed exist existing exists expected expire expired expires expiry external fail failed failing failure false family feature fee fees field fields
first fixed for forbidden format found from full funds future gateway get given go greater group had has have header headers hex hexadecimal higher
host hour hours how however http https iban id identifier identifiers idempotency identity if immediately in inactive incoming incomplete
incorrect initiated input instead insufficient integer internal international into invalid invoice ip is iso issue it item items its json key keys kyc
kind known large larger last later least length less letter letters level limit limits line link list live local locked long longer lower lowercase
made maintenance malformed mandatory match matches max maximum may merchant merchants message metadata method methods min minimum minute minutes mismatch
missing mobile mode money month monthly more moment most msisdn mtn moov sbin must name names need needed negative network new next no none not note nothing null number numbers
object of off offset on once one only operation operations operator operators or order other our out outside over own page parameter parameters parse partial
path pattern pay payee payer payin paying payload payment payments payout payouts pending per period permission permissions permitted phone pin please positive
possible prefix present previous private problem process processed processing processor product prohibited provide provided provider providers public put queue
queued quota range rate reached read reason receive received receiver recipient record reference references refund refundable refunded refunds refused register
registered reject rejected remaining remote repeated replay replayed request requested requests require required requires reserved reset resource response
result retries retry return returned reuse reused rule same sandbox schema second seconds secret security see send sender sent server service session set settled settlement
shop short should shown signature signed since size small smaller some source specified start started state status step still stop stored string stripe subscriber
subscribers subscription subscriptions succeeded success successful successfully such suffix sufficient supplied support supported suspended swift system
temporarily temporary terminated test than that the their them then there these they this throttled through time timed timeout timestamp timestamps times to today token tokens too
total transaction transactions transfer true try trying twice two type types unable unauthorised unauthorized unavailable under unexpected uninvoiced units unit unknown
unprocessable unregistered unsupported until up upper uppercase url urls usage use used user users uses utc uuid valid validate validation value values verification verify
version via wait waiting wallet wallets want was we webhook webhooks were when where whether which while whole whose with within without word words write written wrong xof x
year years yet you your zero zone
alpha-2 e-mail e.164 3166 4217 8601 sha256 hmac iana ipv4 ipv6 cidr 2xx 4xx 5xx ttl utf-8 png qr otp
accountid customername successurl failureurl gateway_url payment_url receipt_url webhook_data client_ip responsecode responsemsg serviceref surname
many case window html text plain xml octet stream kind's api's isn't doesn't can't couldn't wasn't don't t s
`
