package cli

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/spf13/cobra"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/intramriver"
)

// stored holds the flags of the commands that read what intramriver has stored.
type stored struct {
	merchant, schema, riverSchema string
}

const storedHelp = `INTRAM_DATABASE_URL names the PostgreSQL in which intramriver keeps them; the keys
say which environment. Nothing is written without --yes.`

func (s *stored) flags(a *app, cmd *cobra.Command) *cobra.Command {
	flags := cmd.PersistentFlags()
	flags.StringVar(&s.merchant, "merchant", intramriver.DefaultMerchant, "whose they are: the Merchant of intramriver's Config")
	flags.StringVar(&s.schema, "schema", "", "the schema of intramriver's tables, if not that of the connection")
	flags.StringVar(&s.riverSchema, "river-schema", "", "the schema of River's tables, likewise")
	return a.calls(cmd)
}

// open returns the work on the database, and what closes it.
func (s *stored) open(ctx context.Context, a *app) (*intramriver.Work, func(), error) {
	client, err := a.client()
	if err != nil {
		return nil, nil, err
	}
	url, _ := a.lookupEnv("INTRAM_DATABASE_URL")
	if url == "" {
		return nil, nil, usagef("INTRAM_DATABASE_URL is not set: give the address of the database that intramriver uses, such as postgres://user@host/database")
	}
	config, err := pgxpool.ParseConfig(url)
	if err != nil { // it may show the address, and the password in it
		return nil, nil, usagef("INTRAM_DATABASE_URL cannot be read: it must be an address such as postgres://user@host/database")
	}
	seal, err := a.seal()
	if err != nil {
		return nil, nil, err
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, nil, databaseError(err)
	}
	work, err := intramriver.New(client, intramriver.Config{
		Pool: pool, Merchant: s.merchant, Schema: s.schema, RiverSchema: s.riverSchema, Seal: seal, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		pool.Close()
		return nil, nil, usagef("%w", err)
	}
	return work, pool.Close, nil
}

// seal reads INTRAM_SEAL_KEYS: id=base64, separated by commas, the current one first.
func (a *app) seal() (intramriver.Seal, error) {
	text, _ := a.lookupEnv("INTRAM_SEAL_KEYS")
	if text == "" {
		return nil, nil //nolint:nilnil // without a seal, nothing is sealed
	}
	invalid := usagef("INTRAM_SEAL_KEYS cannot be read: it must be the id of a key, =, and the key in base64, and more of them after commas, the current one first")
	keys := make(map[string][]byte)
	current := ""
	for pair := range strings.SplitSeq(text, ",") {
		id, encoded, found := strings.Cut(strings.TrimSpace(pair), "=")
		key, err := base64.StdEncoding.DecodeString(encoded)
		if !found || err != nil {
			return nil, invalid
		}
		if keys[id] = key; current == "" {
			current = id
		}
	}
	seal, err := intramriver.NewAESGCM(current, keys)
	if err != nil {
		return nil, invalid
	}
	return seal, nil
}

// databaseError is a database that did not respond, or does not have the tables.
func databaseError(err error) error {
	return &exitError{exitNoAnswer, fmt.Errorf("the database: %w", err)}
}

// eventFlags select events.
type eventFlags struct {
	types, states []string
	operation     string
	since, until  string
	limit         int
	after         int64
}

func (e *eventFlags) flags(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringSliceVar(&e.types, "type", nil, "only these types, such as payout.completed")
	flags.StringVar(&e.operation, "operation", "", "only those of this operation's `id`")
	flags.StringVar(&e.since, "since", "", "only what was received at this `time` or later: "+timesHelp)
	flags.StringVar(&e.until, "before", "", "only what was received before this `time`, written likewise")
	flags.StringSliceVar(&e.states, "state", nil, "only these states: waiting, dead, done")
	complete(cmd, "type", eventTypes...)
	complete(cmd, "state", words(intramriver.EventWaiting, intramriver.EventDead, intramriver.EventDone)...)
}

func (e *eventFlags) filter(a *app, args []string) (f intramriver.EventFilter, err error) {
	f = intramriver.EventFilter{OperationID: e.operation, Limit: e.limit, After: e.after}
	if f.IDs, err = rowIDs(args); err != nil {
		return f, err
	}
	for _, t := range e.types {
		f.Types = append(f.Types, intram.EventType(t))
	}
	known := words(intramriver.EventWaiting, intramriver.EventDead, intramriver.EventDone)
	for _, s := range e.states {
		if !slices.Contains(known, s) {
			return f, usagef("--state must be %s", join(known))
		}
		f.States = append(f.States, intramriver.EventState(s))
	}
	if f.Since, err = a.readTime("--since", e.since); err != nil {
		return f, err
	}
	f.Until, err = a.readTime("--before", e.until)
	return f, err
}

// rowIDs reads the numbers of rows.
func rowIDs(args []string) (ids []int64, err error) {
	for _, arg := range args {
		id, err := strconv.ParseInt(arg, 10, 64)
		if err != nil || id <= 0 {
			return nil, usagef("%q is not the number of a row, as the list shows it in its first column", arg)
		}
		ids = append(ids, id)
	}
	return ids, nil
}

func (a *app) eventsCommand() *cobra.Command {
	s := new(stored)
	return s.flags(a, group("events", "See and replay stored webhook events",
		`See and replay the webhook events that intramriver has stored. `+storedHelp,
		a.eventsListCommand(s), a.eventsShowCommand(s), a.eventsReplayCommand(s)))
}

// storedEvent is an event as --json prints it.
type storedEvent struct {
	ID          int64                  `json:"id"`
	State       intramriver.EventState `json:"state"`
	Type        intram.EventType       `json:"event"`
	OperationID string                 `json:"operation_id"`
	ReceivedAt  time.Time              `json:"received_at"`
	Source      string                 `json:"source"`
	Attempts    int                    `json:"failed_attempts,omitempty"`
	Error       string                 `json:"error,omitempty"`
	FailedAt    *time.Time             `json:"failed_at,omitempty"`
	DoneAt      *time.Time             `json:"done_at,omitempty"`
	Body        *intram.Event          `json:"body,omitempty"`
}

func shownEvent(e *intramriver.StoredEvent) storedEvent {
	return storedEvent{
		ID: e.ID, State: e.State, Type: e.Type, OperationID: e.OperationID, ReceivedAt: e.ReceivedAt.UTC(), Source: e.Source,
		Attempts: e.Attempts, Error: e.Error, FailedAt: timeOrNil(e.FailedAt), DoneAt: timeOrNil(e.DoneAt),
	}
}

func timeOrNil(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

func (a *app) eventsListCommand(s *stored) *cobra.Command {
	e := new(eventFlags)
	cmd := &cobra.Command{
		Use: "list", Short: "List the events, oldest first", Args: exactly(),
		Long: `List the events, oldest first. A dead event is one that River has given up, or whose job
a person has cancelled: --state dead lists them with the last error.`,
		Example: `  intram events list --state dead
  intram events list --operation op_8f3a2c1d --json`,
	}
	e.flags(cmd)
	cmd.Flags().IntVar(&e.limit, "limit", 100, "how many, 1 to 1000")
	cmd.Flags().Int64Var(&e.after, "after", 0, "only those after this `row`, the last of the page before")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if e.limit < 1 || e.limit > 1000 {
			return usagef("--limit must be between 1 and 1000")
		}
		filter, err := e.filter(a, nil)
		if err != nil {
			return err
		}
		work, done, err := s.open(cmd.Context(), a)
		if err != nil {
			return err
		}
		defer done()
		events, err := work.Events(cmd.Context(), filter)
		if err != nil {
			return databaseError(err)
		}
		if a.asJSON {
			all := make([]storedEvent, len(events))
			for i, e := range events {
				all[i] = shownEvent(e)
			}
			return a.printValue(all)
		}
		var rows [][]string
		for _, e := range events {
			rows = append(rows, []string{
				strconv.FormatInt(e.ID, 10), string(e.State), clip(string(e.Type), 24), clip(e.OperationID, 22), e.ReceivedAt.In(a.zone()).Format(time.DateTime),
			})
		}
		a.printList([]string{"ROW", "STATE", "EVENT", "OPERATION", "RECEIVED"}, rows, "There are no such events.")
		for _, e := range events {
			if e.State == intramriver.EventDead {
				a.note("%d: %s", e.ID, clip(oneLine(e.Error), 60))
			}
		}
		if len(events) == e.limit {
			a.note("There may be more: add --after %d.", events[len(events)-1].ID)
		}
		return nil
	}
	return cmd
}

// oneLine makes one line of what a function has returned.
func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

func (a *app) eventsShowCommand(s *stored) *cobra.Command {
	var body bool
	cmd := &cobra.Command{
		Use: "show ROW", Short: "Show one event", Args: exactly("ROW"),
		Long: `Show one event. --body shows what Intram has sent too: it holds personal data. If it
was sealed, INTRAM_SEAL_KEYS has to be set: the id of a key, =, the key in base64.`,
		Example: `  intram events show 4711
  intram events show 4711 --body`,
	}
	cmd.Flags().BoolVar(&body, "body", false, "show the event's own data too, with names and phone numbers")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		ids, err := rowIDs(args)
		if err != nil {
			return err
		}
		work, done, err := s.open(cmd.Context(), a)
		if err != nil {
			return err
		}
		defer done()
		e, event, err := work.Event(cmd.Context(), ids[0])
		switch {
		case errors.Is(err, intramriver.ErrNoEvent):
			return &exitError{exitRefused, fmt.Errorf("there is no event %d of this merchant in this environment", ids[0])}
		case e == nil:
			return databaseError(err)
		case err != nil && body:
			return &exitError{exitRefused, fmt.Errorf("the body of event %d cannot be shown: %w", ids[0], err)}
		}
		shown := shownEvent(e)
		if body {
			shown.Body = event
		}
		if a.asJSON {
			return a.printValue(shown)
		}
		a.printFields(
			field{"row", strconv.FormatInt(e.ID, 10)}, field{"state", string(e.State)}, field{"event", string(e.Type)}, field{"operation", e.OperationID},
			field{"received", a.shownTime(e.ReceivedAt)}, field{"source", e.Source}, field{"delivery", e.Headers["X-Intram-Delivery"]},
			field{"failed", a.shownTime(e.FailedAt)}, field{"attempts", strings.TrimPrefix(strconv.Itoa(e.Attempts), "0")}, field{"error", oneLine(e.Error)},
			field{"done", a.shownTime(e.DoneAt)},
		)
		if !body {
			return nil
		}
		if len(event.Raw) > 0 {
			_, err = io.WriteString(a.out, string(event.Raw)+"\n")
			return err
		}
		return a.printValue(event)
	}
	return cmd
}

