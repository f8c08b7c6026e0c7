package main

import (
	"context"
	"net/http"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"riverqueue.com/riverui"
)

// uiPath is where River's web interface is mounted.
const uiPath = "/riverui"

// newUI returns River's web interface: queues, jobs and their errors. It asks for no
// password, and lets a visitor cancel jobs: mount it behind the login of your staff. Jobs
// hold the ids of records, and no personal data.
func newUI(ctx context.Context, pool *pgxpool.Pool) (http.Handler, error) {
	client, err := river.NewClient(riverpgxv5.New(pool), &river.Config{Logger: logger()}) // it works no jobs
	if err != nil {
		return nil, err
	}
	handler, err := riverui.NewHandler(&riverui.HandlerOpts{Endpoints: riverui.NewEndpoints(client, nil), Logger: logger(), Prefix: uiPath})
	if err != nil {
		return nil, err
	}
	return handler, handler.Start(ctx)
}
