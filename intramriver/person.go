package intramriver

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// Adopt decides that an operation is the record's, after a person has compared it with
// the books. The operation is looked up; if it has ended, the record ends with it.
//
// Endpoint: GET /operations/{id}. Errors: [ErrNoRecord], [ErrNotForPerson], those of
// intram's Operations.Get, and an operation of another kind.
func (w *Work) Adopt(ctx context.Context, record int64, operationID string) error {
	r, _, err := w.forPerson(ctx, record)
	if err != nil {
		return err
	}
	op, err := w.client.Operations.Get(ctx, operationID)
	if err != nil {
		return err
	}
	if op.Type != r.Kind.operationType() {
		return fmt.Errorf("intramriver: adopt: the operation is no %s", r.Kind)
	}
	return w.accept(ctx, r.ID, op)
}

// SendAnew decides that none of the candidates is the record's and that no money has
// moved for it, after a person has made sure: the record is sent with a new intent. If
// that was wrong, the money moves twice.
//
// Errors: [ErrNoRecord] and [ErrNotForPerson].
func (w *Work) SendAnew(ctx context.Context, record int64) error {
	r, params, err := w.forPerson(ctx, record)
	if err != nil {
		return err
	}
	text, err := w.openRow(r.Kind, r.Reference, columnParams, params)
	if err != nil {
		return err
	}
	made, err := w.read(r.Kind, r.Reference, text)
	if err != nil {
		return fmt.Errorf("intramriver: the parameters of record %d cannot be read", r.ID) // a JSON error may quote them
	}
	if err := w.planAnew(ctx, r, made, NeedsPerson); err != nil {
		return err
	}
	return pgx.BeginFunc(ctx, w.pool, func(tx pgx.Tx) error { return w.insertJob(ctx, tx, r.ID) })
}

// Abandon decides that no money has moved for the record and that none will: it ends as
// [Refused], with [CodeAbandoned].
//
// Errors: [ErrNoRecord], [ErrNotForPerson] and that of OnEnd.
func (w *Work) Abandon(ctx context.Context, record int64) error {
	r, _, err := w.forPerson(ctx, record)
	if err != nil {
		return err
	}
	return pgx.BeginFunc(ctx, w.pool, func(tx pgx.Tx) error {
		ended, err := scanRecord(tx.QueryRow(ctx, w.sql(refuseSQL), r.ID, r.Generation, string(CodeAbandoned), []string{string(NeedsPerson)}))
		switch {
		case errors.Is(err, pgx.ErrNoRows):
			return ErrNotForPerson
		case err != nil:
			return fmt.Errorf("intramriver: abandon: %w", err)
		}
		return w.callOnEnd(ctx, tx, End{Record: ended})
	})
}

const byIDSQL = `SELECT ` + recordColumns + `, params FROM {records} WHERE id = $1 AND merchant = $2 AND environment = $3`

func (w *Work) forPerson(ctx context.Context, record int64) (*Record, []byte, error) {
	var params []byte
	r, err := scanRecord(w.pool.QueryRow(ctx, w.sql(byIDSQL), record, w.merchant, w.environment), &params)
	if err != nil {
		return nil, nil, recordError("record", err)
	}
	if r.State != NeedsPerson {
		return nil, nil, ErrNotForPerson
	}
	return r, params, nil
}