func (a *app) shownTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.In(a.zone()).Format(time.DateTime + " -07:00")
}

func (a *app) eventsReplayCommand(s *stored) *cobra.Command {
	e := new(eventFlags)
	var all, yes bool
	cmd := &cobra.Command{
		Use: "replay [ROW...]", Short: "Let dead events take effect after all", Args: cobra.ArbitraryArgs,
		Long: `Give dead events a new job, so that your function gets them again: some rows, those that
the flags select, or all with --all. Without --yes it only counts them.

With --state done, events that took effect take effect once more.`,
		Example: `  intram events replay 4711 --yes
  intram events replay --type payout.completed --since yesterday
  intram events replay --all --yes`,
	}
	e.flags(cmd)
	cmd.Flags().BoolVar(&all, "all", false, "all dead events")
	cmd.Flags().BoolVar(&yes, "yes", false, "replay them, instead of counting them")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		selected := len(args) > 0 || len(e.types) > 0 || e.operation != "" || e.since != "" || e.until != "" || len(e.states) > 0
		if selected == all {
			return usagef("say which events: their rows, flags that select them, or --all; see: intram events replay --help")
		}
		filter, err := e.filter(a, args)
		if err != nil {
			return err
		}
		work, done, err := s.open(cmd.Context(), a)
		if err != nil {
			return err
		}
		defer done()
		if !yes {
			n, err := countReplay(cmd.Context(), work, filter)
			if err != nil {
				return databaseError(err)
			}
			return a.sayCount(n, "event", "would be replayed; nothing was written. Add --yes", "would_be_replayed")
		}
		n, err := work.Replay(cmd.Context(), filter)
		if err != nil {
			return &exitError{exitInDoubt, fmt.Errorf("%d events were replayed, and then the database failed: run it again: %w", n, err)}
		}
		return a.sayCount(n, "event", "replayed", "replayed")
	}
	return cmd
}

