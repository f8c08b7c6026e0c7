package signature

import (
	"encoding/hex"
	"net/http"
	"strings"
	"time"

	"github.com/intram/intram-go/internal/deliverytime"
)

// ExplainWebhook finds out whether a delivery's signature is good, and if not, why. The
// first key is the subscription's secret.
func ExplainWebhook(header http.Header, body []byte, keys []Key, at time.Time) *Verdict {
	if _, n := only(header, "X-Signature-Value"); n > 0 {
		return explainNotification(header, body, keys)
	}
	v := &Verdict{BodyBytes: len(body)}
	signature, signatures := only(header, "X-Intram-Signature")
	timestamp, timestamps := only(header, "X-Intram-Timestamp")
	if signature == "" {
		v.add("missing-signature", "It is not from Intram, or a proxy drops headers that it does not know.", "the header X-Intram-Signature is missing")
	}
	if timestamp == "" {
		v.add("missing-timestamp", "It is not from Intram, or a proxy drops headers that it does not know.", "the header X-Intram-Timestamp is missing")
	}
	if signatures > 1 || timestamps > 1 {
		v.add("duplicate-header", "Refuse it: it is not clear which one counts.", "the signature or the timestamp came more than once")
	}
	if len(v.Findings) > 0 {
		v.Explained = true
		return v
	}
	v.Canonical = timestamp + "."
	sums, form := decodeSignature(signature)
	if len(sums) == 0 {
		v.add("malformed-signature", "Refuse it: Intram sends sha256= and 64 hexadecimal digits.", "X-Intram-Signature is neither hex nor base64")
		v.Explained = true
		return v
	}
	if form != nil && form.ID != "signature-upper-case" { // either case is read
		form.What = strings.ReplaceAll(form.What, "X-Signature", "X-Intram-Signature")
		form.Fix = "Intram sends sha256= and 64 hexadecimal digits: something rewrote the header, or it is not from Intram."
		v.Findings = append(v.Findings, *form)
	}
	p := webhookPuzzle(timestamp, body, keys, "<timestamp>.<body>", func(f []string) string { return f[0] + "." + f[4] })
	solution, ok := p.solve(sums, never)
	v.Findings = append(v.Findings, p.findings(solution)...)
	if !ok {
		v.add("signature-mismatch", "Check the secret first: each subscription has its own. Then check that the body is the raw bytes of the request.",
			"the signature does not fit the secret and the body")
	}
	// A signature that does not fit says nothing of the time: an attacker can write what
	// he likes there.
	if ok {
		v.checkDeliveryTime(timestamp, []byte(p.options[partBody][solution[partBody]].value), at)
	}
	v.Explained = ok
	v.Good = ok && len(v.Findings) == 0
	return v
}

// checkDeliveryTime judges the age of a delivery whose signature is good.
func (v *Verdict) checkDeliveryTime(timestamp string, body []byte, at time.Time) {
	sent, err := deliverytime.Parse(timestamp, body)
	if err != nil {
		v.add("timestamp-format", "Refuse it: Intram sends a time such as 2026-05-20T10:30:00.000Z.", "X-Intram-Timestamp is not a time in ISO 8601")
		return
	}
	const fix = "Set this machine's clock (NTP); or it is an old delivery sent again: ask for a new one."
	switch off := sent.Sub(at); {
	case off < -window:
		v.add("stale", fix, "the signature is good, and it is %s old: 5 minutes are allowed", off.Abs().Round(time.Second))
	case off > window:
		v.add("future", fix, "the signature is good, and it is %s in the future: 5 minutes are allowed", off.Round(time.Second))
	}
}

