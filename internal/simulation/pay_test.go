package simulation_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	intram "github.com/intram/intram-go"
)

// mostIntents is how often an order is tried anew after a refusal.
const mostIntents = 4

// pay brings an order to its end, from wherever an earlier process has left it. It does
// what docs/guarantees.md asks a merchant to do, and nothing else keeps it from paying
// twice.
func (p *process) pay(o *order) {
	w := p.m.w
	// A process that has just started takes up its orders one after the other.
	wait := max(o.due-w.now(), o.chance.of("start", p.gen).between(time.Millisecond, 5*time.Second))
	if !w.sleep(p.ctx, wait) {
		return
	}
	var live *intram.Intent // as it was prepared by this process; nil after a crash
	for !p.dead() {
		rec := o.current()
		if rec == nil {
			if len(o.intents) >= mostIntents || len(o.intents) > 0 && o.invalid {
				o.close()
				return
			}
			if rec, live = p.prepare(o); rec == nil {
				return
			}
		}
		if rec.state == open && !p.send(o, rec, &live) {
			return
		}
		if rec.state == accepted {
			p.await(o, rec)
			if !p.dead() {
				o.close()
			}
			return
		}
	}
}

// prepare makes an intent and saves it. It returns nil when the process died.
func (p *process) prepare(o *order) (*intentRecord, *intram.Intent) {
	n := len(o.intents)
	at := o.chance.of("prepare", n, p.m.try(o.name+" prepare"))
	rec := &intentRecord{o: o, n: n, reference: fmt.Sprintf("%s-g%d", o.name, n)}
	if n > 0 {
		p.m.w.tally.saw("order: new intent after a refusal")
	}
	var opts []intram.CallOption
	if at.of("own key").percent(50) {
		opts = append(opts, intram.WithIdempotencyKey(fmt.Sprintf("own-%s-%d", rec.reference, at.of("salt").below(1<<30))))
	}
	intent, err := p.client.Payouts.Prepare(o.params(rec.reference, at.of("prepared")), opts...)
	p.m.w.require(err == nil, o.name, "not prepared: %v", err)
	if err != nil || p.maybeCrash("crash: before the intent is saved", at, 3) {
		return nil, nil
	}
	err = o.save(rec, intent)
	p.m.w.require(err == nil, o.name, "not saved: %v", err)
	if p.maybeCrash("crash: with the intent saved and nothing sent", at, 3) {
		return nil, nil
	}
	return rec, intent
}