// countReplay counts what a replay would take.
func countReplay(ctx context.Context, work *intramriver.Work, filter intramriver.EventFilter) (n int, err error) {
	if len(filter.States) == 0 {
		filter.States = []intramriver.EventState{intramriver.EventDead}
	}
	filter.States = slices.DeleteFunc(filter.States, func(s intramriver.EventState) bool { return s == intramriver.EventWaiting })
	if len(filter.States) == 0 {
		return 0, nil
	}
	filter.Limit = 1000
	for {
		page, err := work.Events(ctx, filter)
		if err != nil {
			return 0, err
		}
		n += len(page)
		if len(page) < filter.Limit {
			return n, nil
		}
		filter.After = page[len(page)-1].ID
	}
}

// sayCount prints how many of something there were.
func (a *app) sayCount(n int, thing, what, name string) error {
	if a.asJSON {
		return a.printValue(map[string]int{name: n})
	}
	if n != 1 {
		thing += "s"
	}
	a.say("%d %s %s.", n, thing, what)
	return nil
}

func (a *app) jobsCommand() *cobra.Command {
	s := new(stored)
	return s.flags(a, group("jobs", "See and retry calls that nothing works on",
		`See and retry payouts, refunds and payment requests of intramriver that nothing works
on any more: their job was discarded, cancelled or deleted. `+storedHelp,
		a.jobsListCommand(s), a.jobsRetryCommand(s)))
}

