package redisinbox

import (
	"context"
	_ "embed" // for the scripts
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"

	intram "github.com/intram/intram-go"
)

const (
	// pendingKept is how long pending operations are kept when no reconciler asks for
	// them.
	pendingKept = 90 * 24 * time.Hour
	// pendingBatch is how many operations one script takes: a script has a limited number
	// of arguments.
	pendingBatch = 1000
)

var (
	//go:embed keep_pending.lua
	keepPendingSource string
	//go:embed pending.lua
	pendingSource string

	keepPendingScript = redis.NewScript(keepPendingSource)
	pendingScript     = redis.NewScript(pendingSource)
)

// KeepPending implements intram.PendingStore.
func (in *Inbox) KeepPending(ctx context.Context, scope string, pending []intram.PendingOperation, ended []string) error {
	for batch := range slices.Chunk(ended, pendingBatch) {
		args := []any{wholeMillis(pendingKept), len(batch)}
		for _, id := range batch {
			args = append(args, id)
		}
		if err := in.keepPending(ctx, scope, args); err != nil {
			return err
		}
	}
	for batch := range slices.Chunk(pending, pendingBatch) {
		args := []any{wholeMillis(pendingKept), 0}
		for _, p := range batch {
			text, err := json.Marshal(p)
			if err != nil {
				return fmt.Errorf("redisinbox: keep pending: %w", err)
			}
			args = append(args, p.ID, text)
		}
		if err := in.keepPending(ctx, scope, args); err != nil {
			return err
		}
	}
	return nil
}

func (in *Inbox) keepPending(ctx context.Context, scope string, args []any) error {
	if err := keepPendingScript.Run(ctx, in.client, in.pendingName(scope), args...).Err(); err != nil {
		return fmt.Errorf("redisinbox: keep pending: %w", err)
	}
	return nil
}

// Pending implements intram.PendingStore.
func (in *Inbox) Pending(ctx context.Context, scope string) ([]intram.PendingOperation, error) {
	answer, err := pendingScript.Run(ctx, in.client, in.pendingName(scope)).StringSlice()
	if err != nil {
		return nil, fmt.Errorf("redisinbox: pending: %w", err)
	}
	var all []intram.PendingOperation
	for pair := range slices.Chunk(answer, 2) {
		var p intram.PendingOperation
		if err := json.Unmarshal([]byte(pair[len(pair)-1]), &p); err != nil {
			return nil, fmt.Errorf("redisinbox: pending: %w", err)
		}
		all = append(all, p)
	}
	return all, nil
}

// pendingName returns a name that no inbox key can have: those are hexadecimal.
func (in *Inbox) pendingName(scope string) []string { return []string{in.prefix + "pending:" + scope} }

// Horizon implements intram.InboxHorizon.
func (in *Inbox) Horizon() time.Duration { return in.retention }
