package intram_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	intram "github.com/intram/intram-go"
)

// errorWordsInFrench writes docs/fr/errors.md. The person who reads it knows the sentence
// of Explain already: it is the quotation, and what a developer does comes after it.
var errorWordsInFrench = errorWords{
	failed: "une opération échouée",
	acts:   "Qui agit\u00a0: ",
	say: func(t *testing.T, text string) string {
		t.Helper()
		if text == "" {
			return ""
		}
		french, ok := errorsInFrench[text]
		assert.True(t, ok, "docs_fr_errors_test.go has no French for %q", text)
		return french
	},
	heading: func(text, say string) string {
		ids := document{text: "## " + text}.ownAnchors()
		return `<a id="` + ids[0] + `"></a>` + "\n## " + say
	},
	explain: func(explained error, note string) string {
		text := "> " + intram.Explain(explained, intram.French) + "\n"
		if note != "" {
			text += "\n" + note + "\n"
		}
		return text
	},
}

// Every text of the page is in use: one whose English changed is not left behind.
func TestTheErrorsPageUsesAllItsFrench(t *testing.T) {
	t.Parallel()
	used := make(map[string]bool)
	in := errorWordsInFrench
	in.say = func(t *testing.T, text string) string {
		t.Helper()
		used[text] = true
		return errorWordsInFrench.say(t, text)
	}
	errorEntries(t, in)
	for text := range errorsInFrench {
		assert.True(t, used[text], "docs_fr_errors_test.go has the French of %q, which is not on the page", text)
	}
}

