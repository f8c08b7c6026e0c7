package mockapi_test

import (
	"fmt"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"

	intram "github.com/intram/intram-go"
)

// The functions below write the SDK's values down by the names that the API gives their
// fields.

func operationFields(t *testing.T, op *intram.Operation) fields {
	t.Helper()
	f := fields{}
	f.set("operation_id", op.ID)
	f.set("type", string(op.Type))
	f.set("status", string(op.Status))
	f.set("env", string(op.Environment))
	f.raw(t, "payload", op.Payload)
	if op.Attempts > 0 {
		f.set("attempts", strconv.Itoa(op.Attempts))
	}
	f.date("date", op.CreatedAt)
	f.date("updated_date", op.UpdatedAt)
	f.date("completed_date", op.CompletedAt)
	switch result := op.Result.(type) {
	case nil:
	case *intram.PayoutResult:
		payoutFields(t, f, "result.", result)
	case *intram.PaymentRequestResult:
		paymentRequestFields(f, "result.", result)
	case *intram.RefundResult:
		refundFields(f, "result.", result)
	default:
		assert.Fail(t, "an unknown result", "%T", result)
	}
	operationErrorFields(f, "error.", op.Error)
	return f
}

func operationErrorFields(f fields, path string, failed *intram.OperationError) {
	if failed == nil {
		return
	}
	f.set(path+"code", string(failed.Code))
	f.set(path+"message", failed.Message)
	providerFields(f, path+"details.", failed.Details)
}

func payoutFields(t *testing.T, f fields, path string, result *intram.PayoutResult) {
	t.Helper()
	f.set(path+"reference", result.Reference)
	f.set(path+"amount", result.Amount.String())
	f.set(path+"currency", string(result.Currency))
	f.set(path+"status", string(result.Status))
	providerFields(f, path+"provider_response.", result.ProviderResponse)
	switch destination := result.Destination.(type) {
	case intram.MobileMoney:
		f.set(path+"destination.type", "mobile_money")
		f.set(path+"destination.provider_code", string(destination.ProviderCode))
		f.set(path+"destination.country_code", destination.CountryCode)
		f.set(path+"destination.msisdn", destination.MSISDN)
		f.set(path+"destination.account_name", destination.AccountName)
		f.set(path+"destination.account_surname", destination.AccountSurname)
	case intram.BankAccount:
		f.set(path+"destination.type", "bank_account")
		f.set(path+"destination.account_number", destination.AccountNumber)
		f.set(path+"destination.swift", destination.SWIFT)
		f.set(path+"destination.account_name", destination.AccountName)
		f.set(path+"destination.account_surname", destination.AccountSurname)
	default:
		assert.Fail(t, "an unknown destination", "%T", destination)
	}
}

func paymentRequestFields(f fields, path string, result *intram.PaymentRequestResult) {
	f.set(path+"transaction_reference", result.TransactionReference)
	f.set(path+"status", result.Status)
	f.set(path+"amount", result.Amount.String())
	f.set(path+"currency", string(result.Currency))
	f.set(path+"gateway_url", result.GatewayURL)
	f.set(path+"receipt_url", result.ReceiptURL)
	f.set(path+"qr_code", result.QRCode)
}

func refundFields(f fields, path string, result *intram.RefundResult) {
	f.set(path+"status", string(result.Status))
	f.set(path+"refund_reference", result.RefundReference)
	f.set(path+"amount", result.Amount.String())
	f.set(path+"transaction_reference", result.TransactionReference)
	providerFields(f, path+"provider_response.", result.ProviderResponse)
}

func providerFields(f fields, path string, said intram.ProviderResponse) {
	f.set(path+"responsecode", said.ResponseCode)
	f.set(path+"responsemsg", said.ResponseMessage)
	f.set(path+"serviceref", said.ServiceReference)
}

func transactionFields(t *testing.T, transaction *intram.Transaction) fields {
	t.Helper()
	f := fields{}
	f.set("reference", transaction.Reference)
	f.set("id", transaction.ID)
	f.set("status", string(transaction.Status))
	f.set("type", string(transaction.Type))
	f.set("env", string(transaction.Environment))
	f.set("amount", transaction.Amount.String())
	f.set("fees", transaction.Fees.String())
	f.set("net_amount", transaction.NetAmount.String())
	f.set("currency", string(transaction.Currency))
	f.set("payment_method", transaction.PaymentMethod.Name)
	f.set("customer.email", transaction.Customer.Email)
	f.set("customer.name", transaction.Customer.Name)
	f.set("source.number", transaction.Source.Number)
	f.set("declined_reason", transaction.DeclinedReason)
	f.raw(t, "webhook_data", transaction.WebhookData)
	f.date("date", transaction.CreatedAt)
	f.date("refunded_at", transaction.RefundedAt)
	for i, refund := range transaction.Refunds {
		path := fmt.Sprintf("refunds.%d.", i)
		f.set(path+"reference", refund.Reference)
		f.set(path+"status", string(refund.Status))
		f.set(path+"reason", refund.Reason)
		f.date(path+"date", refund.CreatedAt)
	}
	return f
}

func subscriptionFields(subscription *intram.WebhookSubscription) fields {
	f := fields{}
	f.set("subscription_id", subscription.ID)
	f.set("url", subscription.URL)
	f.set("event", string(subscription.Event))
	f.set("secret", subscription.Secret)
	f.date("date", subscription.CreatedAt)
	return f
}

func eventFields(t *testing.T, event *intram.Event) fields {
	t.Helper()
	f := fields{}
	f.set("event", string(event.Type))
	f.set("operation_id", event.OperationID)
	f.date("occurred_at", event.OccurredAt)
	f.set("delivery.delivery", event.DeliveryID)
	f.set("delivery.attempt", strconv.Itoa(event.Attempt))
	switch data := event.Data.(type) {
	case *intram.PayoutEventData:
		payoutFields(t, f, "data.", &data.PayoutResult)
		operationErrorFields(f, "data.error.", data.Error)
		f.raw(t, "data.metadata", data.Metadata)
	case *intram.PaymentRequestEventData:
		paymentRequestFields(f, "data.", &data.PaymentRequestResult)
		operationErrorFields(f, "data.error.", data.Error)
		f.raw(t, "data.webhook_data", data.WebhookData)
		if data.Fees.IsSet() {
			f.set("data.fees", data.Fees.String())
			f.set("data.net_amount", data.NetAmount.String())
		}
		f.set("data.payment_method", data.PaymentMethod.Name)
	case *intram.RefundEventData:
		refundFields(f, "data.", &data.RefundResult)
		f.set("data.reason", data.Reason)
		operationErrorFields(f, "data.error.", data.Error)
	case *intram.PingData:
		f.set("data.test", strconv.FormatBool(data.Test))
		f.date("data.sent_at", data.SentAt)
	default:
		assert.Fail(t, "an event without a type", "%s has a %T", event.Type, data)
	}
	return f
}

func errorFields(refused *intram.Error) fields {
	f := fields{"answer.status": strconv.Itoa(refused.StatusCode), "answer.replayed": "false"}
	f.set("code", string(refused.Code))
	f.set("message", refused.Message)
	f.set("client_ip", refused.ClientIP)
	for i, detail := range refused.Details {
		f.set(fmt.Sprintf("details.%d.path", i), detail.Path)
		f.set(fmt.Sprintf("details.%d.msg", i), detail.Msg)
	}
	return f
}
