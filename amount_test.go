package intram_test

import (
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/quick"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/intram/intram-go"
)

func TestParseAmount(t *testing.T) {
	t.Parallel()
	digits30 := "123456789012345678901234567890"
	tests := []struct{ in, out string }{
		{"0", "0"},
		{"-0", "0"},
		{"0.0", "0.0"},
		{"-0.00", "0.00"},
		{"0e5", "0"},
		{"-0e64", "0"},
		{"0e-3", "0.000"},
		{"0.00e3", "0"},
		{"0.00e1", "0.0"},
		{"1", "1"},
		{"25000", "25000"},
		{"-12.50", "-12.50"},
		{"0.1", "0.1"},
		{"153.00", "153.00"},
		{"1e3", "1000"},
		{"1E3", "1000"},
		{"1e+3", "1000"},
		{"1e-3", "0.001"},
		{"12.5e1", "125"},
		{"12.5e2", "1250"},
		{"12.50e1", "125.0"},
		{"1e03", "1000"},
		{digits30, digits30},
		{digits30 + "." + digits30, digits30 + "." + digits30},
		{"0." + digits30, "0." + digits30},
		{"9007199254740993", "9007199254740993"},         // the first integer that a float64 rounds
		{"999999999999999999", "999999999999999999"},     // 18 digits: the short way
		{"9999999999999999999", "9999999999999999999"},   // 19 digits: the long way
		{"18446744073709551616", "18446744073709551616"}, // beyond 64 bits
		{strings.Repeat("9", 64), strings.Repeat("9", 64)},
		{"1e64", "1" + strings.Repeat("0", 64)},
		{"1e-64", "0." + strings.Repeat("0", 63) + "1"},
	}
	for _, tt := range tests {
		a, err := intram.ParseAmount(tt.in)
		require.NoError(t, err, "%q", tt.in)
		assert.Zero(t, rat(t, tt.in).Cmp(rat(t, a.String())), "%q is %s", tt.in, a)
		assert.Equal(t, tt.out, a.String(), "%q", tt.in)
		out, err := json.Marshal(a)
		require.NoError(t, err, "%q", tt.in)
		assert.Equal(t, tt.out, string(out))
	}
	refused := []string{
		"", " ", "NaN", "nan", "sNaN", "Inf", "-Inf", "+Inf", "inf", "Infinity", "-Infinity", "0x10", "0X10", "0b1", "0o7", "1_000", "1,000",
		" 1", "1 ", "1\n", "\t1", "+1", "--1", "-", "1.", ".5", "-.5", "01", "-01", "00", "00.5", "1.2.3", "1e", "1e+", "1e-", "e3", "1e3.5", "1e3e3",
		"1e65", "1e-65", "1e999999999999999999999", "-1e65", "0e65", "1e9223372036854775808", "1e-9223372036854775808",
		strings.Repeat("9", 65), "0." + strings.Repeat("0", 64), strings.Repeat("9", 1<<20), "1" + strings.Repeat("0", 64) + ".0",
		"1/2", "$5", "5XOF", "١٢", "½", "1e٣", "null", "true", `"1"`, "{}", "1\x00", "0xep1", "1p5", "∞",
	}
	for _, in := range refused {
		a, err := intram.ParseAmount(in)
		require.Error(t, err, "%.80q", in)
		assert.True(t, strings.HasPrefix(err.Error(), "intram: amount: "), err.Error())
		assert.Less(t, len(err.Error()), 200, "the error does not repeat what it was given")
		assert.True(t, a.IsZero())
	}
}

func TestNewAmount(t *testing.T) {
	t.Parallel()
	for _, n := range []int64{0, 1, -1, 25000, math.MaxInt64, math.MinInt64, math.MinInt64 + 1, 1<<53 + 1} {
		a := intram.NewAmount(n)
		assert.Equal(t, fmt.Sprint(n), a.String())
		back, ok := a.Int64()
		assert.True(t, ok)
		assert.Equal(t, n, back)
	}
	var zero intram.Amount
	assert.Equal(t, "0", zero.String())
	assert.True(t, zero.IsZero())
	assert.True(t, zero.Equal(intram.NewAmount(0)))
	out, err := json.Marshal(zero)
	require.NoError(t, err)
	assert.Equal(t, "0", string(out))
}

func TestAmountAsAnInteger(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]int64{
		"153.00": 153, "1e3": 1000, "-0": 0, "12.5e1": 125, "0e64": 0, "0.000": 0,
		"9223372036854775807": math.MaxInt64, "-9223372036854775808": math.MinInt64, "9223372036854775807.000": math.MaxInt64,
	} {
		got, ok := amount(t, in).Int64()
		assert.True(t, ok, in)
		assert.Equal(t, want, got, in)
	}
	for _, in := range []string{"0.1", "153.01", "1e-1", "9223372036854775808", "-9223372036854775809", "1e19", "1e64", strings.Repeat("9", 64)} {
		_, ok := amount(t, in).Int64()
		assert.False(t, ok, in)
	}
}

