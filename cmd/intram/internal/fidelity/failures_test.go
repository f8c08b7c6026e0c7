package fidelity

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/intram/intram-go/intramtest"
)

func page500(code int) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) {
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(code)
		_, _ = w.Write([]byte("<html>maintenance</html>"))
	}
}

// What a proxy or a server in trouble says tells nothing about the API: it is never a
// difference.
func TestTroubleIsInconclusiveAndNoDifference(t *testing.T) {
	t.Parallel()
	fake := fakeReport(t)
	lists := calls(get, "/operations")
	for name, p := range map[string]plant{
		"500":        {match: lists, change: refusal(http.StatusInternalServerError, "internal_error")},
		"502":        {match: lists, instead: page500(http.StatusBadGateway)},
		"503":        {instead: page500(http.StatusServiceUnavailable)},
		"a 403 page": {match: lists, instead: page500(http.StatusForbidden)},
		"a 200 page": {match: lists, instead: page500(http.StatusOK)},
		"a redirect": {instead: func(w http.ResponseWriter) {
			w.Header().Set("Location", "https://example.com")
			w.WriteHeader(http.StatusFound)
		}},
		"429": {match: lists, instead: func(w http.ResponseWriter) {
			w.Header().Set("Retry-After", "7")
			w.WriteHeader(http.StatusTooManyRequests)
		}},
		"no connection": {match: lists, instead: func(http.ResponseWriter) { panic(http.ErrAbortHandler) }},
		"half a body":   {match: lists, change: func(_ *http.Request, w *httptest.ResponseRecorder) { w.Body.Truncate(w.Body.Len() / 2) }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			report, _, err := Run(t.Context(), behind(t, p), discard)
			require.NoError(t, err)
			assert.True(t, report.Finished, "it goes on after a line that cannot be played")
			by := verdicts(Compare(report, fake))
			assert.NotEmpty(t, by[Inconclusive])
			for _, c := range by[Inconclusive] {
				assert.Contains(t, c.Why, "could not be played: ")
			}
			assert.Empty(t, by[Differs])
		})
	}
}

// A redirect would take the signature to another place.
func TestARedirectIsNotFollowed(t *testing.T) {
	t.Parallel()
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { t.Errorf("followed: %s %s", r.Method, r.URL) }))
	t.Cleanup(elsewhere.Close)
	_, _, err := Run(t.Context(), behind(t, plant{instead: func(w http.ResponseWriter) {
		w.Header().Set("Location", elsewhere.URL)
		w.WriteHeader(http.StatusTemporaryRedirect)
	}}), discard)
	require.NoError(t, err)
}

// The Date of a proxy's page says nothing of the clock that judges timestamps.
func TestTheClockOfAProxyIsNotBelieved(t *testing.T) {
	t.Parallel()
	config := behind(t, plant{match: calls(get, "/operations"), instead: func(w http.ResponseWriter) {
		w.Header().Set("Date", testTime.Add(20*time.Minute).Format(http.TimeFormat))
		page500(http.StatusBadGateway)(w)
	}})
	report, _, err := Run(t.Context(), config, discard)
	require.NoError(t, err)
	assert.Empty(t, verdicts(Compare(report, fakeReport(t)))[Differs])
}

func TestAFactThatOneReportHasAloneIsADifference(t *testing.T) {
	t.Parallel()
	line := Entry{Line: Line{"Section", "Behaviour"}}
	of := func(facts Observation) *Report {
		return &Report{Lines: []Result{{Entry: line, State: StateSeen, Facts: facts}}}
	}
	some, more := of(Observation{"a": "1"}), of(Observation{"a": "1", "b": "2"})
	assert.Equal(t, []Comparison{{Entry: line, Verdict: Differs, Differences: []Difference{{"b", "", "2"}}}}, Compare(some, more))
	assert.Equal(t, []Comparison{{Entry: line, Verdict: Differs, Differences: []Difference{{"b", "2", ""}}}}, Compare(more, some))
	assert.Equal(t, []Comparison{{Entry: line, Verdict: Agrees}}, Compare(more, more))
	other := &Report{Lines: []Result{{Entry: Entry{Line: Line{"Section", "Another"}}, State: StateSeen}}}
	assert.Equal(t, []Verdict{NotPlayed, NotPlayed}, []Verdict{Compare(some, other)[0].Verdict, Compare(some, other)[1].Verdict}, "of another version")
}

