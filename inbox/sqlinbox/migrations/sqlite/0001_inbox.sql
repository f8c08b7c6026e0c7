-- What intram-go's sqlinbox remembers of events: which are claimed, and which have taken effect. Times are microseconds since 1970, in UTC,
-- by the clock of this machine.
CREATE TABLE intram_sqlinbox (
    event_key       TEXT    NOT NULL PRIMARY KEY, -- intram.Event.InboxKey
    token           TEXT    NOT NULL,             -- differs for each claim: it fences out a holder whose lease was lost
    lease_us        INTEGER NOT NULL,
    leased_until_us INTEGER NOT NULL,
    completed_us    INTEGER,                      -- null while the event is only claimed
    note            TEXT    NOT NULL,             -- what the first event of the key said: intram.Claim.Note
    writes          INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- For pruning.
CREATE INDEX intram_sqlinbox_old ON intram_sqlinbox (completed_us, leased_until_us);

-- What the reconciler keeps in view: intram.PendingOperation. Unknown times are those of the year 1.
CREATE TABLE intram_sqlinbox_pending (
    scope        TEXT    NOT NULL,
    operation_id TEXT    NOT NULL,
    created_us   INTEGER NOT NULL,
    since_us     INTEGER NOT NULL,
    told         TEXT    NOT NULL, -- the events that have taken effect, as a JSON array
    PRIMARY KEY (scope, operation_id)
) STRICT, WITHOUT ROWID;

-- What was not seen for longest is looked up first.
CREATE INDEX intram_sqlinbox_pending_since ON intram_sqlinbox_pending (scope, since_us);

-- How far the reconciler has come, for the run that continues one that ended before its end: intram.ReconcileCursor, as JSON.
CREATE TABLE intram_sqlinbox_cursor (
    scope    TEXT NOT NULL PRIMARY KEY,
    progress TEXT NOT NULL
) STRICT, WITHOUT ROWID;
