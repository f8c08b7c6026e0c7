package cli

// notMessages are strings that no person reads as a sentence, that are read as parts of
// one in composed, or that stay English: they are written into a file, or are a mistake
// of the program that calls a package.
var notMessages = map[string]bool{
	"%d lines come": true, "1 line comes": true, "it %s": true, "bank %s %s": true, "mobile %s %s": true,
	"celtiis benin": true, "moov africa benin": true, "moov benin": true, "mtn benin": true, "sbin benin": true,
	"invalid or repeated number: use each number from 1 once": true, ", which failed and may have been paid all the same": true,
	"the page comes from a cache": true, "payouts batch %s %d": true, "payouts batch lines %s %d": true,
	"batch: Open needs a client and a journal": true, "batch: WithConcurrency: %d is not between 1 and %d": true,
	"batch: WithMaxWait: the duration is negative": true, "%d of %s": true, "batch: %v: %w": true, " (errors.Unwrap shows it)": true, "addresses: %s": true,
	"ahead of": true, "this machine is %d %s %s the API's clock": true, ": if it is a total, remove the line": true,
	"intram operations wait %s%s": true, "intram payin get %s%s": true, "intram webhooks delete %s%s": true,
	"%s: this will %s, with real money.": true, "the configuration ": true, "%s of %s %s.": true, "%s %s, from %s": true,
	"  intram operations list --all --json": true, "intram: %s": true, "intram %s": true,
	"  intram operations get op_2f4a8b1c": true, "  intram operations wait op_2f4a8b1c --max-wait 5m && echo done": true,
	"Wait until an operation has ended": true, "do not ask before real money moves (live keys, and the provider's sandbox)": true,
	"cli: completion of a flag that is not there: %s": true, "%d of %d done, %d failed, %d remaining%s": true,
	"%s takes %s, and was given %s; see: %s --help": true, "; did you mean %s?": true, "%s, which is %s": true, "%s: %s_file: %w": true,
	"worked on again": true, "would be replayed; nothing was written. Add --yes": true, "would be worked on again; nothing was written. Add --yes": true,
	"\n%d checks: %d ok, %s, %d failed, %d skipped.":                                     true,
	"\nWhat should be signed, including the line feeds (the body follows the last one):": true,
	"\nAll lines of a correct client: add --language, such as --language php.":           true, "\nThe correct lines:": true,
	"no such line in the ledger: %s": true, "webhook subscription": true, "webhook subscriptions": true, "  intram fidelity compare %s\n": true,

	// Of sign: a command to paste, and keys that explain-signature names in English only.
	"curl --silent --show-error --globoff --request %s": true, "--cacert %s": true, "--header %s": true, "--data-binary %s": true, "--data-raw %s": true,
	"the profile %s": true, "the %s side": true, "the secret key of %s": true, "the public key of %s": true, "the public key of the configuration": true,
	"the API key of payin sessions": true, "a live secret key (%s)": true, "a sandbox secret key (%s)": true, "a public key (%s)": true,
	"the private key of the legacy API, or another key (%s)": true,

	// Of serve: addresses and keys, which scripts look for, and what is written into a
	// certificate or said to a program.
	"The Intram merchant API, on this machine: %s": true, "Dashboard: %s%s": true, "Certificate: %s": true,
	"Sandbox  public key  %s": true, "Live     public key  %s": true, "         secret key  %s": true, "                     account %s": true,
	"  %-8s secret %s (payins too)": true, " --cacert %s": true,
	"  openssl dgst -sha256 -hmac \"$INTRAM_SECRET_KEY\" | sed 's/.* //')": true, "Presets of --fault:\n": true, "--tls: %w": true, ": it was sent %s": true, "Request(%s, body of %d bytes)": true, "for this machine only": true, "intram serve": true,
	"This server has not the name in the Host header. Call it by its address, or start it with --allow-host.": true,
	batchExitHelp: true, doctorHelp: true, exitHelp: true, usageTemplate: true, storedHelp: true,
}

