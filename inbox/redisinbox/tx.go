package redisinbox

import (
	"context"
	"errors"

	intram "github.com/intram/intram-go"
)

// Errors of this package. Test for them with errors.Is.
var (
	// ErrNoClaim: a function made by [Inbox.InTx] was called by something else than intram's webhook handler or reconciler.
	ErrNoClaim = errors.New("redisinbox: there is no claim in the context: is the function called by intram.NewWebhookHandler?")
	// ErrEmptyCommand: [Tx.Do] was called without a command.
	ErrEmptyCommand = errors.New("redisinbox: Tx.Do: there is no command")
)

// Tx collects the Redis commands that make an event take effect.
type Tx struct {
	commands []any
	err      error
}

// Do adds a command, such as Do("INCRBY", "wallet:42", 1000). It is not sent yet: it has no answer, and what handle reads through its own
// client is older. A mistake fails the event.
func (tx *Tx) Do(command ...any) {
	if len(command) == 0 {
		tx.err = ErrEmptyCommand
		return
	}
	tx.commands = append(tx.commands, len(command))
	tx.commands = append(tx.commands, command...)
}

// InTx makes the function for intram.NewWebhookHandler and intram.NewReconciler of one that collects Redis commands. They are run by one script together
// with the completion of the event, if its lease was not lost: an event takes effect once, wherever a replica or the network fails,
// and however often the client sends the script. The inbox that is given to the handler must be this one.
//
// Redis does not roll back: when it refuses a command, for a value of another type, the ones before it stay and the event is not completed, so
// that they are run again with its next delivery. The commands' keys are not declared: in a Redis Cluster all of them and the inbox's
// must be in one slot.
func (in *Inbox) InTx(handle func(ctx context.Context, tx *Tx, event *intram.Event) error) intram.EventHandler {
	if handle == nil {
		return nil // the handler says that its function is nil
	}
	return func(ctx context.Context, event *intram.Event) error {
		claim, ok := intram.ClaimFromContext(ctx)
		if !ok {
			return ErrNoClaim
		}
		tx := new(Tx)
		if err := handle(ctx, tx, event); err != nil {
			return err
		}
		if tx.err != nil {
			return tx.err
		}
		return in.complete(ctx, claim, tx.commands)
	}
}
