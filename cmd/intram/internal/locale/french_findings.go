package locale

import (
	"maps"
	"slices"
	"unicode"
	"unicode/utf8"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/cmd/intram/internal/signature"
)

// Finding returns a finding about a signature as sentences: what is wrong, and what to
// do.
func Finding(lang intram.Language, f signature.Finding) string {
	if text, ok := frenchFindings[f.ID]; ok && lang == intram.French {
		return respace(text)
	}
	first, size := utf8.DecodeRuneInString(f.What)
	return string(unicode.ToUpper(first)) + f.What[size:] + ". " + f.Fix
}

// HasFinding reports whether a finding has French.
func HasFinding(id string) bool { return frenchFindings[id] != "" }

// Findings lists the findings that have French.
func Findings() []string { return slices.Sorted(maps.Keys(frenchFindings)) }

// frenchFindings are what package signature finds, in French, by the finding's ID: what
// is wrong, and what to do.
var frenchFindings = map[string]string{ //nolint:gosec // G101: sentences about keys, and no key
	"missing-api-key":      "L'en-tête X-Api-Key manque. Envoyez-y la clé publique.",
	"missing-timestamp":    "L'en-tête X-Timestamp manque. Envoyez-y l'heure qui a été signée.",
	"missing-signature":    "L'en-tête X-Signature manque. Envoyez sha256= puis le HMAC en hexadécimal minuscule.",
	"malformed-signature":  "X-Signature n'est ni en hexadécimal ni en base64. Envoyez sha256= puis 64 chiffres hexadécimaux.",
	"duplicate-header":     "Un en-tête est venu plusieurs fois. Envoyez-le une seule fois.",
	"secret-key-sent":      "La clé secrète a été envoyée dans X-Api-Key. Envoyez la clé publique (pk_…), et remplacez la clé secrète : elle a quitté votre machine.",
	"two-environments":     "La clé publique et la clé secrète sont de deux environnements. Prenez les deux clés du même.",
	"timestamp-format":     "X-Timestamp n'a pas le bon format. Écrivez-le comme 2026-05-20T10:30:00.000Z.",
	"timestamp-local-time": "X-Timestamp est à l'heure locale. Écrivez-le en UTC, terminé par Z.",
	"timestamp-window":     "X-Timestamp est à plus de 5 minutes de l'heure du serveur. Mettez l'horloge à l'heure, et signez juste avant d'envoyer.",
	"timestamp-missing":    "L'horodatage manque dans la signature. C'est sa première ligne.",
	"timestamp-other-form": "L'heure signée n'est pas écrite comme l'heure envoyée. Écrivez-la une fois, pour l'en-tête et pour la signature.",
	"other-timestamp":      "L'heure signée n'est pas l'heure envoyée. Prenez l'heure une fois, pour l'en-tête et pour la signature.",

	"method-lower-case": "La méthode a été signée en minuscules. Écrivez-la en capitales.",
	"method-case":       "La méthode a été signée avec une seule capitale. Écrivez-la en capitales.",
	"method-missing":    "La méthode manque dans la signature. C'est la deuxième ligne.",
	"method-other":      "Une autre méthode que celle envoyée a été signée. Signez la méthode envoyée.",

	"public-path":   "Le chemin public /v1/… a été signé. Signez /api/v1/merchant puis le point d'accès, quelle que soit l'URL appelée.",
	"endpoint-path": "Le point d'accès seul a été signé. Signez /api/v1/merchant puis le point d'accès.",
	"partial-path":  "Une partie du chemin seulement a été signée. Signez /api/v1/merchant puis le point d'accès.",
	"path-decoded":  "Le chemin a été signé décodé, et envoyé avec des signes pour cent. Utilisez des identifiants sans encodage, ou signez le chemin tel qu'envoyé.",
	"path-slash":    "Le chemin a été signé avec une barre de trop ou de moins.",
	"path-missing":  "Le chemin manque dans la signature. C'est la troisième ligne.",
	"full-url":      "L'URL entière a été signée comme chemin. Signez /api/v1/merchant puis le point d'accès.",

	"query-in-path":      "Les paramètres ont été signés avec le chemin. Ils ont leur propre ligne, triés et sans point d'interrogation.",
	"query-unsorted":     "Les paramètres n'ont pas été signés triés. Triez les paires par clé, jointes par &.",
	"query-missing":      "Les paramètres manquent dans la signature. C'est la quatrième ligne.",
	"query-mark":         "Un point d'interrogation a été signé avec les paramètres. Enlevez-le.",
	"query-decoded":      "Les paramètres ont été signés décodés, et envoyés encodés. Envoyez des valeurs qui n'ont pas besoin d'encodage.",
	"query-encoded":      "Les paramètres ont été signés encodés, et envoyés autrement. Signez-les tels qu'envoyés.",
	"query-unjoined":     "Les paramètres ont été signés sans &. Joignez les paires triées par &.",
	"query-word":         "Un mot comme null a été signé à la place des paramètres, et il n'y en a pas. Laissez leur ligne vide.",
	"query-line-missing": "La ligne des paramètres a été omise. Un champ vide garde sa ligne.",

	"body-empty-object":      "« {} » a été signé, et aucun corps n'a été envoyé. Signez le corps envoyé : rien, pour GET et DELETE.",
	"body-null":              "« null » a été signé, et aucun corps n'a été envoyé. Signez le corps envoyé : rien, pour GET et DELETE.",
	"body-missing":           "Le corps manque dans la signature. Il suit le quatrième saut de ligne.",
	"body-line-break-sent":   "Le corps a été envoyé avec un saut de ligne final qui n'a pas été signé. Signez les octets envoyés.",
	"body-line-break-signed": "Un saut de ligne final a été signé et n'a pas été envoyé : echo en ajoute un, printf non.",
	"body-crlf-sent":         "Le corps a été envoyé avec des fins de ligne CRLF et signé avec LF. Signez les octets envoyés.",
	"body-crlf-signed":       "Le corps a été signé avec des fins de ligne CRLF et envoyé avec LF. Signez les octets envoyés.",
	"body-trimmed":           "Le corps a été signé sans les espaces qui l'entourent. Signez les octets envoyés.",
	"body-bom":               "Une marque d'ordre des octets est devant le corps d'un seul côté. Écrivez le fichier sans elle.",
	"body-hash":              "Le SHA-256 du corps a été signé. Signez le corps lui-même.",
	"body-base64":            "Le corps a été signé en base64. Signez le corps lui-même.",
	"body-quoted":            "Le corps a été signé comme une chaîne JSON entre guillemets. Signez les octets envoyés.",
	"body-latin1-sent":       "Le corps a été envoyé en Latin-1 (Windows-1252) et signé en UTF-8. Envoyez et signez les mêmes octets, en UTF-8.",
	"body-latin1":            "Le corps a été signé en Latin-1 et envoyé en UTF-8. Signez les octets envoyés, en UTF-8.",
	"body-ascii":             "Le corps a été signé en ASCII, avec ? pour chaque autre lettre. Signez les octets envoyés, en UTF-8.",
	"body-encoded-twice":     "Le corps a été encodé en UTF-8 deux fois d'un côté (utf8_encode de PHP). Encodez-le une seule fois, et signez les octets envoyés.",
	"body-normalised":        "Le corps a été signé avec des accents composés autrement que dans l'envoi (NFC et NFD). Signez les octets envoyés.",
	"body-word":              "Un mot comme [object Object] ou Array a été signé à la place du corps. Signez les octets envoyés.",
	"body-reserialised":      "Une autre écriture du même JSON a été signée. Écrivez le corps une fois, signez cette chaîne, et envoyez les mêmes octets.",
	"body-only":              "Le corps seul a été signé. Joignez les cinq champs par un saut de ligne.",

	"separator-missing":   "Les champs ont été joints sans saut de ligne. Joignez les cinq par un saut de ligne, quatre en tout.",
	"separator-crlf":      "Les champs ont été joints par CRLF. Joignez-les par un simple saut de ligne.",
	"separator-literal":   "Les champs ont été joints par une barre oblique inverse et un n : entre apostrophes, \\n n'est pas un saut de ligne.",
	"separator-other":     "Les champs ont été joints par autre chose qu'un saut de ligne.",
	"separator-extra":     "Un saut de ligne de trop a été signé. Il y en a quatre.",
	"empty-field-dropped": "Un champ vide a été omis avec son saut de ligne. Un champ vide garde sa ligne.",
	"field-order":         "Les champs ont été signés dans un autre ordre : horodatage, méthode, chemin, paramètres, corps.",
	"webhook-layout":      "La requête a été signée comme un webhook. Joignez les cinq champs par un saut de ligne.",

	"wrong-key":            "Une autre clé a signé : celle de l'autre environnement, d'un webhook ou de payin. Signez avec la clé secrète (sk_…) de l'environnement.",
	"public-key-as-secret": "La clé publique a servi de secret. Signez avec la clé secrète (sk_…).",
	"key-empty":            "Une clé vide a signé. La variable qui doit contenir la clé secrète n'est pas définie là où tourne le programme.",
	"key-white-space":      "La clé avait des espaces, des guillemets ou un saut de ligne autour d'elle. Enlevez-les.",
	"key-without-prefix":   "La clé a signé sans son préfixe. Utilisez-la telle quelle, préfixe compris.",
	"key-decoded":          "La clé a été décodée ou encodée avant de signer. Utilisez-la telle quelle, préfixe compris.",

	"hash-without-key": "Un simple SHA-256 a été calculé, sans la clé. Calculez HMAC-SHA256 avec la clé secrète.",
	"hash-before-hmac": "Le HMAC du SHA-256 du texte a été calculé. Calculez le HMAC du texte lui-même.",
	"text-utf16":       "Le texte a été signé en UTF-16 (Encoding.Unicode de .NET). Signez-le en UTF-8.",
	"hash-not-hmac":    "Un SHA-256 de la clé et du texte a été calculé, ce qui n'est pas un HMAC. Calculez HMAC-SHA256.",
	"hmac-swapped":     "La clé et le texte ont été échangés. La clé du HMAC est la clé secrète.",
	"other-algorithm":  "Un autre algorithme a été utilisé. Calculez HMAC-SHA256.",

	"signature-space":      "X-Signature contient une espace. Envoyez sha256= puis le HMAC en hexadécimal minuscule.",
	"signature-prefix":     "X-Signature ne commence pas par sha256=.",
	"signature-upper-case": "Les chiffres hexadécimaux de X-Signature sont en capitales. Ils sont en minuscules.",
	"signature-base64":     "X-Signature est en base64. Envoyez le HMAC en hexadécimal minuscule.",
}

