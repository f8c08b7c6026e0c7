package dashboard

import (
	"strings"

	"github.com/intram/intram-go/internal/mockapi"
)

// accountWords are the accounts of the ledger in words, by the first part of their names.
// %s is the payment method's name.
var accountWords = map[string]phrase{
	"wallet":     {"Your %s wallet", "Votre portefeuille %s"},
	"pending":    {"Your %s wallet, announced", "Votre portefeuille %s, annoncé"},
	"clearing":   {"Under way", "En cours"},
	"settlement": {"Waiting for settlement", "En attente de règlement"},
	"fees":       {"Intram's fees", "Frais d'Intram"},
	"opening":    {"Opening balances and top-ups", "Soldes d'ouverture et approvisionnements"},
	"provider":   {"%s: customers and recipients", "%s : clients et bénéficiaires"},
}

// inWords returns an account of the ledger in words; an account without words stays
// unchanged.
func inWords(lang language, account string) string {
	parts := strings.Split(account, ":")
	kind, last := parts[0], parts[len(parts)-1]
	if last == "pending" {
		kind, last = last, parts[len(parts)-2]
	}
	words, ok := accountWords[kind]
	if !ok {
		return account
	}
	return strings.ReplaceAll(words.in(lang), "%s", methodName(last))
}

// currencyOf returns the currency of an account of the ledger. Payins of Cameroon have
// separate accounts.
func currencyOf(account string) string {
	if strings.HasSuffix(account, "XAF") {
		return "XAF"
	}
	return "XOF"
}

func methodName(code string) string {
	switch code {
	case mockapi.PayinMethod:
		return "Payin"
	case mockapi.PayinXAFMethod:
		return "Payin Cameroon"
	}
	for _, m := range mockapi.Methods() {
		if m.Code == code {
			return m.Name
		}
	}
	return code
}

// memos holds, in French, what the postings of the ledger are for. The fake has them in
// English.
var memos = map[string]string{
	"opening balance": "solde d'ouverture", "top-up": "approvisionnement",
	"payout debited": "reversement débité", "payout completed": "reversement effectué", "payout failed": "reversement échoué",
	"settlement queued": "virement en attente", "settlement completed": "virement effectué", "settlement rejected": "virement rejeté",
	"payment announced": "paiement annoncé", "payment received": "paiement reçu", "payment failed": "paiement échoué", "payment cancelled": "paiement annulé",
	"refund debited": "remboursement débité", "refund completed": "remboursement effectué", "refund failed": "remboursement échoué", "refund waits for its operator": "remboursement en attente de l'opérateur",
	"payin received": "payin reçu",
}

func memo(lang language, text string) string {
	if fr, ok := memos[text]; ok && lang == french {
		return fr
	}
	return text
}
