package intramriver

import (
	"errors"

	intram "github.com/intram/intram-go"
)

// Codes of records that are not the API's: [Record].Code.
const (
	// CodeCannotTell: the list of operations does not say whether the call was executed.
	CodeCannotTell intram.ErrorCode = "cannot_tell"
	// CodeIntentMismatch: the saved intent is of another call than the parameters, as
	// after a change by hand.
	CodeIntentMismatch intram.ErrorCode = "intent_mismatch"
	// CodeCollision: the API accepted an operation for the record that another record
	// has.
	CodeCollision intram.ErrorCode = "collision"
	// CodeNoJob: a planned record whose job is gone. [Work.Requeue] gives it a new one.
	CodeNoJob intram.ErrorCode = "no_job"
	// CodeAbandoned: a person decided that the record is not sent: see [Work.Abandon].
	CodeAbandoned intram.ErrorCode = "abandoned"
)

// Errors of this package. Test for them with errors.Is.
var (
	// ErrNoRecord: a reference or an id has no record of this merchant and environment.
	ErrNoRecord = errors.New("intramriver: there is no such record")
	// ErrNotForPerson: [Work.Adopt], [Work.SendAnew] and [Work.Abandon] were called for a
	// record that does not need a person.
	ErrNotForPerson = errors.New("intramriver: the record does not need a person")
	// ErrSealed: [AESGCM] cannot open a text: it is of another row, was changed, or its
	// key is missing.
	ErrSealed = errors.New("intramriver: the sealed text cannot be opened")
)
