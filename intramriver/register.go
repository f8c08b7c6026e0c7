package intramriver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
)

// sendArgs is the job of a record that is to be sent. It holds no personal data.
type sendArgs struct {
	Merchant    string `json:"merchant"`
	Environment string `json:"environment"`
	Record      int64  `json:"record"`

	after time.Duration // the wait that Work found, for NextRetry
}

// Kind implements river.JobArgs.
func (sendArgs) Kind() string { return "intram_send" }

// endArgs is the job of an operation whose end could not be written: OnEnd failed.
type endArgs struct {
	Merchant    string `json:"merchant"`
	Environment string `json:"environment"`
	OperationID string `json:"operation_id"`
}

// Kind implements river.JobArgs.
func (endArgs) Kind() string { return "intram_end" }

// sweepArgs is the job of the sweep.
type sweepArgs struct {
	Merchant    string `json:"merchant"`
	Environment string `json:"environment"`
}

// Kind implements river.JobArgs.
func (sweepArgs) Kind() string { return "intram_sweep" }

// liveStates are the states of jobs that will run. A unique job is unique among them.
var liveStates = []rivertype.JobState{
	rivertype.JobStateAvailable, rivertype.JobStatePending, rivertype.JobStateRetryable, rivertype.JobStateRunning, rivertype.JobStateScheduled,
}

// sweepQueue is the queue of the sweep: the other one may be paused.
func (w *Work) sweepQueue() string { return w.queue + "_sweep" }

// sweepEvery is how often the sweep runs.
const sweepEvery = time.Minute

// Register adds the workers of this work to those of a River client. A client that
// works for several merchants registers them together: see the function [Register].
func (w *Work) Register(workers *river.Workers) error { return Register(workers, w) }

// Register adds the workers of several merchants to those of one River client. The error
// says that a work is nil, or that two are of one merchant and environment, or that
// workers were registered before.
func Register(workers *river.Workers, works ...*Work) error {
	all, err := newDispatch(works)
	switch {
	case err != nil:
		return fmt.Errorf("intramriver: register: %w", err)
	case workers == nil:
		return errors.New("intramriver: register: the workers are nil")
	}
	if err := errors.Join(
		river.AddWorkerSafely(workers, &sendWorker{works: all}),
		river.AddWorkerSafely(workers, &endWorker{works: all}),
		river.AddWorkerSafely(workers, &sweepWorker{works: all}),
		river.AddWorkerSafely(workers, &eventWorker{works: all}),
		river.AddWorkerSafely(workers, &reconcileWorker{works: all}),
	); err != nil {
		return fmt.Errorf("intramriver: register all merchants of a River client in one call: %w", err)
	}
	return nil
}

// newDispatch makes a dispatch of works of different merchants and environments.
func newDispatch(works []*Work) (dispatch, error) {
	all := dispatch{}
	for _, w := range works {
		if w == nil {
			return nil, errors.New("a work is nil")
		}
		scope := scope{w.merchant, w.environment}
		if all[scope] != nil {
			return nil, fmt.Errorf("two works are of the merchant %q in the %s environment", w.merchant, w.environment)
		}
		all[scope] = w
	}
	if len(all) == 0 {
		return nil, errors.New("there is no work")
	}
	return all, nil
}

// Queues returns the queues that a River client needs to work for this merchant, for
// river.Config: the calls and the events, of which so many each are worked at once on
// each machine, and the sweep.
func (w *Work) Queues(maxWorkers int) map[string]river.QueueConfig {
	return map[string]river.QueueConfig{
		w.queue: {MaxWorkers: maxWorkers}, w.eventQueue(): {MaxWorkers: maxWorkers}, w.sweepQueue(): {MaxWorkers: sweepWorkers},
	}
}

// sweepWorkers is for the sweeps of several merchants, and for ends that are tried again.
const sweepWorkers = 4