// composed are messages that are put together of several strings, or that a library
// makes.
var composed = map[string]bool{
	"%s available": true, "WALLET (%s)": true, "%d of %d line": true, "%d of %d lines": true,
	"%d argument": true, "%d arguments": true, "%d line": true, "%d lines": true, "%d payout": true, "%d payouts": true,
	"%d problem": true, "%d problems": true, "%d subscription": true, "%d subscriptions": true, "%d warning": true, "%d warnings": true,
	"%d call worked on again.": true, "%d calls worked on again.": true, "%d event replayed.": true, "%d events replayed.": true,
	"%d call would be worked on again; nothing was written. Add --yes.":  true,
	"%d calls would be worked on again; nothing was written. Add --yes.": true,
	"%d event would be replayed; nothing was written. Add --yes.":        true,
	"%d events would be replayed; nothing was written. Add --yes.":       true,
	"%d checks: %d ok, %s, %d failed, %d skipped.":                       true,
	"%d of %d done, %d failed, %d remaining":                             true, "%d of %d done, %d failed, %d remaining, %d a minute": true,
	"%s has no command %q; did you mean %s?": true, "%s takes %s, and was given %s": true,
	"%s: if both are meant, give --allow-duplicates":                                                 true,
	"%s: if it is right, give --allow-provider with it":                                              true,
	"%s: if that is another payout, or you know that it was not paid, give --allow-known-references": true,
	"%s: no line below the header":                                                                   true, "%s: this will %s, with real money. Type yes to go on:": true,
	"INTRAM_LANG: the language is fr or en, not %q": true, "the language is fr or en, not %q": true,
	"batch: %s": true, "neither a phone number nor an account number: if it is a total, remove the line": true,
	"the profile is %s, which is %s (%s), and the %s of %s starts with %s": true,
	"this machine is %d %s ahead of the API's clock":                       true, "this machine is %d %s behind the API's clock": true,
	"used before, by operation %s of %s, which failed and may have been paid all the same": true,

	"What should be signed, including the line feeds (the body follows the last one):": true,
	"All lines of a correct client: add --language, such as --language php.":           true, "The correct lines:": true,

	"the body was decoded and written again: it was sent %s": true, "a server on this machine": true,
	"%d call": true, "%d calls": true, "%d payment request": true, "%d payment requests": true, "%d refund": true, "%d refunds": true,
	"%d webhook subscription": true, "%d webhook subscriptions": true, "POST %s was refused: %s": true,
	"X-Intram-Signature has white space in it": true, "X-Intram-Signature does not begin with sha256=": true,
	"X-Intram-Signature begins with %s instead of sha256=": true, "X-Intram-Signature is the base64 of the hex digits": true,
	"X-Intram-Signature is in base64 instead of hex": true,

	// Of the SDK.
	"amount: %s": true, "amount: it can be read in two ways": true, "msisdn: not a phone number": true,
	"not a decimal number: write digits, such as \"25000\" or \"153.00\"": true, "more than %d digits": true,
	"%s must be greater than 0": true, "it must be greater than 0": true, "it is longer than %d characters": true, "it is required: %s": true,
	"a local number or an IBAN": true, "the phone number in international form": true, "it must be whole: XOF has no decimals": true,
	"it does not begin with %s, the calling code of its operator":                                       true,
	"it must be an ISO 4217 code in capitals, such as XOF":                                              true,
	"it must be an international number: 8 to 15 digits with the country's code, such as 2290161234567": true,
	"it must be two capital letters, such as BJ":                                                        true,

	// Of pflag and of Go.
	"unknown flag: %s": true, "unknown shorthand flag: %s in %s": true, "flag needs an argument: %s": true, "bad flag syntax: %s": true,
	"invalid argument %q for %q flag: %v": true, "strconv.ParseBool: parsing %q: invalid syntax": true,
	"strconv.ParseInt: parsing %q: invalid syntax": true, "time: invalid duration %q": true, "time: missing unit in duration %q": true,
}