// send makes one call with an intent and notes what it says. It returns false when the
// process died.
//
// An intent that was read back takes the place of the one that was prepared: to use the
// one after the other would be to tell the SDK twice that nothing was sent before.
func (p *process) send(o *order, rec *intentRecord, live **intram.Intent) bool {
	w, m := p.m.w, p.m
	rec.tries++
	at := o.chance.of("send", rec.n, m.try(rec.reference))
	fresh := rec.tries == 1
	if *live == nil || at.of("read back").percent(20) {
		if *live == nil {
			w.tally.saw("intent: read back after a crash")
		}
		fresh, *live = false, new(intram.Intent)
		err := json.Unmarshal(rec.saved, *live)
		w.require(err == nil, o.name, "the saved intent cannot be read: %v", err)
	}
	if !fresh && at.of("second process").percent(20) {
		p.alongside(o, rec, at.of("alongside"))
	}
	op, err := p.create(o, rec, *live, at)
	if p.dead() || p.maybeCrash("crash: with the answer not yet saved", at, 4) {
		return false
	}
	switch {
	case err == nil:
		if rec.doubted {
			w.tally.saw("call: in doubt, then answered")
		}
		o.set(rec, accepted, op.ID)
		return true
	case errors.Is(err, intram.ErrIntentExpired):
		w.tally.saw("intent: expired")
		age := (merchantClock{m}).Now().Sub(rec.createdAs)
		w.require(age > intram.IntentHorizon-p.network.ahead(), o.name, "an intent that is %v old was refused", age)
		w.require(!rec.sent || intram.OutcomeOf(err) == intram.OutcomeUnknown, o.name, "an expired intent has outcome %s", intram.OutcomeOf(err))
		return p.lookUp(o, rec, at)
	}
	w.note(o.name, "outcome", string(intram.OutcomeOf(err)))
	if fresh && errors.Is(err, intram.ErrCannotTell) {
		rec.tries-- // it looked first, could not, and sent nothing: the intent is as fresh as before
	}
	switch intram.OutcomeOf(err) {
	case intram.OutcomeNotSent, intram.OutcomeRejected:
		w.require(fresh || rejectedByTheKey(err), o.name, "an intent that may have been sent before is %s: %v", intram.OutcomeOf(err), err)
		o.set(rec, refused, "")
		if o.invalid && errors.Is(err, intram.CodeUnknownCurrency) {
			w.tally.saw("order: refused by the API")
		}
		return w.sleep(p.ctx, at.of("again").between(time.Minute, 20*time.Minute))
	case intram.OutcomeUnknown:
		rec.doubted = true
		pause := at.between(5*time.Second, time.Minute)
		switch kind := at.of("patience").below(100); {
		case kind < 12:
			pause = at.between(4*time.Hour, 23*time.Hour)
		case kind < 50:
			pause = at.between(time.Minute, 2*time.Hour)
		}
		if w.calm.Load() {
			pause = time.Minute
		}
		return w.sleep(p.ctx, pause)
	default:
		w.violate(o.name, "an error has outcome %q: %v", intram.OutcomeOf(err), err)
		return w.sleep(p.ctx, time.Hour)
	}
}

// alongside lets a second process of the merchant take up the same saved intent at the
// same time: a job that was queued twice, or a machine that was believed dead. What it is
// told must agree with what the first is told.
func (p *process) alongside(o *order, rec *intentRecord, at chance) {
	w, m := p.m.w, p.m
	other := &process{m: m, gen: p.gen, ctx: p.ctx, kill: p.kill}
	if err := other.connect(); err != nil {
		w.violate(m.name, "no second client: %v", err)
		return
	}
	intent := new(intram.Intent)
	err := json.Unmarshal(rec.saved, intent)
	w.require(err == nil, o.name, "the saved intent cannot be read: %v", err)
	w.tally.saw(secondProcess)
	w.do(func() {
		if !w.sleep(p.ctx, at.of("later").between(0, 2*time.Second)) {
			return
		}
		op, err := other.create(o, rec, intent, at)
		switch {
		case p.dead():
		case err == nil:
			rec.told(op.ID)
		default:
			outcome := intram.OutcomeOf(err)
			w.require(outcome == intram.OutcomeUnknown || rejectedByTheKey(err), o.name, "a second process is told %s: %v", outcome, err)
		}
	})
}

// rejectedByTheKey reports whether the error is the API's stored response to the key,
// which speaks for all calls that carried it.
func rejectedByTheKey(err error) bool {
	var e *intram.Error
	return errors.As(err, &e) && e.StatusCode >= 400 && e.StatusCode < 500
}

