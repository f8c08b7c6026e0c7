package locale

// frenchServe are the lines of "intram serve" that no program reads, and its errors.
var frenchServe = map[string]string{
	"State: %s, continued": "État : {1}, repris",
	"State: %s":            "État : {1}",
	"The clock is frozen at %s until you advance it.": "L'horloge est arrêtée à {1} jusqu'à ce que vous l'avanciez.",
	"Faults: %s":               "Pannes : {1}",
	"Webhooks go to %s":        "Les webhooks vont à {1}",
	"A signed call, to paste:": "Un appel signé, à coller :",
	"Stop with Ctrl-C.":        "Pour arrêter : Ctrl-C.",

	"--addr: %q is not HOST:PORT, as in 127.0.0.1:4010":                                                                         "--addr : {1} n'est pas HÔTE:PORT, comme 127.0.0.1:4010",
	"--addr: %s can be reached from other machines, which would see your keys and could act: add --allow-remote if you mean it": "--addr : d'autres machines peuvent joindre {1} ; elles verraient vos clés et pourraient agir : ajoutez --allow-remote si c'est voulu",
	"--addr: %w: is another intram serve running? Another port: --addr 127.0.0.1:0":                                             "--addr : {1} : un autre intram serve tourne-t-il ? Un autre port : --addr 127.0.0.1:0",
	"--clock: %q, want running or frozen":                                                                                       "--clock : {1} ; il faut running ou frozen",
	"--payin-revision: %q, want newer or first":                                                                                 "--payin-revision : {1} ; il faut newer ou first",
	"--seed: 0 stands for no seed, want any other number":                                                                       "--seed : 0 veut dire sans graine ; il faut un autre nombre",
	"--seed: %s was made with the seed %d: leave --seed out, or name another file":                                              "--seed : {1} a été fait avec la graine {2} : n'écrivez pas --seed, ou indiquez un autre fichier",
	"--forward-to: %q is not a URL, as in http://localhost:3000/webhooks":                                                       "--forward-to : {1} n'est pas une URL, comme http://localhost:3000/webhooks",
	"--forward-to: the URL must be https, or http on this machine's loopback":                                                   "--forward-to : l'URL doit être en https, ou en http sur la boucle locale de cette machine",
	"--work: %q, want at-once, by-hand or a duration such as 5s":                                                                "--work : {1} ; il faut at-once, by-hand ou une durée comme 5s",
	"--balance: %w": "--balance : {1:t}",
	"--balance: %q, want whole units, as in 500000 or MTN=500000": "--balance : {1} ; il faut un nombre entier, comme 500000 ou MTN=500000",
	"--balance: unknown operator %q, want one of %s":              "--balance : opérateur inconnu {1} ; il faut l'un de {2}",
	"--state: another intram serve is using %s":                   "--state : un autre intram serve utilise {1}",
	"--state: %s: %w: move it away to begin anew":                 "--state : {1} : {2} : déplacez-le pour repartir de zéro",
	"--state: %s: %w": "--state : {1} : {2}",
	"--state: %w":     "--state : {1}",
	"--fault: %w":     "--fault : {1:t}",
	"saying where the server is, for --local: %w":                                            "pour dire où est le serveur, à --local : {1}",
	"there is no fault preset %q: want one of %s":                                            "il n'y a pas de panne {1} : il faut l'une de {2}",
	"the fault presets %s do not go together: each wants to hit every call or every webhook": "les pannes {1} ne vont pas ensemble : chacune touche tous les appels ou tous les webhooks",
}
