package fidelity

import (
	"context"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"
)

var transactionProbes = []Probe{
	{Line: Line{sectionTransactions, "`GET /transactions/:reference`: by public reference or internal id"}, play: func(ctx context.Context, s *Session) (Observation, error) {
		payment, err := s.payment(ctx)
		if err != nil {
			return nil, err
		}
		reference := text(payment.data("result", "transaction_reference"))
		r, err := s.get(ctx, "/transactions/"+url.PathEscape(reference))
		if err != nil {
			return nil, err
		}
		seen, err := s.outcomes(ctx, []step{
			getting("an unknown reference", "/transactions/"+noReference), getting("an unknown internal id", "/transactions/"+strings.Repeat("0", 24)),
		}, (*response).outcome)
		if err != nil {
			return nil, err
		}
		seen["a payment's reference"] = r.outcome()
		seen["it is that one"] = yes(text(dig(r.body, "data", "reference")) == reference)
		seen["status and type"] = word(dig(r.body, "data", "status")) + " " + word(dig(r.body, "data", "type"))
		return seen, nil
	}},
	{Line: Line{sectionTransactions, "`GET /transactions`, `GET /operations`: limit 1 to 100, filters"}, play: playFilters},
	{Line: Line{sectionTransactions, "The list of transactions holds payouts (`DEBIT`) and refunds (`REFUND`) beside payments"}, play: func(ctx context.Context, s *Session) (Observation, error) {
		if _, err := s.payout(ctx, mtnOperator, mtnNumber); err != nil { // one at least
			return nil, err
		}
		r, err := s.get(ctx, "/transactions?limit=1&type=DEBIT")
		if err != nil {
			return nil, err
		}
		return Observation{"after a payout, type=DEBIT": r.outcome(), "transactions of it": listed(r, "type", "DEBIT")}, nil
	}},
	{Line: Line{sectionTransactions, "`before` takes those forms too, and a day alone, which is its midnight UTC"}, play: steps(func(*Session) []step {
		return []step{
			getting("without a fraction", "/operations?before=2020-01-01T00:00:00Z&limit=1"),
			getting("with microseconds", "/operations?before=2020-01-01T00:00:00.000000Z&limit=1"),
			getting("with an offset", "/operations?before=2020-01-01T00:00:00.000-01:00&limit=1"),
			getting("a day", "/operations?before=2020-01-01&limit=1"),
			getting("no time", "/operations?before=yesterday&limit=1"),
		}
	})},
	{Line: Line{sectionTransactions, "Newest first, next_before is the last item's date, null at the end"}, play: playOrder},
	{Line: Line{sectionTransactions, "The cursor is strictly before: items of its own millisecond are left out"}, play: playCursor},
	{Line: Line{sectionTransactions, "`GET /operations/:id`: queued, processing, then the end; `operation_not_found`: 404"}, play: func(ctx context.Context, s *Session) (Observation, error) {
		payment, err := s.payment(ctx)
		if err != nil {
			return nil, err
		}
		seen, err := s.outcomes(ctx, []step{getting("an unknown id", "/operations/op_fidelity_no_such_operation")}, (*response).outcome)
		if err != nil {
			return nil, err
		}
		seen["the end"] = payment.words[len(payment.words)-1]
		known := []string{"queued", "processing", "succeeded", "failed"}
		seen["statuses are the documented ones, in their order"] = yes(slices.IsSortedFunc(payment.words, func(a, b string) int {
			return slices.Index(known, a) - slices.Index(known, b)
		}) && !slices.ContainsFunc(payment.words, func(w string) bool { return !slices.Contains(known, w) }))
		return seen, nil
	}},
	{Line: Line{sectionTransactions, "The response to a creation says queued, however fast the worker is"}, play: func(ctx context.Context, s *Session) (Observation, error) {
		payment, err := s.payment(ctx)
		if err != nil {
			return nil, err
		}
		return Observation{"status of the response": word(dig(payment.created.body, "data", "status"))}, nil
	}},
}

// listed tells whether a list has items, and whether each has a word in a field.
func listed(r *response, field, want string) string {
	all := items(dig(r.body, "data"))
	if len(all) == 0 {
		return "none"
	}
	for _, item := range all {
		if text(dig(item, field)) != want {
			return "others too"
		}
	}
	return "these alone"
}

