package dashboard

import (
	"net/http"
	"strings"

	xlanguage "golang.org/x/text/language"
)

// language is a language of the pages.
type language string

const (
	english language = "en"
	french  language = "fr"
)

var languages = []language{english, french}

// languageOf is what the browser's person has chosen, or else what the browser asks for.
func languageOf(r *http.Request) language {
	if c, err := r.Cookie(languageCookie); err == nil {
		for _, lang := range languages {
			if c.Value == string(lang) {
				return lang
			}
		}
	}
	asked, _, err := xlanguage.ParseAcceptLanguage(r.Header.Get("Accept-Language"))
	if err != nil {
		return english
	}
	_, index, _ := ours.Match(asked...)
	return languages[index]
}

// ours finds the best of the pages' languages. The first is what a browser gets that asks
// for none of them.
var ours = xlanguage.NewMatcher([]xlanguage.Tag{xlanguage.English, xlanguage.French})

// text is a text of the pages; an unknown key stands for itself.
func text(lang language, key string) string {
	w, ok := words[key]
	if !ok {
		return key
	}
	return w.in(lang)
}

// counted is a text with a number in it, %d, the one for one before the bar and the one
// for several behind it.
func counted(lang language, key string, n int) string {
	one, several, _ := strings.Cut(text(lang, key), "|")
	if n == 1 {
		return one
	}
	return strings.ReplaceAll(several, "%d", money(int64(n)))
}

