-- What intram-go's sqlinbox remembers of events: which are claimed, and which have taken effect. Times are microseconds since 1970, in UTC,
-- by this server's clock. Texts are bytes: no collation, character set or trailing space makes two of them equal. MySQL commits after each
-- statement, so each can be made again.
CREATE TABLE IF NOT EXISTS intram_sqlinbox (
    event_key       VARBINARY(512) NOT NULL PRIMARY KEY, -- intram.Event.InboxKey
    token           VARBINARY(64)  NOT NULL,             -- differs for each claim: it fences out a holder whose lease was lost
    lease_us        BIGINT         NOT NULL,
    leased_until_us BIGINT         NOT NULL,
    completed_us    BIGINT,                              -- null while the event is only claimed
    note            VARBINARY(512) NOT NULL,             -- what the first event of the key said: intram.Claim.Note
    writes          BIGINT         NOT NULL,             -- changes with each write, so that rows that are found are rows that are changed
    KEY intram_sqlinbox_old (completed_us, leased_until_us)  -- for pruning
) ENGINE = InnoDB;

-- What the reconciler keeps in view: intram.PendingOperation. Unknown times are those of the year 1.
CREATE TABLE IF NOT EXISTS intram_sqlinbox_pending (
    scope        VARBINARY(512) NOT NULL,
    operation_id VARBINARY(512) NOT NULL,
    created_us   BIGINT         NOT NULL,
    since_us     BIGINT         NOT NULL,
    told         MEDIUMBLOB     NOT NULL, -- the events that have taken effect, as a JSON array
    PRIMARY KEY (scope, operation_id),
    KEY intram_sqlinbox_pending_since (scope, since_us)  -- what was not seen for longest is looked up first
) ENGINE = InnoDB;

-- How far the reconciler has come, for the run that continues one that ended before its end: intram.ReconcileCursor, as JSON.
CREATE TABLE IF NOT EXISTS intram_sqlinbox_cursor (
    scope    VARBINARY(512) NOT NULL PRIMARY KEY,
    progress BLOB           NOT NULL
) ENGINE = InnoDB;
