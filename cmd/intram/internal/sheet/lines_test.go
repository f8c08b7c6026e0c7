package sheet_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/batch"
	"github.com/intram/intram-go/cmd/intram/internal/sheet"
	"github.com/intram/intram-go/intramtest"
)

const header = "reference,amount,provider,msisdn,account_number,swift\n"

func TestEveryProblemOfAFileIsListedWithItsLine(t *testing.T) {
	t.Parallel()
	client := intramtest.NewServer(t).Client()
	for _, test := range []struct {
		name, file string
		want       []string // line:words
	}{
		{"good", header + "A,100,MTN_BENIN_229,22961000000,,\nB,200,,,BJ0610,ECOCBJBJ\n", nil},
		{"good with semicolons, a mark and CRLF", "\ufeffreference;amount;provider_code;msisdn\r\nA;100;MTN_BENIN_229;22961000000\r\n", nil},
		{"empty", "", []string{"1:is empty"}},
		{"only a header", header, []string{"1:no line below"}},
		{"columns", "reference,amount,colour,amount,msisdn\n", []string{"1:amount is there twice", "1:colour: column 3: unknown"}},
		{"missing columns", "msisdn\n", []string{"1:column reference is missing", "1:column amount is missing", "1:column provider is missing"}},
		{"nowhere to pay", "reference,amount\n", []string{"1:neither a column msisdn"}},
		{"fields", header + "A,100\n", []string{"2:2 fields"}},
		{"quotes", header + "A,100,MTN_BENIN_229,22961000000,,\n\"B,100\n", []string{"3:not a line of CSV"}},
		{"amounts", header + "A,ten,MTN_BENIN_229,22961000000,,\nB,0,MTN_BENIN_229,22961000001,,\nC,-5,MTN_BENIN_229,22961000002,,\nD,1.5,MTN_BENIN_229,22961000003,,\nE,10 00,MTN_BENIN_229,22961000004,,\nF,,MTN_BENIN_229,22961000005,,\n", []string{
			"2:amount: not an amount", "3:amount: it must be greater", "4:amount: negative: an amount is above zero", "5:amount: it must be whole", "6:amount: the digits are not in groups", "7:amount: missing",
		}},
		{"numbers", header + "A,100,MTN_BENIN_229,+2250700000000,,\nB,100,MTN_BENIN_229,6100000,,\nC,100,,,,\nD,100,MTN_BENIN_229,22961000000,BJ0610,\n", []string{
			"2:msisdn: it does not begin with 229", "3:msisdn: a number of Benin has 10 digits", "4:neither a phone number nor an account number", "5:msisdn: an account number stands beside it",
		}},
		{"operators", header + "A,100,,22961000000,,\nB,100,ORANGE_CI,2250700000000,,\n", []string{"2:provider: missing", "3:not a known operator"}},
		{"references", header + ",100,MTN_BENIN_229,22961000000,,\nB,100,MTN_BENIN_229,22961000001,,\nB,200,MTN_BENIN_229,22961000002,,\n" + strings.Repeat("x", 101) + ",100,MTN_BENIN_229,22961000003,,\n", []string{
			"2:reference: missing", "4:reference: the same as in line 3", "5:reference: it is longer than 100",
		}},
		{"the same payment", header + "A,100,MTN_BENIN_229,22961000000,,\nB,100.0,MTN_BENIN_229,22961000000,,\n", []string{"3:the same amount goes to the same account as in line 2"}},
		{"the same wallet in two forms", header + "A,100,MTN_BENIN_229,22961000000,,\nB,100,MTN_BENIN_229,2290161000000,,\n", []string{"3:the same amount goes to the same account as in line 2"}},
		{"the same payment under another name", "reference,amount,provider,msisdn,account_number,swift,account_name\nA,100,MTN_BENIN_229,22961000000,,,Ada\nB,100,MOOV_AFRICA_BENIN_229,22961000000,,,Bea\nC,100,,,BJ0610,ECOCBJBJ,Ada\nD,100,,,BJ0610,ECOCBJBJ,Bea\nE,100,,,BJ0611,ECOCBJBJ,Bea\n", []string{
			"3:the same amount goes to the same account as in line 2", "5:the same amount goes to the same account as in line 4",
		}},
		{"bank", header + "A,100,,," + strings.Repeat("9", 101) + ",ECO\n", []string{"2:swift: it must be"}}, // an account may be of any length
		{"blank lines", header + "\n\nA,100,MTN_BENIN_229,22961000000,,\n\nA,200,MTN_BENIN_229,22961000000,,\n", []string{"6:reference: the same as in line 4"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			problems := sheet.Read([]byte(test.file)).Check(client, batch.Rules{})
			require.Len(t, problems, len(test.want), "%v", problems)
			for i, p := range problems {
				line, words, _ := strings.Cut(test.want[i], ":")
				assert.Equal(t, line, fmt.Sprint(p.Line), "%v", p)
				assert.Contains(t, p.Text(), words)
				assert.NotContains(t, p.Message, "61000000", "a number is a person's")
			}
		})
	}
}

func TestWhatWasAllowedIsNoProblem(t *testing.T) {
	t.Parallel()
	client := intramtest.NewServer(t).Client()
	file := sheet.Read([]byte(header + "A,100,ORANGE_CI,2250700000000,,\nB,100,ORANGE_CI,2250700000000,,\n"))
	require.Empty(t, file.Problems)
	assert.Empty(t, file.Check(client, batch.Rules{AllowProviders: []intram.ProviderCode{"ORANGE_CI"}, AllowDuplicates: true}))
	assert.Len(t, file.Check(client, batch.Rules{}), 3)
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(header + "A,100,MTN_BENIN_229,22961000000,,\n"))
	f.Add([]byte("\ufeffreference;amount;msisdn\r\nA;1;2\r\n"))
	client, err := intram.NewClient("pk_sandbox_1", "sk_sandbox_1")
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, data []byte) {
		file := sheet.Read(data)
		problems := file.Check(client, batch.Rules{})
		if len(file.Lines) == 0 {
			require.NotEmpty(t, problems, "a file without lines is refused")
		}
	})
}
