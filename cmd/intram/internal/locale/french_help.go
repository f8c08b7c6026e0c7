package locale

import "strings"

// frenchHelp is the help of the commands, by their path. Of is the digest of the English
// that it was written from (see DigestOf): a test fails when that has changed, so that
// the French follows.
var frenchHelp = map[string]Help{
	"intram": {
		Of:    "575144a2",
		Short: "L'API marchande d'Intram sur votre ordinateur",
		Long: `L'API marchande d'Intram sur votre ordinateur : un serveur simulé pour développer, ses appels depuis un terminal, et les outils
auxquels on recourt quand une signature ne concorde pas.

Les clés viennent de l'environnement (INTRAM_PUBLIC_KEY, INTRAM_SECRET_KEY) ou du fichier qu'indique « intram config », jamais
d'une option. Avec --local, les commandes s'adressent au serveur simulé que lance « intram serve ».

` + frenchExit,
		Example: `  intram serve                          # le serveur simulé, dans un terminal
  intram balance --local                # et son portefeuille, dans un autre
  intram sign POST /payouts --body @payout.json --curl
  intram explain-signature < request.txt`,
	},
	"intram balance": {
		Of:    "c870b213",
		Short: "Afficher le portefeuille",
		Long: `Afficher le contenu du portefeuille : ce qui peut être reversé maintenant, et ce qui n'est pas encore réglé. Les montants sont en
unités entières de la devise.`,
	},
	"intram call": {
		Of:    "08010a70",
		Short: "Faire un appel qui n'a pas encore de commande",
		Long: `Faire n'importe quel appel de l'API marchande, signé et relancé comme tous les autres, et afficher la réponse telle qu'elle est
arrivée. Le chemin se place sous l'URL de base, par exemple /operations, et ne contient pas /v1.

GET et DELETE acceptent --query ; POST, PUT et PATCH acceptent --data et portent une clé d'idempotence, affichée avant l'envoi de
l'appel. Si la réponse se perd, le message se termine par la commande exacte qui continue avec la même clé. Avec des clés de
production, une confirmation est demandée avant tout appel autre que GET ; un script donne --yes.`,
	},
	"intram completion": {
		Of:    "4ea846d8",
		Short: "Générer le script de complétion d'un shell",
		Long:  `Générer le script de complétion d'intram pour le shell indiqué. L'aide de chaque sous-commande explique comment l'utiliser.`,
	},
	"intram completion bash": {
		Of:    "20ecab50",
		Short: "Générer le script de complétion pour bash",
		Long: `Générer le script de complétion pour le shell bash.

Ce script dépend du paquet « bash-completion ». S'il n'est pas encore installé, installez-le avec le gestionnaire de paquets de
votre système.

Pour charger la complétion dans la session en cours :

	source <(intram completion bash)

Pour la charger dans chaque nouvelle session, exécutez une fois :

#### Linux :

	intram completion bash > /etc/bash_completion.d/intram

#### macOS :

	intram completion bash > $(brew --prefix)/etc/bash_completion.d/intram

Ouvrez ensuite un nouveau shell pour que ce réglage prenne effet.`,
	},
	"intram completion fish": {
		Of:    "e8316aab",
		Short: "Générer le script de complétion pour fish",
		Long: `Générer le script de complétion pour le shell fish.

Pour charger la complétion dans la session en cours :

	intram completion fish | source

Pour la charger dans chaque nouvelle session, exécutez une fois :

	intram completion fish > ~/.config/fish/completions/intram.fish

Ouvrez ensuite un nouveau shell pour que ce réglage prenne effet.`,
	},
	"intram completion powershell": {
		Of:    "09c8d161",
		Short: "Générer le script de complétion pour PowerShell",
		Long: `Générer le script de complétion pour PowerShell.

Pour charger la complétion dans la session en cours :

	intram completion powershell | Out-String | Invoke-Expression

Pour la charger dans chaque nouvelle session, ajoutez le résultat de cette commande à votre profil PowerShell.`,
	},
	"intram completion zsh": {
		Of:    "b2718273",
		Short: "Générer le script de complétion pour zsh",
		Long: `Générer le script de complétion pour le shell zsh.

Si la complétion n'est pas encore activée dans votre environnement, activez-la en exécutant une fois :

	echo "autoload -U compinit; compinit" >> ~/.zshrc

Pour charger la complétion dans la session en cours :

	source <(intram completion zsh)

Pour la charger dans chaque nouvelle session, exécutez une fois :

#### Linux :

	intram completion zsh > "${fpath[1]}/_intram"

#### macOS :

	intram completion zsh > $(brew --prefix)/share/zsh/site-functions/_intram

Ouvrez ensuite un nouveau shell pour que ce réglage prenne effet.`,
	},
	"intram config": {
		Of:    "2aa9ab52",
		Short: "Afficher la configuration et son origine, ou en créer une",
		Long: `Afficher la configuration qu'utiliseraient les autres commandes, et l'origine de chaque valeur : une option, puis l'environnement,
puis le fichier, puis la valeur par défaut. Les secrets sont masqués.

Le fichier est au format TOML, à l'endroit qu'indique cette commande ; « intram config init » en commence un. S'il contient un
secret, seul son propriétaire doit pouvoir le lire (chmod 600) ; un secret peut aussi se trouver dans son propre fichier :

    profile = "sandbox"

    [profiles.sandbox]
    public_key = "pk_sandbox_..."
    secret_key_file = "sandbox.key"

    [profiles.shop2]
    public_key = "pk_live_..."
    secret_key_file = "/run/secrets/shop2.key"

Un profil porte le nom de votre choix, ou s'appelle sandbox (bac à sable) ou live (production). --profile en choisit un, à défaut
INTRAM_PROFILE, à défaut la ligne profile du fichier.

Les autres réglages d'un profil sont base_url, payin_api_key, payin_api_client, payin_base_url, webhook_secret, timeout, et
environment, que ses clés indiquent le plus souvent. Dans l'environnement, ce sont INTRAM_PUBLIC_KEY, INTRAM_SECRET_KEY,
INTRAM_BASE_URL, et ainsi de suite ; INTRAM_SECRET_KEY_FILE indique un fichier qui contient le secret, de même pour les autres
secrets.

La langue est celle de --lang, à défaut de INTRAM_LANG, à défaut de LC_ALL, LC_MESSAGES ou LANG. Windows ne définit pas ces trois
dernières : là, donnez --lang ou INTRAM_LANG.`,
	},
	"intram config init": {
		Of:    "f8d8676a",
		Short: "Commencer une configuration, ou y ajouter un profil",
		Long: `Écrire un fichier de configuration que vous seul pouvez lire, ou ajouter un profil à celui qui existe. Ce qu'il contient reste tel
quel : un profil déjà présent n'est pas réécrit.

Les clés sont celles de --public-key et --secret, ou de INTRAM_PUBLIC_KEY et INTRAM_SECRET_KEY ; à défaut elles vous sont demandées,
sans que le secret s'affiche. Sans clé, le fichier contient des lignes à compléter. Le profil est celui de --profile, à défaut
sandbox ou live, selon les clés.`,
	},
	"intram config show": {
		Of:    "9e59d5b1",
		Short: "Afficher la configuration, et l'origine de chaque valeur",
		Long:  `Identique à « intram config » : la configuration, l'origine de chaque valeur, et aucun secret.`,
	},
	"intram doctor": {
		Of:    "db140aa5",
		Short: "Trouver pourquoi cela ne fonctionne pas",
		Long: `Vérifier tout ce dont dépendent les appels, une ligne par point, et dire que faire quand quelque chose ne va pas : la version, la
configuration et l'origine de chaque valeur, la nature des clés, les URL de base, les proxys, le DNS, TLS, ce qui répond à
l'adresse de l'API, l'horloge de cette machine, les clés, la liste d'adresses IP autorisées et les abonnements webhook.

Rien n'est modifié. Seules des requêtes GET sont envoyées : une sans clés et, quand c'est bien l'API qui a répondu, une pour le solde
et une pour les abonnements. Ce qui ne peut pas être vérifié est laissé de côté, avec la raison.

Rien n'est envoyé à un récepteur de webhooks sans que vous le demandiez. --webhook-url envoie à cette URL un test.ping sans signature,
puis un autre avec une signature fausse ; un récepteur doit refuser les deux. --probe-webhooks fait de même avec chaque URL abonnée.

Aucun secret ne s'affiche : seulement sa nature et son environnement, de même pour la clé publique. Avec --json, le rapport peut être
publié dans un ticket : vos hôtes, adresses, fichiers et profils en sont aussi retirés.

Code de sortie d'intram doctor :
    0    aucun échec ; avec --strict, aucun avertissement non plus
    1    la configuration est fausse (ou la ligne de commande)
    2    l'API ou un récepteur de webhooks a répondu, et quelque chose ne va
         pas ; avec --strict, aussi un avertissement
    6    aucune réponse utile : le réseau, TLS, un proxy ou une page web
Si plusieurs vérifications échouent, le premier de ces cas l'emporte.`,
		Example: `  intram doctor
  intram doctor --json                  # pour un ticket
  intram doctor --local
  intram doctor --webhook-url https://shop.example.com/intram`,
	},
	"intram events": {
		Of:    "e9cd9e49",
		Short: "Voir et rejouer les évènements webhook enregistrés",
		Long: `Voir et rejouer les évènements webhook qu'intramriver a enregistrés. INTRAM_DATABASE_URL indique la base PostgreSQL où intramriver
les conserve ; les clés disent de quel environnement il s'agit. Rien n'est écrit sans --yes.`,
	},
	"intram events list": {
		Of:    "bcd8b8fd",
		Short: "Lister les évènements, les plus anciens d'abord",
		Long: `Lister les évènements, les plus anciens d'abord. Un évènement mort (dead) est un évènement que River a abandonné, ou dont
quelqu'un a annulé la tâche : --state dead les liste avec la dernière erreur.`,
	},
	"intram events replay": {
		Of:    "92910007",
		Short: "Faire enfin prendre effet aux évènements morts",
		Long: `Donner une nouvelle tâche aux évènements morts, pour que votre fonction les reçoive de nouveau : quelques lignes, celles que les
options désignent, ou toutes avec --all. Sans --yes, ils sont seulement comptés.

Avec --state done, des évènements qui avaient pris effet prennent effet une fois de plus.`,
	},
	"intram events show": {
		Of:    "5e474151",
		Short: "Afficher un évènement",
		Long: `Afficher un évènement. --body affiche aussi ce qu'Intram a envoyé : cela contient des données personnelles. Si elles sont scellées,
INTRAM_SEAL_KEYS doit être défini : l'identifiant d'une clé, =, la clé en base64.`,
	},
	"intram explain-signature": {
		Of:    "695b95da",
		Short: "Trouver l'erreur d'une signature refusée",
		Long: `Trouver pourquoi l'API a répondu signature_invalid, en essayant les erreurs possibles, seules et jusqu'à trois à la fois : un mauvais
chemin, une mauvaise requête, un mauvais corps, une mauvaise méthode, une mauvaise heure, une mauvaise clé, de mauvais séparateurs, un
mauvais hachage ou un mauvais encodage. La commande montre les lignes justes en PHP, Node, Python et Go. Elle a besoin de la clé
secrète qui aurait dû signer, prise dans la configuration, et de la requête telle qu'elle a été envoyée ; elle n'envoie rien et
n'affiche aucune clé.

Donnez la méthode, le chemin tel qu'il a été appelé, et les en-têtes et le corps tels qu'ils ont été envoyés ; ou une requête entière
telle qu'elle est passée sur le réseau, avec --request ou sur l'entrée standard. Les clés qui ont pu signer par erreur sont aussi
essayées : celle de l'autre environnement, celle d'un webhook, et celles de --also.

Le code de sortie est 0 quand la signature est juste, et 2 quand elle ne l'est pas.`,
	},
	"intram fidelity": {
		Of:    "25ab5d38",
		Short: "Comparer le serveur simulé à votre bac à sable",
		Long: `La documentation ne dit pas tout : le serveur simulé d'« intram serve » et d'intramtest se comporte donc parfois comme nous l'avons
choisi. « run » joue ces comportements dans votre bac à sable et note ce qui a été observé ; « compare » rapproche ce rapport du
serveur simulé.`,
	},
	"intram fidelity compare": {
		Of:    "7132f237",
		Short: "Comparer un rapport au serveur simulé, ou à un autre rapport",
		Long: `Jouer les mêmes lignes avec le serveur simulé, dans ce processus, et dire pour chaque ligne si le rapport et lui concordent, ce qui
diffère, ou pourquoi elle n'a pas été jouée. Rien n'est envoyé. Avec --against, ce sont deux rapports qui sont comparés.

Le code de sortie est 0 quand rien ne diffère, 2 quand une ligne diffère, et 6 quand aucune ligne n'a pu être comparée. Les lignes
sans conclusion ne sont pas des différences.`,
	},
	"intram fidelity run": {
		Of:    "cf305d51",
		Short: "Jouer les lignes de docs/fidelity.md dans votre bac à sable",
		Long: `Jouer dans votre bac à sable chaque ligne de docs/fidelity.md qui peut l'être, un appel après l'autre, et noter ce qui a été observé.
La commande annonce d'abord ce qu'elle va envoyer et créer, et demande confirmation. Les clés de production sont refusées, ainsi
qu'une adresse qui n'est ni celle de la documentation ni celle de cette machine.

Les reversements sont de 100 FCFA chacun et ne vont qu'aux numéros de test publiés. Les demandes de paiement sont créées et jamais
payées. Les abonnements indiquent une adresse qui n'existe pas, et sont supprimés ensuite. Avec --payin, les sessions payin sont
jouées aussi, tant que rien n'est créé : selon le prestataire, leur bac à sable déplace de l'argent réel.

Le rapport contient des statuts, des codes, les noms et la nature des champs, et des relations. Il ne contient ni clé, ni secret, ni
numéro, ni nom, ni identifiant, ni aucun de vos montants : le marchand y est le début d'une empreinte. Il est écrit après chaque
ligne : un Ctrl-C laisse ce qui a été observé. Une ligne qu'un serveur en difficulté empêche de jouer est sans conclusion.`,
	},
	"intram jobs": {
		Of:    "0b2a3615",
		Short: "Voir et relancer les appels que plus rien ne traite",
		Long: `Voir et relancer les reversements, remboursements et demandes de paiement d'intramriver que plus rien ne traite : leur tâche a été
abandonnée, annulée ou supprimée. INTRAM_DATABASE_URL indique la base PostgreSQL où intramriver les conserve ; les clés disent de quel
environnement il s'agit. Rien n'est écrit sans --yes.`,
	},
	"intram jobs list": {Of: "e1a85f8d", Short: "Lister les appels que plus rien ne traite"},
	"intram jobs retry": {
		Of:    "0f427641",
		Short: "Faire traiter de nouveau les appels morts",
		Long: `Faire traiter de nouveau des appels que plus rien ne traite : quelques enregistrements, ou tous avec --all. Ce qui avait été envoyé
l'est de nouveau avec la même intention, donc aucun argent ne bouge deux fois ; ce qui n'avait jamais été envoyé l'est maintenant.
Sans --yes, ils sont seulement comptés.`,
	},
	"intram man": {
		Of:    "9a71dfe3",
		Short: "Écrire les pages de manuel",
		Long:  `Écrire dans un dossier les pages de manuel de toutes les commandes, dans la langue choisie.`,
	},
	"intram help": {
		Of:    "f02677e3",
		Short: "Aide sur une commande",
		Long:  `Afficher l'aide de n'importe quelle commande : tapez intram help [commande].`,
	},
	"intram operations": {
		Of:    "3470bc87",
		Short: "Suivre reversements, paiements et remboursements",
		Long: `Consulter ce que sont devenus les reversements, les demandes de paiement et les remboursements. Tout ce qui déplace de l'argent est
une opération : en file (queued), puis en traitement (processing), puis réussie (succeeded) ou échouée (failed).`,
	},
	"intram operations get":  {Of: "0e13b31d", Short: "Afficher une opération"},
	"intram operations list": {Of: "e22364d0", Short: "Lister les opérations, les plus récentes d'abord"},
	"intram operations wait": {
		Of:    "98c929fa",
		Short: "Attendre la fin d'une opération",
		Long: `Attendre la fin d'une opération, quelle qu'en soit l'issue. Le code de sortie l'indique : 0 si elle a réussi, 4 si elle a échoué, 5 si
elle n'était pas encore terminée.`,
		Example: `  intram operations wait op_2f4a8b1c --max-wait 5m && echo done`,
	},
	"intram payin": {
		Of:    "7a679589",
		Short: "Encaisser par sessions payin",
		Long: `Encaisser un paiement depuis un portefeuille mobile money, que le client confirme par un lien. C'est une seconde API, qui a ses
propres identifiants : INTRAM_PAYIN_API_KEY et INTRAM_PAYIN_API_CLIENT. Selon le prestataire, son bac à sable déplace de l'argent réel.`,
	},
	"intram payin create": {
		Of:    "e3d4b328",
		Short: "Demander un paiement",
		Long: `Demander un paiement. La clé d'idempotence découle de --reference : la même référence est la même session. Une confirmation est
demandée d'abord, et un script donne --yes : de l'argent réel bouge avec des clés de production, et aussi dans le bac à sable du
prestataire. Pour essayer sans argent, utilisez --local avec intram serve.

L'API accepte de 100 à 2 000 000 FCFA. Le Cameroun a ses propres limites, en XAF.`,
	},
	"intram payin get": {Of: "a1233508", Short: "Afficher une session"},
	"intram payin wait": {
		Of:    "45f268c7",
		Short: "Attendre la fin d'une session",
		Long: `Attendre la fin d'une session. Le code de sortie l'indique : 0 si elle est payée, 4 si elle ne l'est pas, 5 si elle est encore en
attente. Une session échouée peut encore être payée dans les 48 heures : consultez-la de nouveau avant d'encaisser un autre paiement
pour la même commande.`,
	},
	"intram payment-requests": {
		Of:    "6ea19684",
		Short: "Demander de l'argent aux clients par une page de paiement",
		Long: `Demander de l'argent à un client. L'opération se termine par une page de paiement ; le client paie plus tard : « intram transactions
wait » dit quand.`,
	},
	"intram payment-requests create": {
		Of:    "16b5a19a",
		Short: "Demander un paiement",
		Long: `Demander un paiement. Avec --wait, l'adresse de la page de paiement où envoyer le client s'affiche ; aucun argent ne bouge avant que
le client y paie.`,
	},
	"intram payment-requests get":  {Of: "95895dec", Short: "Afficher une demande de paiement"},
	"intram payment-requests list": {Of: "d0f6ca25", Short: "Lister les demandes de paiement, les plus récentes d'abord"},
	"intram payment-requests wait": {
		Of:    "e1e1d12b",
		Short: "Attendre que la page de paiement soit prête",
		Long: `Attendre que la page de paiement soit prête, quelle que soit l'issue : à ce moment, rien n'est encore payé, le client paie ensuite sur
cette page. Le code de sortie indique l'issue : 0 si la page est prête, 4 si la demande a échoué, 5 si elle n'était pas encore terminée.`,
	},
	"intram payouts": {
		Of:    "d6ff89f9",
		Short: "Reverser vers des comptes mobile money et bancaires",
		Long: `Envoyer de l'argent du portefeuille vers des comptes mobile money et des comptes bancaires, un par un ou par fichier entier : ce sont
les reversements.`,
	},
	"intram payouts batch": {
		Of:    "5ea5085b",
		Short: "Reverser un fichier entier, chaque ligne exactement une fois",
		Long: `Reverser chaque ligne d'un fichier CSV ou d'un classeur .xlsx, chacune exactement une fois : malgré les réponses perdues, un Ctrl-C, un
arrêt brutal à n'importe quel moment. Relancez la même commande : elle reprend là où elle s'était arrêtée.

La première ligne nomme les colonnes. reference et amount sont obligatoires, et soit provider et msisdn, soit account_number ; les
autres sont currency, country, swift, account_name, account_surname et note. Les noms français conviennent aussi : montant, téléphone,
opérateur, prénom, nom, … Chaque référence ne sert qu'une fois.

Les virgules, points-virgules et tabulations séparent ; UTF-8, UTF-16 et Windows-1252 sont lus. Les montants peuvent être groupés par
des espaces et se terminer par FCFA ; 25.000, qui peut valoir 25 ou 25000, est refusé. Les numéros peuvent s'écrire avec +229, 00229,
des espaces ou rien de tout cela, et les numéros béninois à 8 chiffres sont les portefeuilles de ceux précédés de 01. Tout ce qui est
lu autrement qu'il n'est écrit est affiché avant tout envoi.

Le fichier entier est vérifié avant l'envoi de la première ligne : montants, numéros, opérateurs, doublons, références déjà utilisées
par des reversements de la dernière semaine, et total par rapport au solde. Chaque erreur est listée avec sa ligne.

À côté du fichier, FICHIER.csv.journal consigne ce qui a été envoyé. Il est écrit avant chaque appel, et n'appartient qu'à ce contenu du
fichier, à ces clés et à cet environnement : gardez-le, et ne modifiez pas le fichier avant la fin du lot. Les lignes restées sans
réponse plus de 23 heures sont recherchées dans la liste des opérations ; une ligne que la liste ne tranche pas reste dans le doute, et
le message dit pourquoi.

FICHIER.results.csv (.xlsx pour un classeur) reprend le fichier, avec le résultat de chaque ligne : paid (payée), queued_for_settlement
(à la banque, pas encore payée), failed ou refused (échouée ou refusée), failed_unclear (l'opérateur était injoignable, a répondu par
une erreur ou n'a jamais répondu, et a peut-être payé : demandez-lui d'abord), unfinished (pas terminée), in_doubt (dans le doute) ou
not_sent (pas envoyée). Les lignes échouées ne sont pas payées de nouveau : --retry-file les écrit dans un nouveau fichier, avec de
nouvelles références, à corriger puis à payer.

Code de sortie d'un lot :
    0    chaque ligne est payée, ou entre les mains d'une banque
    1    rien n'a été envoyé cette fois : corrigez le fichier, le journal ou
         la ligne de commande
    2    arrêt avant qu'une ligne soit acceptée : l'API refuse ces clés ou
         cette machine ; corrigez cela
    3    des lignes sont dans le doute, ou le lot a été interrompu :
         relancez-le
    4    chaque ligne est terminée, et certaines ont échoué ou été refusées
    5    des opérations ne sont pas terminées, ou pas envoyées, ou le sort des
         lignes n'a pas pu être écrit : relancez-le`,
	},
	"intram payouts create": {
		Of:    "87f02147",
		Short: "Reverser vers un compte",
		Long: `Reverser vers un compte mobile money (--msisdn) ou vers un compte bancaire (--account-number).

La clé d'idempotence est affichée avant tout envoi. Si la réponse se perd, le message se termine par la commande exacte qui continue
avec la même clé : elle paie une fois, quoi qu'ait fait le premier appel.

Avec des clés de production, une confirmation est demandée d'abord ; un script donne --yes.`,
	},
	"intram payouts get":  {Of: "121a7a6b", Short: "Afficher un reversement"},
	"intram payouts list": {Of: "34729877", Short: "Lister les reversements, les plus récents d'abord"},
	"intram payouts wait": {
		Of:    "5ad4476b",
		Short: "Attendre la fin d'un reversement",
		Long: `Attendre la fin d'un reversement, quelle qu'en soit l'issue. Le code de sortie l'indique : 0 s'il a réussi, 4 s'il a échoué, 5 s'il
n'était pas encore terminé.`,
	},
	"intram refunds": {
		Of:    "c045c663",
		Short: "Rembourser les clients",
		Long:  `Rendre à un client l'argent d'un paiement, en totalité ou en partie.`,
	},
	"intram refunds create": {
		Of:    "25ef0aec",
		Short: "Rembourser un paiement",
		Long: `Rembourser un paiement par la référence de sa transaction. Sans --amount, il est remboursé en totalité. Avec des clés de production,
une confirmation est demandée d'abord ; un script donne --yes.`,
	},
	"intram refunds get":  {Of: "96d42499", Short: "Afficher un remboursement"},
	"intram refunds list": {Of: "28c1ad47", Short: "Lister les remboursements, les plus récents d'abord"},
	"intram refunds wait": {
		Of:    "aaf0eafb",
		Short: "Attendre la fin d'un remboursement",
		Long: `Attendre la fin d'un remboursement, quelle qu'en soit l'issue. Le code de sortie l'indique : 0 s'il a réussi, 4 s'il a échoué, 5 s'il
n'était pas encore terminé.`,
	},
	"intram serve": {
		Of:    "7ada6a8b",
		Short: "Lancer l'API marchande ici, avec un tableau de bord",
		Long: `Lancer votre propre API marchande sur cette machine : les vérifications de la documentation, les portefeuilles, les reversements, les
paiements avec leur page de paiement, les remboursements, les sessions payin et les webhooks signés. Elle est prête aussitôt et affiche
son adresse, ses clés et un appel à coller. Ouverte dans un navigateur, l'adresse montre chaque appel et chaque livraison, et vous
laisse agir dessus.

Les clés découlent de --seed : elles sont les mêmes demain, et sur la machine de votre collègue ; les secrets de --forward-to aussi. Les
identifiants sont nouveaux à chaque démarrage : un récepteur qui se souvient des évènements n'en prend jamais un nouveau pour un connu.
Les autres commandes trouvent le serveur avec --local.

Rien d'extérieur à cette machine ne peut l'atteindre, sauf si vous le demandez avec --allow-remote.

État. Sans --state, tout est oublié à la fin. Avec --state, la réponse à un appel est envoyée une fois son effet inscrit dans le
fichier : aucun appel qui a reçu sa réponse n'est perdu, même par kill -9. Un webhook dont la tentative était en cours est renvoyé. La
liste des requêtes et les préréglages de --fault ne sont pas conservés.

Préréglages de --fault :
  flaky                un appel sur cinq échoue, deux fois au plus : 502, 503,
                       500, coupures, réponses perdues
  slow                 chaque réponse prend deux secondes
  outage               seul le proxy répond, par 503, pendant deux minutes
  lost-answers         la moitié des POST sont exécutés et leur première
                       réponse est perdue
  rate-limit           la première réponse à chaque appel est 429 avec
                       Retry-After: 1
  garbage              une réponse sur trois est coupée en deux ou est une
                       page web, une fois
  clock-skew           l'horloge du serveur avance de dix minutes
  duplicate-webhooks   chaque webhook arrive deux fois
  late-webhooks        chaque webhook arrive une demi-minute en retard
  reordered-webhooks   la moitié des webhooks laissent passer le suivant
  lost-webhooks        un évènement sur trois n'est jamais envoyé
  forged-webhooks      la première tentative de chaque webhook a une
                       signature fausse
  stale-webhooks       la première tentative de chaque webhook est signée
                       d'il y a dix minutes`,
		Example: `  # le bac à sable, à http://127.0.0.1:4010
  intram serve

  # garder l'argent et les webhooks après un redémarrage
  intram serve --state ./intram-state.json

  # livrer les webhooks à la fonction que vous écrivez
  intram serve --forward-to http://localhost:3000/webhooks/intram

  # voir comment votre code traverse une mauvaise journée
  intram serve --fault flaky --fault duplicate-webhooks

  # une horloge qui n'avance que quand vous l'avancez, sur le tableau de bord
  intram serve --clock frozen`,
	},
	"intram sign": {
		Of:    "617d2863",
		Short: "Signer une requête, en en-têtes ou en commande curl",
		Long: `Signer une requête de l'API marchande avec les clés configurées, et afficher ses en-têtes ; avec --curl, une commande à coller. La
signature est valable cinq minutes. La clé secrète n'y figure pas.

CHEMIN est le point d'accès, par exemple /payouts, avec ses paramètres s'il en a. Le corps est signé octet par octet : donnez-le sous la
forme @FICHIER, sous la forme @- pour l'entrée standard, ou directement.`,
	},
	"intram transactions": {
		Of:    "2aa009ec",
		Short: "Consulter l'argent qui a bougé, ou qui va bouger",
		Long: `Consulter l'argent qui a bougé, ou qui va bouger : paiements, reversements et remboursements, par leur référence de dix lettres et
chiffres.`,
	},
	"intram transactions get":  {Of: "796297d8", Short: "Afficher une transaction"},
	"intram transactions list": {Of: "ea011a89", Short: "Lister les transactions, les plus récentes d'abord"},
	"intram transactions wait": {
		Of:    "567016e7",
		Short: "Attendre qu'un paiement soit payé ou refusé",
		Long: `Attendre qu'une transaction ne soit plus en attente. Le code de sortie l'indique : 0 si elle a réussi (ou a été remboursée depuis), 4
sinon, 5 si elle est encore en attente.`,
	},
	"intram verify": {
		Of:    "43a68a08",
		Short: "Vérifier la signature d'une notification webhook",
		Long: `Vérifier la signature et l'âge d'une notification webhook, et dire ce qui ne va pas : un en-tête absent, le secret d'un autre
abonnement, une ancienne notification, ou un corps qui n'est pas le corps brut (décodé puis réécrit, CRLF, un saut de ligne de trop).
La notification d'une session payin (X-Signature-Value) est vérifiée aussi.

Le secret est désigné, pas donné : @FICHIER, ou env:NOM. Sans --secret, c'est INTRAM_WEBHOOK_SECRET, ou le webhook_secret de la
configuration.

Le code de sortie est 0 quand la signature est juste, et 2 quand elle ne l'est pas.`,
	},
	"intram version": {
		Of:    "84c52fd8",
		Short: "Afficher la version de ce programme, et ce dont il est issu",
		Long:  `Afficher la version de ce programme, le commit dont il est issu, sa version de Go et sa plateforme.`,
	},
	"intram webhooks": {
		Of:    "51ce2869",
		Short: "Gérer où les évènements sont envoyés",
		Long:  `Gérer où les évènements sont envoyés. Pour vérifier une notification reçue, voyez « intram verify ».`,
	},
	"intram webhooks create": {
		Of:    "c94f27ff",
		Short: "Abonner une URL à des évènements",
		Long: `Abonner une URL à un évènement, à une famille d'évènements ou à tous. L'API ne montre qu'une fois le secret qui signe les
notifications : --secret-file l'écrit dans un fichier que vous seul pouvez lire, sinon il est affiché.`,
	},
	"intram webhooks delete": {
		Of:    "16d08fff",
		Short: "Mettre fin à un abonnement",
		Long:  `Mettre fin à un abonnement. Les notifications en cours arrivent encore.`,
	},
	"intram webhooks list": {Of: "94546c5a", Short: "Lister les abonnements"},
	"intram webhooks test": {Of: "00626093", Short: "Faire livrer un test.ping"},
}