// words are all texts of the pages, in both languages. The words of the API itself
// (statuses, events, codes) are not translated.
var words = map[string]phrase{
	"skip":         {"Skip to the content", "Aller au contenu"},
	"navigation":   {"Pages", "Pages"},
	"environment":  {"Environment", "Environnement"},
	"sandbox":      {"Sandbox", "Bac à sable"},
	"live":         {"Live", "Production"},
	"language":     {"Language", "Langue"},
	"fake":         {"Test server: no real money moves here.", "Serveur de test : aucun argent réel ne circule ici."},
	"state_kept":   {"State kept in", "État conservé dans"},
	"state_lost":   {"Nothing is kept when the server stops (see --state).", "Rien n'est conservé à l'arrêt du serveur (voir --state)."},
	"overview":     {"Overview", "Vue d'ensemble"},
	"requests":     {"Requests", "Requêtes"},
	"operations":   {"Operations", "Opérations"},
	"transactions": {"Transactions", "Transactions"},
	"payins":       {"Payins", "Payins"},
	"wallets":      {"Wallets", "Portefeuilles"},
	"webhooks":     {"Webhooks", "Webhooks"},
	"faults":       {"Faults", "Pannes"},
	"missing":      {"Not here", "Introuvable"},
	"missing_text": {"There is nothing at this address: it may be of the other environment, or forgotten since.", "Il n'y a rien à cette adresse : l'objet est peut-être de l'autre environnement, ou oublié depuis."},
	"request":      {"Request", "Requête"},
	"operation":    {"Operation", "Opération"},
	"transaction":  {"Transaction", "Transaction"},
	"payin":        {"Payin", "Payin"},
	"delivery":     {"Delivery", "Livraison"},

	"keys":         {"Keys", "Clés"},
	"public_key":   {"Public key", "Clé publique"},
	"secret_key":   {"Secret key", "Clé secrète"},
	"payin_key":    {"Payin API key", "Clé d'API payin"},
	"payin_client": {"Payin API client", "Client d'API payin"},
	"base_url":     {"Base URL", "URL de base"},
	"copy":         {"Copy", "Copier"},
	"copied":       {"Copied", "Copié"},
	"first_call":   {"A signed call, to paste into a shell", "Un appel signé, à coller dans un terminal"},
	"clock":        {"Clock", "Horloge"},
	"running":      {"running", "en marche"},
	"frozen":       {"frozen", "arrêtée"},
	"advance":      {"Advance", "Avancer"},
	"advance_by":   {"Advance by", "Avancer de"},
	"advance_hint": {"Whatever comes due on the way happens: retries, late responses, expiries.", "Tout ce qui arrive à échéance a lieu : nouvelles tentatives, réponses tardives, expirations."},
	"latest_calls": {"Latest requests", "Dernières requêtes"},
	"all":          {"All of them", "Tout voir"},
	"no_requests":  {"No request yet. Paste the call on the overview, and it shows here at once.", "Aucune requête pour l'instant. Collez l'appel de la vue d'ensemble : il apparaît ici aussitôt."},
	"no_objects":   {"Nothing yet.", "Rien pour l'instant."},
	"time":         {"Time", "Heure"},
	"method":       {"Method", "Méthode"},
	"status":       {"Status", "Statut"},
	"result":       {"Result", "Résultat"},
	"code":         {"Code", "Code"},
	"replayed":     {"replayed", "rejouée"},
	"lost":         {"no response sent", "sans réponse"},
	"followed":     {"followed a redirect", "a suivi une redirection"},
	"received":     {"Received", "Reçue"},
	"from":         {"From", "De"},
	"reason":       {"Reason", "Raison"},
	"fault":        {"Fault", "Panne"},
	"idempotency":  {"Idempotency key", "Clé d'idempotence"},
	"headers":      {"Headers", "En-têtes"},
	"name":         {"Name", "Nom"},
	"value":        {"Value", "Valeur"},
	"body":         {"Body", "Corps"},
	"no_body":      {"No body.", "Aucun corps."},
	"answer":       {"Answer", "Réponse"},

	"signature":          {"Signature", "Signature"},
	"signature_right":    {"The signature is right.", "La signature est juste."},
	"signature_found":    {"This is wrong:", "Voici ce qui ne va pas :"},
	"signature_unknown":  {"None of the mistakes that we try makes the signature that was received. Compare what you sign with the lines below, byte by byte, and the secret key with the one on the overview.", "Aucune des erreurs essayées ne donne la signature reçue. Comparez ce que vous signez aux lignes ci-dessous, octet par octet, et la clé secrète à celle de la vue d'ensemble."},
	"signature_received": {"Received signature", "Signature reçue"},
	"signature_expected": {"Expected signature", "Signature attendue"},
	"canonical":          {"The string to sign: five fields, joined by line feeds", "La chaîne à signer : cinq champs, joints par des sauts de ligne"},
	"field":              {"Field", "Champ"},
	"expected":           {"Expected", "Attendu"},
	"signed_instead":     {"Signed instead", "Signé à la place"},
	"same":               {"the same", "identique"},
	"differs":            {"differs", "diffère"},
	"empty":              {"(empty)", "(vide)"},
	"field_timestamp":    {"timestamp", "horodatage"},
	"field_method":       {"method", "méthode"},
	"field_path":         {"path", "chemin"},
	"field_query":        {"sorted query", "requête triée"},
	"field_body":         {"body", "corps"},

	"type":             {"Type", "Type"},
	"amount":           {"Amount", "Montant"},
	"fees":             {"Fees", "Frais"},
	"net":              {"Net", "Net"},
	"created":          {"Created", "Création"},
	"reference":        {"Reference", "Référence"},
	"error":            {"Error", "Erreur"},
	"payload":          {"Request", "Demande"},
	"actions":          {"Actions", "Actions"},
	"act":              {"What happens next", "Que se passe-t-il ensuite ?"},
	"complete":         {"Complete", "Réussir"},
	"settle":           {"Settle", "Régler"},
	"reject":           {"Reject", "Rejeter"},
	"process":          {"Start processing", "Mettre en traitement"},
	"with_code":        {"with the error code", "avec le code d'erreur"},
	"bank_waiting":     {"This bank payout waits for the back office.", "Ce virement attend le back-office."},
	"op_over":          {"This operation has ended. Events about it can still be sent.", "Cette opération est terminée. On peut encore envoyer ses évènements."},
	"events":           {"Events", "Évènements"},
	"event":            {"Event", "Évènement"},
	"suppressed":       {"kept back by its test number", "retenu par son numéro de test"},
	"trigger":          {"Send this event about it", "Envoyer cet évènement à son sujet"},
	"send":             {"Send", "Envoyer"},
	"method_paid":      {"Payment method", "Moyen de paiement"},
	"number":           {"Number", "Numéro"},
	"customer":         {"Customer", "Client"},
	"refunded":         {"Refunded", "Remboursé"},
	"open_checkout":    {"Open the checkout page", "Ouvrir la page de paiement"},
	"open_payin":       {"Open the confirmation page", "Ouvrir la page de confirmation"},
	"checkout_hint":    {"It is made for a phone: narrow the window to see it as the customer does.", "Elle est faite pour un téléphone : rétrécissez la fenêtre pour la voir comme le client."},
	"pay":              {"Pay as the customer", "Payer comme le client"},
	"decline":          {"Decline as the customer", "Refuser comme le client"},
	"confirm":          {"Confirm as the customer", "Confirmer comme le client"},
	"expire":           {"Let it expire", "Laisser expirer"},
	"confirmation":     {"Confirmation", "Confirmation"},
	"failure":          {"Failure", "Échec"},
	"ledger":           {"Ledger", "Grand livre"},
	"ledger_sum":       {"All entries sum to", "La somme des écritures est de"},
	"ledger_hint":      {"Every movement is double-entry: what one account loses, another gains.", "Chaque mouvement est en partie double : ce qu'un compte perd, un autre le gagne."},
	"posting":          {"Posting", "Écriture"},
	"account":          {"Account", "Compte"},
	"memo":             {"What", "Libellé"},
	"available":        {"Available", "Disponible"},
	"pending":          {"Pending", "En attente"},
	"wallet":           {"Wallet", "Portefeuille"},
	"subscriptions":    {"Subscriptions", "Abonnements"},
	"no_subscriptions": {"No subscription yet: POST /webhooks makes one, and so does the form below.", "Aucun abonnement : POST /webhooks en crée un, et le formulaire ci-dessous aussi."},
	"url":              {"URL", "URL"},
	"secret":           {"Secret", "Secret"},
	"ping":             {"Send a test", "Envoyer un test"},
	"rotate":           {"New secret", "Nouveau secret"},
	"remove":           {"Remove", "Supprimer"},
	"subscribe":        {"Subscribe", "S'abonner"},
	"subscribe_title":  {"A new subscription", "Un nouvel abonnement"},
	"url_hint":         {"https, or http on this machine", "https, ou http sur cette machine"},
	"deliveries":       {"Deliveries", "Livraisons"},
	"no_deliveries":    {"Nothing has been sent yet.", "Rien n'a encore été envoyé."},
	"about":            {"About", "À propos de"},
	"to":               {"To", "Vers"},
	"attempts":         {"Attempts", "Tentatives"},
	"attempt":          {"Attempt", "Tentative"},
	"latency":          {"Took", "Durée"},
	"next_attempt":     {"Next attempt", "Prochaine tentative"},
	"resend":           {"Resend", "Renvoyer"},
	"no_answer":        {"no response", "sans réponse"},
	"timestamp":        {"Timestamp", "Horodatage"},
	"presets":          {"Presets", "Préréglages"},
	"presets_hint":     {"Which calls are hit follows from the seed, so that a run repeats itself.", "Les appels touchés dépendent de la graine : une exécution se répète à l'identique."},
	"apply":            {"Apply", "Appliquer"},
	"clear":            {"Clear all faults", "Effacer toutes les pannes"},
	"one_fault":        {"One fault, for the next calls", "Une panne, pour les prochains appels"},
	"kind":             {"Kind", "Type"},
	"on":               {"On", "Sur"},
	"on_hint":          {"\u201cPOST /payouts\u201d, \u201cGET\u201d, or an event such as \u201cpayout.*\u201d; empty for all", "« POST /payouts », « GET », ou un évènement comme « payout.* » ; vide pour tout"},
	"times":            {"How many times", "Combien de fois"},
	"delay":            {"Delay", "Délai"},
	"delay_hint":       {"such as 2s, for latency, slow and late ones", "ainsi 2s, pour les pannes de lenteur et de retard"},
	"inject":           {"Inject", "Provoquer"},
	"waiting_faults":   {"Waiting to hit", "En attente"},
	"fired_faults":     {"Have hit", "Déjà survenues"},
	"left":             {"Left", "Restant"},
	"hits":             {"Hits", "Fois"},

	"search":            {"Search", "Chercher"},
	"search_hint":       {"Reference, id, number, amount", "Référence, id, numéro, montant"},
	"search_by":         {"Search by your own reference, an operation's id, a transaction's reference, the end of a number, an idempotency key or an amount.", "Cherchez par votre propre référence, l'id d'une opération, la référence d'une transaction, la fin d'un numéro, une clé d'idempotence ou un montant."},
	"nothing_found":     {"Nothing was found.", "Rien n'a été trouvé."},
	"all_n":             {"all of it|all %d", "tout voir|les %d"},
	"times_n":           {"once|%d times", "une fois|%d fois"},
	"filter":            {"Filter", "Filtrer"},
	"filter_apply":      {"Filter", "Filtrer"},
	"filter_clear":      {"Show all", "Tout afficher"},
	"any":               {"any", "tous"},
	"from_time":         {"From (UTC)", "De (UTC)"},
	"to_time":           {"To (UTC)", "À (UTC)"},
	"result_pages":      {"Pages of the list", "Pages de la liste"},
	"newer":             {"newer", "plus récentes"},
	"older":             {"older", "plus anciennes"},
	"of":                {"of", "sur"},
	"look_at_it":        {"Look at it", "Voir"},
	"lost_page":         {"There is no such page", "Cette page n'existe pas"},
	"lost_text":         {"Nothing is at", "Il n'y a rien à"},
	"lost_search":       {"Search for", "Chercher"},
	"lost_api":          {"The API is under", "L'API est sous"},
	"missing_other":     {"Look in the other environment", "Chercher dans l'autre environnement"},
	"own":               {"Your reference", "Votre référence"},
	"other_side":        {"To or from", "Vers ou de"},
	"why":               {"Why", "Pourquoi"},
	"what_to_do":        {"What to do", "Que faire"},
	"colon":             {":", "\u00a0:"},
	"xof":               {"XOF", "FCFA"},
	"payment":           {"Payment", "Paiement"},
	"no_result":         {"None yet: the operation has not ended.", "Aucun : l'opération n'est pas terminée."},
	"failed_result":     {"None: the operation did not succeed.", "Aucun : l'opération n'a pas réussi."},
	"op_over_bare":      {"This operation has ended.", "Cette opération est terminée."},
	"forgotten_n":       {"The last request is remembered.|The last %d requests are remembered, in both environments.", "La dernière requête est retenue.|Les %d dernières requêtes sont retenues, dans les deux environnements."},
	"polls_each":        {"Show each of the repeated polls", "Afficher chaque interrogation répétée"},
	"polls_fold":        {"Fold repeated polls", "Regrouper les interrogations répétées"},
	"attention":         {"Needs attention", "À traiter"},
	"latest_operations": {"Latest operations", "Dernières opérations"},
	"begin":             {"Nothing has happened yet", "Rien ne s'est encore passé"},
	"make_payout":       {"Make a payout now", "Faire un versement"},
	"ask_payment":       {"Ask for a payment now", "Demander un paiement"},
	"operator":          {"Operator", "Opérateur"},
	"description":       {"Description", "Description"},
	"number_optional":   {"Customer's number (optional)", "Numéro du client (facultatif)"},
	"numbers":           {"Test numbers", "Numéros de test"},
	"numbers_hint":      {"In the sandbox, the end of a number chooses what happens to a payout, a payment or a refund. Any number works that has 0000 before its last two digits. Payin sessions follow the same table, but for 14, with which they need no confirmation, and 15, with which they fail and are paid late.", "Dans le bac à sable, la fin d'un numéro choisit ce qui arrive à un versement, un paiement ou un remboursement. Tout numéro convient qui a 0000 devant ses deux derniers chiffres. Les sessions payin suivent le même tableau, sauf avec 14, où elles se passent de confirmation, et 15, où elles échouent puis sont payées en retard."},
	"numbers_live":      {"Test numbers mean nothing in this environment: every operation succeeds.", "Les numéros de test n'ont pas de sens dans cet environnement : toute opération réussit."},
	"meaning":           {"What happens", "Ce qui arrive"},
	"top_up":            {"Top up", "Approvisionner"},
	"stopwatch":         {"Stopwatch", "Chronomètre"},
	"stopwatch_restart": {"Restart the stopwatch", "Remettre le chronomètre à zéro"},
	"since":             {"since", "depuis"},

	"failed_operations":  {"1 operation failed|%d operations failed", "1 opération échouée|%d opérations échouées"},
	"expired_operations": {"1 operation expired|%d operations expired", "1 opération expirée|%d opérations expirées"},
	"refused_calls":      {"1 request refused|%d requests refused", "1 requête refusée|%d requêtes refusées"},
	"waiting_deliveries": {"1 delivery waits for its next attempt|%d deliveries wait for their next attempt", "1 livraison en attente de sa prochaine tentative|%d livraisons en attente de leur prochaine tentative"},
	"lost_deliveries":    {"1 delivery was given up|%d deliveries were given up", "1 livraison abandonnée|%d livraisons abandonnées"},
	"settling_payouts":   {"1 bank payout waits for the back office|%d bank payouts wait for the back office", "1 virement en attente du back-office|%d virements en attente du back-office"},

	"done_payout":         {"The payout was asked for.", "Le versement est demandé."},
	"done_payment":        {"The payment was asked for.", "Le paiement est demandé."},
	"done_top_up":         {"The wallet was topped up.", "Le portefeuille est approvisionné."},
	"done_stopwatch":      {"The stopwatch starts again.", "Le chronomètre repart."},
	"done_process":        {"The operation is processing.", "L'opération est en traitement."},
	"done_complete":       {"The operation is completed.", "L'opération a réussi."},
	"done_fail":           {"The operation is rejected.", "L'opération est rejetée."},
	"done_pay":            {"The customer has paid.", "Le client a payé."},
	"done_decline":        {"The customer has declined.", "Le client a refusé."},
	"done_settle_payment": {"The payment is settled.", "Le paiement est réglé."},
	"done_fail_payment":   {"The payment has failed.", "Le paiement a échoué."},
	"done_confirm_payin":  {"The customer has confirmed.", "Le client a confirmé."},
	"done_decline_payin":  {"The customer has declined the session.", "Le client a refusé la session."},
	"done_expire_payin":   {"The session has expired.", "La session a expiré."},
	"done_settle_payin":   {"The session's money has arrived.", "L'argent de la session est arrivé."},
	"done_fail_payin":     {"The session has failed.", "La session a échoué."},
	"done_resend":         {"The delivery is being sent again.", "La livraison est renvoyée."},
	"done_ping":           {"A test event is being sent.", "Un évènement de test est envoyé."},
	"done_unsubscribe":    {"The subscription is removed.", "L'abonnement est supprimé."},
	"done_rotate":         {"The subscription has a new secret.", "L'abonnement a un nouveau secret."},
	"done_trigger":        {"The event is being sent.", "L'évènement est envoyé."},
	"done_subscribe":      {"The subscription is made.", "L'abonnement est créé."},
	"done_advance":        {"The clock was advanced.", "L'horloge a avancé."},
	"done_presets":        {"The presets are set.", "Les préréglages sont appliqués."},
	"done_add_fault":      {"The fault waits for its call.", "La panne attend son appel."},
	"done_clear_faults":   {"All faults are cleared.", "Toutes les pannes sont effacées."},
	"unknown_action":      {"There is no such action.", "Cette action n'existe pas."},
	"problem":             {"That did not work", "Cela n'a pas marché"},
}
