package intram

import "strings"

// explanations are the SDK's own words on the API's codes: what is wrong, and what to do. The API's sentence may
// name a customer, and is not shown.
var explanations = map[ErrorCode]string{
	CodeMissingAPIKey:            "the public key did not arrive: look for a proxy that drops headers",
	CodeInvalidAPIKey:            "the API does not know the public key, or it was replaced",
	CodeMerchantInactive:         "the merchant account is not active: ask Intram",
	CodeIPAllowlistEmpty:         "live keys need an allowlist of addresses: add your server's in the portal",
	CodeIPNotAllowed:             "your server's address is not on the allowlist of the account: see Error.ClientIP",
	CodeMissingIdempotencyKey:    "the idempotency key did not arrive: look for a proxy that drops headers",
	CodeInvalidIdempotencyKey:    "the API takes keys of 8 to 128 letters, digits, - and _",
	CodeInvalidBody:              "the API could not read the body: look for a proxy that rewrites it",
	CodeMissingInvoice:           "the payment request has no invoice",
	CodeUnknownCurrency:          "the API does not know the currency",
	CodeAmountTooSmall:           "the amount is below what the API takes",
	CodeAmountTooLarge:           "the amount is above what the API takes",
	CodeTransactionNotFound:      "there is none of this reference with this merchant and in this environment",
	CodeOperationNotFound:        "there is none of this id with this merchant and in this environment",
	CodeNotRefundable:            "this transaction cannot be refunded",
	CodeInternalError:            "the API failed",
	CodeAuthError:                "the API failed to check the credentials",
	CodeIdempotencyError:         "the API failed to look the idempotency key up",
	CodeInsufficientBalance:      "the merchant's wallet has too little",
	CodeMerchantWalletMissing:    "the merchant has no wallet in this currency",
	CodeProviderRejected:         "the operator refused: see OperationError.Details",
	CodeProviderUnavailable:      "the operator could not be reached",
	CodeProviderError:            "the operator failed",
	CodeMissingProviderCode:      "the destination names no operator",
	CodeAmountExceedsTransaction: "the refund is larger than what is left of the transaction",
	CodeTransactionNotSettled:    "the transaction is not settled yet",
	CodeStripeUnavailable:        "card payments could not be reached",
	CodeUnsupportedPaymentMethod: "the payment method is not supported",
	CodeResultFailed:             "the bank returned the payment, or the operator refused it",
	CodeOperationExpired:         "the operator never said how it ended",
}

// Explanation says what the code means, in the SDK's own words: without a customer's data, for a report. It is "" for codes
// that the SDK does not explain.
func (c ErrorCode) Explanation() string { return explanations[c] }

// explain says what a code means. A code without an explanation has the API's sentence alone, which is where it was.
func explain(code ErrorCode, message string) string {
	if text := explanations[code]; text != "" {
		return text
	}
	if message != "" {
		return "the API's own words are in Message"
	}
	return ""
}

// signatureReasons are the reasons of [CodeSignatureInvalid] (Merchant API docs, Errors), which its message ends with.
var signatureReasons = map[string]string{
	"missing_signature":        "look for a proxy that drops headers",
	"missing_timestamp":        "look for a proxy that drops headers",
	"invalid_timestamp_format": "look for a proxy that rewrites headers",
	"timestamp_out_of_window":  "this machine's clock is more than 5 minutes off",
	"signature_mismatch":       "check that the secret key belongs to the public key, and that nothing rewrites path, query or body",
}

// signatureReason shows the reason when it is one of those that the API documents.
func signatureReason(message string) string {
	reason := message[strings.LastIndexAny(message, ": ")+1:]
	if advice := signatureReasons[reason]; advice != "" {
		return reason + ": " + advice
	}
	return explain(CodeSignatureInvalid, message)
}
