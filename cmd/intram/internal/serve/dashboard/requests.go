package dashboard

import (
	"net/http"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/intram/intram-go/cmd/intram/internal/explain"
	"github.com/intram/intram-go/internal/mockapi"
)

// requestView is a call, with its signature explained.
type requestView struct {
	mockapi.Request
	Headers   []headerView
	Signed    bool // its signature was looked at
	Finding   explain.Finding
	Mistakes  []string // in words
	Lines     []lineView
	Expected  string        // the signature that would have been right
	Off       time.Duration // how far its timestamp is from the server's clock
	OffKnown  bool
	OutOfTime bool
}

type headerView struct{ Name, Value string }

// lineView is a field of the canonical string: what is expected, what was signed, and where they part.
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
	if r.Canonical() == "" || !known || r.Signature == "" {
		return v
	}
	v.Signed = true
	v.Finding = explain.Signature(explain.Keys{Secret: keys.Secret, Public: keys.Public, Others: others}, explain.Request{
		Method: r.Method, Path: r.Path, Query: r.Query, Host: d.URL, Timestamp: r.Timestamp, Signature: r.Signature, Body: r.Body,
	})
	v.Expected = explain.Sign(keys.Secret, v.Finding.Canonical)
	if at, err := time.Parse(time.RFC3339, r.Timestamp); err == nil {
		v.Off, v.OffKnown = r.Time.Sub(at).Round(time.Second), true
		v.OutOfTime = r.Reason == "timestamp_out_of_window"
	}
	for _, m := range v.Finding.Mistakes {
		v.Mistakes = append(v.Mistakes, text(lang, "mistake_"+string(m)))
	}
	for _, l := range v.Finding.Lines {
		v.Lines = append(v.Lines, compare(l))
	}
	return v
}

// compare marks what two fields do not share.
func compare(l explain.Line) lineView {
	v := lineView{Name: l.Name, Same: !l.Differs(), Before: l.Expected, SignedBefore: l.Signed}
	if v.Same {
		return v
	}
	a, b := []rune(l.Expected), []rune(l.Signed)
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

// keysOf are the keys that belong to a public key, and the secrets somebody may have taken for the right one.
func (d *Dashboard) keysOf(publicKey string) (keys mockapi.Keys, others []string, known bool) {
	m := d.Core.Merchant()
	others = []string{m.SandboxPayin.APIClient, m.LivePayin.APIClient}
	for _, env := range []string{"sandbox", "live"} {
		for _, sub := range d.Core.Subscriptions(env) {
			others = append(others, sub.Secret)
		}
	}
	switch publicKey {
	case m.Sandbox.Public:
		return m.Sandbox, append(others, m.Live.Secret), true
	case m.Live.Public:
		return m.Live, append(others, m.Sandbox.Secret), true
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
