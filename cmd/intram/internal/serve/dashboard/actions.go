package dashboard

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/intram/intram-go/internal/mockapi"
)

// maxAdvance is how far the clock is moved at once: a year.
const maxAdvance = 366 * 24 * time.Hour

// actions returns what the forms of the pages do, by name. Each gets the form.
func (d *Dashboard) actions() map[string]func(url.Values) error {
	c := d.Core
	about := func(do func(string) error) func(url.Values) error {
		return func(f url.Values) error { return do(f.Get("id")) }
	}
	failing := func(do func(id, code string) error) func(url.Values) error {
		return func(f url.Values) error { return do(f.Get("id"), f.Get("code")) }
	}
	return map[string]func(url.Values) error{
		"process":  about(c.Process),
		"complete": about(c.Complete),
		"fail":     failing(c.Fail),

		"pay":            about(c.Pay),
		"decline":        about(c.Decline),
		"settle_payment": about(c.SettlePayment),
		"fail_payment":   failing(c.FailPayment),

		"confirm_payin": about(c.ConfirmPayin),
		"decline_payin": about(c.DeclinePayin),
		"expire_payin":  about(c.ExpirePayin),
		"settle_payin":  about(c.SettlePayin),
		"fail_payin":    failing(c.FailPayin),

		"resend":       about(c.Resend),
		"ping":         about(c.Ping),
		"unsubscribe":  about(c.Unsubscribe),
		"rotate":       about(func(id string) error { _, err := c.RotateWebhookSecret(id); return err }),
		"trigger":      func(f url.Values) error { return c.Trigger(f.Get("event"), f.Get("id")) },
		"subscribe":    d.subscribe,
		"advance":      d.advance,
		"stopwatch":    d.restartStopwatch,
		"top_up":       d.topUp,
		"presets":      func(f url.Values) error { return d.Presets.Set(f["preset"]...) },
		"add_fault":    d.addFault,
		"clear_faults": func(url.Values) error { d.Presets.Clear(); return nil },
	}
}

// creations returns the forms that create an operation, by name. Each returns the path of
// the operation's page.
func (d *Dashboard) creations() map[string]func(context.Context, url.Values) (string, error) {
	return map[string]func(context.Context, url.Values) (string, error){"payout": d.makePayout, "payment": d.askForPayment}
}

var errUnknownAction = errors.New("unknown action")

// act performs the action of a form, and redirects to the form's page.
func (d *Dashboard) act(w http.ResponseWriter, r *http.Request) {
	if !d.fromHere(w, r) {
		return
	}
	lang := languageOf(r)
	name := r.PostForm.Get("do")
	n := notice{done: text(lang, "done_"+name)}
	err := errUnknownAction
	if do, known := d.actions()[name]; known {
		err = do(r.PostForm)
	} else if create, known := d.creations()[name]; known {
		n.link, err = create(r.Context(), r.PostForm)
	}
	if errors.Is(err, errUnknownAction) {
		n = notice{problem: text(lang, "unknown_action")}
	} else if err != nil {
		n = notice{problem: strings.TrimPrefix(err.Error(), "intramtest: ")}
	}
	d.Committed()
	if c, err := r.Cookie(sessionCookie); err == nil {
		d.sessions.leaveNotice(c.Value, n)
	}
	http.Redirect(w, r, back(r), http.StatusSeeOther) //nolint:gosec // G710: back only leads to pages of ours
}

func (d *Dashboard) subscribe(f url.Values) error {
	keys := d.Core.Merchant().Sandbox
	if f.Get("environment") == "live" {
		keys = d.Core.Merchant().Live
	}
	_, err := d.Core.Subscribe(keys.Public, strings.TrimSpace(f.Get("url")), f.Get("event"))
	return err
}

func (d *Dashboard) advance(f url.Values) error {
	by, err := time.ParseDuration(strings.ReplaceAll(f.Get("by"), " ", ""))
	if err != nil || by <= 0 || by > maxAdvance {
		return fmt.Errorf("the clock is advanced by a duration such as 90s, 10m or 24h, a year at most, and not by %q", f.Get("by"))
	}
	d.Core.Clock().Advance(by)
	return nil
}

func (d *Dashboard) restartStopwatch(url.Values) error {
	now := d.Core.Clock().Now()
	d.stopwatch.Store(&now)
	return nil
}

func (d *Dashboard) addFault(f url.Values) error {
	fault := mockapi.Fault{Kind: mockapi.FaultKind(f.Get("kind")), On: strings.TrimSpace(f.Get("on"))}
	var err error
	if fault.Times, err = strconv.Atoi(f.Get("times")); err != nil || fault.Times < 1 || fault.Times > 1000 {
		return fmt.Errorf("a fault hits 1 to 1000 times, and not %q", f.Get("times"))
	}
	if delay := strings.TrimSpace(f.Get("delay")); delay != "" {
		if fault.Delay, err = time.ParseDuration(delay); err != nil {
			return fmt.Errorf("a fault's delay is a duration such as 2s, and not %q", delay)
		}
	}
	return d.Core.AddFault(fault)
}
