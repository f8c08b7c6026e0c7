-- What intram-go's intramriver keeps of payouts, refunds and payment requests: one row for each, for ever.
CREATE TABLE intram_records (
    id                    bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    merchant              text        NOT NULL, -- intramriver.Config.Merchant
    environment           text        NOT NULL CHECK (environment IN ('sandbox', 'live')),
    kind                  text        NOT NULL CHECK (kind IN ('payout', 'refund', 'payment_request')),
    reference             text        NOT NULL, -- the merchant's own
    state                 text        NOT NULL DEFAULT 'planned',
    amount                numeric,              -- null in a refund of all
    currency              text        NOT NULL DEFAULT '',
    params                bytea,                -- sealed by Config.Seal; null after Prune
    intent                bytea,                -- likewise: the key, and hashes of the call and the account
    generation            integer     NOT NULL DEFAULT 0, -- how many intents are proved to have done nothing
    tries                 integer     NOT NULL DEFAULT 0, -- calls that may have been made with the intent
    first_sent_at         timestamptz,          -- no later than the first of them
    refusal               text        NOT NULL DEFAULT '', -- the API refused, and OnEnd has yet to succeed
    operation_id          text,
    operation_at          timestamptz,          -- when the operation was created, by the API's clock
    transaction_reference text        NOT NULL DEFAULT '',
    code                  text        NOT NULL DEFAULT '', -- why it failed, was refused, or is in doubt
    candidates            text[]      NOT NULL DEFAULT '{}', -- operations that may be this row's
    look_at               timestamptz,          -- when the sweep looks at it next
    created_at            timestamptz NOT NULL,
    changed_at            timestamptz NOT NULL,
    ended_at              timestamptz,
    CHECK (operation_id IS NOT NULL OR state IN ('planned', 'sending', 'in_doubt', 'needs_person', 'refused'))
);

CREATE UNIQUE INDEX intram_records_reference ON intram_records (merchant, environment, kind, reference);
-- An operation is the end of one row only.
CREATE UNIQUE INDEX intram_records_operation ON intram_records (merchant, environment, operation_id) WHERE operation_id IS NOT NULL;
-- For the sweep: what has not ended, newest first.
CREATE INDEX intram_records_pending ON intram_records (merchant, environment, operation_at DESC)
    WHERE state IN ('accepted', 'queued_for_settlement');
-- For Health, and for rows whose job is gone.
CREATE INDEX intram_records_open ON intram_records (merchant, environment, state, changed_at)
    WHERE state IN ('planned', 'sending', 'in_doubt', 'needs_person');
-- For Health: planned, and their job is gone.
CREATE INDEX intram_records_dead ON intram_records (merchant, environment) WHERE state = 'planned' AND code = 'no_job';
-- For Prune.
CREATE INDEX intram_records_prunable ON intram_records (merchant, environment, ended_at)
    WHERE ended_at IS NOT NULL AND params IS NOT NULL;

-- The same table of transitions as in states.go, for programs that write to the table themselves.
CREATE FUNCTION intram_records_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (OLD.state || '>' || NEW.state) NOT IN (
        'planned>sending', 'planned>accepted',
        'sending>in_doubt', 'sending>accepted', 'sending>refused', 'sending>needs_person', 'sending>planned',
        'in_doubt>accepted', 'in_doubt>refused', 'in_doubt>needs_person', 'in_doubt>planned',
        'needs_person>accepted', 'needs_person>planned', 'needs_person>refused',
        'accepted>completed', 'accepted>failed', 'accepted>queued_for_settlement', 'accepted>returned',
        'queued_for_settlement>settled', 'queued_for_settlement>returned',
        'completed>returned', 'settled>returned'
    ) THEN
        RAISE EXCEPTION 'intram_records: row % cannot go from % to %', OLD.id, OLD.state, NEW.state USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.state = 'planned' AND NEW.generation <> OLD.generation + 1 THEN
        RAISE EXCEPTION 'intram_records: row % is planned anew without a new generation', OLD.id USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER intram_records_guard BEFORE UPDATE OF state ON intram_records
    FOR EACH ROW WHEN (OLD.state IS DISTINCT FROM NEW.state) EXECUTE FUNCTION intram_records_guard();

-- Why a queue was paused, and that it was said.
CREATE TABLE intram_pauses (
    merchant    text        NOT NULL,
    environment text        NOT NULL,
    queue       text        NOT NULL,
    code        text        NOT NULL, -- what the API refuses all calls with
    since       timestamptz NOT NULL,
    PRIMARY KEY (merchant, environment)
);

-- When the sweep was last through, and whether one is under way.
CREATE TABLE intram_sweeps (
    merchant    text        NOT NULL,
    environment text        NOT NULL,
    finished_at timestamptz,
    busy_until  timestamptz, -- null when none is
    PRIMARY KEY (merchant, environment)
);
