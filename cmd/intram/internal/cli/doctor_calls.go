package cli

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/cmd/intram/internal/doctor"
	"github.com/intram/intram-go/cmd/intram/internal/sheet"
	"github.com/intram/intram-go/internal/redact"
)

// callMerchant checks the way to the Merchant API, and then the keys.
func (x *examination) callMerchant(ctx context.Context) {
	api := doctor.API{URL: x.merchant, Path: "/balance", Judge: doctor.JudgeMerchant, Local: x.app.connection.local}
	if x.merchant == nil {
		why := doctor.Say("the base URL is not usable")
		x.add(api.Skip(why)...)
		x.add(x.machine.ClockCheck(nil), doctor.NotChecked("authentication", why), doctor.NotChecked("allowlist", why))
		return
	}
	if x.merchant.Path == "" {
		u := *x.merchant
		u.Path = "/v1" // as the SDK has it
		api.URL = &u
	}
	x.trustLocal()
	reached := x.machine.Reach(ctx, api)
	x.add(reached.Checks...)
	x.add(x.machine.ClockCheck(reached))
	switch {
	case !x.merchantKeys:
		x.add(doctor.NotChecked("authentication", doctor.Say("there are no two keys to try")), doctor.NotChecked("allowlist", doctor.Say("there are no two keys to try")))
	case !reached.Reached:
		why := doctor.Say("the API did not respond, and nothing else is given the keys")
		x.add(doctor.NotChecked("authentication", why), doctor.NotChecked("allowlist", why))
	default:
		x.authenticate(ctx, reached.Addresses)
	}
}

// trustLocal trusts the certificate of a local server.
func (x *examination) trustLocal() {
	if file := x.settings.certificate.value; file != "" {
		if pool, err := certificates(file); err == nil {
			x.machine.Roots = pool
		}
	}
}

// authenticate reads the balance, which says whether the keys are accepted.
func (x *examination) authenticate(ctx context.Context, addresses []netip.Addr) {
	s := x.settings
	client, err := intram.NewClient(s.publicKey.value, s.secretKey.value, x.options(intram.WithBaseURL(s.baseURL.value))...)
	if err == nil {
		ctx, cancel := x.machine.Within(ctx, x.machine.Timeout)
		defer cancel()
		_, err = client.Balance.Get(ctx)
	}
	if err == nil {
		x.client = client
		x.add(doctor.Good("authentication", doctor.Say("the API accepts the keys (GET /balance)")))
	} else {
		x.add(x.refused("authentication", err))
	}
	x.add(x.allowlist(err, addresses))
}

// options are those of the doctor's clients.
func (x *examination) options(more ...intram.ClientOption) []intram.ClientOption {
	return append(more, intram.WithAppInfo("intram-doctor", intram.Version), intram.WithHTTPClient(x.machine.Client()), intram.WithClock(x.app.clock),
		intram.WithTimeout(x.machine.Timeout), intram.WithMaxAttempts(2))
}

