package intram_test

import (
	"fmt"

	intram "github.com/intram/intram-go"
)

func ExampleNewAmount() {
	fmt.Println(intram.NewAmount(25000), intram.XOF) // whole units: 25 000 XOF
	// Output: 25000 XOF
}

func ExampleAmount_Add() {
	sum := intram.NewAmount(0)
	for _, salary := range []int64{120_000, 95_000, 87_500} {
		sum = sum.Add(intram.NewAmount(salary))
	}
	fmt.Println(sum)
	// Output: 302500
}

func ExampleAmount_Sub() {
	paid, refunded := intram.NewAmount(12000), intram.NewAmount(2000)
	fmt.Println(paid.Sub(refunded))
	// Output: 10000
}

func ExampleAmount_Cmp() {
	wallet, payout := intram.NewAmount(20000), intram.NewAmount(25000)
	fmt.Println(wallet.Cmp(payout) < 0) // too little in the wallet
	// Output: true
}

func ExampleAmount_Equal() {
	written, err := intram.ParseAmount("25000.00")
	fmt.Println(written.Equal(intram.NewAmount(25000)), err) // one amount, however it is written
	// Output: true <nil>
}

func ExampleAmount_Grouped() {
	fmt.Println(intram.NewAmount(1250000).Grouped())
	// Output: 1 250 000
}

func ExampleAmount_Int64() {
	units, whole := intram.NewAmount(25000).Int64()
	fmt.Println(units, whole)

	half, err := intram.ParseAmount("0.5")
	if err != nil {
		fmt.Println(err)
		return
	}
	_, whole = half.Int64()
	fmt.Println(whole)
	// Output:
	// 25000 true
	// false
}

func ExampleAmount_IsSet() {
	var never intram.Amount
	fmt.Println(never.IsSet(), intram.NewAmount(0).IsSet()) // in RefundParams: all of it, and refused
	// Output: false true
}

func ExampleAmount_IsZero() {
	left := intram.NewAmount(12000).Sub(intram.NewAmount(12000))
	fmt.Println(left.IsZero())
	// Output: true
}

func ExampleAmount_Sign() {
	difference := intram.NewAmount(20000).Sub(intram.NewAmount(25000))
	fmt.Println(difference.Sign(), intram.NewAmount(1).Sign())
	// Output: -1 1
}

// One wallet, as it was written before 2024-11-30 and as it is since then.
func ExampleMobileMoney() {
	for _, typed := range []string{"61 23 45 67", "01 61 23 45 67", "+229 61234567", "00229 01 61 23 45 67"} {
		msisdn, err := intram.ParseMSISDN(typed, "BJ")
		if err != nil {
			fmt.Println(err)
			return
		}
		destination := intram.MobileMoney{ProviderCode: intram.MTNBenin, MSISDN: msisdn}
		fmt.Println(destination.MSISDN, destination) // it prints without the number
	}
	// Output:
	// 2290161234567 MobileMoney{MTN_BENIN_229 •••••••••••67}
	// 2290161234567 MobileMoney{MTN_BENIN_229 •••••••••••67}
	// 2290161234567 MobileMoney{MTN_BENIN_229 •••••••••••67}
	// 2290161234567 MobileMoney{MTN_BENIN_229 •••••••••••67}
}
