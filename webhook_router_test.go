package intram_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	intram "github.com/intram/intram-go"
)

func TestTheMostSpecificFunctionIsCalled(t *testing.T) {
	t.Parallel()
	type register = func(r *intram.EventRouter, called *[]string)
	record := func(called *[]string, name string) intram.EventHandler {
		return func(context.Context, *intram.Event) error { *called = append(*called, name); return nil }
	}
	exact := func(r *intram.EventRouter, c *[]string) { r.On(intram.EventPayoutCompleted, record(c, "exact")) }
	family := func(r *intram.EventRouter, c *[]string) { r.On("payout.*", record(c, "family")) }
	all := func(r *intram.EventRouter, c *[]string) { r.On(intram.EventAll, record(c, "all")) }
	fallback := func(r *intram.EventRouter, c *[]string) { r.Default(record(c, "default")) }
	cases := map[string]struct {
		registered []register
		typ        intram.EventType
		want       []string
	}{
		"the type":                  {[]register{fallback, all, family, exact}, intram.EventPayoutCompleted, []string{"exact"}},
		"the family":                {[]register{fallback, all, family, exact}, intram.EventPayoutFailed, []string{"family"}},
		"a new member of a family":  {[]register{family, fallback}, "payout.reversed", []string{"family"}},
		"all":                       {[]register{fallback, all, family, exact}, intram.EventTestPing, []string{"all"}},
		"the default":               {[]register{fallback, family, exact}, intram.EventTestPing, []string{"default"}},
		"nobody":                    {[]register{family, exact}, intram.EventTestPing, nil},
		"nothing at all":            {nil, intram.EventTestPing, nil},
		"a name that has a star":    {[]register{family, exact}, "*", nil},
		"a name without its family": {[]register{family, exact}, "payout", []string{"family"}},
	}
	for name, tt := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var called []string
			router := new(intram.EventRouter)
			for _, register := range tt.registered {
				register(router, &called)
			}
			require.NoError(t, router.Err())
			require.NoError(t, router.Handle(t.Context(), &intram.Event{Type: tt.typ}))
			assert.Equal(t, tt.want, called)
		})
	}
}

func TestAFunctionTakesItsDataTyped(t *testing.T) {
	t.Parallel()
	router := new(intram.EventRouter)
	var got string
	intram.OnData(router, "payout.*", func(_ context.Context, e *intram.Event, payout *intram.PayoutEventData) error {
		got = e.OperationID + " " + payout.Reference
		return nil
	})
	require.NoError(t, router.Err())
	payout := &intram.PayoutEventData{PayoutResult: intram.PayoutResult{Reference: "PO-1"}}
	require.NoError(t, router.Handle(t.Context(), &intram.Event{Type: intram.EventPayoutCompleted, OperationID: "op_1", Data: payout}))
	assert.Equal(t, "op_1 PO-1", got)

	// Data that could not be read must not pass for handled.
	for _, data := range []intram.EventData{nil, &intram.UnknownEventData{Raw: []byte(`[]`)}} {
		err := router.Handle(t.Context(), &intram.Event{Type: intram.EventPayoutCompleted, Data: data})
		require.ErrorIs(t, err, intram.ErrUnexpectedData)
	}
}

func TestTheErrorOfAFunctionIsReturned(t *testing.T) {
	t.Parallel()
	sentinel := errors.New("no such order")
	router := new(intram.EventRouter)
	router.On("*", func(context.Context, *intram.Event) error { return sentinel })
	assert.Equal(t, sentinel, router.Handle(t.Context(), &intram.Event{Type: "a.b"}))
}

func TestMistakesOfARouterAreReportedAtOnceAndByEveryEvent(t *testing.T) {
	t.Parallel()
	nothing := func(context.Context, *intram.Event) error { return nil }
	cases := map[string]struct {
		register func(*intram.EventRouter)
		says     string
	}{
		"no pattern":       {func(r *intram.EventRouter) { r.On("", nothing) }, `"" is no event type`},
		"half a pattern":   {func(r *intram.EventRouter) { r.On("payout", nothing) }, `"payout" is no event type`},
		"a wild pattern":   {func(r *intram.EventRouter) { r.On("pay*.done", nothing) }, `"pay*.done" is no event type`},
		"twice":            {func(r *intram.EventRouter) { r.On("payout.*", nothing).On("payout.*", nothing) }, "payout.* is registered twice"},
		"twice all":        {func(r *intram.EventRouter) { r.On("*", nothing).On("all", nothing) }, "* is registered twice"},
		"no function":      {func(r *intram.EventRouter) { r.On("payout.*", nil) }, "the function for payout.* is nil"},
		"no data function": {func(r *intram.EventRouter) { intram.OnData[*intram.PingData](r, "test.ping", nil) }, "the function for test.ping is nil"},
		"no default":       {func(r *intram.EventRouter) { r.Default(nil) }, "Default: the function is nil"},
		"two defaults":     {func(r *intram.EventRouter) { r.Default(nothing).Default(nothing) }, "Default is registered twice"},
	}
	for name, tt := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			router := new(intram.EventRouter)
			tt.register(router)
			require.ErrorContains(t, router.Err(), tt.says)
			require.ErrorContains(t, router.Handle(t.Context(), &intram.Event{Type: "other.event"}), tt.says)
		})
	}
}
