package intram_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	intram "github.com/intram/intram-go"
)

// TestConstantsAreTheAPIsWords holds the constants that no other test names: callers
// compare with them.
func TestConstantsAreTheAPIsWords(t *testing.T) {
	t.Parallel()
	for constant, word := range map[intram.PayinStatus]string{
		intram.PayinStatusProcessing: "processing", intram.PayinStatusProcessed: "processed", intram.PayinStatusExpired: "expired",
		intram.PayinStatusSuccess: "success", intram.PayinStatusFailed: "failed",
	} {
		assert.Equal(t, word, string(constant))
	}
	for constant, word := range map[intram.PayinConfirmation]string{
		intram.PayinConfirmationNone: "none", intram.PayinConfirmationAccepted: "accepted",
		intram.PayinConfirmationDeclined: "declined", intram.PayinConfirmationExpired: "expired",
	} {
		assert.Equal(t, word, string(constant))
	}
	for constant, word := range map[intram.PayinTransactionStatus]string{
		intram.PayinTransactionPending: "pending", intram.PayinTransactionCompleted: "completed", intram.PayinTransactionFailed: "failed",
	} {
		assert.Equal(t, word, string(constant))
	}
	assert.Equal(t, []string{"pending", "paid", "failed"},
		[]string{intram.PaymentRequestPending, intram.PaymentRequestPaid, intram.PaymentRequestFailed})
	for constant, word := range map[intram.ErrorCode]string{
		intram.CodeAPITokenNotFound: "api_token_not_found", intram.CodeClientKYCNotApproved: "client_kyc_not_approved",
		intram.CodeClientNotFound: "client_not_found", intram.CodeCountryNotFound: "country_not_found",
		intram.CodeProviderNotFound: "provider_not_found", intram.CodeTransactionAlreadyRefunded: "transaction_already_refunded",
		intram.CodeTransactionGreaterThanZero: "transaction_greater_than_zero", intram.CodeTransactionNotProcessed: "transaction_not_processed",
		intram.CodeTransactionNotRefundable: "transaction_not_refundable", intram.CodeTransactionOTPRequired: "transaction_otp_required",
		intram.CodeWalletNotEnoughCash: "wallet_not_enough_cash", intram.CodeWalletNotFound: "wallet_not_found",
		intram.CodeWalletShouldBeDifferent: "wallet_should_be_different",
	} {
		assert.Equal(t, word, string(constant))
	}
}
