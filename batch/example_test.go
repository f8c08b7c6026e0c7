package batch_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/batch"
	"github.com/intram/intram-go/batch/boltjournal"
	"github.com/intram/intram-go/intramtest"
)

// paySalaries pays each line once. After a crash or an error, call it again with the same lines.
func paySalaries(ctx context.Context, client *intram.Client, journal string, lines []batch.Line, opts ...batch.Option) (err error) {
	run, err := batch.Open(ctx, client, boltjournal.At(journal), lines, opts...)
	if err != nil {
		return err // lines that cannot be paid, another run at work, another batch's journal
	}
	defer func() { err = errors.Join(err, run.Close()) }()
	if !run.Begun() { // of a corrected list, most lines may have been paid
		lastWeek := client.Clock().Now().Add(-7 * 24 * time.Hour)
		problems, err := batch.CheckHistory(ctx, client, lines, lastWeek)
		if err != nil {
			return err
		}
		if len(problems) > 0 {
			return &batch.ProblemsError{Problems: problems}
		}
	}
	if err := run.Pay(ctx); err != nil {
		return err
	}
	for _, result := range run.Results() {
		if result.Status != batch.Paid {
			fmt.Println(result.Reference, result.Status, result.Reason)
		}
	}
	return nil
}

// A program pays 200 salaries, and crashes in the middle.
func Example() {
	server, err := intramtest.Start()
	if err != nil {
		panic(err)
	}
	defer server.Close()
	folder, err := os.MkdirTemp("", "salaries")
	if err != nil {
		panic(err)
	}
	defer func() { _ = os.RemoveAll(folder) }()
	journal := filepath.Join(folder, "salaries-2026-05.journal")

	var lines []batch.Line
	for i := range 200 {
		lines = append(lines, batch.Line{Number: i + 1, Params: intram.PayoutParams{
			Reference:   fmt.Sprintf("SALARY-2026-05-%03d", i+1),
			Amount:      intram.NewAmount(1000 + int64(i)),
			Destination: intram.MobileMoney{ProviderCode: intram.MTNBenin, MSISDN: fmt.Sprintf("2290161%06d", 100000+i)},
		}})
	}

	ctx, crash := context.WithCancel(context.Background())
	err = paySalaries(ctx, server.Client(), journal, lines, batch.WithProgress(func(p batch.Progress) {
		if p.Ended+p.Accepted == 80 {
			crash()
		}
	}))
	fmt.Println("first run:", err)

	err = paySalaries(context.Background(), server.Client(), journal, lines)
	fmt.Println("second run:", err)

	payouts := 0
	for _, err := range server.Client().Operations.All(context.Background(), intram.OperationListParams{Type: intram.OperationPayout}) {
		if err != nil {
			panic(err)
		}
		payouts++
	}
	fmt.Println("payouts:", payouts)
	// Output:
	// first run: context canceled
	// second run: <nil>
	// payouts: 200
}

// What is wrong with lines is found before anything is sent.
func ExampleCheck() {
	client, err := intram.NewClient("pk_sandbox_1", "sk_sandbox_1")
	if err != nil {
		panic(err)
	}
	to := intram.MobileMoney{ProviderCode: intram.MTNBenin, MSISDN: "2290161234567"}
	lines := []batch.Line{
		{Number: 1, Params: intram.PayoutParams{Reference: "A", Amount: intram.NewAmount(1000), Destination: to}},
		{Number: 2, Params: intram.PayoutParams{Reference: "B", Amount: intram.NewAmount(1000), Destination: to}},
		{Number: 3, Params: intram.PayoutParams{Reference: "A", Amount: intram.NewAmount(0), Destination: to}},
	}
	for _, problem := range batch.Check(client, lines, batch.Rules{}) {
		fmt.Println(problem)
	}
	// Output:
	// line 2: the same amount goes to the same account as in line 1
	// line 3: amount: it must be greater than 0
	// line 3: reference: the same as in line 1
}

// MTN's wallet has too little, although the merchant as a whole has enough.
func ExampleCheckBalance() {
	lines := []batch.Line{{Number: 1, Params: intram.PayoutParams{
		Reference: "A", Amount: intram.NewAmount(600_190), Destination: intram.MobileMoney{ProviderCode: intram.MTNBenin, MSISDN: "2290161234567"},
	}}}
	balance := &intram.Balance{Currency: intram.XOF, Available: intram.NewAmount(900_000), PaymentMethods: []intram.PaymentMethodBalance{
		{PaymentMethod: "MTN Bénin", Available: intram.NewAmount(376_728)},
	}}
	for _, problem := range batch.CheckBalance(balance, lines) {
		fmt.Println(problem)
	}
	for _, need := range batch.Needs(balance, lines) {
		fmt.Println(need.Operator, need.Lines, need.Total, need.Available, need.Short)
	}
	// Output:
	// MTN_BENIN_229: 1 line comes to 600 190, and its wallet has 376 728 available: short by 223 462
	// MTN_BENIN_229 1 600190 376728 223462
}

// A list was corrected under another name: what was paid is found by its reference.
func ExampleCheckHistory() {
	server, err := intramtest.Start()
	if err != nil {
		panic(err)
	}
	defer server.Close()
	client, ctx := server.Client(), context.Background()
	to := intram.MobileMoney{ProviderCode: intram.MTNBenin, MSISDN: "2290161234567"}
	paid := intram.PayoutParams{Reference: "SALARY-1", Amount: intram.NewAmount(1000), Destination: to}
	if _, err := client.Payouts.Create(ctx, paid); err != nil {
		panic(err)
	}
	lines := []batch.Line{{Number: 1, Params: paid}}
	problems, err := batch.CheckHistory(ctx, client, lines, client.Clock().Now().Add(-7*24*time.Hour))
	if err != nil {
		panic(err)
	}
	for _, problem := range problems {
		fmt.Println(problem.Line, problem.Field, problem.Kind)
	}
	// Output: 1 reference known_reference
}
