-- What intram-go's sqlinbox remembers of events: which are claimed, and which have taken effect. Times are microseconds since 1970, in UTC,
-- by this server's clock.
CREATE TABLE intram_sqlinbox (
    event_key       text COLLATE "C" NOT NULL PRIMARY KEY, -- intram.Event.InboxKey
    token           text   NOT NULL,                       -- differs for each claim: it fences out a holder whose lease was lost
    lease_us        bigint NOT NULL,
    leased_until_us bigint NOT NULL,
    completed_us    bigint,                                -- null while the event is only claimed
    note            text   NOT NULL,                       -- what the first event of the key said: intram.Claim.Note
    writes          bigint NOT NULL
);

-- For pruning.
CREATE INDEX intram_sqlinbox_old ON intram_sqlinbox (completed_us, leased_until_us);

-- What the reconciler keeps in view: intram.PendingOperation. Unknown times are those of the year 1.
CREATE TABLE intram_sqlinbox_pending (
    scope        text COLLATE "C" NOT NULL,
    operation_id text COLLATE "C" NOT NULL,
    created_us   bigint NOT NULL,
    since_us     bigint NOT NULL,
    told         text   NOT NULL, -- the events that have taken effect, as a JSON array
    PRIMARY KEY (scope, operation_id)
);

-- What was not seen for longest is looked up first.
CREATE INDEX intram_sqlinbox_pending_since ON intram_sqlinbox_pending (scope, since_us);

-- How far the reconciler has come, for the run that continues one that ended before its end: intram.ReconcileCursor, as JSON.
CREATE TABLE intram_sqlinbox_cursor (
    scope    text COLLATE "C" NOT NULL PRIMARY KEY,
    progress text NOT NULL
);
