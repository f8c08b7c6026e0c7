package cli

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	intram "github.com/intram/intram-go"
)

// eventTypes lists what a subscription can ask for.
var eventTypes = append(words(
	intram.EventAll, intram.EventPayoutCompleted, intram.EventPayoutQueued, intram.EventPayoutFailed,
	intram.EventPaymentRequestCreated, intram.EventPaymentRequestPaid, intram.EventPaymentRequestPending, intram.EventPaymentRequestFailed,
	intram.EventRefundCompleted, intram.EventRefundPending, intram.EventRefundFailed), "payout.*", "payment_request.*", "refund.*")

func (a *app) webhooksCommand() *cobra.Command {
	return a.calls(group("webhooks", "Manage where events are sent",
		`Manage where events are sent. To check a delivery that arrived, see "intram verify".`,
		a.webhooksListCommand(), a.webhooksCreateCommand(), a.webhooksDeleteCommand(), a.webhooksTestCommand()))
}

// subscription is a subscription as --json prints it: as the API does, its secret only
// when it was created.
type subscription struct {
	ID         string           `json:"subscription_id"`
	URL        string           `json:"url"`
	Event      intram.EventType `json:"event"`
	Secret     string           `json:"secret,omitempty"`
	SecretFile string           `json:"secret_file,omitempty"`
	CreatedAt  time.Time        `json:"date"`
}

func (a *app) webhooksListCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "list", Short: "List the subscriptions", Args: exactly(),
		Example: `  intram webhooks list`,
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		client, err := a.client()
		if err != nil {
			return err
		}
		list, err := client.Webhooks.List(cmd.Context())
		if err != nil {
			return err
		}
		if a.asJSON {
			all := make([]subscription, len(list))
			for i, s := range list {
				all[i] = subscription{ID: s.ID, URL: s.URL, Event: s.Event, CreatedAt: s.CreatedAt}
			}
			return a.printValue(all)
		}
		var rows [][]string
		for _, s := range list {
			rows = append(rows, []string{s.ID, string(s.Event), clip(s.URL, max(20, columns-4-len(s.ID)-26))})
		}
		a.printList([]string{"SUBSCRIPTION", "EVENT", "URL"}, rows, "There are no subscriptions.")
		return nil
	}
	return cmd
}

func (a *app) webhooksCreateCommand() *cobra.Command {
	var url, event, secretFile string
	cmd := &cobra.Command{
		Use: "create", Short: "Subscribe a URL to events", Args: exactly(),
		Long: `Subscribe a URL to an event, to a family of them or to all. The secret that signs the
deliveries is shown by the API this once: --secret-file writes it to a file that only
you can read, otherwise it is printed.`,
		Example: `  intram webhooks create --url https://shop.example.com/intram \
      --event 'payout.*' --secret-file webhook.secret
  intram webhooks create --local --url http://127.0.0.1:8080/intram --event '*'`,
	}
	flags := cmd.Flags()
	flags.StringVar(&url, "url", "", "where the events are posted")
	flags.StringVar(&event, "event", string(intram.EventAll), `an event, a family such as "payout.*", or "*"`)
	flags.StringVar(&secretFile, "secret-file", "", "write the secret to this new `file` instead of printing it")
	complete(cmd, "event", eventTypes...)
	cmd.RunE = func(cmd *cobra.Command, _ []string) (err error) {
		client, err := a.client()
		if err != nil {
			return err
		}
		var file *os.File
		if secretFile != "" {
			// Opened first: a secret that cannot be written down is lost.
			file, err = os.OpenFile(secretFile, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) //nolint:gosec // the user's own choice
			if err != nil {
				return usagef("--secret-file must be a new file: %w", err)
			}
		}
		a.creating.stage = sending
		s, err := client.Webhooks.Create(cmd.Context(), intram.WebhookParams{URL: url, Event: intram.EventType(event)})
		if err == nil {
			a.creating.stage = accepted
			a.creating.id, a.creating.again = s.ID, "intram webhooks delete "+shellQuote(s.ID)+again(cmd)
		}
		if file != nil {
			if err == nil {
				_, err = file.WriteString(s.Secret + "\n")
				if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
					return fmt.Errorf("the subscription %s was made, and its secret could not be written: delete it with intram webhooks delete, and make another: %w", s.ID, err)
				}
			} else {
				err = errors.Join(err, file.Close(), os.Remove(secretFile))
			}
		}
		if err != nil {
			if intram.OutcomeOf(err) == intram.OutcomeUnknown {
				a.note("It may have been made: see intram webhooks list, and delete it if it is there, since its secret is lost.")
			}
			return err
		}
		if a.asJSON {
			shown := subscription{ID: s.ID, URL: s.URL, Event: s.Event, CreatedAt: s.CreatedAt, SecretFile: secretFile}
			if secretFile == "" {
				shown.Secret = s.Secret
			}
			return a.printValue(shown)
		}
		fields := []field{{"subscription", s.ID}, {"event", string(s.Event)}, {"url", s.URL}}
		if secretFile != "" {
			fields = append(fields, field{"secret", "written to " + secretFile})
		} else {
			fields = append(fields, field{"secret", s.Secret})
		}
		a.printFields(fields...)
		if secretFile == "" {
			a.note("The secret is shown this once: store it now.")
		}
		return nil
	}
	return cmd
}

func (a *app) webhooksDeleteCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "delete SUBSCRIPTION", Short: "End a subscription", Args: exactly("SUBSCRIPTION"),
		Long:    `End a subscription. Deliveries that are under way still arrive.`,
		Example: `  intram webhooks delete whs_b4c3a2`,
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		client, err := a.client()
		if err != nil {
			return err
		}
		if err := client.Webhooks.Delete(cmd.Context(), args[0]); err != nil {
			return err
		}
		if a.asJSON {
			return a.printValue(map[string]any{"subscription_id": args[0], "deleted": true})
		}
		a.say("Deleted %s.", args[0])
		return nil
	}
	return cmd
}

func (a *app) webhooksTestCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "test SUBSCRIPTION", Short: "Have a test.ping delivered", Args: exactly("SUBSCRIPTION"),
		Example: `  intram webhooks test whs_b4c3a2`,
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		client, err := a.client()
		if err != nil {
			return err
		}
		if err := client.Webhooks.SendTest(cmd.Context(), args[0]); err != nil {
			return err
		}
		if a.asJSON {
			return a.printValue(map[string]any{"subscription_id": args[0], "sent": true})
		}
		a.say("A test.ping is on its way to %s.", args[0])
		return nil
	}
	return cmd
}