// explainNotification is ExplainWebhook for a notification of a payin session, whose
// signature covers the body alone.
func explainNotification(header http.Header, body []byte, keys []Key) *Verdict {
	v := &Verdict{BodyBytes: len(body)}
	signature, n := only(header, "X-Signature-Value")
	if n > 1 {
		v.add("duplicate-header", "Refuse it: it is not clear which one counts.", "the signature came more than once")
	}
	sum, err := hex.DecodeString(signature)
	if err != nil {
		v.add("malformed-signature", "Refuse it: a notification has 64 hexadecimal digits.", "X-Signature-Value is not hex")
		v.Explained = true
		return v
	}
	p := webhookPuzzle("", body, keys, "<body>", func(f []string) string { return f[4] })
	solution, ok := p.solve([][]byte{sum}, never)
	v.Findings = append(v.Findings, p.findings(solution)...)
	if !ok {
		v.add("signature-mismatch", "Check the secret (the portal's, not the API's), and that the body is the raw bytes of the request.",
			"the signature does not fit the secret and the body")
	}
	v.Explained = ok
	v.Good = ok && len(v.Findings) == 0
	return v
}

// webhookPuzzle is all that may have been done wrong with a delivery, or with the
// receiver's copy of it.
func webhookPuzzle(timestamp string, body []byte, keys []Key, form string, layout func([]string) string) *puzzle {
	p := &puzzle{}
	p.addKeys(keys, "", "Verify with the secret that the subscription's creation returned (whsec_…).")
	// The empty key and the like are mistakes of signers; here Intram signed.
	p.options[partKey] = p.options[partKey][:1]
	for _, k := range keys[1:] {
		p.add(partKey, option{
			id: "wrong-key", what: "it was signed with " + k.Label + ", not with the secret that was given",
			fix: "Verify with the secret that belongs to the subscription.", value: k.Value,
		})
	}
	if rest := strings.TrimSpace(keys[0].Value); rest != keys[0].Value {
		p.add(partKey, option{id: "key-white-space", what: "the secret that was given has white space around it", fix: "Take it off.", value: rest})
	}
	if !strings.HasPrefix(keys[0].Value, "whsec_") {
		p.add(partKey, option{
			id: "key-without-prefix", what: "the secret that was given lacks its whsec_", fix: "Use the secret as it was shown, whsec_ included.",
			value: "whsec_" + keys[0].Value,
		})
	}
	p.add(partTimestamp, option{value: timestamp})
	for _, part := range []int{partMethod, partPath, partQuery} {
		p.add(part, option{})
	}
	p.add(partBody, option{value: string(body)})
	for _, o := range bodies(body) {
		o.what = receivers[o.id].what + receiverDetail(o)
		o.fix = receivers[o.id].fix
		if o.fix != "" {
			p.add(partBody, o)
		}
	}
	p.layouts = []func([]string) string{layout}
	p.options[partLayout] = []option{{value: form}}
	p.algorithms = []func(key, text []byte) []byte{hmacSHA256}
	p.options[partAlgorithm] = []option{{value: "hmac-sha256"}}
	p.compose()
	return p
}

// never is no time: a delivery has the one that was signed, or none.
func never(func(guess) bool) {}

const raw = "Verify the raw bytes of the request, read before any JSON decoder."

// receivers is what a changed body means at the receiver: it was signed as it was sent,
// and changed on the way.
var receivers = map[string]struct{ what, fix string }{
	"body-line-break-sent":   {"the body has a line break at its end that was not sent", "Take off the line break that saving it added."},
	"body-line-break-signed": {"the body lacks the line break at its end", raw},
	"body-crlf-sent":         {"the body has CRLF line breaks that were sent as LF", "Something rewrites line breaks: save it as binary."},
	"body-crlf-signed":       {"the body has LF line breaks that were sent as CRLF", "Something rewrites line breaks: save it as binary."},
	"body-latin1-sent":       {"the body was saved in Latin-1, and sent in UTF-8", "Save it as it is, in UTF-8."},
	"body-encoded-twice":     {"the body was encoded in UTF-8 once more than it was sent", raw},
	"body-trimmed":           {"the body has white space around it that was not sent", raw},
	"body-bom":               {"the byte order mark of the body is not as it was sent", "Save it without a byte order mark."},
	"body-reserialised":      {"the body was decoded and written again", raw},
}

func receiverDetail(o option) string {
	if o.id != "body-reserialised" {
		return ""
	}
	_, style, _ := strings.Cut(o.what, ": ")
	return ": it was sent " + style
}
