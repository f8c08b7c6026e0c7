package main

import (
	"context"

	"github.com/jackc/pgx/v5"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/intramriver"
)

// salary is a line of the month's list.
type salary struct {
	reference     string
	name, surname string
	msisdn        string
	amount        int64
	want          intramriver.State // how it ends: the fake decides by the last six digits of the number
}

var salaries = []salary{
	{"SAL-2026-11-001", "Awa", "Dossou", "2290161234501", 85_000, intramriver.Completed},
	{"SAL-2026-11-002", "Kofi", "Mensah", "2290161234502", 70_000, intramriver.Completed},
	{"SAL-2026-11-003", "Fatou", "Sow", "2290161000013", 90_000, intramriver.Completed}, // the response is lost
	{"SAL-2026-11-004", "Yao", "Koné", "2290161000011", 60_000, intramriver.Completed},  // the event comes twice
	{"SAL-2026-11-005", "Aminata", "Bâ", "2290161000004", 75_000, intramriver.Failed},   // there is no such account
	{"SAL-2026-11-006", "Sena", "Agbo", "2290161000012", 65_000, intramriver.Completed}, // events come out of order
	{"SAL-2026-11-007", "Ibrahim", "Traoré", "2290161234507", 80_000, intramriver.Completed},
	{"SAL-2026-11-008", "Chantal", "Hounsou", "2290161234508", 95_000, intramriver.Completed},
}

// paySalary saves a salary and plans its payout, or neither. Asking again changes
// nothing.
func (s *shop) paySalary(ctx context.Context, line *salary) error {
	return pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, "INSERT INTO salaries (reference, employee, amount) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
			line.reference, line.name+" "+line.surname, line.amount)
		if err != nil {
			return err
		}
		_, err = s.work.PayoutTx(ctx, tx, intram.PayoutParams{
			Amount: intram.NewAmount(line.amount), Currency: intram.XOF, Reference: line.reference,
			Destination: intram.MobileMoney{
				ProviderCode: intram.MTNBenin, MSISDN: line.msisdn, AccountName: line.name, AccountSurname: line.surname,
			},
		})
		return err
	})
}