// frenchExit is the table of exit statuses.
const frenchExit = `Code de sortie :
    0    c'est fait ; une signature est juste
    1    la ligne de commande, la configuration ou les paramètres : rien n'a
         été envoyé
    2    refus : ce qui était demandé n'a pas été fait ; une signature n'est
         pas juste
    3    doute : c'est peut-être exécuté ; le message dit comment continuer
    4    l'opération est terminée et a échoué ; le message dit ce qu'on en sait
    5    accepté ; l'attente s'est terminée avant, ou a échoué : demandez de
         nouveau avec le même identifiant
    6    aucune réponse à une consultation, ou le résultat n'a pas pu être écrit
    130  interrompu avant tout envoi
Une fois que l'API a accepté un reversement, un remboursement ou un paiement,
c'est 0, 3, 4 ou 5, quoi qu'il arrive ensuite ; l'identifiant et la clé de
l'opération sont sur la sortie d'erreur.`

const frenchTimes = "un jour comme 2026-05-20, today (aujourd'hui), yesterday (hier), il y a 2h ou 3d (jours), ou une heure comme 2026-05-20T10:30:00Z ; " +
	"les jours, et les heures sans fuseau, sont dans le fuseau de cette machine"

const englishTimes = "a day such as 2026-05-20, today, yesterday, 2h or 3d ago, or a time such as 2026-05-20T10:30:00Z; " +
	"days, and times that name no zone, are in this machine's zone"