// A pause that the API asks for is made, and the call is sent again with the same key.
func TestTheRunWaitsWhenItIsAskedTo(t *testing.T) {
	t.Parallel()
	config := behind(t, plant{match: nth(1, func(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "/payouts") }), instead: func(w http.ResponseWriter) {
		w.Header().Set("Retry-After", "7")
		w.WriteHeader(http.StatusTooManyRequests)
	}})
	report, _, err := Run(t.Context(), config, discard)
	require.NoError(t, err)
	for _, c := range Compare(report, fakeReport(t)) {
		assert.NotContains(t, []Verdict{Differs, Inconclusive}, c.Verdict, "%s: %s", c.Behaviour, c.Why)
	}
}

// An operation that does not end is waited for within a bound, and costs the lines that
// need it alone.
func TestAnOperationThatNeverEndsIsNotWaitedForWithoutEnd(t *testing.T) {
	t.Parallel()
	server, config := sandbox(t, intramtest.WithWorker(intramtest.ByHand()))
	report, _ := play(t, config)
	by := verdicts(Compare(report, fakeReport(t)))
	assert.Empty(t, by[Differs])
	assert.NotEmpty(t, by[Agrees])
	require.NotEmpty(t, by[Inconclusive])
	assert.Contains(t, by[Inconclusive][0].Why, "did not end within 1m0s (last status queued)")
	assert.Less(t, server.Now().Sub(testTime), 20*time.Minute)
}

// The worker takes some seconds, as the real one does: nothing else is seen.
func TestASlowWorkerIsNoDifference(t *testing.T) {
	t.Parallel()
	_, config := sandbox(t, intramtest.WithWorker(intramtest.After(9*time.Second)))
	report, _ := play(t, config)
	for _, c := range Compare(report, fakeReport(t)) {
		assert.NotContains(t, []Verdict{Differs, Inconclusive}, c.Verdict, "%s: %s %v", c.Behaviour, c.Why, c.Differences)
	}
}

func TestAnInterruptedRunLeavesWhatItHasSeen(t *testing.T) {
	t.Parallel()
	ctx, interrupt := context.WithCancel(t.Context())
	config := behind(t, plant{match: call(get, "/webhooks"), instead: func(w http.ResponseWriter) {
		interrupt() // while a subscription is there
		w.WriteHeader(http.StatusOK)
	}})
	var saved []byte
	report, _, err := Run(ctx, config, func(r *Report) (err error) { saved, err = r.Encode(); return err })
	require.ErrorIs(t, err, context.Canceled)
	kept, err := Decode(saved)
	require.NoError(t, err)
	assert.False(t, kept.Finished)
	by := verdicts(Compare(kept, fakeReport(t)))
	assert.NotEmpty(t, by[Agrees])
	assert.Empty(t, by[Differs])
	assert.Contains(t, by[NotPlayed], Comparison{Entry: entryOf(t, "https only"), Verdict: NotPlayed, Why: "the run was interrupted"})
	assert.False(t, report.Finished)
}

// The subscription of an interrupted probe is deleted all the same.
func TestAnInterruptedRunLeavesNoSubscription(t *testing.T) {
	t.Parallel()
	server, config := sandbox(t)
	ctx, interrupt := context.WithCancel(t.Context())
	inner := config.Transport
	config.Transport = roundTripper(func(r *http.Request) (*http.Response, error) {
		response, err := inner.RoundTrip(r)
		if r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, "/webhooks") {
			interrupt()
		}
		return response, err
	})
	_, _, err := Run(ctx, config, discard)
	require.ErrorIs(t, err, context.Canceled)
	list, err := server.Client().Webhooks.List(t.Context())
	require.NoError(t, err)
	assert.Empty(t, list)
}

func entryOf(t *testing.T, begins string) Entry {
	t.Helper()
	for _, e := range Ledger() {
		if strings.HasPrefix(e.Behaviour, begins) {
			return e
		}
	}
	t.Fatalf("no line begins with %s", begins)
	return Entry{}
}

// A report that cannot be written is found out before anything is sent.
func TestNothingIsSentWhenTheReportCannotBeWritten(t *testing.T) {
	t.Parallel()
	server, config := sandbox(t)
	full := errors.New("the disk is full")
	_, _, err := Run(t.Context(), config, func(*Report) error { return full })
	require.ErrorIs(t, err, full)
	assert.Empty(t, server.Requests())
}