func TestAmountComparesByValue(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		a, b string
		cmp  int
	}{
		{"153", "153.00", 0}, {"1e3", "1000", 0}, {"0", "-0", 0}, {"0.0", "0e5", 0}, {"0.1", "0.10", 0},
		{"1", "2", -1}, {"-1", "1", -1}, {"-2", "-1", -1}, {"0.1", "0.11", -1}, {"9", "10", -1},
		{"1e64", "1e-64", 1}, {"1e64", strings.Repeat("9", 64), 1}, {"-1e64", "1e-64", -1},
	} {
		a, b := amount(t, tt.a), amount(t, tt.b)
		assert.Equal(t, tt.cmp, a.Cmp(b), "%s and %s", tt.a, tt.b)
		assert.Equal(t, -tt.cmp, b.Cmp(a), "%s and %s", tt.b, tt.a)
		assert.Equal(t, tt.cmp == 0, a.Equal(b))
	}
	assert.Equal(t, -1, amount(t, "-0.1").Sign())
	assert.Equal(t, 0, amount(t, "-0.0").Sign())
	assert.Equal(t, 1, amount(t, "1e-64").Sign())
}

func TestAmountArithmeticIsExact(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ a, b, sum, difference string }{
		{"0.1", "0.2", "0.3", "-0.1"},
		{"1", "0.01", "1.01", "0.99"},
		{"9007199254740993", "1", "9007199254740994", "9007199254740992"},
		{"12000", "240", "12240", "11760"},
		{"1e64", "1e-64", "1" + strings.Repeat("0", 64) + "." + strings.Repeat("0", 63) + "1", strings.Repeat("9", 64) + "." + strings.Repeat("9", 64)},
		{"-5", "5", "0", "-10"},
		{"9223372036854775807", "1", "9223372036854775808", "9223372036854775806"},
	} {
		a, b := amount(t, tt.a), amount(t, tt.b)
		assert.Equal(t, tt.sum, a.Add(b).String())
		assert.Equal(t, tt.sum, b.Add(a).String())
		assert.Equal(t, tt.difference, a.Sub(b).String())
		assert.Equal(t, tt.a, plain(a, tt.a), "operands do not change")
	}
	assert.Equal(t, "0", amount(t, "5").Sub(amount(t, "5")).String(), "no minus zero")
	assert.Equal(t, "0.0", amount(t, "-0.5").Add(amount(t, "0.5")).String())
	assert.Equal(t, "0", amount(t, "1e5").Sub(amount(t, "1e5")).String())
	assert.Equal(t, "0", amount(t, "-1e5").Add(amount(t, "1e5")).String())
	// Ten thousand cents are a hundred, not ninety-nine and something.
	var sum intram.Amount
	for range 10000 {
		sum = sum.Add(amount(t, "0.01"))
	}
	assert.True(t, sum.Equal(intram.NewAmount(100)), sum.String())
}

// plain is a's text when it has no exponent in s, and s otherwise.
func plain(a intram.Amount, s string) string {
	if strings.Contains(s, "e") {
		return s
	}
	return a.String()
}

// Whatever can be written down is computed as math/big computes it.
func TestAmountAgreesWithExactArithmetic(t *testing.T) {
	t.Parallel()
	write := func(n int64, n2 uint64, scale uint8, exponent int8) string {
		digits := fmt.Sprint(n)
		if scale%3 == 1 {
			digits += fmt.Sprintf("%020d", n2)
		}
		if places := int(scale % 40); places > 0 {
			digits += "." + fmt.Sprintf("%0*d", places, n2%1000000)[:places]
		}
		if exponent%2 == 0 {
			digits += fmt.Sprintf("e%d", exponent/2)
		}
		return digits
	}
	agrees := func(n1 int64, m1 uint64, s1 uint8, e1 int8, n2 int64, m2 uint64, s2 uint8, e2 int8) bool {
		x, y := write(n1, m1, s1, e1), write(n2, m2, s2, e2)
		a, err := intram.ParseAmount(x)
		if err != nil {
			return strings.Contains(err.Error(), "more than 64 digits")
		}
		b, err := intram.ParseAmount(y)
		if err != nil {
			return strings.Contains(err.Error(), "more than 64 digits")
		}
		ra, rb := rat(t, x), rat(t, y)
		return rat(t, a.String()).Cmp(ra) == 0 &&
			rat(t, a.Add(b).String()).Cmp(new(big.Rat).Add(ra, rb)) == 0 &&
			rat(t, a.Sub(b).String()).Cmp(new(big.Rat).Sub(ra, rb)) == 0 &&
			a.Cmp(b) == ra.Cmp(rb) && a.Sign() == ra.Sign() && a.IsZero() == (ra.Sign() == 0)
	}
	require.NoError(t, quick.Check(agrees, &quick.Config{MaxCount: 3000}))
}

