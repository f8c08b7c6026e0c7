package mockapi

// inFrench is a text of the customer's pages in French. What has no translation stays as
// it is: a test sees that everything has one.
func inFrench(english string) string {
	if french, ok := frenchPages[english]; ok {
		return french
	}
	return english
}

var frenchPages = map[string]string{
	"":                          "",
	"Payment":                   "Paiement",
	"Pay":                       "Payer",
	"Pay with":                  "Payer avec",
	"You pay":                   "Vous payez",
	"Amount":                    "Montant",
	"To":                        "À",
	"From":                      "De",
	"For":                       "Pour",
	"Fee":                       "Frais",
	"Reference":                 "Référence",
	"Date":                      "Date",
	"Until":                     "Jusqu'à",
	"Mobile money number":       "Numéro mobile money",
	"Decline":                   "Annuler",
	"Confirm":                   "Confirmer",
	"Return to":                 "Retourner chez",
	"Payment received":          "Paiement reçu",
	"Payment not made":          "Paiement non effectué",
	"Payment declined":          "Paiement refusé",
	"Payment refunded":          "Paiement remboursé",
	"Payment not found":         "Paiement introuvable",
	"Too late":                  "Trop tard",
	"Waiting for confirmation":  "En attente de confirmation",
	"Waiting for your operator": "En attente de votre opérateur",
	"As you know it, or with the country code. Not needed for card and bank payments.":                   "Comme vous le connaissez, ou avec l'indicatif du pays. Inutile pour un paiement par carte ou virement.",
	"This is no mobile money number of the operator. Write it as you know it, or with the country code.": "Ce n'est pas un numéro mobile money de cet opérateur. Écrivez-le comme vous le connaissez, ou avec l'indicatif du pays.",
	"On another screen? Pay with your phone.":                                                            "Sur un autre écran ? Payez avec votre téléphone.",
	"QR code that opens this page on a phone":                                                            "Code QR qui ouvre cette page sur un téléphone",
	"Confirm the payment with your operator. Reload this page to see the result.":                        "Confirmez le paiement auprès de votre opérateur. Rechargez cette page pour voir le résultat.",
	"Your payment was received. This page is your receipt.":                                              "Votre paiement est reçu. Cette page est votre reçu.",
	"This payment was given back.":                                                                       "Ce paiement a été rendu.",
	"No money was taken.":                                                                                "Aucun argent n'a été prélevé.",
	"The payment was not confirmed in time. No money was taken.":                                         "Le paiement n'a pas été confirmé à temps. Aucun argent n'a été prélevé.",
	"There is no payment at this address.":                                                               "Il n'y a aucun paiement à cette adresse.",
	"Test gateway: no real money moves here.":                                                            "Passerelle de test : aucun argent réel ne circule ici.",
	"This address only takes the form of the page.":                                                      "Cette adresse ne prend que le formulaire de la page.",
	"The form came from another site and was not accepted.":                                              "Le formulaire venait d'un autre site et n'a pas été accepté.",
	"The payment could not be changed: it may be over already.":                                          "Le paiement n'a pas pu être changé : il est peut-être déjà terminé.",
}
