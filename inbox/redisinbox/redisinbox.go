// Package redisinbox provides an intram.Inbox in Redis, shared by all replicas of a
// webhook receiver. It needs Redis 5 or later.
//
//	client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:6379", ContextTimeoutEnabled: true})
//	inbox, err := redisinbox.New(client)
//	handler := intram.NewWebhookHandler(verifier, inbox, handle)
//
// ContextTimeoutEnabled lets the handler's deadlines reach the connection. Without it, a
// Redis that hangs delays the response to Intram until go-redis gives up by itself.
//
// If the effect of an event is in the same Redis, [Inbox.InTx] makes it and the record
// that the event took effect one step.
//
// # A lost reply is not a duplicate
//
// go-redis sends a command again when its connection fails. If the first one had arrived,
// a SET NX would now say that another claim has the key, and the event would be lost.
// Each claim here carries a unique token: the script that finds its own token in the
// store holds the claim.
//
// # Time
//
// Leases use the clock of the Redis server, never a replica's. If that clock is set back,
// a lease lasts its full length from then on, and no longer. If it is set forward, a
// lease ends early: two replicas may then handle one event, and one of them cannot
// complete it.
//
// # Durability
//
// Redis forgets by default, and a forgotten event takes effect again when Intram sends it
// again. Set appendonly yes, with appendfsync always (with everysec a power failure loses
// one second of it), and maxmemory-policy noeviction. A failover to a replica that lags
// behind forgets too: if that is not acceptable, use pginbox.
package redisinbox

import (
	"context"
	_ "embed" // for the scripts
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	intram "github.com/intram/intram-go"
)

// DefaultPrefix begins the names of the inbox's keys.
const DefaultPrefix = "intram:inbox:"

// Inbox is an intram.Inbox in Redis. It is safe for concurrent use.
type Inbox struct {
	client    redis.Scripter
	prefix    string
	retention time.Duration
}

// Option is a setting of [New].
type Option func(*Inbox)

// WithPrefix sets what the names of the inbox's keys begin with, for example another
// prefix for another environment. The default is [DefaultPrefix].
func WithPrefix(prefix string) Option { return func(in *Inbox) { in.prefix = prefix } }

// WithRetention sets how long the inbox remembers events that took effect. The default
// and the minimum is intram.InboxRetention (72 h). Use the same value everywhere the
// store is used. Events that took effect before you raised it are forgotten at the
// earlier time, and would take effect again: let [intram.Reconciler.Run] look back no
// further than before until the inbox has remembered for the new time.
func WithRetention(d time.Duration) Option { return func(in *Inbox) { in.retention = d } }

// New returns an inbox on a *redis.Client, or on any other client of go-redis. It sends
// nothing. Give the inbox its own client: if the merchant's function uses the same one, a
// burst of deliveries keeps claims and completions waiting for a connection.
func New(client redis.Scripter, opts ...Option) (*Inbox, error) {
	in := &Inbox{client: client, prefix: DefaultPrefix, retention: intram.InboxRetention}
	for _, opt := range opts {
		if opt != nil {
			opt(in)
		}
	}
	switch {
	case client == nil:
		return nil, errors.New("redisinbox: the client is nil")
	case in.prefix == "":
		return nil, errors.New("redisinbox: WithPrefix: the prefix is empty")
	case in.retention < intram.InboxRetention:
		return nil, fmt.Errorf("redisinbox: WithRetention: %v is less than %v", in.retention, intram.InboxRetention)
	}
	return in, nil
}

// Each script is atomic: nothing runs between its steps.
var (
	//go:embed claim.lua
	claimSource string
	//go:embed complete.lua
	completeSource string
	//go:embed release.lua
	releaseSource string

	claimScript    = redis.NewScript(claimSource)
	completeScript = redis.NewScript(completeSource)
	releaseScript  = redis.NewScript(releaseSource)
)

// The replies of claim.lua.
const (
	answerHeld int64 = 1
	answerBusy int64 = 2
	answerDone int64 = 3
)

// Claim implements intram.Inbox.
func (in *Inbox) Claim(ctx context.Context, key string, lease time.Duration) (intram.Claim, error) {
	if err := intram.CheckClaim(key, lease); err != nil {
		return intram.Claim{}, err
	}
	token := newToken()
	keep := max(in.retention, lease)
	answer, err := claimScript.Run(ctx, in.client, in.name(key), token, wholeMillis(lease), wholeMillis(keep)).Slice()
	if err != nil {
		return intram.Claim{}, fmt.Errorf("redisinbox: claim: %w", err)
	}
	if len(answer) >= 2 {
		left, _ := answer[1].(int64)
		switch answer[0] {
		case answerHeld:
			return intram.Claim{Key: key, State: intram.ClaimHeld, Token: token}, nil
		case answerBusy:
			return intram.Claim{Key: key, State: intram.ClaimBusy, RetryIn: time.Duration(left) * time.Millisecond}, nil
		case answerDone:
			note, _ := answer[len(answer)-1].(string)
			return intram.Claim{Key: key, State: intram.ClaimDone, Note: note}, nil
		}
	}
	return intram.Claim{}, fmt.Errorf("redisinbox: claim: unknown reply %v of the script", answer)
}

// Complete implements intram.Inbox.
func (in *Inbox) Complete(ctx context.Context, claim intram.Claim) error {
	return in.complete(ctx, claim, new(Tx))
}

// complete completes a claim, with the commands that belong to it.
func (in *Inbox) complete(ctx context.Context, claim intram.Claim, tx *Tx) error {
	args := []any{claim.Token, wholeMillis(in.retention), claim.Note, len(tx.conditions)}
	args = append(append(args, tx.conditions...), tx.commands...)
	answer, err := completeScript.Run(ctx, in.client, in.name(claim.Key), args...).Int()
	if err == nil && answer == answerChanged {
		return ErrChanged
	}
	return in.ended("complete", answer == 1, err)
}

// answerChanged is the reply of complete.lua when a key has changed.
const answerChanged = 2

// Release implements intram.Inbox.
func (in *Inbox) Release(ctx context.Context, claim intram.Claim) error {
	mine, err := releaseScript.Run(ctx, in.client, in.name(claim.Key), claim.Token).Bool()
	return in.ended("release", mine, err)
}

func (in *Inbox) ended(what string, mine bool, err error) error {
	switch {
	case err != nil:
		return fmt.Errorf("redisinbox: %s: %w", what, err)
	case !mine:
		return intram.ErrLeaseLost
	}
	return nil
}

func (in *Inbox) name(key string) []string { return []string{in.prefix + key} }

// wholeMillis returns a duration in milliseconds, and at least 1.
func wholeMillis(d time.Duration) int64 { return max(1, d.Milliseconds()) }