// create calls Payouts.Create on a network that fails, with the settings that the seed
// says.
func (p *process) create(o *order, rec *intentRecord, intent *intram.Intent, at chance) (*intram.Operation, error) {
	w := p.m.w
	c := p.newCall(rec.reference, at, single)
	c.rec = rec
	var opts []intram.CallOption
	if at.of("attempts").percent(40) {
		c.maxAttempts = 1 + at.of("max attempts").below(3)*at.of("times").below(3) // mostly one: a call that fails is worth more
		opts = append(opts, intram.WithMaxAttempts(c.maxAttempts))
	}
	var resp intram.Response
	opts = append(opts, intram.WithResponseInto(&resp))
	ctx, limit := c.in(p.ctx), time.Duration(0)
	if at.of("deadline").percent(25) {
		limit = at.of("limit").between(time.Second, 2*time.Minute)
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, limit)
		defer cancel()
	}
	if at.of("dies").percent(6) {
		w.do(func() {
			if w.sleep(p.ctx, at.of("dies after").between(time.Millisecond, 20*time.Second)) {
				c.mu.Lock()
				under := !c.decided
				c.mu.Unlock()
				if under {
					p.crash("crash: in the middle of a call")
				}
			}
		})
	}
	params := o.params(rec.reference, at.of("rebuilt"))
	pay := func() (*intram.Operation, error) {
		return p.client.Payouts.Create(ctx, params, append(opts, intram.WithIntent(intent))...)
	}
	if at.of("resumes").percent(30) && (merchantClock{p.m}).Now().Sub(rec.createdAs) < intram.IntentHorizon-12*time.Hour {
		w.tally.saw("call: resumed")
		pay = func() (*intram.Operation, error) { return p.client.Payouts.Resume(ctx, params, intent, opts...) }
	}
	op, err := pay()
	c.mu.Lock()
	c.decided = true // the call is over, and nothing may be sent
	attempts := c.attempts
	c.mu.Unlock()
	if p.dead() {
		return nil, err
	}
	if took := w.now() - c.began; limit > 0 {
		w.require(took <= limit, c.who, "took %v with a deadline of %v", took, limit)
		if took == limit {
			w.tally.saw("call: deadline ended it")
		}
	}
	w.require((op == nil) == (err != nil), c.who, "an operation %v and an error %v", op != nil, err)
	w.require(resp.Attempts == attempts, c.who, "says %d attempts, and made %d", resp.Attempts, attempts)
	if err == nil {
		w.note(c.who, "accepted", "")
		return op, nil
	}
	p.checkError(c, rec, err, attempts)
	return nil, err
}

// checkError checks what an error says of itself.
func (p *process) checkError(c *call, rec *intentRecord, err error, attempts int) {
	w := p.m.w
	var e *intram.Error
	w.require(!errors.Is(err, intram.ErrIntentMismatch), c.who, "the same payout, made anew, is another one: %v", err)
	if errors.Is(err, intram.ErrCannotTell) {
		w.require(intram.OutcomeOf(err) == intram.OutcomeUnknown, c.who, "what cannot be told is %s", intram.OutcomeOf(err))
		w.tally.saw("intent: what the list says of it is not clear")
		return
	}
	if !errors.As(err, &e) {
		w.violate(c.who, "the error is no *Error: %v", err)
		return
	}
	text := err.Error()
	w.note(c.who, "failed", strings.ReplaceAll(text, rec.key, "…")) // a random key is not the same in a replay
	w.require(e.IdempotencyKey == rec.key, c.who, "the error names another key")
	w.require(!strings.Contains(text, rec.o.msisdn) && !strings.Contains(text, p.m.secretKey), c.who, "the error tells a secret: %s", text)
	w.require(attempts > 0 || e.Outcome != intram.OutcomeRejected, c.who, "rejected without an attempt")
	switch e.Outcome {
	case intram.OutcomeNotSent:
		w.tally.saw("call: not sent")
	case intram.OutcomeRejected:
		w.tally.saw("call: rejected")
	case intram.OutcomeUnknown:
		w.tally.saw("call: in doubt")
	}
	if strings.Contains(text, "longer than the") {
		w.tally.saw("call: Retry-After beyond the cap")
	}
	w.require(e.StatusCode == 0 || e.StatusCode >= 400 || e.Outcome == intram.OutcomeUnknown, c.who, "HTTP %d is %s", e.StatusCode, e.Outcome)
	w.require(e.StatusCode < http.StatusInternalServerError || e.Outcome == intram.OutcomeUnknown, c.who, "HTTP %d is %s", e.StatusCode, e.Outcome)
}