// refused describes a refused read.
func (x *examination) refused(name string, err error) doctor.Check {
	call, _ := errors.AsType[*intram.Error](err)
	text := doctor.Say("%s", trimPrefix(inShellWords(err.Error())))
	if call != nil && call.Code == intram.CodeIPNotAllowed { // names the address
		text = doctor.Say("%s (HTTP %d): the address of this machine is not on the allowlist", string(call.Code), call.StatusCode)
	}
	if x.app.verbose && call != nil && call.Message != "" {
		text = doctor.Say("%s; the API says: %s", text, doctor.Own("message", call.Message))
	}
	if call == nil || call.StatusCode == 0 || call.Code == "" {
		text = doctor.Say("no response of the API: %s", doctor.Own("error", text.Shown())) // may name a host
		return doctor.Failure(name, doctor.Silent, text, doctor.Say("try again; if it stays so, look for a proxy or firewall in between"))
	}
	do := "see the documentation of errors, or ask Intram"
	switch call.Code {
	case intram.CodeInvalidAPIKey:
		do = "copy the public key of this environment from the portal again; a replaced key is refused"
	case intram.CodeMissingAPIKey:
		do = "find the proxy that drops the header X-Api-Key"
	case intram.CodeSignatureInvalid:
		do = "copy the secret key that belongs to this public key from the portal again; intram explain-signature finds other mistakes"
		if strings.Contains(call.Message, "timestamp_out_of_window") {
			do = "see clock"
		}
	case intram.CodeMerchantInactive:
		do = "have the account validated: ask Intram; the sandbox works meanwhile"
	case intram.CodeIPNotAllowed, intram.CodeIPAllowlistEmpty:
		do = "see allowlist"
	case intram.CodeAPITokenInvalid, intram.CodeAPITokenNotFound:
		do = "copy the API key and the API client of this environment from the payin portal again"
	default:
		if call.StatusCode >= 500 {
			do = "try again in some minutes; if it stays so, ask Intram"
		}
	}
	return doctor.Failure(name, doctor.Refused, text, doctor.Say("%s", do))
}

// allowlist says whether the API takes live calls from this machine's address.
func (x *examination) allowlist(err error, addresses []netip.Addr) doctor.Check {
	const name = "allowlist"
	call, _ := errors.AsType[*intram.Error](err)
	live := strings.HasPrefix(x.settings.publicKey.value, "pk_live_")
	switch {
	case errors.Is(err, intram.CodeIPNotAllowed):
		seen := doctor.Say("the API did not say which address it saw")
		do := doctor.Say("add this server's public address to the allowlist in the portal")
		if ip, parsed := netip.ParseAddr(call.ClientIP); parsed == nil {
			seen = doctor.Say("the API saw %s", doctor.Own("address", ip.String()))
			do = doctor.Say("add %s to the allowlist in the portal", doctor.Own("address", ip.String()))
			both := slices.ContainsFunc(addresses, func(a netip.Addr) bool { return a.Unmap().Is4() }) &&
				slices.ContainsFunc(addresses, func(a netip.Addr) bool { return !a.Unmap().Is4() })
			if both || ip.Is6() {
				do = doctor.Say("%s; if this server has IPv4 and IPv6, add both", do)
			}
		}
		return doctor.Failure(name, doctor.Refused, doctor.Say("%s, which is not on the allowlist of the account", seen), do)
	case errors.Is(err, intram.CodeIPAllowlistEmpty):
		return doctor.Failure(name, doctor.Refused, doctor.Say("the allowlist of the account is empty, which refuses every live call"),
			doctor.Say("add this server's public address to it in the portal, and run this again"))
	case !live:
		return doctor.NotChecked(name, doctor.Say("the sandbox has none; live keys are taken from listed addresses only"))
	case err == nil, errors.Is(err, intram.CodeSignatureInvalid): // which is judged later
		return doctor.Good(name, doctor.Say("the API takes live calls from this machine's address"))
	}
	return doctor.NotChecked(name, doctor.Say("the API refused before it looked at the address"))
}

// payinProbe is a reference that no session has.
const payinProbe = "00000000-0000-4000-8000-000000000000"

// callPayin checks the way to the payin API, and its keys.
func (x *examination) callPayin(ctx context.Context) {
	api := doctor.API{Prefix: "payin_", URL: x.payin, Path: "/health", Judge: doctor.JudgePayin, Local: x.app.connection.local}
	const name = "payin_authentication"
	skip := func(why string) {
		x.add(api.Skip(doctor.Say("%s", why))...)
		x.add(doctor.NotChecked(name, doctor.Say("%s", why)))
	}
	switch {
	case !x.payinKeys && x.settings.payinAPIKey.value == "" && x.settings.payinClient.value == "":
		skip("payin sessions are not used")
		return
	case x.payin == nil:
		skip("the base URL is not usable")
		return
	}
	reached := x.machine.Reach(ctx, api)
	x.add(reached.Checks...)
	switch {
	case !x.payinKeys:
		x.add(doctor.NotChecked(name, doctor.Say("there are no two keys to try")))
	case !reached.Reached:
		x.add(doctor.NotChecked(name, doctor.Say("the API did not respond, and nothing else is given the keys")))
	default:
		x.add(x.authenticatePayin(ctx, name))
	}
}