func playFilters(ctx context.Context, s *Session) (Observation, error) {
	if _, err := s.payment(ctx); err != nil { // an operation that has ended, and a transaction
		return nil, err
	}
	seen := Observation{}
	for _, list := range []struct{ path, kind, status string }{{"/transactions", "CREDIT", "PENDING"}, {"/operations", "payment_request", "succeeded"}} {
		some, err := s.outcomes(ctx, []step{
			getting("GET "+list.path+", limit 0", list.path+"?limit=0"), getting("GET "+list.path+", limit 1", list.path+"?limit=1"),
			getting("GET "+list.path+", limit 100", list.path+"?limit=100"), getting("GET "+list.path+", limit 101", list.path+"?limit=101"),
			getting("GET "+list.path+", limit ten", list.path+"?limit=ten"),
			getting("GET "+list.path+", an unknown type", list.path+"?type=no_such_type"),
			getting("GET "+list.path+", an unknown status", list.path+"?status=no_such_status"),
		}, (*response).refused)
		if err != nil {
			return nil, err
		}
		maps.Copy(seen, some)
		for _, filter := range [][2]string{{"type", list.kind}, {"status", list.status}} {
			r, err := s.get(ctx, list.path+"?limit=20&"+filter[0]+"="+filter[1])
			if err != nil {
				return nil, err
			}
			seen["GET "+list.path+", "+filter[0]+" "+filter[1]] = r.outcome() + ", " + listed(r, filter[0], filter[1])
		}
	}
	return seen, nil
}

// dates are the times of a list's items. Nil when one cannot be read.
func dates(r *response) []time.Time {
	var all []time.Time
	for _, item := range items(dig(r.body, "data")) {
		at, err := time.Parse(time.RFC3339Nano, text(dig(item, "date")))
		if err != nil {
			return nil
		}
		all = append(all, at)
	}
	return all
}

func playOrder(ctx context.Context, s *Session) (Observation, error) {
	if err := s.enough(ctx); err != nil {
		return nil, err
	}
	seen := Observation{}
	for _, list := range []string{"/transactions", "/operations"} {
		r, err := s.get(ctx, list+"?limit=2")
		if err != nil {
			return nil, err
		}
		all := dates(r)
		next, nextErr := time.Parse(time.RFC3339Nano, text(dig(r.body, "paging", "next_before")))
		seen["GET "+list+": items of limit 2"] = countOf(len(all))
		seen["GET "+list+": newest first"] = yes(len(all) == 2 && !all[0].Before(all[1]))
		seen["GET "+list+": next_before is the last date"] = yes(len(all) == 2 && nextErr == nil && next.Equal(all[1]))
		r, err = s.get(ctx, list+"?before=2000-01-01T00:00:00.000Z&limit=2")
		if err != nil {
			return nil, err
		}
		seen["GET "+list+": before the first"] = countOf(len(items(dig(r.body, "data"))))
		seen["GET "+list+": next_before at the end"] = kind(dig(r.body, "paging", "next_before"))
	}
	return seen, nil
}

// enough makes sure that each list has three items, of different times.
func (s *Session) enough(ctx context.Context) error {
	for _, name := range []string{"second", "third"} {
		if _, err := s.payment(ctx); err != nil {
			return err
		}
		if _, err := s.shared(ctx, s.payments, name, "/payment-requests", paymentBody("100", "")); err != nil {
			return err
		}
	}
	return nil
}

func countOf(n int) string {
	return [...]string{"none", "one", "two", "more"}[min(n, 3)]
}

func playCursor(ctx context.Context, s *Session) (Observation, error) {
	if err := s.enough(ctx); err != nil {
		return nil, err
	}
	seen := Observation{}
	for _, list := range []string{"/transactions", "/operations"} {
		first, err := s.get(ctx, list+"?limit=2")
		if err != nil {
			return nil, err
		}
		all := dates(first)
		if len(all) != 2 {
			return nil, inconclusive("GET %s does not list what was made: its dates cannot be compared", list)
		}
		next, err := s.get(ctx, list+"?before="+all[1].UTC().Format(documentedLayout)+"&limit=20")
		if err != nil {
			return nil, err
		}
		seen["GET "+list+": response"] = next.outcome()
		seen["GET "+list+": items of the cursor's own time or later"] = yes(slices.ContainsFunc(dates(next), func(at time.Time) bool { return !at.Before(all[1]) }))
	}
	return seen, nil
}
