package cli

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/intram/intram-go/cmd/intram/internal/signature"
)

// methods are those of the API.
var methods = []string{http.MethodGet, http.MethodPost, http.MethodDelete}

// endpoints are offered by completion.
var endpoints = []string{"/balance", "/payouts", "/payment-requests", "/refunds", "/transactions", "/operations", "/webhooks"}

// completeRequest offers a method, and then a path.
func completeRequest(cmd *cobra.Command) {
	cmd.ValidArgsFunction = func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		switch len(args) {
		case 0:
			return methods, cobra.ShellCompDirectiveNoFileComp
		case 1:
			return endpoints, cobra.ShellCompDirectiveNoFileComp
		default:
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
	}
}

func (a *app) signCommand() *cobra.Command {
	var (
		body string
		curl bool
		key  string
	)
	cmd := &cobra.Command{
		Use: "sign METHOD PATH", Short: "Sign a request, as headers or as a curl command", Args: exactly("METHOD", "PATH"),
		Long: `Sign a request of the Merchant API with the configured keys, and print its headers;
with --curl, a command that can be pasted. The signature holds for five minutes. The
secret key is in neither.

PATH is the endpoint, such as /payouts, with its query if it has one. The body is
signed byte for byte: give it as @FILE, as @- for the standard input, or itself.`,
		Example: `  intram sign GET '/transactions?limit=5' --curl
  intram sign POST /payouts --body @payout.json
  jq -cj .payout order.json | intram sign POST /payouts --body @- --curl
  sh -c "$(intram sign GET /balance --local --curl)"`,
	}
	cmd.Flags().StringVar(&body, "body", "", "the `body`: @FILE, @- or itself")
	cmd.Flags().BoolVar(&curl, "curl", false, "print a curl command")
	cmd.Flags().StringVar(&key, "idempotency-key", "", "the `key` of a POST (default a new one)")
	completeRequest(cmd)
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		method := strings.ToUpper(args[0])
		if !slices.Contains(methods, method) {
			return usagef("METHOD is one of %s", join(methods))
		}
		data, err := a.readArgument("--body", body)
		if err != nil {
			return err
		}
		if method != http.MethodPost && len(data) > 0 {
			return usagef("a %s has no body", method)
		}
		s, err := a.settings()
		if err != nil {
			return err
		}
		// The client's own checks of the keys and the address, before anything is signed
		// with them.
		if _, err := a.client(); err != nil {
			return err
		}
		headers, err := signature.Sign(s.publicKey.value, s.secretKey.value, method, args[1], data, a.clock.Now())
		if err != nil {
			return usagef("%w", err)
		}
		if method == http.MethodPost {
			if key == "" {
				id, err := uuid.NewRandom()
				if err != nil {
					return err
				}
				key = id.String()
			}
			headers = append(headers, [2]string{"Idempotency-Key", key}, [2]string{"Content-Type", "application/json"})
		}
		switch {
		case curl:
			if s.secretKey.value != "" && strings.Contains(string(data), s.secretKey.value) {
				return usagef("the body has the secret key in it: no request has")
			}
			return a.printCurl(s, method, args[1], body, data, headers)
		case a.asJSON:
			object := map[string]string{}
			for _, h := range headers {
				object[h[0]] = h[1]
			}
			return a.printValue(object)
		default:
			for _, h := range headers {
				fmt.Fprintf(a.out, "%s: %s\n", h[0], h[1])
			}
			return nil
		}
	}
	return a.calls(cmd)
}

// printCurl prints a command that sends the request. It contains no secret: a person who
// sees the list of processes could repeat this request, with the same idempotency key,
// for five minutes.
func (a *app) printCurl(s *settings, method, target, body string, data []byte, headers [][2]string) error {
	endpoint, _, query, err := signature.Split(target)
	if err != nil {
		return usagef("%w", err)
	}
	base := strings.TrimRight(s.baseURL.value, "/")
	if _, path, _ := strings.Cut(base, "://"); !strings.Contains(path, "/") {
		base += "/v1"
	}
	address := base + endpoint
	if query != "" {
		address += "?" + query
	}
	lines := []string{"curl --silent --show-error --globoff --request " + method}
	if s.certificate.value != "" {
		lines = append(lines, "--cacert "+shellQuote(s.certificate.value))
	}
	for _, h := range headers {
		lines = append(lines, "--header "+shellQuote(h[0]+": "+h[1]))
	}
	file, isFile := strings.CutPrefix(body, "@")
	switch {
	case len(data) == 0:
	case isFile && file != "-":
		lines = append(lines, "--data-binary "+shellQuote("@"+file))
	case !utf8.Valid(data) || strings.ContainsRune(string(data), 0):
		return usagef("the body is not text: write it to a file and give --body @FILE")
	default:
		lines = append(lines, "--data-raw "+shellQuote(string(data)))
	}
	lines = append(lines, shellQuote(address))
	fmt.Fprintln(a.out, strings.Join(lines, " \\\n  "))
	return nil
}

// addOtherProfiles adds the keys of the other profiles of the configuration.
func (a *app) addOtherProfiles(s *settings, add func(label, value string)) {
	file, _, err := a.readConfig()
	if err != nil {
		return // those that were given are tried all the same
	}
	for _, name := range file.names() {
		if name == s.profile.value {
			continue
		}
		other := *a
		other.connection.profile = name
		other.lookupEnv = func(variable string) (string, bool) {
			if strings.HasPrefix(variable, "INTRAM_SECRET_KEY") || strings.HasPrefix(variable, "INTRAM_PUBLIC_KEY") {
				return "", false // they are of one profile, and were taken already
			}
			return a.lookupEnv(variable)
		}
		of := "the profile " + name
		if isEnvironment(name) {
			of = "the " + name + " side"
		}
		if o, err := other.settings(); err == nil {
			add("the secret key of "+of, o.secretKey.value)
			add("the public key of "+of, o.publicKey.value)
		}
	}
}

// secretKeys are all keys that are known and may have signed a request: the one that
// should have comes first.
func (a *app) secretKeys(s *settings, also []string) ([]signature.Key, error) {
	keys := []signature.Key{{Label: "the secret key of " + s.secretKey.source, Value: s.secretKey.value}}
	add := func(label, value string) {
		if value != "" && value != s.secretKey.value {
			keys = append(keys, signature.Key{Label: label, Value: value})
		}
	}
	if s.publicKey.value != "" {
		add("the public key of the configuration", s.publicKey.value)
	}
	add("the webhook secret of "+s.webhookSecret.source, s.webhookSecret.value)
	add("the API key of payin sessions", s.payinAPIKey.value)
	a.addOtherProfiles(s, add)
	for _, flag := range also {
		value, err := a.readSecretArgument("--also", flag)
		if err != nil {
			return nil, err
		}
		var label string
		switch {
		case strings.HasPrefix(value, "whsec_"):
			label = "a webhook's secret (" + flag + ")"
		case strings.HasPrefix(value, "sk_live_"):
			label = "a live secret key (" + flag + ")"
		case strings.HasPrefix(value, "sk_sandbox_"):
			label = "a sandbox secret key (" + flag + ")"
		case strings.HasPrefix(value, "pk_"):
			label = "a public key (" + flag + ")"
		default:
			label = "the private key of the legacy API, or another key (" + flag + ")"
		}
		add(label, value)
	}
	return keys, nil
}
