package dashboard

import (
	"strings"

	"github.com/intram/intram-go/cmd/intram/internal/locale"
)

// phrase is a text in both languages.
type phrase locale.Phrase

func (w phrase) in(lang language) string {
	if lang == french {
		return w.French
	}
	return w.English
}

// advice says why something failed, and what to do.
type advice struct{ Why, Do string }

// adviceOn explains an error code of an operation or a payin. It is empty for an unknown
// code.
func adviceOn(lang language, code string) advice {
	a, ok := advices[code]
	if !ok {
		return advice{}
	}
	return advice{a.why.in(lang), a.do.in(lang)}
}

var (
	again = phrase{
		"Ask the customer for another number or another operator, and make a new operation with a new idempotency key.",
		"Demandez au client un autre numéro ou un autre opérateur, et créez une nouvelle opération avec une nouvelle clé d'idempotence.",
	}
	later = phrase{
		"It may have happened all the same: look at the transaction and at the operator's statement before you ask again.",
		"Elle a pu avoir lieu malgré tout : regardez la transaction et le relevé de l'opérateur avant de redemander.",
	}
)

// advices holds the advice by code. A test compares them with the codes of the fake.
var advices = map[string]struct{ why, do phrase }{
	"insufficient_balance": {
		phrase{"The merchant's wallet of this operator holds too little.", "Le portefeuille du marchand chez cet opérateur n'a pas assez."},
		phrase{"Top the wallet up (here: on the page Wallets), then make a new operation with a new idempotency key.", "Approvisionnez le portefeuille (ici : page Portefeuilles), puis créez une nouvelle opération avec une nouvelle clé d'idempotence."},
	},
	"merchant_wallet_missing": {
		phrase{"The merchant has no wallet for this operator.", "Le marchand n'a pas de portefeuille chez cet opérateur."},
		phrase{"Have the wallet opened (here: top it up on the page Wallets), or use another operator.", "Faites ouvrir le portefeuille (ici : approvisionnez-le, page Portefeuilles), ou prenez un autre opérateur."},
	},
	"provider_rejected": {phrase{"The operator refused.", "L'opérateur a refusé."}, again},
	"provider_unavailable": {
		phrase{"The operator could not be reached, or did not respond in time.", "L'opérateur était injoignable, ou n'a pas répondu à temps."}, later,
	},
	"provider_error": {phrase{"The operator responded with an error.", "L'opérateur a répondu par une erreur."}, later},
	"missing_provider_code": {
		phrase{"The destination names no operator.", "La destination ne nomme aucun opérateur."},
		phrase{"Send destination.provider_code, such as MTN_BENIN_229.", "Envoyez destination.provider_code, ainsi MTN_BENIN_229."},
	},
	"amount_exceeds_transaction": {
		phrase{"The refund is larger than what is left of the payment.", "Le remboursement dépasse ce qui reste du paiement."},
		phrase{"Look at what was refunded on the payment's page, and refund the rest at most.", "Regardez ce qui est déjà remboursé sur la page du paiement, et remboursez le reste au plus."},
	},
	"transaction_not_settled": {
		phrase{"The payment is not settled yet.", "Le paiement n'est pas encore réglé."},
		phrase{"Wait until its transaction is SUCCESS, then refund it.", "Attendez que sa transaction soit SUCCESS, puis remboursez-le."},
	},
	"not_refundable": {
		phrase{"This payment cannot be refunded: it failed, or it was a bank transfer.", "Ce paiement ne peut pas être remboursé : il a échoué, ou c'était un virement."},
		phrase{"Give the money back by a payout.", "Rendez l'argent par un reversement."},
	},
	"stripe_unavailable": {phrase{"The card provider could not be reached.", "Le prestataire des cartes était injoignable."}, later},
	"unsupported_payment_method": {
		phrase{"The payment method is not supported.", "Ce moyen de paiement n'est pas pris en charge."}, again,
	},
	"transaction_error":      {phrase{"The operator responded with an error.", "L'opérateur a répondu par une erreur."}, later},
	"client_not_enough_cash": {phrase{"The customer's wallet holds too little.", "Le portefeuille du client n'a pas assez."}, again},
	"client_not_found":       {phrase{"The operator does not know the customer's number.", "L'opérateur ne connaît pas le numéro du client."}, again},
}

// adviceOnRow returns why an operation failed, in a few words, and what to do; empty if
// it did not fail.
func adviceOnRow(lang language, r operationRow) advice {
	switch {
	case r.Returned():
		return advice{returned.why.in(lang), returned.do.in(lang)}
	case r.ErrorCode == "":
		return advice{}
	}
	return advice{whyOf(lang, r.ErrorCode, r.ErrorMessage), adviceOn(lang, r.ErrorCode).Do}
}

// returned is the advice for a payout that the bank returned.
var returned = struct{ why, do phrase }{
	phrase{"The bank returned the transfer, and the money is back in the wallet.", "La banque a rejeté le virement, et l'argent est revenu dans le portefeuille."},
	phrase{"Check the account number with its owner, and make a new payout with a new idempotency key.", "Vérifiez le numéro de compte avec son titulaire, et créez un nouveau reversement avec une nouvelle clé d'idempotence."},
}

// whyOf returns the meaning of an error code in a few words.
func whyOf(lang language, code, message string) string {
	a := adviceOn(lang, code)
	switch {
	case a.Why == "":
		return message
	case code == "provider_rejected" && message != "":
		return strings.TrimSuffix(a.Why, ".") + " (" + message + ")."
	}
	return a.Why
}
