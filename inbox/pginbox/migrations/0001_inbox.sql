-- What intram-go's pginbox remembers of events: which are claimed, and which have taken effect.
CREATE TABLE intram_inbox (
    key          text        PRIMARY KEY, -- intram.Event.InboxKey
    token        text        NOT NULL,    -- differs for each claim: it fences out a holder whose lease was lost
    lease        interval    NOT NULL,
    leased_until timestamptz NOT NULL,    -- by this server's clock
    completed_at timestamptz              -- null while the event is only claimed
);

-- For pruning.
CREATE INDEX intram_inbox_completed ON intram_inbox (completed_at) WHERE completed_at IS NOT NULL;
CREATE INDEX intram_inbox_abandoned ON intram_inbox (leased_until) WHERE completed_at IS NULL;
