package intram_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/intram/intram-go"
	"github.com/intram/intram-go/intramtest"
)

// A result that cannot be read must not make a wait say that the payout arrived.
func TestNoWaitTakesAnUnreadableResultForPaid(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fields string
		failed bool
	}{
		"failed, with an amount in words":    {`"type":"payout","result":{"status":"failed","amount":"vingt"}`, true},
		"failed, of a type in capitals":      {`"type":"PAYOUT","result":{"status":"failed","amount":1}`, true},
		"failed, of no type":                 {`"result":{"status":"Failed","amount":1}`, true},
		"a word that is not known":           {`"type":"payout","result":{"status":"returned","amount":"x"}`, false},
		"a list of words":                    {`"type":"refund","result":{"status":["failed"]}`, false},
		"a list":                             {`"type":"payout","result":[]`, false},
		"no result, and an error":            {`"type":"payout","result":null,"error":{"code":"provider_rejected"}`, true},
		"a completed payout, with an error":  {`"type":"payout","result":{"status":"completed","amount":1},"error":{"code":"provider_rejected"}`, true},
		"an error beside an unknown type":    {`"type":"transfer","result":{},"error":{"code":"provider_rejected"}`, true},
		"a completed payout, unread amounts": {`"type":"payout","result":{"status":"completed","amount":"vingt"}`, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, _ := scripted(t, answer(200, `{"error":false,"data":{"operation_id":"op_1","status":"succeeded",`+c.fields+`}}`))
			op, err := client.WaitForOperation(t.Context(), "op_1")
			assert.Nil(t, op)
			if c.failed {
				failed := new(intram.OperationError)
				require.ErrorAs(t, err, &failed)
				return
			}
			require.ErrorIs(t, err, intram.ErrUnexpectedResult)
			assert.Equal(t, intram.OutcomeUnknown, intram.OutcomeOf(err))
		})
	}
}

// What a maintenance page or a proxy says with status 200 is no success, and an empty
// list of theirs proves nothing.
func TestASuccessThatSpeaksOfAFailureIsNone(t *testing.T) {
	t.Parallel()
	for name, fields := range map[string]string{
		"the status of a failure": `"error":false,"http_status":503`,
		"a code":                  `"error":false,"code":"internal_error"`,
		"failure and success":     `"error":true`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, _ := scripted(t, answer(202, `{`+fields+`,"data":{"operation_id":"op_1","type":"payout","status":"queued"}}`))
			_, err := client.Payouts.Create(t.Context(), mobilePayout(), intram.WithMaxAttempts(1))
			require.Error(t, err)
			assert.Equal(t, intram.OutcomeUnknown, intram.OutcomeOf(err))

			client, _ = scripted(t, answer(200, `{`+fields+`,"data":[]}`))
			_, err = client.Operations.List(t.Context(), intram.OperationListParams{})
			require.Error(t, err)

			client, _ = scripted(t, answer(201, `{`+fields+`,"data":null}`))
			require.Error(t, client.Webhooks.SendTest(t.Context(), "whs_1"))
		})
	}
}

func TestResumeBelievesNoListThatIsNotTheAPIs(t *testing.T) {
	t.Parallel()
	for name, page := range map[string]string{
		"no verdict":         `{"data":[]}`,
		"another verdict":    `{"status":"ok","data":[],"message":"maintenance"}`,
		"an empty verdict":   `{"error":null,"data":[]}`,
		"an unusual status":  `{"error":false,"http_status":503,"data":[]}`,
		"a code with it all": `{"error":false,"code":"internal_error","data":[]}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := intramtest.NewServer(t, intramtest.WithoutListener()) // for its clock
			s := &script{t: t, forever: func(req *http.Request) (*http.Response, error) {
				res, err := answer(200, page)(req)
				res.Header.Set("Date", server.Clock().Now().UTC().Format(http.TimeFormat))
				return res, err
			}}
			client := newClient(t, s, intram.WithClock(server.Clock()))
			intent, err := client.Payouts.Prepare(mobilePayout())
			require.NoError(t, err)
			server.Advance(30 * time.Hour)
			_, err = client.Payouts.Resume(t.Context(), mobilePayout(), intent)
			require.ErrorIs(t, err, intram.ErrCannotTell)
			assert.NotErrorIs(t, err, intram.ErrNeverSent)
		})
	}
}
