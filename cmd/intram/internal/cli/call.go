package cli

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	intram "github.com/intram/intram-go"
)

func (a *app) callCommand() *cobra.Command {
	var (
		c     creation
		query []string
		data  string
	)
	cmd := &cobra.Command{
		Use: "call METHOD PATH", Short: "Make a call that has no command yet", Args: exactly("METHOD", "PATH"),
		Long: `Make any call of the Merchant API, signed and retried like all the others, and print the
response as it came. The path is below the base URL, such as /operations, and has no /v1.

GET and DELETE take --query; POST, PUT and PATCH take --data and carry an idempotency
key, which is printed before the call is sent. If the response is lost, the message ends
with the exact command that continues with the same key. With live keys a person is asked
before anything but GET; a script gives --yes.`,
		Example: `  intram call GET /operations --query type=payout --query limit=5
  intram call POST /payouts --data @payout.json
  intram call DELETE /webhooks/whs_2f4a8b1c`,
	}
	flags := cmd.Flags()
	flags.StringArrayVar(&query, "query", nil, "a `NAME=VALUE` of the query; once for each")
	flags.StringVar(&data, "data", "", "the body: a `JSON` object, @FILE or @-")
	c.flags(cmd, "")
	c.flag(cmd)
	completeRequest(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		method, path := strings.ToUpper(args[0]), args[1]
		keyed := method != http.MethodGet && method != http.MethodDelete
		params, err := a.callParams(keyed, query, data)
		if err != nil {
			return err
		}
		client, err := a.client()
		if err != nil {
			return err
		}
		if keyed {
			return a.callKeyed(cmd, client, &c, method, path, params)
		}
		if c.key != "" || c.firstSentAt != "" {
			return usagef("--idempotency-key and --first-sent-at go with POST, PUT and PATCH: GET and DELETE carry no key")
		}
		if method == http.MethodDelete {
			if err := a.confirm(c.confirmation, client.Environment(), method+" "+path); err != nil {
				return err
			}
		}
		raw, err := client.Do(cmd.Context(), method, path, params)
		if err != nil {
			return err
		}
		return a.printJSON(raw)
	}
	return a.calls(cmd)
}

// callParams returns the query of a call, or the body of one that carries a key.
func (a *app) callParams(keyed bool, query []string, data string) (any, error) {
	if !keyed {
		if data != "" {
			return nil, usagef("--data goes with POST, PUT and PATCH: GET and DELETE take --query")
		}
		values := url.Values{}
		for _, pair := range query {
			name, value, ok := strings.Cut(pair, "=")
			if !ok {
				return nil, usagef("--query must be NAME=VALUE, such as --query limit=5")
			}
			values.Add(name, value)
		}
		return values, nil
	}
	if len(query) > 0 {
		return nil, usagef("--query goes with GET and DELETE: give what is sent with --data")
	}
	if data == "" {
		return nil, nil //nolint:nilnil // the call has no parameters
	}
	body, err := a.readArgument("--data", data)
	if err != nil {
		return nil, err
	}
	if _, err := parseObject("--data", body); err != nil {
		return nil, err
	}
	return json.RawMessage(body), nil // not decoded and encoded again: every digit stays
}

// callKeyed makes a call that may move money: it asks, prints the key, and sends.
func (a *app) callKeyed(cmd *cobra.Command, client *intram.Client, c *creation, method, path string, params any) error {
	intent, err := a.prepare(c, func(opts ...intram.CallOption) (*intram.Intent, error) {
		return client.PrepareDo(method, path, params, opts...)
	})
	if err != nil {
		return err
	}
	if err := a.confirm(c.confirmation, client.Environment(), method+" "+path); err != nil {
		return err
	}
	a.printKey(intent)
	raw, err := client.Do(cmd.Context(), method, path, params, intram.WithIntent(intent))
	if err != nil {
		return inDoubt(cmd, intent, err)
	}
	var created struct {
		Data struct {
			ID string `json:"operation_id"`
		} `json:"data"`
	}
	if json.Unmarshal(raw, &created) == nil && created.Data.ID != "" {
		a.accept("operation", created.Data.ID, "intram operations wait "+shellQuote(created.Data.ID)+again(cmd))
	} else {
		a.creating.stage = accepted
	}
	return a.printJSON(raw)
}