// lookUp finds out what became of an intent that is too old to be sent. It returns false
// when the process died.
func (p *process) lookUp(o *order, rec *intentRecord, at chance) bool {
	w := p.m.w
	for try := 0; !p.dead(); try++ {
		at := at.of("look-up", try)
		c := p.newCall(rec.reference+" look-up", at, several)
		c.readsOnly = true
		intent := new(intram.Intent)
		err := json.Unmarshal(rec.saved, intent)
		w.require(err == nil, o.name, "the saved intent cannot be read: %v", err)
		op, err := p.client.Payouts.Resume(c.in(p.ctx), o.params(rec.reference, at.of("rebuilt")), intent)
		if p.dead() {
			return false
		}
		var unclear *intram.CannotTellError
		switch {
		case err == nil:
			w.tally.saw("intent: found in the list after it expired")
			w.note(o.name, "found", rec.reference)
			o.set(rec, accepted, op.ID)
			return true
		case errors.Is(err, intram.ErrNeverSent):
			w.tally.saw("intent: not found in the list after it expired")
			w.note(o.name, "not found", rec.reference)
			w.require(intram.OutcomeOf(err) == intram.OutcomeNotSent, o.name, "never sent is %s", intram.OutcomeOf(err))
			o.set(rec, absent, "")
			return true
		case errors.As(err, &unclear):
			w.tally.saw("intent: what the list says of it is not clear")
			w.note(o.name, "unclear", strings.ReplaceAll(err.Error(), rec.key, "…"))
			w.require(intram.OutcomeOf(err) == intram.OutcomeUnknown, o.name, "an unclear list is %s", intram.OutcomeOf(err))
			pause := time.Minute
			if !w.calm.Load() { // a person looks at it now and then
				pause = at.of("looks again").between(10*time.Minute, 3*time.Hour)
			}
			w.sleep(p.ctx, max(pause, unclear.RetryAt.Sub(merchantClock{p.m}.Now())))
		default:
			w.require(!errors.Is(err, intram.ErrIntentMismatch), o.name, "the same payout, made anew, is another one: %v", err)
			w.require(intram.OutcomeOf(err) == intram.OutcomeUnknown, o.name, "a look-up that failed is %s: %v", intram.OutcomeOf(err), err)
			w.sleep(p.ctx, time.Minute)
		}
	}
	return false
}

// referenceOf returns the merchant's reference in an operation's payload.
func referenceOf(payload []byte) string {
	return textOf(payload, "reference")
}

// textOf returns the first string of that name in JSON that the fake wrote, whose strings
// here have no escapes. Decoding all of it would be a twentieth of what a seed costs.
func textOf(body []byte, name string) string {
	_, rest, found := bytes.Cut(body, []byte(`"`+name+`":"`))
	text, _, closed := bytes.Cut(rest, []byte(`"`))
	if !found || !closed {
		return ""
	}
	return string(text)
}

