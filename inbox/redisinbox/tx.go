package redisinbox

import (
	"context"
	"errors"

	intram "github.com/intram/intram-go"
)

// Errors of this package. Test for them with errors.Is.
var (
	// ErrNoClaim: a function made by [Inbox.InTx] was not called by intram's webhook
	// handler or reconciler.
	ErrNoClaim = errors.New("redisinbox: no claim in the context: let intram.NewWebhookHandler or intram.NewReconciler call the function")
	// ErrNoTransaction: [TxFromContext] was given a context that [Inbox.Transactional]
	// did not make.
	ErrNoTransaction = errors.New("redisinbox: no transaction in the context: wrap the function in Inbox.Transactional")
	// ErrEmptyCommand: [Tx.Do] was called without a command.
	ErrEmptyCommand = errors.New("redisinbox: Tx.Do: missing command")
	// ErrChanged: other events kept changing a key that had to stay unchanged. See
	// [Tx.Unchanged].
	ErrChanged = errors.New("redisinbox: a key that the function read has changed; the event is sent again")
)

// maxTries is how often a function is called while other events change a key that it
// read.
const maxTries = 5

// Tx collects the Redis commands that make an event take effect.
type Tx struct {
	commands, conditions []any
	err                  error
}

// Unchanged makes the commands depend on a string that handle has read. They run only if
// the key still has that value, or is still missing if value is empty. Otherwise handle
// is called again, up to 5 times. After that the event fails with [ErrChanged], and is
// sent again.
func (tx *Tx) Unchanged(key, value string) {
	tx.conditions = append(tx.conditions, key, value)
}

// Do adds a command, such as Do("INCRBY", "wallet:42", 1000). The command is sent later:
// it returns no reply, and handle's own client does not see its effect. A mistake in it
// fails the event.
func (tx *Tx) Do(command ...any) {
	if len(command) == 0 {
		tx.err = ErrEmptyCommand
		return
	}
	tx.commands = append(tx.commands, len(command))
	tx.commands = append(tx.commands, command...)
}

// InTx returns a function for intram.NewWebhookHandler and intram.NewReconciler that
// calls handle with a Tx. One script runs the collected commands together with the
// completion of the event, if its lease was not lost: an event takes effect once,
// wherever a replica or the network fails, and however often the client sends the script.
// Give the handler this same inbox.
//
// Redis does not roll back. If it refuses a command, for example because a value has
// another type, the commands before it stay and the event is not completed: they run
// again with its next delivery. The commands' keys are not declared: in a Redis Cluster
// all of them and the inbox's must be in one slot.
func (in *Inbox) InTx(handle func(ctx context.Context, tx *Tx, event *intram.Event) error) intram.EventHandler {
	if handle == nil {
		return nil // the handler says that its function is nil
	}
	return func(ctx context.Context, event *intram.Event) error {
		claim, ok := intram.ClaimFromContext(ctx)
		if !ok {
			return ErrNoClaim
		}
		for try := 1; ; try++ {
			tx := new(Tx)
			if err := handle(ctx, tx, event); err != nil {
				return err
			}
			if tx.err != nil {
				return tx.err
			}
			if err := in.complete(ctx, claim, tx); !errors.Is(err, ErrChanged) || try == maxTries {
				return err
			}
		}
	}
}

// Transactional returns a function for intram.NewWebhookHandler and intram.NewReconciler
// from one that takes no Tx, such as the Handle of an intram.EventRouter: [TxFromContext]
// returns the Tx to it. Everything else is as with [Inbox.InTx].
func (in *Inbox) Transactional(handle intram.EventHandler) intram.EventHandler {
	if handle == nil {
		return nil // the handler says that its function is nil
	}
	return in.InTx(func(ctx context.Context, tx *Tx, event *intram.Event) error {
		return handle(context.WithValue(ctx, txKey{}, tx), event)
	})
}

type txKey struct{}

// TxFromContext returns the Tx of a function that [Inbox.Transactional] calls. With any
// other context the error is [ErrNoTransaction].
func TxFromContext(ctx context.Context) (*Tx, error) {
	if tx, ok := ctx.Value(txKey{}).(*Tx); ok {
		return tx, nil
	}
	return nil, ErrNoTransaction
}
