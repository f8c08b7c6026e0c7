-- What the reconciler keeps in view: intram.PendingOperation.
CREATE TABLE intram_inbox_pending (
    scope        text        NOT NULL,
    operation_id text        NOT NULL,
    created_at   timestamptz,             -- null when it is not known
    since        timestamptz,
    told         text[]      NOT NULL,    -- the events that have taken effect
    PRIMARY KEY (scope, operation_id)
);