// frenchDeliveries are what is wrong with a delivery of a webhook, and with what people
// keep of a request. The receiver did not sign it, so it has other advice than a request.
var frenchDeliveries = map[string]string{ //nolint:gosec // likewise
	"the header X-Intram-Signature is missing":                                                                         "l'en-tête X-Intram-Signature manque",
	"the header X-Intram-Timestamp is missing":                                                                         "l'en-tête X-Intram-Timestamp manque",
	"It is not from Intram, or a proxy drops headers that it does not know.":                                           "Elle ne vient pas d'Intram, ou un proxy retire les en-têtes qu'il ne connaît pas.",
	"the signature or the timestamp came more than once":                                                               "la signature ou l'horodatage est venu plusieurs fois",
	"the signature came more than once":                                                                                "la signature est venue plusieurs fois",
	"Refuse it: it is not clear which one counts.":                                                                     "Refusez-la : on ne sait pas lequel compte.",
	"X-Intram-Signature is neither hex nor base64":                                                                     "X-Intram-Signature n'est ni en hexadécimal ni en base64",
	"Refuse it: Intram sends sha256= and 64 hexadecimal digits.":                                                       "Refusez-la : Intram envoie sha256= et 64 chiffres hexadécimaux.",
	"X-Signature-Value is not hex":                                                                                     "X-Signature-Value n'est pas en hexadécimal",
	"Refuse it: a notification has 64 hexadecimal digits.":                                                             "Refusez-la : une notification a 64 chiffres hexadécimaux.",
	"Intram sends sha256= and 64 hexadecimal digits: something rewrote the header, or it is not from Intram.":          "Intram envoie sha256= et 64 chiffres hexadécimaux : quelque chose a récrit l'en-tête, ou elle ne vient pas d'Intram.",
	"X-Intram-Signature has white space in it":                                                                         "X-Intram-Signature contient une espace",
	"X-Intram-Signature does not begin with sha256=":                                                                   "X-Intram-Signature ne commence pas par sha256=",
	"X-Intram-Signature begins with %s instead of sha256=":                                                             "X-Intram-Signature commence par {1} au lieu de sha256=",
	"X-Intram-Signature is the base64 of the hex digits":                                                               "X-Intram-Signature est le base64 des chiffres hexadécimaux",
	"X-Intram-Signature is in base64 instead of hex":                                                                   "X-Intram-Signature est en base64 au lieu de l'hexadécimal",
	"the signature does not fit the secret and the body":                                                               "la signature ne correspond pas au secret et au corps",
	"Check the secret first: each subscription has its own. Then check that the body is the raw bytes of the request.": "Vérifiez d'abord le secret : chaque abonnement a le sien. Vérifiez ensuite que le corps est celui de la requête, à l'octet près.",
	"Check the secret (the portal's, not the API's), and that the body is the raw bytes of the request.":               "Vérifiez le secret (celui du tableau de bord d'Intram, pas celui de l'API), et que le corps est celui de la requête, à l'octet près.",
	"X-Intram-Timestamp is not a time in ISO 8601":                                                                     "X-Intram-Timestamp n'est pas une heure au format ISO 8601",
	"Refuse it: Intram sends a time such as 2026-05-20T10:30:00.000Z.":                                                 "Refusez-la : Intram envoie une heure comme 2026-05-20T10:30:00.000Z.",
	"Set this machine's clock (NTP); or it is an old delivery sent again: ask for a new one.":                          "Mettez l'horloge de cette machine à l'heure (NTP) ; ou c'est une ancienne notification envoyée de nouveau : demandez-en une nouvelle.",
	"the signature is good, and it is %s old: 5 minutes are allowed":                                                   "la signature est juste, mais elle date d'il y a {1} : 5 minutes sont admises",
	"the signature is good, and it is %s in the future: 5 minutes are allowed":                                         "la signature est juste, mais elle est en avance de {1} : 5 minutes sont admises",
	"it was signed with %s, not with the secret that was given":                                                        "elle a été signée avec {1:t}, et non avec le secret donné",
	"Verify with the secret that belongs to the subscription.":                                                         "Vérifiez avec le secret de l'abonnement.",
	"Verify with the secret that the subscription's creation returned (whsec_…).":                                      "Vérifiez avec le secret rendu à la création de l'abonnement (whsec_…).",
	"the secret that was given has white space around it":                                                              "le secret donné a des espaces autour de lui",
	"Take it off.": "Enlevez-les.",
	"the secret that was given lacks its whsec_":       "le secret donné n'a pas son whsec_",
	"Use the secret as it was shown, whsec_ included.": "Utilisez le secret tel qu'il a été affiché, whsec_ compris.",
	"the secret of %s":         "le secret de {1}",
	"the webhook secret of %s": "le secret de webhook de {1:t}",
	"the API's secret key":     "la clé secrète de l'API",
	"Verify the raw bytes of the request, read before any JSON decoder.": "Vérifiez les octets bruts de la requête, lus avant tout décodage du JSON.",
	"the body has a line break at its end that was not sent":             "le corps a un saut de ligne final qui n'a pas été envoyé",
	"Take off the line break that saving it added.":                      "Enlevez le saut de ligne ajouté à l'enregistrement.",
	"the body lacks the line break at its end":                           "il manque au corps son saut de ligne final",
	"the body has CRLF line breaks that were sent as LF":                 "le corps a des fins de ligne CRLF qui ont été envoyées en LF",
	"the body has LF line breaks that were sent as CRLF":                 "le corps a des fins de ligne LF qui ont été envoyées en CRLF",
	"Something rewrites line breaks: save it as binary.":                 "Quelque chose récrit les fins de ligne : enregistrez-le en binaire.",
	"the body was saved in Latin-1, and sent in UTF-8":                   "le corps a été enregistré en Latin-1, et envoyé en UTF-8",
	"Save it as it is, in UTF-8.":                                        "Enregistrez-le tel quel, en UTF-8.",
	"the body was encoded in UTF-8 once more than it was sent":           "le corps a été encodé en UTF-8 une fois de plus qu'à l'envoi",
	"the body has white space around it that was not sent":               "le corps a autour de lui des espaces qui n'ont pas été envoyées",
	"the byte order mark of the body is not as it was sent":              "la marque d'ordre des octets du corps n'est pas celle de l'envoi",
	"Save it without a byte order mark.":                                 "Enregistrez-le sans marque d'ordre des octets.",
	"the body was decoded and written again":                             "le corps a été décodé puis récrit",
	"the body was decoded and written again: it was sent %s":             "le corps a été décodé puis récrit ; forme de l'envoi : {1:t}",

	"the path is no URL: write it as /payouts, or as it was called":                                    "le chemin n'est pas une URL : écrivez-le comme /payouts, ou comme il a été appelé",
	"the path names no endpoint: write it as /payouts, or as it was called":                            "le chemin n'indique aucun point d'accès : écrivez-le comme /payouts, ou comme il a été appelé",
	"there are no headers in it: write a line for each, such as X-Timestamp: 2026-05-20T10:30:00.000Z": "il n'y a pas d'en-têtes : écrivez une ligne pour chacun, comme X-Timestamp: 2026-05-20T10:30:00.000Z",
	"the headers begin as JSON, and are no JSON object":                                                "les en-têtes commencent comme du JSON, et ne sont pas un objet JSON",
	"the first line is no request line, such as: POST /v1/payouts HTTP/1.1":                            "la première ligne n'est pas une ligne de requête, comme POST /v1/payouts HTTP/1.1",
}
