package otelintram

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/semconv/v1.43.0/httpconv"

	intram "github.com/intram/intram-go"
)

// Attributes of our own, of spans and of metrics.
const (
	apiKey             = attribute.Key("intram.api")
	attemptsKey        = attribute.Key("intram.attempts")
	codeKey            = attribute.Key("intram.code")
	environmentKey     = attribute.Key("intram.environment")
	eventAgeKey        = attribute.Key("intram.event.age")
	idempotencyKey     = attribute.Key("intram.idempotency_key_hash")
	inboxNameKey       = attribute.Key("intram.inbox.name")
	inboxRequestKey    = attribute.Key("intram.inbox.request")
	inboxStateKey      = attribute.Key("intram.inbox.state")
	keysInDoubtKey     = attribute.Key("intram.keys_in_doubt")
	operationIDKey     = attribute.Key("intram.operation_id")
	outcomeKey         = attribute.Key("intram.outcome")
	replayedKey        = attribute.Key("intram.replayed")
	requestIDKey       = attribute.Key("intram.request_id")
	retryDelayKey      = attribute.Key("intram.retry.delay")
	sourceKey          = attribute.Key("intram.webhook.source")
	deliveryAttemptKey = attribute.Key("intram.webhook.attempt")
	verdictKey         = attribute.Key("intram.webhook.verdict")
	typeKey            = attribute.Key("intram.webhook.type")
	waitItemsKey       = attribute.Key("intram.wait.items")
	waitKindKey        = attribute.Key("intram.wait.kind")
	waitPendingKey     = attribute.Key("intram.wait.pending")
)

// instruments are the metrics.
type instruments struct {
	requests    httpconv.ClientRequestDuration
	retries     metric.Int64Counter
	doubts      metric.Int64Counter
	budget      metric.Int64Counter
	rateLimited metric.Int64Counter
	waiting     metric.Int64UpDownCounter
	deliveries  metric.Float64Histogram
	claims      metric.Int64Counter
	oldest      metric.Float64ObservableGauge
}

func newInstruments(m metric.Meter) (in instruments, err error) {
	var errs [9]error
	in.requests, errs[0] = httpconv.NewClientRequestDuration(m)
	in.retries, errs[1] = m.Int64Counter("intram.client.retries", metric.WithUnit("{retry}"),
		metric.WithDescription("HTTP requests that were followed by another attempt of the same call."))
	in.doubts, errs[2] = m.Int64Counter("intram.client.doubts", metric.WithUnit("{call}"),
		metric.WithDescription("Calls that ended with an unknown outcome: money may have moved."))
	in.budget, errs[3] = m.Int64Counter("intram.client.budget", metric.WithUnit("{call}"),
		metric.WithDescription("Calls that were not retried because the retry budget was spent."))
	in.rateLimited, errs[4] = m.Int64Counter("intram.client.rate_limited", metric.WithUnit("{response}"),
		metric.WithDescription("Responses with status 429."))
	in.waiting, errs[5] = m.Int64UpDownCounter("intram.wait.pending", metric.WithUnit("{item}"),
		metric.WithDescription("Operations, transactions and payin sessions in waits that are under way."))
	in.deliveries, errs[6] = m.Float64Histogram("intram.webhook.duration", metric.WithUnit("s"),
		metric.WithDescription("Duration of handling a delivery, or an event that the reconciler found."),
		metric.WithExplicitBucketBoundaries(0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10))
	in.claims, errs[7] = m.Int64Counter("intram.inbox.claims", metric.WithUnit("{claim}"),
		metric.WithDescription("Claims of events in the inbox, by what became of them."))
	in.oldest, errs[8] = m.Float64ObservableGauge("intram.inbox.oldest_event.age", metric.WithUnit("s"),
		metric.WithDescription("Age of the oldest event that has not taken effect."))
	if err := errors.Join(errs[:]...); err != nil {
		return in, fmt.Errorf("otelintram: instruments: %w", err)
	}
	return in, nil
}

// ObserveOldest makes the metric intram.inbox.oldest_event.age of an inbox: the seconds
// that age returns, 0 if every event has taken effect. It is called at each collection,
// at the same time as others, with a context that ends with the collection. If it fails,
// the inbox has no value then, and the error goes to the error handler of OpenTelemetry.
//
// name tells inboxes apart; it is an attribute of the metric, so it must not have an id
// in it. The returned function ends the observation.
func (t *Tracer) ObserveOldest(name string, age func(ctx context.Context) (time.Duration, error)) (stop func() error, err error) {
	if age == nil {
		return nil, errors.New("otelintram: ObserveOldest: the function is nil")
	}
	attributes := metric.WithAttributes(inboxNameKey.String(name))
	registration, err := t.meter.RegisterCallback(func(ctx context.Context, o metric.Observer) error {
		d, err := age(ctx)
		if err != nil {
			return fmt.Errorf("otelintram: age of the oldest event: %w", err)
		}
		o.ObserveFloat64(t.oldest, d.Seconds(), attributes)
		return nil
	}, t.oldest)
	if err != nil {
		return nil, fmt.Errorf("otelintram: ObserveOldest: %w", err)
	}
	return registration.Unregister, nil
}

// callAttributes are those of counters about calls.
func callAttributes(c *intram.TraceCall) metric.MeasurementOption {
	return metric.WithAttributes(
		semconvMethod(c.Method), semconvTemplate(c.Template), environmentKey.String(known(string(c.Environment), environments)),
	)
}
