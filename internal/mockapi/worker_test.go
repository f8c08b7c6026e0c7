package mockapi

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestCreationAlwaysSaysQueued(t *testing.T) {
	t.Parallel()
	for _, mode := range []WorkerMode{WorkAtOnce(), WorkAfter(time.Second), WorkAfterPolls(2), WorkByHand()} {
		f := newFixture(t, Config{Worker: mode})
		assert.Equal(t, "queued", f.post("/payouts", payoutBody(1, "22961234567")).ok(202).text("data.status"))
		assert.Equal(t, "queued", f.post("/payment-requests", paymentBody(1000, mtnBenin, "")).ok(202).text("data.status"))
		require.NoError(t, f.s.SetWorker(WorkAtOnce()))
		reference := f.paid(1000)
		require.NoError(t, f.s.SetWorker(mode))
		assert.Equal(t, "queued", f.post("/refunds", refundBody(reference, 1)).ok(202).text("data.status"))
	}
}

func TestWorkerAtOnce(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{})
	op := f.operation(f.payout(1, "22961234567"))
	assert.Equal(t, "succeeded", op.text("data.status"))
	assert.Equal(t, "1", op.text("data.attempts"))
	assert.Equal(t, wireTime(start), op.text("data.completed_date"))
}

func TestWorkerAfterADelay(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{Worker: WorkAfter(10 * time.Second)})
	f.get("/operations/op_nothing").refused(404, "operation_not_found")
	id := f.payout(1, "22961234567")
	for _, c := range []struct {
		advance time.Duration
		status  string
	}{{0, "queued"}, {4999 * time.Millisecond, "queued"}, {time.Millisecond, "processing"}, {4999 * time.Millisecond, "processing"}, {time.Millisecond, "succeeded"}} {
		f.s.Clock().Advance(c.advance)
		op := f.operation(id)
		assert.Equal(t, c.status, op.text("data.status"))
		if c.status != "succeeded" {
			assert.Nil(t, op.at("data.completed_date"))
			assert.Nil(t, op.at("data.result"))
		}
	}
	op := f.operation(id)
	assert.Equal(t, wireTime(start.Add(10*time.Second)), op.text("data.completed_date"))
	assert.Equal(t, wireTime(start), op.text("data.date"))
	assert.EqualValues(t, 999_999, f.wallet(mtnBenin))
}

func TestAnOperationKeepsTheWorkerOfItsCreation(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{Worker: WorkAfter(10 * time.Second)})
	id := f.payout(1, "22961234567")
	require.NoError(t, f.s.SetWorker(WorkByHand()))
	later := f.payout(1, "22961234567")
	f.s.Clock().Advance(10 * time.Second)
	assert.Equal(t, "succeeded", f.operation(id).text("data.status"))
	assert.Equal(t, "queued", f.operation(later).text("data.status"))
}

func TestWorkerAfterPolls(t *testing.T) {
	t.Parallel()
	for n, want := range map[int][]string{
		1: {"succeeded", "succeeded"},
		2: {"processing", "succeeded"},
		4: {"queued", "processing", "processing", "succeeded", "succeeded"},
	} {
		f := newFixture(t, Config{Worker: WorkAfterPolls(n)})
		id := f.payout(1, "22961234567")
		f.get("/operations").ok(200) // a list is no poll
		var got []string
		for range want {
			got = append(got, f.operation(id).text("data.status"))
		}
		assert.Equal(t, want, got)
	}
	f := newFixture(t, Config{Worker: WorkAfterPolls(1)})
	late := f.payout(1, "22961000008")
	assert.Equal(t, "processing", f.operation(late).text("data.status"), "the test number takes its 30 s")
	f.s.Clock().Advance(lateAnswer)
	assert.Equal(t, "succeeded", f.operation(late).text("data.status"))
}

