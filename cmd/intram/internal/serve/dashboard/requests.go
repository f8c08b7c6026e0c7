package dashboard

import (
	"net/http"
	"slices"
	"sort"
	"strings"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/cmd/intram/internal/locale"
	"github.com/intram/intram-go/cmd/intram/internal/signature"
	"github.com/intram/intram-go/internal/mockapi"
)

// requestView is a call, with its signature explained.
type requestView struct {
	mockapi.Request
	Headers  []headerView
	Signed   bool // its signature was looked at
	Good     bool
	Mistakes []string // in words
	Known    bool     // the mistakes make the signature that was received
	Lines    []lineView
	Expected string // the signature that would have been right
}

type headerView struct{ Name, Value string }

// lineView is a field of the canonical string: what is expected, what was signed, and
// where they part.
type lineView struct {
	Name                   string
	Same                   bool
	Before, Expected, Rest string // the expected one, its middle being what differs
	SignedBefore, Signed   string
	SignedRest             string
}

func (d *Dashboard) request(p *page) (any, bool) {
	for _, r := range d.Core.Requests() {
		if r.ID == p.ID() && (r.Environment == p.Env || r.Environment == "") {
			return d.explained(p.Lang, r), true
		}
	}
	return nil, false
}

func (d *Dashboard) explained(lang language, r mockapi.Request) requestView {
	v := requestView{Request: r, Headers: headers(r.Header)}
	keys, others, known := d.keysOf(r.PublicKey)
	if r.Canonical() == "" || !known {
		return v
	}
	verdict, err := signature.Explain(&signature.Request{
		Method: r.Method, Target: target(r), Header: r.Header, Body: r.Body,
	}, append([]signature.Key{{Label: "the secret key", Value: keys.Secret}}, others...), r.Time)
	if err != nil {
		return v
	}
	v.Signed, v.Good, v.Known, v.Expected = true, verdict.Good, verdict.Explained, verdict.Signature
	for _, f := range verdict.Findings {
		v.Mistakes = append(v.Mistakes, locale.Finding(intram.Language(lang), f))
	}
	// The head ends with its fourth line feed, and the body follows.
	for i, expected := range strings.SplitN(verdict.Canonical+string(r.Body), "\n", len(fields)) {
		signed := expected
		if i < len(verdict.Signed) {
			signed = verdict.Signed[i]
		}
		v.Lines = append(v.Lines, compare(fields[i], expected, signed))
	}
	return v
}

// fields are the five fields of the string that is signed.
var fields = [...]string{"timestamp", "method", "path", "query", "body"}

// target is what was called.
func target(r mockapi.Request) string {
	if r.Query == "" {
		return r.Path
	}
	return r.Path + "?" + r.Query
}

// compare marks what two fields do not share.
func compare(name, expected, signed string) lineView {
	v := lineView{Name: name, Same: expected == signed, Before: expected, SignedBefore: signed}
	if v.Same {
		return v
	}
	a, b := []rune(expected), []rune(signed)
	head := 0
	for head < len(a) && head < len(b) && a[head] == b[head] {
		head++
	}
	tail := 0
	for tail < len(a)-head && tail < len(b)-head && a[len(a)-1-tail] == b[len(b)-1-tail] {
		tail++
	}
	v.Before, v.Expected, v.Rest = string(a[:head]), string(a[head:len(a)-tail]), string(a[len(a)-tail:])
	v.SignedBefore, v.Signed, v.SignedRest = string(b[:head]), string(b[head:len(b)-tail]), string(b[len(b)-tail:])
	return v
}

// keysOf returns the keys that belong to a public key, and those that may have been
// mistaken for the right one.
func (d *Dashboard) keysOf(publicKey string) (keys mockapi.Keys, others []signature.Key, known bool) {
	m := d.Core.Merchant()
	for _, env := range []string{"sandbox", "live"} {
		for _, sub := range d.Core.Subscriptions(env) {
			others = append(others, signature.Key{Label: "the secret of the webhook " + sub.ID, Value: sub.Secret})
		}
	}
	others = append(others, signature.Key{Label: "the payin API client of the sandbox", Value: m.SandboxPayin.APIClient},
		signature.Key{Label: "the live payin API client", Value: m.LivePayin.APIClient})
	switch publicKey {
	case m.Sandbox.Public:
		return m.Sandbox, append(others, signature.Key{Label: "the live secret key", Value: m.Live.Secret}), true
	case m.Live.Public:
		return m.Live, append(others, signature.Key{Label: "the sandbox's secret key", Value: m.Sandbox.Secret}), true
	}
	return keys, nil, false
}

// headers are a request's, by name.
func headers(h http.Header) []headerView {
	var all []headerView
	for name, values := range h {
		all = append(all, headerView{name, strings.Join(values, ", ")})
	}
	sort.Slice(all, func(i, j int) bool { return all[i].Name < all[j].Name })
	return slices.Clip(all)
}
