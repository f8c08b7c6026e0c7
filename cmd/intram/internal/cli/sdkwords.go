package cli

import (
	"regexp"
	"strings"
	"unicode"

	intram "github.com/intram/intram-go"
)

// sdkAdvice replaces advice about Go code, in the SDK's errors, by advice for a shell.
var sdkAdvice = strings.NewReplacer(
	"the API's own words are in Message", "--verbose shows the API's own words",
	"the operator refused: see OperationError.Details", "the operator refused: see intram operations get",
	": see Error.ClientIP", ": --verbose shows the API's own words",
	"find out what it did before you do anything else: such a call has no Resume", "find out what it did before you do anything else",
	"call Resume with the intent before you do anything else", "look for what came of it with intram operations list before you do anything else",
	"try intram.WithBaseURL(intram.BaseURLDirect)", "try --base-url "+intram.BaseURLDirect,
	"try intram.WithBaseURL(intram.BaseURL)", "try --base-url "+intram.BaseURL,
	"intram: publicKey and secretKey are", "intram: the public and the secret key are",
	"intram: publicKey ", "intram: the public key ",
	"intram: secretKey ", "intram: the secret key ",
	"WithPayinBaseURL: ", "--payin-base-url: ",
	"WithBaseURL: ", "--base-url: ",
	"WithTimeout: ", "--timeout: ",
	"a UUID, such as intram.DerivePayinKey makes", "a UUID",
)

// goTypes matches names of Go types in the SDK's errors.
var goTypes = regexp.MustCompile(` with a \*?[a-z]\w*\.\w+, not a \*?[a-z]\w*\.\w+|error of type \*?[a-z]\w*\.\w+(?: \(errors\.Unwrap shows it\))?`)

// inShellWords returns an error's text for a person at a shell.
func inShellWords(text string) string {
	return goTypes.ReplaceAllStringFunc(sdkAdvice.Replace(text), func(types string) string {
		if strings.HasPrefix(types, "error") {
			return "an error of another kind"
		}
		return ""
	})
}

// printable returns a server's text without control characters for the terminal.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, text)
}