func TestWorkerByHand(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{Worker: WorkByHand()})
	id := f.payout(100, "22961234567")
	f.s.Clock().Advance(time.Hour)
	assert.Equal(t, "queued", f.operation(id).text("data.status"))
	assert.EqualValues(t, 1_000_000, f.wallet(mtnBenin))
	require.NoError(t, f.s.Process(id))
	assert.Equal(t, "processing", f.operation(id).text("data.status"))
	assert.EqualValues(t, 999_900, f.wallet(mtnBenin))
	require.ErrorContains(t, f.s.Process(id), "already processing")
	require.NoError(t, f.s.Complete(id))
	assert.Equal(t, "succeeded", f.operation(id).text("data.status"))
	require.ErrorContains(t, f.s.Complete(id), "already succeeded")
	require.ErrorContains(t, f.s.Fail(id, "provider_error"), "already succeeded")

	failed := f.payout(100, "22961234567")
	require.NoError(t, f.s.Process(failed))
	require.NoError(t, f.s.Fail(failed, "provider_error"))
	f.failedWith(failed, "provider_error")
	assert.EqualValues(t, 999_900, f.wallet(mtnBenin), "credited back")

	queued := f.payout(100, "22961234567")
	require.NoError(t, f.s.Fail(queued, "dispute_opened"))
	op := f.failedWith(queued, "dispute_opened") // a code the catalogue does not know
	assert.Equal(t, "1", op.text("data.attempts"), "it was tried")
	assert.Equal(t, "dispute_opened", op.text("data.error.message"))
	assert.Nil(t, op.at("data.error.details"))

	refused := f.payout(100, "22961234567")
	require.NoError(t, f.s.Fail(refused, "provider_rejected"))
	assert.Equal(t, "100", f.failedWith(refused, "provider_rejected").text("data.error.details.responsecode"))

	rejecting := f.payout(100, "22961000003") // by hand wins over the test number
	require.NoError(t, f.s.Complete(rejecting))
	assert.Equal(t, "succeeded", f.operation(rejecting).text("data.status"))

	expiring := f.payout(100, "22961000006") // what is failed by hand has not expired
	require.NoError(t, f.s.Process(expiring))
	require.NoError(t, f.s.Fail(expiring, "provider_unavailable"))
	f.failedWith(expiring, "provider_unavailable")

	poor := f.payout(2_000_000, "22961234567")
	require.ErrorContains(t, f.s.Complete(poor), "insufficient_balance")
	f.failedWith(poor, "insufficient_balance")

	require.ErrorContains(t, f.s.Complete("op_nothing"), `"op_nothing"`)
	require.ErrorContains(t, f.s.Process("op_nothing"), "no operation")
	require.ErrorContains(t, f.s.Fail("op_nothing", "x_y"), "no operation")
	require.ErrorContains(t, f.s.Fail(id, ""), "empty")
}

func TestSettledByHandBeforeItsTime(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{Worker: WorkAfter(time.Minute)})
	id := f.payout(100, "22961234567")
	require.NoError(t, f.s.Complete(id))
	f.s.Clock().Advance(time.Hour)
	assert.Equal(t, []string{"payout.completed"}, f.events(id), "the worker comes later and finds it done")
	held := f.payout(100, "22961234567")
	require.NoError(t, f.s.Process(held))
	f.s.Clock().Advance(time.Hour)
	assert.Equal(t, "processing", f.operation(held).text("data.status"), "who processes by hand ends by hand")
	late := f.payout(100, "22961000009")
	f.s.Clock().Advance(40 * time.Second)
	require.NoError(t, f.s.Complete(late))
	f.s.Clock().Advance(time.Hour)
	assert.Equal(t, "succeeded", f.operation(late).text("data.status"))
}

func TestWorkerModesAreChecked(t *testing.T) {
	t.Parallel()
	_, err := New(Config{Worker: WorkAfter(0)})
	require.ErrorContains(t, err, "WorkAfter")
	_, err = New(Config{Worker: WorkAfterPolls(0)})
	require.ErrorContains(t, err, "WorkAfterPolls")
	f := newFixture(t, Config{})
	require.Error(t, f.s.SetWorker(WorkAfterPolls(-1)))
	before := f.payout(1, "22961234567")
	require.NoError(t, f.s.SetWorker(WorkByHand()))
	assert.Equal(t, "queued", f.operation(f.payout(1, "22961234567")).text("data.status"))
	assert.Equal(t, "succeeded", f.operation(before).text("data.status"))
}