func TestAmountInJSON(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		`25000`: `25000`, `0.1`: `0.1`, `1e3`: `1000`, `"153.00"`: `153.00`, `"1e3"`: `1000`, `-5`: `-5`, `"-0"`: `0`,
		`123456789012345678901234567890`: `123456789012345678901234567890`, `null`: `0`, "\t7\n": `7`,
	} {
		var got struct{ Amount intram.Amount }
		require.NoError(t, json.Unmarshal([]byte(`{"Amount":`+in+`}`), &got), in)
		out, err := json.Marshal(got)
		require.NoError(t, err)
		assert.Equal(t, `{"Amount":`+want+`}`, string(out), "a number, without an exponent")
	}
	for _, in := range []string{`""`, `" 1"`, `"1 "`, `"NaN"`, `"Inf"`, `"0x10"`, `true`, `{}`, `[]`, `[1]`, `1e65`, `"+1"`, `"1,000"`, `"null"`, `"\"1\""`} {
		var a intram.Amount
		require.Error(t, json.Unmarshal([]byte(in), &a), in)
		assert.True(t, a.IsZero(), in)
	}
	// An amount that was there before does not shine through.
	a := intram.NewAmount(7)
	require.NoError(t, json.Unmarshal([]byte(`null`), &a))
	assert.True(t, a.IsZero())
	// As a key's value inside strings, escapes included: JSON says that these are the
	// same.
	require.NoError(t, json.Unmarshal([]byte(`"\u0031\u0035"`), &a))
	assert.Equal(t, "15", a.String())
}

func TestAmountPrints(t *testing.T) {
	t.Parallel()
	a := amount(t, "153.00")
	assert.Equal(t, "153.00", fmt.Sprint(a))
	assert.Equal(t, "intram.Amount(153.00)", fmt.Sprintf("%#v", a))
	assert.Equal(t, "{153.00}", fmt.Sprintf("%v", struct{ A intram.Amount }{a}))
}

// Amounts are values: copies do not share what they are made of, however large.
func TestAmountsAreValues(t *testing.T) {
	t.Parallel()
	large := amount(t, strings.Repeat("9", 64))
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			copied := large
			for range 100 {
				_ = copied.Add(intram.NewAmount(int64(i)))
				_ = copied.Sub(large)
				_ = copied.Cmp(intram.NewAmount(int64(i)))
				_, _ = copied.Int64()
				_, _ = copied.MarshalJSON()
			}
			if got := copied.String(); got != strings.Repeat("9", 64) {
				t.Errorf("the copy became %s", got)
			}
		})
	}
	group.Wait()
	copied := large
	require.NoError(t, copied.UnmarshalJSON([]byte("1")))
	assert.Equal(t, strings.Repeat("9", 64), large.String())
}

func amount(tb testing.TB, s string) intram.Amount {
	tb.Helper()
	a, err := intram.ParseAmount(s)
	require.NoError(tb, err, "%q", s)
	return a
}

// rat is math/big's reading of a decimal number.
func rat(tb testing.TB, s string) *big.Rat {
	tb.Helper()
	r, ok := new(big.Rat).SetString(s)
	require.True(tb, ok, "%q", s)
	return r
}

// jsonNumber is the grammar of RFC 8259, section 6.
var jsonNumber = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?$`)

func FuzzParseAmount(f *testing.F) {
	for _, seed := range []string{
		"", "0", "-0", "0.1", "1e3", "1E-3", "25000", "153.00", "123456789012345678901234567890", "1e64", "1e65", "NaN", "Inf", "0x10",
		"1_000", " 1", "+1", "1.", ".5", "01", "9999999999999999999", "1e-64", "12.50e1", `"5"`, "null", "0e5", "-0e64",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, err := intram.ParseAmount(s)
		number := jsonNumber.MatchString(s)
		if err != nil {
			require.True(t, a.IsZero())
			if number {
				require.Regexp(t, `more than 64 digits|an exponent beyond ±64`, err.Error(), "only its size is held against a number")
			}
			return
		}
		require.True(t, number, "%q is no JSON number", s)
		want := rat(t, s)
		text := a.String()
		require.NotContains(t, text, "e")
		require.Zero(t, want.Cmp(rat(t, text)), "%q became %q", s, text)
		require.Equal(t, want.Sign(), a.Sign())
		out, err := json.Marshal(a)
		require.NoError(t, err)
		require.Equal(t, text, string(out))
		require.True(t, json.Valid(out))
		for _, in := range []string{s, `"` + s + `"`} {
			var back intram.Amount
			require.NoError(t, json.Unmarshal([]byte(in), &back))
			require.True(t, back.Equal(a))
		}
		require.Zero(t, want.Cmp(rat(t, a.Add(intram.Amount{}).String())))
		require.True(t, a.Sub(a).IsZero())
		if n, ok := a.Int64(); ok {
			require.True(t, intram.NewAmount(n).Equal(a))
		} else {
			require.False(t, want.IsInt() && want.Num().IsInt64())
		}
	})
}