// frenchFlags describe the flags, by their English.
var frenchFlags = map[string]string{ //nolint:gosec // descriptions, not secrets
	"the holder's first `name`":                                                                          "le prénom (`nom`) du titulaire",
	"the bank account's `number`, local or an IBAN":                                                      "le `numéro` du compte bancaire, local ou IBAN",
	"the holder's other `name`":                                                                          "le `nom` de famille du titulaire",
	"the merchant `account` or sub-account":                                                              "le `compte` ou sous-compte du marchand",
	"`HOST:PORT` to listen on; port 0 picks a free one":                                                  "`HÔTE:PORT` d'écoute ; le port 0 en choisit un libre",
	"only those after this `row`, the last of the page before":                                           "seulement ceux qui suivent cette `ligne`, la dernière de la page précédente",
	"another report, a `file`, in the place of the fake":                                                 "un autre rapport (`fichier`), à la place du serveur simulé",
	"all dead events":                                                                                    "tous les évènements morts",
	"all of them":                                                                                        "tous",
	"everything, page by page; nothing is lost between pages":                                            "tout, page par page ; rien ne se perd entre les pages",
	"take two lines of the same amount to the same account":                                              "accepter deux lignes du même montant vers le même compte",
	"a `NAME` that the server may be called by, besides its address (repeat)":                            "un `NOM` par lequel le serveur peut être appelé, en plus de son adresse (répétable)",
	"take references that payouts had before":                                                            "accepter des références que des reversements ont déjà portées",
	"take this operator's `code` too":                                                                    "accepter aussi le `code` de cet opérateur",
	"let --addr be reached from other machines":                                                          "laisser --addr accessible depuis d'autres machines",
	"another key that may have signed: `@FILE` or env:NAME":                                              "une autre clé qui a pu signer : `@FICHIER` ou env:NOM",
	"how much, in whole units of the currency":                                                           "le `montant`, en unités entières de la devise",
	"how much, in whole units of the currency (default all of it)":                                       "le `montant`, en unités entières de la devise (la totalité par défaut)",
	"judge the age at this `time` instead of now":                                                        "juger l'âge à cette `heure` au lieu de maintenant",
	"when the request arrived, if not now: a `time`":                                                     "l'`heure` d'arrivée de la requête, si ce n'est pas maintenant",
	"what the wallets of a new state hold: `AMOUNT|OPERATOR=AMOUNT`, such as MTN=50000 (repeat)":         "le contenu des portefeuilles d'un nouvel état : `MONTANT|OPÉRATEUR=MONTANT`, par exemple MTN=50000 (répétable)",
	"the API's `URL`, if it is not https://api.intram.org/v1":                                            "l'`URL` de l'API, si ce n'est pas https://api.intram.org/v1",
	"only what was created before this `time`, written likewise":                                         "seulement ce qui a été créé avant cette `heure`, écrite de même",
	"only what was received before this `time`, written likewise":                                        "seulement ce qui a été reçu avant cette `heure`, écrite de même",
	"show the event's own data too, with names and phone numbers":                                        "afficher aussi les données de l'évènement, avec noms et numéros de téléphone",
	"the `body`: @FILE, @- or itself":                                                                    "le `corps` : @FICHIER, @- ou lui-même",
	"the delivery's raw body: `@FILE` or @-":                                                             "le corps brut de la notification : `@FICHIER` ou @-",
	"the request's raw body: `@FILE` or @-":                                                              "le corps brut de la requête : `@FICHIER` ou @-",
	"where the customer goes after giving up":                                                            "l'`adresse` où va le client qui abandonne",
	"`running|frozen`: a frozen clock stands still until you advance it":                                 "`running|frozen` : une horloge arrêtée (frozen) n'avance que si vous l'avancez",
	"how many payouts are asked for at once, 1 to 32":                                                    "le `nombre` de reversements demandés à la fois, de 1 à 32",
	"the configuration `file` to read instead of the usual one":                                          "le `fichier` de configuration à lire au lieu du fichier habituel",
	"two letters (default BJ)":                                                                           "le `pays`, en deux lettres (BJ par défaut)",
	"two letters, such as CI, SN, TG or CM":                                                              "le `pays`, en deux lettres, par exemple CI, SN, TG ou CM",
	"print a curl command":                                                                               "afficher une commande curl",
	"an ISO 4217 code":                                                                                   "le `code` ISO 4217 de la devise",
	"an ISO 4217 code (default the wallet's)":                                                            "le `code` ISO 4217 de la devise (celle du portefeuille par défaut)",
	"the customer's e-mail `address`":                                                                    "l'`adresse` e-mail du client",
	"the customer's first `name`":                                                                        "le prénom (`nom`) du client",
	"the customer's last `name`":                                                                         "le `nom` de famille du client",
	"the customer's `name`; optional in the API's newer revision":                                        "le `nom` du client ; facultatif dans la révision récente de l'API",
	"the customer's `number`, international, digits only":                                                "le `numéro` du client, international, en chiffres seulement",
	"the body: a `JSON` object, @FILE or @-":                                                             "le corps : un objet `JSON`, @FICHIER ou @-",
	"a `text` that the customer sees":                                                                    "un `texte` que le client voit",
	"check the file and the balance, and send nothing":                                                   "vérifier le fichier et le solde, et ne rien envoyer",
	"an event, a family such as \"payout.*\", or \"*\"":                                                  "un `évènement`, une famille comme « payout.* », ou « * »",
	"where the customer goes after a failure":                                                            "l'`adresse` où va le client après un échec",
	"a `PRESET` of faults, listed above (repeat)":                                                        "un `PRÉRÉGLAGE` de pannes, dans la liste ci-dessus (répétable)",
	"the `time` at which an earlier run used the key, as it printed: past 23 hours it is not sent again": "l'`heure` à laquelle une exécution précédente a utilisé la clé, telle qu'affichée : après 23 heures, elle n'est plus envoyée",
	"deliver every webhook to this `URL` of yours":                                                       "livrer chaque webhook à cette `URL`, la vôtre",
	"the delivery's headers: `@FILE` or @-":                                                              "les en-têtes de la notification : `@FICHIER` ou @-",
	"the request's headers: `@FILE` or @-":                                                               "les en-têtes de la requête : `@FICHIER` ou @-",
	"the `key` of a POST (default a new one)":                                                            "la `clé` d'un POST (une nouvelle par défaut)",
	"your own `key`: the same key and parameters are executed once":                                      "votre propre `clé` : la même clé avec les mêmes paramètres n'est exécutée qu'une fois",
	"begin although the balance does not cover all lines":                                                "commencer même si le solde ne couvre pas toutes les lignes",
	"the journal's `file` (default FILE.csv.journal)":                                                    "le `fichier` du journal (par défaut FICHIER.csv.journal)",
	"print the report as JSON, without hosts, addresses, files and names of yours":                       "afficher le rapport en JSON, sans hôtes, adresses, fichiers ni noms qui soient les vôtres",
	"print what the API said, as JSON":                                                                   "afficher en JSON ce que l'API a répondu",
	"show the right lines in this language alone: php, node, python, go":                                 "montrer les lignes justes dans ce seul `langage` : php, node, python, go",
	"how many, 1 to 100 (default 20)":                                                                    "le `nombre`, de 1 à 100 (20 par défaut)",
	"how many, 1 to 1000":                                                                                "le `nombre`, de 1 à 1000",
	"speak to the fake that \"intram serve\" runs on this machine":                                       "s'adresser au serveur simulé que lance « intram serve » sur cette machine",
	"how far back to look for payouts of the same references; 0 does not":                                "la `durée` sur laquelle chercher en arrière des reversements de mêmes références ; 0 ne cherche pas",
	"how long to wait for each operation":                                                                "la `durée` d'attente de chaque opération",
	"how long to wait for the last operations to end; 0 does not wait":                                   "la `durée` d'attente de la fin des dernières opérations ; 0 n'attend pas",
	"how long to wait, such as 2m (default 10m)":                                                         "la `durée` d'attente, par exemple 2m (10m par défaut)",
	"how long to wait, such as 2m (default 60s)":                                                         "la `durée` d'attente, par exemple 2m (60s par défaut)",
	"how long to wait, such as 2m (default 6m)":                                                          "la `durée` d'attente, par exemple 2m (6m par défaut)",
	"whose they are: the Merchant of intramriver's Config":                                               "le `marchand` auquel ils appartiennent : le Merchant de la Config d'intramriver",
	"the `number` that the checkout page begins with":                                                    "le `numéro` que la page de paiement propose",
	"the customer's phone `number`, as people write it":                                                  "le `numéro` de téléphone du client, comme on l'écrit",
	"the phone `number` to pay, as people write it":                                                      "le `numéro` de téléphone à payer, comme on l'écrit",
	"disable completion descriptions":                                                                    "ne pas inclure les descriptions dans la complétion",
	"show every amount and number that is read otherwise than it is written":                             "montrer chaque montant et numéro lu autrement qu'il n'est écrit",
	"only those of this operation's `id`":                                                                "seulement ceux de l'opération qui a cet `identifiant`",
	"the new `file` of the report (default intram-fidelity-TIME.json)":                                   "le nouveau `fichier` du rapport (par défaut intram-fidelity-TIME.json)",
	"the `URL` of the API of payin sessions":                                                             "l'`URL` de l'API des sessions payin",
	"`newer|first`: which revision of the payin docs to play; first needs an accountId":                  "`newer|first` : la révision de la documentation payin à jouer ; first exige un accountId",
	"play payin sessions too, as far as nothing is created":                                              "jouer aussi les sessions payin, tant que rien n'est créé",
	"do so with each URL that is subscribed":                                                             "faire de même avec chaque URL abonnée",
	"whose keys of the configuration to use: sandbox, live, or a `name` of your own in it":               "les clés de la configuration à utiliser : sandbox, live, ou un `nom` que vous y avez choisi",
	"the operator's `code` that the checkout page begins with":                                           "le `code` de l'opérateur que la page de paiement propose",
	"the operator's `code`, such as MTN_BENIN_229":                                                       "le `code` de l'opérateur, par exemple MTN_BENIN_229",
	"the public `key` (the secret one is never a flag)":                                                  "la `clé` publique (la clé secrète n'est jamais une option)",
	"a `NAME=VALUE` of the query; once for each":                                                         "un `NOM=VALEUR` de la requête ; une fois pour chacun",
	"a `text` of up to 500 characters":                                                                   "un `texte` de 500 caractères au plus",
	"your own `name` of this payment":                                                                    "le `nom` que vous donnez à ce paiement",
	"your own `name` of this payout":                                                                     "le `nom` que vous donnez à ce reversement",
	"the whole request: `@FILE` or @-":                                                                   "la requête entière : `@FICHIER` ou @-",
	"the `file` for the results (default FILE.results.csv, or .xlsx of a workbook)":                      "le `fichier` des résultats (par défaut FICHIER.results.csv, ou .xlsx pour un classeur)",
	"write the lines that failed into this `file`, with new references":                                  "écrire les lignes échouées dans ce `fichier`, avec de nouvelles références",
	"the schema of River's tables, likewise":                                                             "le `schéma` des tables de River, de même",
	"the schema of intramriver's tables, if not that of the connection":                                  "le `schéma` des tables d'intramriver, si ce n'est pas celui de la connexion",
	"write the secret to this new `file` instead of printing it":                                         "écrire le secret dans ce nouveau `fichier` au lieu de l'afficher",
	"the secret key: `@FILE` or env:NAME":                                                                "la clé secrète : `@FICHIER` ou env:NOM",
	"the subscription's secret: `@FILE` or env:NAME; several while you rotate":                           "le secret de l'abonnement : `@FICHIER` ou env:NOM ; plusieurs pendant un renouvellement",
	"what keys and drawn faults follow from":                                                             "le `nombre` dont découlent les clés et les pannes tirées au sort",
	"only what was created at this `time` or later: " + englishTimes:                                     "seulement ce qui a été créé à cette `heure` ou après : " + frenchTimes,
	"only what was given up at this `time` or later: " + englishTimes:                                    "seulement ce qui a été abandonné à cette `heure` ou après : " + frenchTimes,
	"only what was received at this `time` or later: " + englishTimes:                                    "seulement ce qui a été reçu à cette `heure` ou après : " + frenchTimes,
	"keep the state in a `FILE|DIR`, and go on from it":                                                  "conserver l'état dans un `FICHIER|DOSSIER`, et repartir de là",
	"only these states: waiting, dead, done":                                                             "seulement ces `états` : waiting (en attente), dead (morts), done (traités)",
	"only this status: PENDING, SUCCESS, ERROR, REFUNDED":                                                "seulement ce `statut` : PENDING, SUCCESS, ERROR, REFUNDED",
	"only this status: queued, processing, succeeded, failed, expired":                                   "seulement ce `statut` : queued, processing, succeeded, failed, expired",
	"end with status 2 if there is a warning":                                                            "finir avec le code 2 s'il y a un avertissement",
	"where the customer goes after paying":                                                               "l'`adresse` où va le client après avoir payé",
	"the bank's `BIC`":                                                                                   "le `BIC` de la banque",
	"write an empty `file` to be filled in, .csv or .xlsx, and do nothing else":                          "écrire un `fichier` vide à remplir, .csv ou .xlsx, et ne rien faire d'autre",
	"how long to wait for one response, such as 30s":                                                     "la `durée` d'attente d'une réponse, par exemple 30s",
	"serve https, with a certificate made for this machine":                                              "servir en https, avec un certificat fait pour cette machine",
	"the payment's `reference`":                                                                          "la `référence` du paiement",
	"only these types, such as payout.completed":                                                         "seulement ces `types`, par exemple payout.completed",
	"only this type: CREDIT, DEBIT, REFUND":                                                              "seulement ce `type` : CREDIT, DEBIT, REFUND",
	"only this type: payout, payment_request, refund":                                                    "seulement ce `type` : payout, payment_request, refund",
	"where the events are posted":                                                                        "l'`adresse` où les évènements sont envoyés",
	"show the API's own message about a failure too: they may name a customer":                           "afficher aussi le message de l'API en cas d'échec : il peut nommer un client",
	"wait until the operation has ended":                                                                 "attendre la fin de l'opération",
	"your own `JSON` object, or @FILE with one; it comes back with the events":                           "votre propre objet `JSON`, ou @FICHIER qui en contient un ; il revient avec les évènements",
	"post unsigned events to this `URL`, which must refuse them":                                         "envoyer à cette `URL` des évènements non signés, qu'elle doit refuser",
	"when operations end: `at-once|by-hand|DURATION`, such as 5s":                                        "quand les opérations se terminent : `at-once|by-hand|DURÉE`, par exemple 5s",
	"do not ask before real money moves (live keys)":                                                     "ne pas demander avant que de l'argent réel bouge (clés de production)",
	"do not ask before real money moves (live keys, and the provider's sandbox)":                         "ne pas demander avant que de l'argent réel bouge (clés de production, et bac à sable du prestataire)",
	"do not ask before the calls are sent":                                                               "ne pas demander avant l'envoi des appels",
	"replay them, instead of counting them":                                                              "les rejouer, au lieu de les compter",
	"retry them, instead of counting them":                                                               "les relancer, au lieu de les compter",
	LangUsage:                                                                                            "la `langue` de l'aide et des messages : fr ou en (par défaut celle de INTRAM_LANG, à défaut de LC_ALL, LC_MESSAGES ou LANG)",
}

