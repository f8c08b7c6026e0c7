package mockapi

import (
	"net/http"
	"strconv"
	"strings"
)

// words are a message in the languages of the API.
type words struct{ en, fr string }

// payinMessages are the messages of the codes that come without a text of their own. The
// code is what counts.
var payinMessages = map[string]words{
	"unauthorized":                     {"Authentication is required", "Authentification requise"},
	"api_token_invalid":                {"Invalid API credentials", "Identifiants API invalides"},
	"api_token_not_found":              {"Unknown API credentials", "Identifiants API inconnus"},
	"missing_idempotency_key":          {"The X-Idempotency-Key header is required", "L'en-tête X-Idempotency-Key est requis"},
	"invalid_idempotency_key":          {"The X-Idempotency-Key must be a UUID", "X-Idempotency-Key doit être un UUID"},
	"idempotency_conflict":             {"The X-Idempotency-Key was already used with another body", "X-Idempotency-Key a déjà servi avec un autre corps"},
	"idempotency_in_progress":          {"A request with this X-Idempotency-Key is being processed", "Une requête avec ce X-Idempotency-Key est en cours"},
	"invalid_body":                     {"The request body is not a JSON object", "Le corps de la requête n'est pas un objet JSON"},
	"transaction_greater_than_zero":    {"The amount must be greater than zero", "Le montant doit être supérieur à zéro"},
	"wallet_not_found":                 {"Account not found", "Compte introuvable"},
	"country_not_found":                {"Country not found", "Pays introuvable"},
	"provider_not_found":               {"No provider serves this number in this country", "Aucun opérateur ne dessert ce numéro dans ce pays"},
	"transaction_does_not_exist":       {"The transaction does not exist", "La transaction n'existe pas"},
	"transaction_is_already_processed": {"A payin with this reference exists already", "Un paiement avec cette référence existe déjà"},
	"transaction_error":                {"The transaction failed", "La transaction a échoué"},
	"client_not_enough_cash":           {"Insufficient balance", "Solde insuffisant"},
	"client_not_found":                 {"The customer has no account", "Le client n'a pas de compte"},
	"internal_error":                   {"Internal server error", "Erreur interne du serveur"},
}

// payinMessage returns the message of a code in a language. An unknown code is its own
// message.
func payinMessage(code string, french bool) string {
	m, ok := payinMessages[code]
	switch {
	case !ok:
		return code
	case french:
		return m.fr
	}
	return m.en
}

// payinFailure returns a payin error in its envelope (payin.md, Errors).
func payinFailure(status int, code, message, reason string) reply {
	b := appendStringField([]byte{'{'}, "code", code)
	b = appendStringField(b, "message", message)
	b = appendIntField(b, "statusCode", int64(status))
	return reply{status: status, body: append(b, '}'), code: code, reason: reason}
}

// refusePayin returns an error with the message of its code, in the caller's language.
func (x *exchange) refusePayin(status int, code, reason string) reply {
	return payinFailure(status, code, payinMessage(code, x.french()), reason)
}

// serverError returns a 5xx in the envelope of the protocol.
func (x *exchange) serverError(status int, code string) reply {
	if x.payin {
		return x.refusePayin(status, code, "")
	}
	return failure(status, code, "Internal server error")
}

// french reports whether messages are to be French. Accept-Language belongs to the newer
// revision.
func (x *exchange) french() bool {
	if x.server.payin.revision == PayinFirst {
		return false
	}
	return wantsFrench(x.request.Header)
}

// wantsFrench reports whether a caller would rather read French than English.
func wantsFrench(h http.Header) bool {
	best, french := 0, false
	for _, line := range h.Values("Accept-Language") {
		for entry := range strings.SplitSeq(line, ",") {
			tag, parameter, _ := strings.Cut(entry, ";")
			language, _, _ := strings.Cut(strings.ToLower(strings.TrimSpace(tag)), "-")
			if q := quality(parameter); q > best && (language == "fr" || language == "en") {
				best, french = q, language == "fr"
			}
		}
	}
	return french
}

// quality returns a weight of Accept-Language in thousandths: 800 for "q=0.8", and 1000
// when there is none.
func quality(parameter string) int {
	value, ok := strings.CutPrefix(strings.TrimSpace(parameter), "q=")
	whole, fraction, _ := strings.Cut(value, ".")
	if !ok || whole == "1" {
		return 1000
	}
	thousandths, err := strconv.Atoi((fraction + "000")[:3])
	if err != nil {
		return 0
	}
	return thousandths
}

// appendPayinCreated writes a session as its creation returns it, in the field order of
// the published responses.
func (s *Server) appendPayinCreated(b []byte, p *payin) []byte {
	if s.payin.revision == PayinNewer {
		return append(s.appendPayinNewer(b, p), `,"failure":null}`...)
	}
	b = append(b, '{')
	b = appendStringField(b, "type", "payin")
	b = appendIntField(b, "fee", p.fee)
	b = appendStringField(b, "reference", p.id)
	b = appendStringField(b, "phoneNumber", p.number)
	b = p.appendMoney(b)
	b = appendStringField(b, "confirmationStatus", p.confirmation)
	b = appendStringField(b, "paymentUrl", s.payinURL(p))
	return append(appendTimeField(b, "createdAt", p.created), '}')
}

