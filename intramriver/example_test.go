package intramriver_test

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/intramriver"
	"github.com/intram/intram-go/intramtest"
)

// exampleDatabase is an empty schema of the tests' server, as yours is before its first
// start.
func exampleDatabase(ctx context.Context) (pool *pgxpool.Pool, remove func(), err error) {
	address, err := shared.Open()
	if err != nil {
		return nil, nil, err
	}
	config, err := pgxpool.ParseConfig(address)
	if err != nil {
		return nil, nil, err
	}
	schema := fmt.Sprintf("intramriver_example_%d", schemas.Add(1))
	config.ConnConfig.RuntimeParams["search_path"] = schema
	if pool, err = pgxpool.NewWithConfig(ctx, config); err != nil {
		return nil, nil, err
	}
	if _, err = pool.Exec(ctx, "DROP SCHEMA IF EXISTS "+schema+" CASCADE; CREATE SCHEMA "+schema); err != nil {
		return nil, nil, err
	}
	return pool, func() {
		_, _ = pool.Exec(ctx, "DROP SCHEMA "+schema+" CASCADE")
		pool.Close()
	}, nil
}

func ExampleWork_PayoutTx() {
	ctx := context.Background()
	server, err := intramtest.Start() // your own client: intram.NewClientFromEnv
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()
	pool, remove, err := exampleDatabase(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer remove()

	// Once, at the start of each version: River's tables and ours.
	migrator, err := rivermigrate.New(riverpgxv5.New(pool), nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	if _, err := migrator.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		fmt.Println(err)
		return
	}
	if err := intramriver.Migrate(ctx, pool, ""); err != nil {
		fmt.Println(err)
		return
	}

	// On each machine.
	work, err := intramriver.New(server.Client(), intramriver.Config{Pool: pool})
	if err != nil {
		fmt.Println(err)
		return
	}
	workers := river.NewWorkers()
	if err := work.Register(workers); err != nil {
		fmt.Println(err)
		return
	}
	jobs, err := river.NewClient(riverpgxv5.New(pool), &river.Config{Workers: workers, Queues: work.Queues(10)})
	if err != nil {
		fmt.Println(err)
		return
	}
	done, unsubscribe := jobs.Subscribe(river.EventKindJobCompleted)
	defer unsubscribe()
	if err := jobs.Start(ctx); err != nil {
		fmt.Println(err)
		return
	}
	defer jobs.StopAndCancel(ctx) //nolint:errcheck // the example ends

	// The salary and its payout are one transaction.
	salary := intram.PayoutParams{
		Amount: intram.NewAmount(25_000), Currency: intram.XOF, Reference: "SAL-2026-W48-017",
		Destination: intram.MobileMoney{ProviderCode: intram.MTNBenin, MSISDN: "2290161234567"},
	}
	err = pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		record, err := work.PayoutTx(ctx, tx, salary)
		if err == nil {
			fmt.Println(record.Reference, record.State)
		}
		return err
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	<-done

	// Asking again is the same payout, and another amount is an error.
	record, err := work.Payout(ctx, salary)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(record.Reference, record.State)
	salary.Amount = intram.NewAmount(30_000)
	_, err = work.Payout(ctx, salary)
	fmt.Println(err)
	// Output:
	// SAL-2026-W48-017 planned
	// SAL-2026-W48-017 accepted
	// intramriver: another payout has this reference (accepted, 25000 XOF MobileMoney{MTN_BENIN_229 •••••••••••67}), asked for now: 30000 XOF MobileMoney{MTN_BENIN_229 •••••••••••67}; different: amount; nothing was planned: repeat the first call as it was, or use another reference
}