// A clock that is off by minutes is corrected by the server's date, as the SDK does.
func TestAWrongClockIsCorrected(t *testing.T) {
	t.Parallel()
	server, config := sandbox(t)
	config.Clock = offClock{server, 17 * time.Minute}
	report, _ := play(t, config)
	for _, c := range Compare(report, fakeReport(t)) {
		assert.NotContains(t, []Verdict{Differs}, c.Verdict, "%s: %s %v", c.Behaviour, c.Why, c.Differences)
	}
}

// offClock is a machine whose clock is wrong.
type offClock struct {
	server *intramtest.Server
	off    time.Duration
}

func (c offClock) Now() time.Time { return c.server.Now().Add(c.off) }

func (c offClock) Sleep(ctx context.Context, d time.Duration) error {
	return c.server.Clock().Sleep(ctx, d)
}

func TestAReportOfAnotherVersionIsRefused(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "[]", "{}", `{"schema":"intram.fidelity/2"}`, `{"schema":1}`} {
		_, err := Decode([]byte(text))
		assert.Error(t, err, text)
	}
}

// A firewall sends its page for everything: nothing is learned, of pages either.
func TestAPageForEverythingTellsNothing(t *testing.T) {
	t.Parallel()
	for _, status := range []int{http.StatusForbidden, http.StatusNotFound, http.StatusOK} {
		report, _, err := Run(t.Context(), behind(t, plant{instead: page500(status)}), discard)
		require.NoError(t, err)
		by := verdicts(Compare(report, fakeReport(t)))
		assert.Empty(t, by[Differs], status)
		assert.Empty(t, by[Agrees], status)
		assert.NotEmpty(t, by[Inconclusive], status)
	}
}

// The response to a creation is lost, and a deletion fails: the run deletes what is there
// at its end.
func TestARunDeletesEachOfItsSubscriptions(t *testing.T) {
	t.Parallel()
	for name, plan := range map[string]struct {
		fails func(r *http.Request, seen int) bool
		left  bool
	}{
		"lost responses of creations": {func(r *http.Request, _ int) bool { return r.Method == http.MethodPost }, false},
		"the first deletions fail":    {func(r *http.Request, seen int) bool { return r.Method == http.MethodDelete && seen < 8 }, false},
		"each deletion fails":         {func(r *http.Request, _ int) bool { return r.Method == http.MethodDelete }, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, config := sandbox(t)
			inner, seen := config.Transport, 0
			config.Transport = roundTripper(func(r *http.Request) (*http.Response, error) {
				if !strings.Contains(r.URL.Path, "/webhooks") {
					return inner.RoundTrip(r)
				}
				fails := plan.fails(r, seen)
				if r.Method == http.MethodDelete {
					seen++
					if fails {
						return nil, errors.New("connection reset")
					}
				}
				response, err := inner.RoundTrip(r)
				if err == nil && fails {
					_ = response.Body.Close()
					return nil, errors.New("connection reset")
				}
				return response, err
			})
			_, activity, err := Run(t.Context(), config, discard)
			require.NoError(t, err)
			assert.Equal(t, plan.left, activity.LeftBehind)
			list, err := server.Client().Webhooks.List(t.Context())
			require.NoError(t, err)
			assert.Equal(t, plan.left, len(list) > 0)
		})
	}
}

// A response says live while a subscription is there: nothing more is sent, and the run
// says that the subscription may be left.
func TestNothingIsSentToWhatSaysLiveNotEvenADeletion(t *testing.T) {
	t.Parallel()
	_, config := sandbox(t)
	inner, live, after := config.Transport, false, 0
	config.Transport = roundTripper(func(r *http.Request) (*http.Response, error) {
		if live {
			after++
		}
		response, err := inner.RoundTrip(r)
		if err == nil && r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/webhooks") {
			live = true
			_ = response.Body.Close()
			response.Body = io.NopCloser(strings.NewReader(`{"error":false,"env":"live"}`))
		}
		return response, err
	})
	_, activity, err := Run(t.Context(), config, discard)
	require.ErrorIs(t, err, errLive)
	assert.Zero(t, after)
	assert.True(t, activity.LeftBehind)
}