// PeriodicJobs returns the jobs that River's leader starts, for river.Config: the sweep,
// every minute, and the reconciler, every hour. One of each works at a time, however many
// machines there are.
func (w *Work) PeriodicJobs() []*river.PeriodicJob {
	return []*river.PeriodicJob{w.reconcileJob(), river.NewPeriodicJob(river.PeriodicInterval(w.sweepEvery), func() (river.JobArgs, *river.InsertOpts) {
		return sweepArgs{w.merchant, w.environment}, w.sweepOptions()
	}, &river.PeriodicJobOpts{RunOnStart: true})}
}

func (w *Work) sweepOptions() *river.InsertOpts {
	return &river.InsertOpts{
		Queue: w.sweepQueue(), MaxAttempts: 3,
		// By the period too: a job whose process was killed is running for River, for an
		// hour.
		UniqueOpts: river.UniqueOpts{ByArgs: true, ByPeriod: w.sweepEvery, ByState: liveStates},
	}
}

type scope struct{ merchant, environment string }

// dispatch finds the work of a job.
type dispatch map[scope]*Work

// strangerSnooze is how long a job waits whose merchant this process does not work for.
const strangerSnooze = time.Minute

func (d dispatch) of(ctx context.Context, kind, merchant, environment string) (*Work, error) {
	if w := d[scope{merchant, environment}]; w != nil {
		return w, nil
	}
	for _, one := range d {
		one.logger.LogAttrs(ctx, slog.LevelWarn, "intramriver: a job waits for a merchant that this process is not registered for",
			slog.String("kind", kind), slog.String("merchant", merchant), slog.String("environment", environment))
		break
	}
	return nil, river.JobSnooze(strangerSnooze)
}

// sendTimeout bounds one run of a job. A call is bounded by its client; looking back
// through the list of operations takes longest.
const sendTimeout = 30 * time.Minute

type sendWorker struct {
	river.WorkerDefaults[sendArgs]

	works dispatch
}

// Timeout implements river.Worker.
func (*sendWorker) Timeout(*river.Job[sendArgs]) time.Duration { return sendTimeout }

// NextRetry implements river.Worker: the outcome of the call decides.
func (*sendWorker) NextRetry(job *river.Job[sendArgs]) time.Time {
	after := job.Args.after
	if after == 0 {
		after = backoff(job.Attempt)
	}
	return riverNow().Add(after)
}

// Work implements river.Worker.
func (s *sendWorker) Work(ctx context.Context, job *river.Job[sendArgs]) error {
	w, err := s.works.of(ctx, job.Kind, job.Args.Merchant, job.Args.Environment)
	if err != nil {
		return err
	}
	err = w.send(ctx, job.Args.Record, job.Attempt)
	if again, ok := errors.AsType[*againError](err); ok {
		if again.snooze {
			return river.JobSnooze(again.after)
		}
		job.Args.after = again.after
	}
	return err
}

type endWorker struct {
	river.WorkerDefaults[endArgs]

	works dispatch
}

// Work implements river.Worker.
func (s *endWorker) Work(ctx context.Context, job *river.Job[endArgs]) error {
	w, err := s.works.of(ctx, job.Kind, job.Args.Merchant, job.Args.Environment)
	if err != nil {
		return err
	}
	return w.endByID(ctx, job.Args.OperationID)
}

type sweepWorker struct {
	river.WorkerDefaults[sweepArgs]

	works dispatch
}

// Timeout implements river.Worker. It is less than the hour after which River takes a job
// for stuck.
func (*sweepWorker) Timeout(*river.Job[sweepArgs]) time.Duration { return 45 * time.Minute }

// NextRetry implements river.Worker.
func (*sweepWorker) NextRetry(*river.Job[sweepArgs]) time.Time { return riverNow().Add(sweepEvery) }

// Work implements river.Worker.
func (s *sweepWorker) Work(ctx context.Context, job *river.Job[sweepArgs]) error {
	w, err := s.works.of(ctx, job.Kind, job.Args.Merchant, job.Args.Environment)
	if err != nil {
		return err
	}
	_, err = w.sweep(ctx)
	return err
}
