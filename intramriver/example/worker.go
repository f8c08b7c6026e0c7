package main

import (
	"context"
	"log/slog"
	"os"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"

	"github.com/intram/intram-go/intramriver"
)

// worker works jobs: in production it is a process, on a machine of its own.
type worker struct {
	name string
	pool *pgxpool.Pool
	jobs *river.Client[pgx.Tx]
}

// startWorker starts a worker with connections, a client of the API and a River client of
// its own.
func (s *shop) startWorker(ctx context.Context, name string) (*worker, error) {
	pool, err := pgxpool.New(ctx, s.db.address)
	if err != nil {
		return nil, err
	}
	jobs, err := s.startJobs(ctx, name, pool)
	if err != nil {
		pool.Close()
		return nil, err
	}
	return &worker{name, pool, jobs}, nil
}

func (s *shop) startJobs(ctx context.Context, name string, pool *pgxpool.Pool) (*river.Client[pgx.Tx], error) {
	work, err := s.newWork(pool)
	if err != nil {
		return nil, err
	}
	workers := river.NewWorkers()
	if err := work.Register(workers); err != nil {
		return nil, err
	}
	jobs, err := river.NewClient(riverpgxv5.New(pool), &river.Config{
		ID: name, Workers: workers, Queues: work.Queues(2), PeriodicJobs: work.PeriodicJobs(), Logger: logger(),
	})
	if err != nil {
		return nil, err
	}
	return jobs, jobs.Start(context.WithoutCancel(ctx)) // stop ends it
}

// stop cancels what the worker is doing, as a deploy does that does not wait.
func (w *worker) stop() {
	if w.pool == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := w.jobs.StopAndCancel(ctx); err != nil {
		logger().Error("the worker did not stop", slog.String("worker", w.name), slog.Any("error", err))
	}
	w.pool.Close()
	w.pool = nil
}

// newWork returns what plans calls and works them. Each process makes one.
func (s *shop) newWork(pool *pgxpool.Pool) (*intramriver.Work, error) {
	client, err := s.newClient()
	if err != nil {
		return nil, err
	}
	return intramriver.New(client, intramriver.Config{
		Pool: pool, OnEnd: s.end, OnEvent: s.router.Handle, Seal: s.seal, Logger: logger(),
	})
}

// logger shows what a person should know. A call that is in doubt is no error.
func logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))
}