// await follows an accepted payout for a while, as some merchants do; the others leave it
// to the webhooks.
func (p *process) await(o *order, rec *intentRecord) {
	w := p.m.w
	at := o.chance.of("await", rec.n, p.m.try(rec.reference+" await"))
	if at.percent(35) && !w.calm.Load() || p.maybeCrash("crash: while it waits", at, 3) {
		return
	}
	c := p.newCall(rec.reference+" wait", at, polling)
	c.maxWait = at.of("max wait").between(5*time.Second, 2*time.Minute)
	opts := []intram.WaitOption{intram.WithMaxWait(c.maxWait)}
	if at.of("interval").percent(30) {
		pollMin := at.of("min").between(200*time.Millisecond, 3*time.Second)
		opts = append(opts, intram.WithPollInterval(pollMin, pollMin*time.Duration(1+at.of("max").below(6))))
	}
	if at.of("first look").percent(20) {
		opts = append(opts, intram.WithInitialDelay(at.of("first look after").between(0, time.Minute)))
	}
	rank, updated := 0, time.Time{}
	result, err := p.client.Payouts.Wait(c.in(p.ctx), rec.operation,
		append(opts, intram.WithProgress(func(op *intram.Operation) {
			next := map[intram.OperationStatus]int{intram.OperationQueued: 1, intram.OperationProcessing: 2}[op.Status]
			if op.Status.Finished() {
				next = 3
			}
			w.require(next >= rank && !op.UpdatedAt.Before(updated), c.who, "went back to %s", op.Status)
			rank, updated = next, op.UpdatedAt
		}))...)
	if p.dead() {
		return
	}
	took := w.now() - c.began
	if c.skewed() {
		took = min(took, c.maxWait) // a clock that is set while one waits makes the wait longer or shorter
	}
	// The SDK's last lookup, at the end of the wait, has a second, and one that had to
	// queue for as long a tenth more.
	const lastLook = 1100*time.Millisecond + 10*time.Millisecond
	w.require(took <= c.maxWait+lastLook, c.who, "waited %v of %v", took, c.maxWait)
	var failed *intram.OperationError
	var ended *intram.WaitError
	switch {
	case err == nil:
		w.tally.saw("wait: succeeded")
		w.require(rank == 3 && result.Amount.Equal(intram.NewAmount(o.amount)) && result.Reference == rec.reference, c.who,
			"succeeded with %s of %s", result.Reference, result.Amount)
		w.note(c.who, "succeeded", "")
		w.truth(o, rec, true)
	case errors.As(err, &failed):
		w.tally.saw("wait: failed")
		w.note(c.who, "failed", string(failed.Code))
		// These do not say that nothing was paid, although the fake pays nothing.
		open := []intram.ErrorCode{intram.CodeProviderError, intram.CodeProviderUnavailable, intram.CodeOperationExpired}
		w.require(failed.Code != "", c.who, "a failure without a code: %v", err)
		w.require((intram.OutcomeOf(err) == intram.OutcomeUnknown) == slices.Contains(open, failed.Code), c.who, "a failure is %s: %v", intram.OutcomeOf(err), err)
		w.truth(o, rec, false)
	case errors.As(err, &ended):
		w.tally.saw("wait: ended first")
		w.note(c.who, "ended", ended.Err.Error())
		w.require(intram.OutcomeOf(err) == intram.OutcomeUnknown, c.who, "a wait that ended is %s", intram.OutcomeOf(err))
		w.require(errors.Is(err, context.DeadlineExceeded) || mayEndAWait(err), c.who, "ended for no reason: %v", err)
	default:
		w.violate(c.who, "ended with %v", err)
	}
}

// mayEndAWait reports whether the error is a final refusal, which ends a wait.
func mayEndAWait(err error) bool {
	var e *intram.Error
	return errors.As(err, &e) && e.Outcome == intram.OutcomeRejected && e.StatusCode != http.StatusTooManyRequests
}

// truth checks what a wait said against the fake's own books, at once.
func (w *world) truth(o *order, rec *intentRecord, succeeded bool) {
	var debited, returned int64
	for _, e := range w.server.Ledger().For(rec.operation) {
		switch {
		case !strings.HasPrefix(e.Account, "wallet:"):
		case e.Amount < 0:
			debited -= e.Amount
		default:
			returned += e.Amount
		}
	}
	if succeeded {
		w.require(debited == o.amount && (returned == 0 || o.bank), rec.reference, "succeeded, and %d left the wallet and %d came back", debited, returned)
	} else {
		w.require(debited == returned, rec.reference, "failed, and %d left the wallet and %d came back", debited, returned)
	}
}

// pollThroughAnOutage asks for the balance again and again while nothing works: the
// retries must dry up, and a payout's must not.
func (p *process) pollThroughAnOutage() {
	w := p.m.w
	if !w.sleep(p.ctx, p.m.chance.of("outage from").between(time.Hour, 3*time.Hour)) {
		return
	}
	for i := range 60 {
		p.outage.Store(true)
		c := p.newCall(fmt.Sprintf("%s-b%02d", p.m.name, i), p.m.chance.of("balance", i), single)
		_, err := p.client.Balance.Get(c.in(p.ctx))
		if p.dead() {
			break
		}
		if err != nil && strings.Contains(err.Error(), "retry budget exhausted") {
			w.tally.saw("call: budget spent")
		}
	}
	p.outage.Store(false)
}
