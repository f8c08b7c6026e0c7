package redisinbox

import (
	"context"
	"errors"

	intram "github.com/intram/intram-go"
)

// Errors of this package. Test for them with errors.Is.
var (
	// ErrNoClaim: a function made by [Inbox.InTx] was called by something else than
	// intram's webhook handler or reconciler.
	ErrNoClaim = errors.New("redisinbox: there is no claim in the context: is the function called by intram.NewWebhookHandler?")
	// ErrNoTransaction: [TxFromContext] was given a context that [Inbox.Transactional]
	// did not make.
	ErrNoTransaction = errors.New("redisinbox: there is no transaction in the context: is the function wrapped in Inbox.Transactional?")
	// ErrEmptyCommand: [Tx.Do] was called without a command.
	ErrEmptyCommand = errors.New("redisinbox: Tx.Do: there is no command")
	// ErrChanged: a key that was to be unchanged was changed by others again and again.
	// See [Tx.Unchanged].
	ErrChanged = errors.New("redisinbox: a key that the function read was changed meanwhile")
)

// maxTries is how often a function is called when a key that it read was changed by
// another event.
const maxTries = 5

// Tx collects the Redis commands that make an event take effect.
type Tx struct {
	commands, conditions []any
	err                  error
}

// Unchanged makes the commands depend on a string that handle has read: they are run only
// if the key still has that value, empty for a key that is not there. Otherwise handle is
// called again, up to 5 times, and then the event fails with [ErrChanged] and is sent
// again.
func (tx *Tx) Unchanged(key, value string) {
	tx.conditions = append(tx.conditions, key, value)
}

// Do adds a command, such as Do("INCRBY", "wallet:42", 1000). It is not sent yet: it has
// no answer, and what handle reads through its own client is older. A mistake fails the
// event.
func (tx *Tx) Do(command ...any) {
	if len(command) == 0 {
		tx.err = ErrEmptyCommand
		return
	}
	tx.commands = append(tx.commands, len(command))
	tx.commands = append(tx.commands, command...)
}

// InTx makes the function for intram.NewWebhookHandler and intram.NewReconciler of one
// that collects Redis commands. They are run by one script together with the completion
// of the event, if its lease was not lost: an event takes effect once, wherever a replica
// or the network fails, and however often the client sends the script. The inbox that is
// given to the handler must be this one.
//
// Redis does not roll back: when it refuses a command, for a value of another type, the
// ones before it stay and the event is not completed, so that they are run again with its
// next delivery. The commands' keys are not declared: in a Redis Cluster all of them and
// the inbox's must be in one slot.
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

// Transactional makes the function for intram.NewWebhookHandler and intram.NewReconciler
// of one that does not take a Tx, such as the Handle of an intram.EventRouter:
// [TxFromContext] gives its functions the Tx. All else is as with [Inbox.InTx].
func (in *Inbox) Transactional(handle intram.EventHandler) intram.EventHandler {
	if handle == nil {
		return nil // the handler says that its function is nil
	}
	return in.InTx(func(ctx context.Context, tx *Tx, event *intram.Event) error {
		return handle(context.WithValue(ctx, txKey{}, tx), event)
	})
}

type txKey struct{}

// TxFromContext returns the Tx of a function that [Inbox.Transactional] calls. Errors:
// [ErrNoTransaction] for a context of another origin.
func TxFromContext(ctx context.Context) (*Tx, error) {
	if tx, ok := ctx.Value(txKey{}).(*Tx); ok {
		return tx, nil
	}
	return nil, ErrNoTransaction
}
