package mockapi

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestAnswersAreToldOtherwise(t *testing.T) {
	t.Parallel()
	const operation = `{"operation_id":"op_1","type":"payout","status":"succeeded","attempts":1,"payload":{"reason":"x"},"result":{"responsecode":"00"}}`
	one, list := `{"error":false,"data":`+operation+`}`, `{"error":false,"data":[`+operation+`,`+operation+`,`+operation+`]}`
	for name, tt := range map[string]struct {
		kind       FaultKind
		body, want string
	}{
		"another": {FaultOtherSubject, one, `{"error":false,"data":{"operation_id":"op_0123456789abcdef","type":"refund","status":"succeeded","attempts":1,
			"payload":{"reason":"x"},"result":{"responsecode":"00"}}}`},
		"another session": {FaultOtherSubject, `{"id":"pr_1","reference":"order-1"}`, `{"id":"0123456789abcdef01234567","reference":"ZZ00ZZ00ZZ"}`},
		"a list":          {FaultOtherSubject, list, list},
		"odd": {FaultOddFields, one, `{"error":false,"data":{"operation_id":"op_1","type":"payout","status":"succeeded","attempts":"3",
			"payload":{"reason":"x"},"result":{"responsecode":0}}}`},
		"no payload": {FaultNoPayload, one, `{"error":false,"data":{"operation_id":"op_1","type":"payout","status":"succeeded","attempts":1,"result":{"responsecode":"00"}}}`},
		"unreadable": {FaultUnreadableItem, `{"data":[{"status":"a"},{"status":"b"},{"status":"c"}]}`, `{"data":[{"status":"a"},{"status":{"word":"b"}},{"status":"c"}]}`},
	} {
		got := otherwise(tt.kind, reply{status: http.StatusOK, body: []byte(tt.body)})
		assert.JSONEq(t, tt.want, string(got.body), name)
		refused := otherwise(tt.kind, reply{status: http.StatusBadRequest, body: []byte(tt.body)})
		require.Equal(t, tt.body, string(refused.body), name)
	}
	assert.Equal(t, "\ufeff{}", string(otherwise(FaultByteOrderMark, reply{status: http.StatusOK, body: []byte("{}")}).body))
}