// deadJob is a dead job as --json prints it.
type deadJob struct {
	Record    int64             `json:"record"`
	Kind      intramriver.Kind  `json:"kind"`
	Reference string            `json:"reference"`
	State     intramriver.State `json:"state"`
	JobID     int64             `json:"job_id,omitempty"`
	Attempts  int               `json:"attempts,omitempty"`
	Error     string            `json:"error,omitempty"`
	At        *time.Time        `json:"at,omitempty"`
}

func (a *app) jobsListCommand(s *stored) *cobra.Command {
	var since string
	cmd := &cobra.Command{
		Use: "list", Short: "List the calls that nothing works on", Args: exactly(),
		Example: `  intram jobs list
  intram jobs list --since yesterday --json`,
	}
	cmd.Flags().StringVar(&since, "since", "", "only what was given up at this `time` or later: "+timesHelp)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		from, err := a.readTime("--since", since)
		if err != nil {
			return err
		}
		work, done, err := s.open(cmd.Context(), a)
		if err != nil {
			return err
		}
		defer done()
		dead, err := work.Dead(cmd.Context(), intramriver.DeadFilter{Since: from})
		if err != nil {
			return databaseError(err)
		}
		if a.asJSON {
			all := make([]deadJob, len(dead))
			for i, d := range dead {
				all[i] = deadJob{
					Record: d.Record.ID, Kind: d.Record.Kind, Reference: d.Record.Reference, State: d.Record.State,
					JobID: d.JobID, Attempts: d.Attempts, Error: d.Error, At: timeOrNil(d.At),
				}
			}
			return a.printValue(all)
		}
		var rows [][]string
		for _, d := range dead {
			rows = append(rows, []string{
				strconv.FormatInt(d.Record.ID, 10), string(d.Record.Kind), clip(d.Record.Reference, 24), string(d.Record.State), clip(oneLine(d.Error), 24),
			})
		}
		a.printList([]string{"RECORD", "KIND", "REFERENCE", "STATE", "ERROR"}, rows, "Every call has ended, or is worked on.")
		return nil
	}
	return cmd
}

func (a *app) jobsRetryCommand(s *stored) *cobra.Command {
	var all, yes bool
	var since string
	cmd := &cobra.Command{
		Use: "retry [RECORD...]", Short: "Let dead calls be worked on again", Args: cobra.ArbitraryArgs,
		Long: `Let calls that nothing works on be worked on again: some records, or all with --all.
What was sent before is sent with the same intent, so no money moves twice; what was
never sent is sent now. Without --yes it only counts them.`,
		Example: `  intram jobs retry 17 --yes
  intram jobs retry --all --since yesterday`,
	}
	cmd.Flags().BoolVar(&all, "all", false, "all of them")
	cmd.Flags().StringVar(&since, "since", "", "only what was given up at this `time` or later: "+timesHelp)
	cmd.Flags().BoolVar(&yes, "yes", false, "retry them, instead of counting them")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if (len(args) > 0) == all {
			return usagef("say which calls: their records, or --all; see: intram jobs retry --help")
		}
		ids, err := rowIDs(args)
		if err != nil {
			return err
		}
		from, err := a.readTime("--since", since)
		if err != nil {
			return err
		}
		work, done, err := s.open(cmd.Context(), a)
		if err != nil {
			return err
		}
		defer done()
		filter := intramriver.DeadFilter{Records: ids, Since: from}
		if !yes {
			dead, err := work.Dead(cmd.Context(), filter)
			if err != nil {
				return databaseError(err)
			}
			return a.sayCount(len(dead), "call", "would be worked on again; nothing was written. Add --yes", "would_be_retried")
		}
		n, err := work.Retry(cmd.Context(), filter)
		if err != nil {
			return &exitError{exitInDoubt, fmt.Errorf("%d calls are worked on again, and then the database failed: run it again: %w", n, err)}
		}
		return a.sayCount(n, "call", "worked on again", "retried")
	}
	return cmd
}