// frenchArguments are the names of arguments in the lines of usage.
var frenchArguments = map[string]string{
	"FILE.csv": "FICHIER.csv", "METHOD": "MÉTHODE", "PATH": "CHEMIN", "REPORT": "RAPPORT", "SUBSCRIPTION": "ABONNEMENT",
	"[METHOD": "[MÉTHODE", "PATH]": "CHEMIN]", "OPERATION": "OPÉRATION", "REFERENCE": "RÉFÉRENCE", "DIRECTORY": "DOSSIER",
	"[ROW...]": "[LIGNE...]", "[RECORD...]": "[ENREGISTREMENT...]", "ROW": "LIGNE", "[command]": "[commande]",
}

// frenchUsage is the usage template of the command, in French.
var frenchUsage = strings.ReplaceAll(`Utilisation :{{if .HasAvailableSubCommands}}
  {{.CommandPath}} [commande]{{else if .Runnable}}
  {{.UseLine}}{{end}}{{if .HasExample}}

Exemples :
{{.Example}}{{end}}{{if .HasAvailableSubCommands}}

Commandes :{{range .Commands}}{{if (or .IsAvailableCommand (eq .Name "help"))}}
  {{rpad .Name .NamePadding }} {{.Short}}{{end}}{{end}}{{end}}{{if .HasAvailableLocalFlags}}

Options :
{{frenchFlags .LocalFlags}}{{end}}{{if .HasAvailableInheritedFlags}}

Options communes :
{{frenchFlags .InheritedFlags}}{{end}}{{if .HasAvailableSubCommands}}

En savoir plus sur une commande : {{.CommandPath}} [commande] --help{{end}}
`, " :", "\u00a0:")

// frenchSections are the headings of a man page.
var frenchSections = strings.NewReplacer(
	"\n.SH NAME\n", "\n.SH NOM\n",
	"\n.SH SYNOPSIS\n", "\n.SH SYNOPSIS\n",
	"\n.SH OPTIONS INHERITED FROM PARENT COMMANDS\n", "\n.SH OPTIONS COMMUNES\n",
	"\n.SH EXAMPLE\n", "\n.SH EXEMPLES\n",
	"\n.SH SEE ALSO\n", "\n.SH VOIR AUSSI\n",
)

// ManPage puts the headings of a man page into French.
func ManPage(page string) string { return frenchSections.Replace(page) }