// appendPayin writes a session as GET returns it. The published responses of the first
// revision leave paymentUrl out, and say none where the newer words say accepted.
func (s *Server) appendPayin(b []byte, p *payin, french bool) []byte {
	if s.payin.revision == PayinNewer {
		b = s.appendPayinNewer(b, p)
		b = appendOptionalString(b, "customerName", p.customer)
		b = p.appendTransaction(appendName(b, "transaction"), "null")
		return append(p.appendFailure(appendName(b, "failure"), french), '}')
	}
	b = append(b, '{')
	b = appendStringField(b, "type", "payin")
	b = appendIntField(b, "fee", p.fee)
	b = appendStringField(b, "reference", p.id)
	b = appendStringField(b, "phoneNumber", p.number)
	b = appendOptionalString(b, "customerName", p.customer)
	b = p.appendMoney(b)
	confirmation, empty := p.confirmation, "null"
	if confirmation == payinAccepted {
		confirmation = payinNone
	}
	if !p.ended() {
		empty = "{}"
	}
	b = appendStringField(b, "confirmationStatus", confirmation)
	b = appendTimeField(b, "createdAt", p.created)
	b = p.appendTransaction(appendName(b, "transaction"), empty)
	return append(p.appendFailure(appendName(b, "failure"), french), '}')
}

// appendMoney writes the fields that both responses of the first revision share.
func (p *payin) appendMoney(b []byte) []byte {
	b = appendIntField(b, "amount", p.amount)
	b = appendIntField(b, "chargedAmount", p.charged())
	b = appendStringField(b, "status", p.status)
	b = appendStringField(b, "currency", p.currency())
	b = appendStringField(b, "customerReference", p.reference)
	return appendBoolField(b, "confirmationRequired", !p.script.direct)
}

// appendPayinNewer writes the newer revision's object up to its failure, without closing
// it.
func (s *Server) appendPayinNewer(b []byte, p *payin) []byte {
	b = append(b, '{')
	b = appendStringField(b, "id", p.id)
	b = appendStringField(b, "type", "payin")
	b = appendStringField(b, "reference", p.reference)
	b = appendStringField(b, "status", p.status)
	b = appendBoolField(b, "confirmationRequired", !p.script.direct)
	b = appendStringField(b, "confirmationStatus", p.confirmation)
	b = appendStringField(b, "paymentUrl", s.payinURL(p))
	b = p.appendCustomer(b)
	b = appendBoolField(b, "isDirect", p.script.direct)
	b = appendBoolField(b, "payFee", false)
	b = appendTimeField(b, "createdAt", p.created)
	b = appendIntField(b, "amount", p.amount)
	b = appendIntField(b, "fee", p.fee)
	b = appendIntField(b, "chargedAmount", p.charged())
	return appendStringField(b, "currency", p.currency())
}

func (p *payin) appendCustomer(b []byte) []byte {
	b = append(appendName(b, "customer"), '{')
	b = appendOptionalString(b, "name", p.customer)
	return append(appendStringField(b, "phoneNumber", p.number), '}')
}

// appendTransaction writes the transaction, whose amounts are strings with two decimals,
// or empty while there is none.
func (p *payin) appendTransaction(b []byte, empty string) []byte {
	t := p.transaction
	if t.reference == "" {
		return append(b, empty...)
	}
	b = append(b, '{')
	b = appendStringField(b, "reference", t.reference)
	b = appendStringField(b, "status", t.status)
	b = appendOptionalString(b, "customerName", p.customer)
	b = appendTimeField(b, "processedAt", t.processed)
	b = appendStringField(b, "phoneNumber", p.number)
	b = appendStringField(b, "amount", decimals(p.amount))
	b = appendStringField(b, "fees", decimals(p.fee))
	b = appendStringField(b, "chargedAmount", decimals(p.charged()))
	return append(appendStringField(b, "currency", p.currency()), '}')
}

func (p *payin) appendFailure(b []byte, french bool) []byte {
	if p.failure == "" {
		return append(b, "null"...)
	}
	b = appendStringField(append(b, '{'), "code", p.failure)
	return append(appendStringField(b, "message", payinMessage(p.failure, french)), '}')
}

func decimals(units int64) string { return strconv.FormatInt(units, 10) + ".00" }

func appendBoolField(b []byte, name string, value bool) []byte {
	return strconv.AppendBool(appendName(b, name), value)
}

// getHealth handles GET /health, which needs no credentials. The docs name no body.
func (x *exchange) getHealth() reply {
	return reply{status: http.StatusOK, body: []byte(`{"status":"ok"}`)}
}
