package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/intram/intram-go/cmd/intram/internal/signature"
)

func (a *app) explainCommand() *cobra.Command {
	var (
		headers, body, request, at, language string
		also                                 []string
	)
	cmd := &cobra.Command{
		Use: "explain-signature [METHOD PATH]", Short: "Find the mistake in a signature that was refused",
		Long: `Find out why the API responded with signature_invalid, by trying the possible mistakes,
alone and up to three at once: the wrong path, query, body, method, time, key,
separators, hash or encoding. It shows the lines that are right in PHP, Node, Python and
Go. It needs the secret key that should have signed, from the configuration, and the
request as it was sent; it sends nothing, and prints no key.

Give the method, the path as it was called, and the headers and the body as they were
sent; or a whole request as it went over the wire, with --request or on the standard
input. Keys that may have signed by mistake are tried too: the other environment's, a
webhook's, and those of --also.

The exit status is 0 when the signature is good, and 2 when it is not.`,
		Example: `  intram explain-signature POST /v1/payouts --headers @h.txt --body @body.json
  intram explain-signature < request.txt
  intram explain-signature GET '/v1/operations?type=payout&limit=5' \
      --headers @headers.txt --also @old-private.key`,
	}
	flags := cmd.Flags()
	flags.StringVar(&headers, "headers", "", "the request's headers: `@FILE` or @-")
	flags.StringVar(&body, "body", "", "the request's raw body: `@FILE` or @-")
	flags.StringVar(&request, "request", "", "the whole request: `@FILE` or @-")
	flags.StringVar(&at, "at", "", "when the request arrived, if not now: a `time`")
	flags.StringArrayVar(&also, "also", nil, "another key that may have signed: `@FILE` or env:NAME")
	languages := make([]string, len(signature.Languages))
	for i, l := range signature.Languages {
		languages[i] = l.ID
	}
	flags.StringVar(&language, "language", "", "show the right lines in this language alone: "+join(languages))
	complete(cmd, "language", languages...)
	completeRequest(cmd)
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return nil
		}
		return exactly("METHOD", "PATH")(cmd, args)
	}
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		if language != "" && !slices.Contains(languages, language) {
			return usagef("--language must be one of %s", join(languages))
		}
		s, err := a.settings()
		if err != nil {
			return err
		}
		if s.secretKey.value == "" {
			return usagef("the secret key that should have signed is not set: set INTRAM_SECRET_KEY, or write it to %s", a.configPath())
		}
		if mistake := s.secretKey.mistake(); mistake != "" {
			return usagef("the secret key of %s %s", s.secretKey.source, mistake)
		}
		now, err := a.judgedAt(at)
		if err != nil {
			return err
		}
		keys, err := a.secretKeys(s, also)
		if err != nil {
			return err
		}
		r, err := a.refusedRequest(args, headers, body, request)
		if err != nil {
			return err
		}
		verdict, err := signature.Explain(r, keys, now)
		if err != nil {
			return usagef("%w", err)
		}
		if !verdict.Good {
			verdict.Lines = linesOf(verdict, language)
		}
		if !a.asJSON && !verdict.Good {
			defer a.sayLines(verdict)
			defer a.sayCanonical(verdict)
		}
		return a.printVerdict(verdict, ofRequest)
	}
	return a.calls(cmd)
}

// refusedRequest reads the request in one of its possible forms.
func (a *app) refusedRequest(args []string, headers, body, request string) (*signature.Request, error) {
	if len(args) == 0 {
		if headers != "" || body != "" {
			return nil, usagef("--headers and --body go with METHOD and PATH")
		}
		if request == "" {
			request = "@-"
		}
		dump, err := a.readArgument("--request", request)
		if err != nil {
			return nil, err
		}
		r, err := signature.ParseDump(dump)
		if err != nil {
			return nil, usagef("the request: %w", err)
		}
		return r, nil
	}
	if request != "" {
		return nil, usagef("--request is a whole request: leave out METHOD and PATH")
	}
	if headers == "" {
		return nil, usagef("give the request's headers: --headers @FILE")
	}
	if headers == "@-" && body == "@-" {
		return nil, usagef("only one of --headers and --body can be the standard input")
	}
	head, err := a.readArgument("--headers", headers)
	if err != nil {
		return nil, err
	}
	r := &signature.Request{Method: args[0], Target: args[1]}
	if r.Header, err = signature.ParseHeaders(head); err != nil {
		return nil, usagef("--headers: %w", err)
	}
	if r.Body, err = a.readArgument("--body", body); err != nil {
		return nil, err
	}
	return r, nil
}

// sayCanonical prints what should have been signed, and its signature. It prints only the
// length of the body, which may contain personal data.
func (a *app) sayCanonical(v *signature.Verdict) {
	a.say("\nWhat should be signed, including the line feeds (the body follows the last one):")
	for _, line := range canonicalLines(v.Canonical) {
		fmt.Fprintln(a.out, "  "+line)
	}
	a.say("  (body of %d bytes)", v.BodyBytes)
	a.say("which is:")
	fmt.Fprintln(a.out, "  "+v.Signature)
}

// linesOf returns the correct lines, in one language or in each: those of the mistakes
// that were found, or all of them. The latter only if a language is requested.
func linesOf(v *signature.Verdict, language string) map[string][]string {
	if len(v.Findings) == 0 && language == "" {
		return nil
	}
	lines := map[string][]string{}
	for _, l := range signature.Languages {
		if language == "" || language == l.ID {
			lines[l.ID] = v.Code(l)
		}
	}
	return lines
}

// sayLines prints the correct lines of a program.
func (a *app) sayLines(v *signature.Verdict) {
	if v.Lines == nil {
		a.say("\nAll lines of a correct client: add --language, such as --language php.")
		return
	}
	a.say("\nThe correct lines:")
	for _, l := range signature.Languages {
		if lines := v.Lines[l.ID]; len(lines) > 0 {
			fmt.Fprintln(a.out, "  "+l.Name)
			for _, line := range lines {
				fmt.Fprintln(a.out, strings.TrimRight("    "+line, " "))
			}
		}
	}
}

func canonicalLines(canonical string) []string {
	var lines []string
	start := 0
	for i, c := range canonical {
		if c == '\n' {
			lines = append(lines, canonical[start:i]+`\n`)
			start = i + 1
		}
	}
	return lines
}
