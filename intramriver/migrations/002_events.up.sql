-- What Intram has told of: one row for each event, however often it was delivered.
CREATE TABLE intram_events (
    id           bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    merchant     text        NOT NULL, -- intramriver.Config.Merchant
    environment  text        NOT NULL CHECK (environment IN ('sandbox', 'live')),
    key          text        NOT NULL, -- intram.Event.InboxKey, without a scope
    type         text        NOT NULL,
    operation_id text        NOT NULL,
    occurred_at  timestamptz,
    received_at  timestamptz NOT NULL,
    source       text        NOT NULL CHECK (source IN ('delivery', 'reconciler')),
    headers      jsonb       NOT NULL DEFAULT '{}', -- those of Intram's, of the first delivery
    body         bytea,                -- sealed by Config.Seal; null after Prune
    attempts     integer     NOT NULL DEFAULT 0, -- of the function that failed
    error        text        NOT NULL DEFAULT '', -- the last of them
    failed_at    timestamptz,
    look_at      timestamptz NOT NULL, -- when to ask whether its job is still there
    dead_at      timestamptz,          -- its job is gone, and it has not taken effect
    done_at      timestamptz           -- it has taken effect
);

-- One merchant's events never meet another's.
CREATE UNIQUE INDEX intram_events_key ON intram_events (merchant, environment, key);
CREATE INDEX intram_events_operation ON intram_events (merchant, environment, operation_id);
-- For Dead and Replay.
CREATE INDEX intram_events_dead ON intram_events (merchant, environment, id) WHERE dead_at IS NOT NULL;
-- For Health, and for events whose job is gone.
CREATE INDEX intram_events_waiting ON intram_events (merchant, environment, look_at) WHERE done_at IS NULL AND dead_at IS NULL;
-- For Prune.
CREATE INDEX intram_events_prunable ON intram_events (merchant, environment, done_at) WHERE done_at IS NOT NULL AND body IS NOT NULL;
CREATE INDEX intram_events_done ON intram_events (merchant, environment, done_at) WHERE done_at IS NOT NULL;

-- What the reconciler keeps in view: intram.PendingOperation.
CREATE TABLE intram_pending (
    merchant     text   NOT NULL,
    environment  text   NOT NULL,
    operation_id text   NOT NULL,
    created_at   timestamptz,
    since        timestamptz,
    told         text[] NOT NULL, -- the events that are in intram_events
    PRIMARY KEY (merchant, environment, operation_id)
);
CREATE INDEX intram_pending_since ON intram_pending (merchant, environment, since NULLS FIRST);

-- How far the reconciler has come.
CREATE TABLE intram_reconciliations (
    merchant    text        NOT NULL,
    environment text        NOT NULL,
    began_at    timestamptz NOT NULL, -- what was created before its first run is none of its business
    cursor      jsonb,                -- of a run that has not ended: intram.ReconcileCursor
    finished_at timestamptz,
    PRIMARY KEY (merchant, environment)
);