var errorsInFrench = map[string]string{
	developer: "votre développeur",
	operator:  "vous, sur le tableau de bord d'Intram",
	customer:  "votre client",
	support:   "l'assistance d'Intram, à votre demande",
	program:   "votre programme",
	person:    "une personne, avant tout nouveau paiement",

	"Codes of refused calls":                 "Codes des appels refusés",
	"Codes of failed operations":             "Codes des opérations échouées",
	"Codes of payin sessions":                "Codes des sessions payin",
	"Codes of the SDK":                       "Codes du SDK",
	"Errors of intents, lists and responses": "Erreurs des intentions, des listes et des réponses",
	"Errors of webhooks":                     "Erreurs des webhooks",
	"Errors of the inbox and the reconciler": "Erreurs de la boîte de réception et du rapprochement",

	"The API refused a call: an `*intram.Error`, with the HTTP status.":                                                                                         "L'API a refusé un appel\u00a0: une `*intram.Error`, avec le statut HTTP.",
	"The call was accepted, and its operation failed: an `*intram.OperationError`, from a wait, a lookup or an event. What was debited has been credited back.": "L'appel a été accepté, et son opération a échoué\u00a0: une `*intram.OperationError`, qui vient d'une attente, d'une consultation ou d'un évènement. Ce qui avait été débité a été rendu au portefeuille.",
	"Of [the second API](payin.md), as an `*intram.Error`, or as the `Failure` of a session.":                                                                   "De [la seconde API](payin.md), comme `*intram.Error`, ou comme `Failure` d'une session.",
	"Made by the SDK, for an operation that ended without a code.":                                                                                              "Donnés par le SDK, pour une opération terminée sans code.",
	"Test for them with `errors.Is`.":                            "Reconnaissez-les par `errors.Is`.",
	"From `Verify`, and in the log of the handler.":              "De `Verify`, et dans le journal du gestionnaire.",
	"For authors of an inbox, and in `Reconciliation.Failures`.": "Pour qui écrit une boîte de réception, et dans `Reconciliation.Failures`.",

	"Check that the public key is of the environment that you mean.": "Vérifiez que la clé publique est de l'environnement voulu.",
	"The end of the message is the reason: `missing_signature`, `missing_timestamp`, `invalid_timestamp_format`, `timestamp_out_of_window` (the clock; the SDK corrects it by up to 12 hours) or `signature_mismatch` (the secret key, or a proxy that rewrites). `intram explain-signature` finds the mistake of a client of your own.": "La fin du message est la raison\u00a0: `missing_signature`, `missing_timestamp`, `invalid_timestamp_format`, `timestamp_out_of_window` (l'horloge\u00a0; le SDK la corrige jusqu'à 12 heures d'écart) ou `signature_mismatch` (la clé secrète, ou un proxy qui réécrit). `intram explain-signature` trouve l'erreur d'un client que vous avez écrit.",
	"Of a `Platform` after `Close`: nothing more is sent, and waits end with it. The operations go on.": "D'une `Platform` après `Close`\u00a0: plus rien n'est envoyé, et les attentes s'arrêtent. Les opérations suivent leur cours.",
	"Your `MerchantSecrets` function returns it: the handler responds 401, as to a bad signature.":      "Votre fonction `MerchantSecrets` la rend\u00a0: le gestionnaire répond 401, comme à une mauvaise signature.",
	"Live only.": "En production seulement.",
	"Live only. See [going-live.md](going-live.md#allowlist-and-egress-address).": "En production seulement. Voyez [going-live.md](going-live.md#allowlist-and-egress-address).",
	"Live only. `Error.ClientIP` is the address that the API saw.":                "En production seulement. `Error.ClientIP` est l'adresse que l'API a vue.",
	"The SDK always sends one.":                 "Le SDK en envoie toujours une.",
	"The SDK checks keys before it sends them.": "Le SDK vérifie les clés avant de les envoyer.",
	"With the first request's parameters, call again with the same key: you get its operation. Without them, read `Operations.All` over the last day and compare `Operation.Reference()`.": "Avec les paramètres de la première requête, refaites l'appel avec la même clé\u00a0: vous obtenez son opération. Sans eux, lisez `Operations.All` sur le dernier jour et comparez `Operation.Reference()`.",
	"The SDK has tried again already.": "Le SDK a déjà réessayé.",
	"`Error.Details` names each field and says what it must be. The SDK finds most of them before anything is sent: then `StatusCode` is 0.": "`Error.Details` nomme chaque champ et dit ce qu'il doit être. Le SDK en trouve la plupart avant tout envoi\u00a0: `StatusCode` vaut alors 0.",
	"The limits are not documented.": "Les limites ne sont pas documentées.",
	"Unknown, another merchant's, or the other environment's. A refund of such a payment is refused at once.":                            "Inconnu, d'un autre marchand, ou de l'autre environnement. Le remboursement d'un tel paiement est refusé aussitôt.",
	"Unknown, another merchant's, or the other environment's. A wait takes it for a replica that lags in the first 15 seconds.":          "Inconnue, d'un autre marchand, ou de l'autre environnement. Pendant les 15 premières secondes, une attente y voit une instance en retard.",
	"It also comes as the code of a failed operation.":                                                                                   "Il vient aussi comme code d'une opération échouée.",
	"The SDK has tried again already, with the same key.":                                                                                "Le SDK a déjà réessayé, avec la même clé.",
	"Judged on the amount and the fees. Fund the wallet, [by operator](payouts.md#balance-by-operator); then a new key.":                 "S'apprécie sur le montant et les frais. Approvisionnez le portefeuille, [par opérateur](payouts.md#balance-by-operator)\u00a0; puis une nouvelle clé.",
	"`OperationError.Details` has the operator's own code and words.":                                                                    "`OperationError.Details` contient le code et les mots de l'opérateur.",
	"The operator may have paid and then failed to say so. An operator that Intram does not handle in that country fails like this too.": "L'opérateur a pu payer sans réussir à le dire. Un opérateur qu'Intram ne traite pas dans ce pays échoue ainsi lui aussi.",
	"The operator may have paid and then failed to say so.":                                                                              "L'opérateur a pu payer sans réussir à le dire.",
	"Name the operator in `MobileMoney.ProviderCode`.":                                                                                   "Nommez l'opérateur dans `MobileMoney.ProviderCode`.",
	"`Transaction.Refunds` says what was given back before.":                                                                             "`Transaction.Refunds` dit ce qui a déjà été rendu.",
	"Try again later, with a new key: see [refunds.md](refunds.md#a-payment-that-is-not-settled).":                                       "Réessayez plus tard, avec une nouvelle clé\u00a0: voyez [refunds.md](refunds.md#a-payment-that-is-not-settled).",
	"Cards. The card network may have done it.":                                                                                          "Cartes. Le réseau de cartes l'a peut-être fait.",
	"As a session's failure, it may still be paid within 48 hours.":                                                                      "Comme échec d'une session\u00a0: elle peut encore être payée dans les 48 heures.",
	"`WithPayinAccount` or `AccountID` names an account that is not yours.":                                                              "`WithPayinAccount` ou `AccountID` nomme un compte qui n'est pas le vôtre.",
	"The number is of no operator in that country.":                                                                                      "Le numéro n'est d'aucun opérateur de ce pays.",
	"After a lost response this proves little: reports differ on which of a session's two references the API takes.":                     "Après une réponse perdue, cela prouve peu de chose\u00a0: les témoignages divergent sur celle des deux références d'une session que prend l'API.",
	"A payment with this reference was taken: look the session up with `Payin.Get` before you ask again.":                                "Un paiement avec cette référence a été encaissé\u00a0: consultez la session avec `Payin.Get` avant d'en demander un autre.",
	"The operation ended as `expired`, a status that the documentation reserves.":                                                        "L'opération s'est terminée en `expired`, un statut que la documentation réserve.",
	"A bank returned the payout, or an operator refused the refund after it was pending. The event says why.":                            "Une banque a renvoyé le virement, ou un opérateur a refusé le remboursement après l'avoir laissé en attente. L'évènement dit pourquoi.",

	"From `Resume`: nothing was executed, and nothing will be. A new intent is safe.": "De `Resume`\u00a0: rien n'a été exécuté, et rien ne le sera. Une nouvelle intention est sans risque.",
	"From `Resume`: it may have been executed. `errors.As` gives a `*CannotTellError`: with `RetryAt`, call `Resume` again at that time; with `Err`, when the list can be read; with `Candidates`, compare them with your records.": "De `Resume`\u00a0: c'est peut-être exécuté. `errors.As` donne une `*CannotTellError`\u00a0: avec `RetryAt`, appelez de nouveau `Resume` à cette heure\u00a0; avec `Err`, quand la liste pourra être lue\u00a0; avec `Candidates`, comparez-les à vos écritures.",
	"Call `Resume` with the intent before you do anything else. Payin sessions and `Client.Do` have no `Resume`: look for what the call should have made.":                                                                          "Appelez `Resume` avec l'intention avant toute autre chose. Les sessions payin et `Client.Do` n'ont pas de `Resume`\u00a0: cherchez ce que l'appel aurait dû créer.",
	"Call `Resume` with the parameters and keys of the intent. After a rotation of one merchant's keys, empty `Intent.AccountSHA256`.":                                                                                              "Appelez `Resume` avec les paramètres et les clés de l'intention. Après un remplacement des clés d'un même marchand, videz `Intent.AccountSHA256`.",
	"The result has a status that this version does not know: look the operation up before you pay again.":                                                                                                                          "Le résultat porte un statut que cette version ne connaît pas\u00a0: consultez l'opération avant de payer de nouveau.",
	"A cache or a proxy can mix responses up. It says nothing of the money.":                                                                                                                                                        "Un cache ou un proxy peut mélanger les réponses. Cela ne dit rien de l'argent.",
	"From `NewClient` with `WithCredentials`: the function's own error is behind it.":                                                                                                                                               "De `NewClient` avec `WithCredentials`\u00a0: l'erreur de la fonction est derrière elle.",
	"From `ParseMSISDN`.": "De `ParseMSISDN`.",
	"From `ParseTypedAmount`: `25.000` is 25 to a program and 25 000 to many an office.": "De `ParseTypedAmount`\u00a0: `25.000` vaut 25 pour un programme et 25\u00a0000 dans bien des bureaux.",

	"Check the secret of the subscription, and that nothing reads or rewrites the body before the handler.": "Vérifiez le secret de l'abonnement, et que rien ne lit ni ne réécrit le corps avant le gestionnaire.",
	"This machine's clock, or a delivery that was replayed.":                                                "L'horloge de cette machine, ou une livraison rejouée.",
	"Of `NewWebhookVerifierFunc`: the handler responds 503, and Intram delivers again.":                     "De `NewWebhookVerifierFunc`\u00a0: le gestionnaire répond 503, et Intram livre de nouveau.",
	"From a function of `OnData`.": "D'une fonction d'`OnData`.",
	"Your function returns it when its database is away: the handler responds 503, and Intram delivers again.": "Votre fonction la rend quand sa base de données est absente\u00a0: le gestionnaire répond 503, et Intram livre de nouveau.",
	"Another replica has the event.":                                  "Une autre instance a l'évènement.",
	"Of a `MemoryInbox`: raise `Capacity`, or use a shared inbox.":    "D'une `MemoryInbox`\u00a0: augmentez `Capacity`, ou utilisez une boîte partagée.",
	"It may hide an event: look the operation up.":                    "Elle peut cacher un évènement\u00a0: consultez l'opération.",
	"Your function was not called: look the operation up and decide.": "Votre fonction n'a pas été appelée\u00a0: consultez l'opération et tranchez.",
}
