package batch_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/cmd/intram/internal/batch"
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
		{"columns", "reference,amount,colour,amount,msisdn\n", []string{"1:column 3 is none", "1:amount is there twice"}},
		{"missing columns", "msisdn\n", []string{"1:column reference is missing", "1:column amount is missing"}},
		{"nowhere to pay", "reference,amount\n", []string{"1:no column msisdn"}},
		{"fields", header + "A,100\n", []string{"2:2 fields"}},
		{"quotes", header + "A,100,MTN_BENIN_229,22961000000,,\n\"B,100\n", []string{"3:no CSV"}},
		{"amounts", header + "A,ten,MTN_BENIN_229,22961000000,,\nB,0,MTN_BENIN_229,22961000001,,\nC,-5,MTN_BENIN_229,22961000002,,\nD,1.5,MTN_BENIN_229,22961000003,,\nE,1 000,MTN_BENIN_229,22961000004,,\nF,,MTN_BENIN_229,22961000005,,\n", []string{
			"2:amount must be a number", "6:amount must be a number", "7:amount must be a number",
			"2:amount must be greater", "3:amount must be greater", "4:amount must be greater", "5:amount must be whole", "6:amount must be greater", "7:amount must be greater",
		}},
		{"numbers", header + "A,100,MTN_BENIN_229,+22961000000,,\nB,100,MTN_BENIN_229,61000000,,\nC,100,,,,\nD,100,MTN_BENIN_229,22961000000,BJ0610,\n", []string{
			"4:neither msisdn nor account_number", "5:both msisdn and account_number",
			"2:msisdn must be an international number", "2:does not begin with 229", "3:does not begin with 229",
		}},
		{"operators", header + "A,100,,22961000000,,\nB,100,ORANGE_CI,2250700000000,,\n", []string{"2:provider is missing", "3:not a known operator"}},
		{"references", header + ",100,MTN_BENIN_229,22961000000,,\nB,100,MTN_BENIN_229,22961000001,,\nB,200,MTN_BENIN_229,22961000002,,\n" + strings.Repeat("x", 101) + ",100,MTN_BENIN_229,22961000003,,\n", []string{
			"2:reference is missing", "4:reference is the one of line 3", "5:reference is longer than 100",
		}},
		{"the same payment", header + "A,100,MTN_BENIN_229,22961000000,,\nB,100,MTN_BENIN_229,22961000000,,\n", []string{"3:the same amount goes to the same account as in line 2"}},
		{"the same payment under another name", "reference,amount,provider,msisdn,account_number,swift,account_name\nA,100,MTN_BENIN_229,22961000000,,,Ada\nB,100,MOOV_AFRICA_BENIN_229,22961000000,,,Bea\nC,100,,,BJ0610,ECOCBJBJ,Ada\nD,100,,,BJ0610,ECOCBJBJ,Bea\nE,100,,,BJ0611,ECOCBJBJ,Bea\n", []string{
			"3:the same amount goes to the same account as in line 2", "5:the same amount goes to the same account as in line 4",
		}},
		{"bank", header + "A,100,,,BJ 06,ECO\n", []string{"2:account_number must be", "2:swift must be"}},
		{"blank lines", header + "\n\nA,100,MTN_BENIN_229,22961000000,,\n\nA,200,MTN_BENIN_229,22961000000,,\n", []string{"6:reference is the one of line 4"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			lines, problems := batch.Read([]byte(test.file))
			problems = append(problems, batch.Check(client, lines, batch.Rules{})...)
			require.Len(t, problems, len(test.want), "%v", problems)
			for i, p := range problems {
				line, words, _ := strings.Cut(test.want[i], ":")
				assert.Equal(t, line, fmt.Sprint(p.Line), "%v", p)
				assert.Contains(t, p.Message, words)
				assert.NotContains(t, p.Message, "61000000", "a number is a person's")
			}
		})
	}
}

func TestWhatWasAllowedIsNoProblem(t *testing.T) {
	t.Parallel()
	client := intramtest.NewServer(t).Client()
	lines, problems := batch.Read([]byte(header + "A,100,ORANGE_CI,2250700000000,,\nB,100,ORANGE_CI,2250700000000,,\n"))
	require.Empty(t, problems)
	assert.Empty(t, batch.Check(client, lines, batch.Rules{AllowProviders: []string{"ORANGE_CI"}, AllowDuplicates: true}))
	assert.Len(t, batch.Check(client, lines, batch.Rules{}), 3)
}

func TestTheTotalIsComparedWithTheBalance(t *testing.T) {
	t.Parallel()
	lines, _ := batch.Read([]byte(header + "A,600,MTN_BENIN_229,22961000000,,\nB,401,MTN_BENIN_229,22961000001,,\n"))
	balance := &intram.Balance{Currency: intram.XOF, Available: intram.NewAmount(1000)}
	problems := batch.CheckBalance(balance, lines)
	require.Len(t, problems, 1)
	assert.Contains(t, problems[0].Message, "come to 1001, and the wallet has 1000 available")
	balance.Available = intram.NewAmount(1001)
	assert.Empty(t, batch.CheckBalance(balance, lines))
	lines[0].Params.Currency = "EUR"
	assert.Equal(t, []batch.Problem{{Line: 2, Message: "currency is not the wallet's"}}, batch.CheckBalance(balance, lines))
}

func TestALineShowsNobody(t *testing.T) {
	t.Parallel()
	lines, _ := batch.Read([]byte(header + "A,600,MTN_BENIN_229,22961234567,,\n"))
	for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
		assert.Equal(t, "line 2", fmt.Sprintf(format, lines[0]))
	}
}

func TestResultsReplaceTheFileInOneStep(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "r.csv")
	require.NoError(t, batch.WriteResults(path, []batch.Result{{Line: 2, Reference: `a,"b"`, Status: batch.Paid}}))
	require.NoError(t, batch.WriteResults(path, []batch.Result{{Line: 2, Reference: "a", Status: batch.Failed, Code: "x"}}))
	left, err := filepath.Glob(filepath.Join(filepath.Dir(path), ".*"))
	require.NoError(t, err)
	assert.Empty(t, left)
	require.Error(t, batch.WriteResults(filepath.Join(path, "x"), nil))
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(header + "A,100,MTN_BENIN_229,22961000000,,\n"))
	f.Add([]byte("\ufeffreference;amount;msisdn\r\nA;1;2\r\n"))
	client, err := intram.NewClient("pk_sandbox_1", "sk_sandbox_1")
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, data []byte) {
		lines, problems := batch.Read(data)
		problems = append(problems, batch.Check(client, lines, batch.Rules{})...)
		if len(lines) == 0 {
			require.NotEmpty(t, problems, "a file without lines is refused")
		}
	})
}
