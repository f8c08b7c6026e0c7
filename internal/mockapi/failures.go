package mockapi

// operationFailure is why an operation failed: the error of GET /operations/:id.
type operationFailure struct {
	code    string
	message string
	// A provider's refusal comes with its own words, which become the details.
	responseCode    string
	responseMessage string
}

// failureMessages are the messages of the catalogue's operation errors. The first is
// published, the others are ours: code is stable within v1, message is not.
var failureMessages = map[string]string{
	"insufficient_balance":       "Insufficient merchant balance",
	"merchant_wallet_missing":    "The merchant has no wallet for this payment method",
	"provider_rejected":          "Rejected by the provider",
	"provider_unavailable":       "The provider is unavailable",
	"provider_error":             "The provider returned an error",
	"missing_provider_code":      "The destination has no provider_code",
	"amount_exceeds_transaction": "The amount exceeds what is left to refund",
	"transaction_not_settled":    "The transaction is not settled yet",
	"not_refundable":             "The transaction cannot be refunded",
	"stripe_unavailable":         "The card provider is unavailable",
	"unsupported_payment_method": "The payment method is not supported",
}

func failureOf(code string) *operationFailure {
	message, ok := failureMessages[code]
	if !ok {
		message = code
	}
	f := &operationFailure{code: code, message: message}
	if code == "provider_rejected" {
		f.responseCode, f.responseMessage = "100", message
	}
	return f
}

// rejection returns a provider's refusal in its own words.
func rejection(responseCode, message string) *operationFailure {
	return &operationFailure{code: "provider_rejected", message: message, responseCode: responseCode, responseMessage: message}
}

// appendJSON writes the error object of an operation, null when there is none.
func (f *operationFailure) appendJSON(b []byte) []byte {
	if f == nil {
		return append(b, "null"...)
	}
	b = append(b, '{')
	b = appendStringField(b, "code", f.code)
	b = appendStringField(b, "message", f.message)
	b = appendName(b, "details")
	if f.responseCode == "" {
		return append(b, "null}"...)
	}
	b = append(b, '{')
	b = appendStringField(b, "responsecode", f.responseCode)
	b = appendStringField(b, "responsemsg", f.responseMessage)
	return append(b, "}}"...)
}