// authenticatePayin looks up a session that does not exist.
func (x *examination) authenticatePayin(ctx context.Context, name string) doctor.Check {
	client, err := intram.NewPayinClient(x.settings.payinAPIKey.value, x.settings.payinClient.value, x.options(intram.WithPayinBaseURL(x.payin.String()))...)
	if err == nil {
		ctx, cancel := x.machine.Within(ctx, x.machine.Timeout)
		defer cancel()
		_, err = client.Get(ctx, payinProbe)
	}
	if err == nil || errors.Is(err, intram.CodeTransactionDoesNotExist) {
		return doctor.Good(name, doctor.Say("the payin API accepts the keys (a session that does not exist was looked up)"))
	}
	return x.refused(name, err)
}

// webhooks checks where events are sent, and the receivers that were asked for.
func (x *examination) webhooks(ctx context.Context, receivers []string, probe bool) {
	const list, receiver = "webhooks", "webhook_receiver"
	local := x.app.connection.local || x.merchant != nil && doctor.IsLoopback(x.merchant.Hostname())
	var subscriptions []intram.WebhookSubscription
	if x.client == nil {
		x.add(doctor.NotChecked(list, doctor.Say("the subscriptions are read with keys that the API accepts")))
	} else {
		limited, cancel := x.machine.Within(ctx, x.machine.Timeout)
		var err error
		subscriptions, err = x.client.Webhooks.List(limited)
		cancel()
		if err != nil {
			x.add(x.refused(list, err))
		} else {
			x.add(x.subscriptions(ctx, list, subscriptions, local))
		}
	}
	if probe {
		for _, s := range subscriptions {
			if !slices.Contains(receivers, s.URL) {
				receivers = append(receivers, s.URL)
			}
		}
	}
	for _, url := range receivers {
		x.add(x.machine.Receiver(ctx, receiver, url, local))
	}
	switch {
	case len(receivers) > 0:
	case probe:
		x.add(doctor.NotChecked(receiver, doctor.Say("no URL is known to be subscribed")))
	default:
		x.add(doctor.NotChecked(receiver, doctor.Say("nothing is posted unless you ask: --webhook-url URL, or --probe-webhooks")))
	}
}

// subscriptions checks the URLs of the subscriptions without calling them.
func (x *examination) subscriptions(ctx context.Context, name string, all []intram.WebhookSubscription, local bool) doctor.Check {
	if len(all) == 0 {
		return doctor.Good(name, doctor.Say("there are no subscriptions: no events are sent"))
	}
	var events []string
	seen := map[string]bool{}
	for _, s := range all {
		if key := s.URL + " " + string(s.Event); seen[key] {
			return doctor.Warning(name, doctor.Say("two subscriptions have the same URL and the event %s: each event comes twice", redact.Word(string(s.Event))),
				doctor.Say("delete one of them: intram webhooks list, intram webhooks delete"))
		}
		seen[s.URL+" "+string(s.Event)] = true
		if event := redact.Word(string(s.Event)); !slices.Contains(events, event) {
			events = append(events, event)
		}
	}
	checked := map[string]bool{}
	for _, s := range all {
		if checked[s.URL] {
			continue
		}
		checked[s.URL] = true
		if problem := x.machine.Address(ctx, name, s.URL, local); problem != nil {
			return *problem
		}
	}
	return doctor.Good(name, doctor.Say("%s: %s; the URLs were looked at, not called", sheet.Count(len(all), "subscription", "subscriptions"), strings.Join(events, ", ")))
}
