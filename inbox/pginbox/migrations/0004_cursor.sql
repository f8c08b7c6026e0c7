-- How far the reconciler has come, for the run that continues one that ended before its end: intram.ReconcileCursor.
CREATE TABLE intram_inbox_cursor (
    scope  text  PRIMARY KEY,
    cursor jsonb NOT NULL
);

-- What was not seen for longest is looked up first.
CREATE INDEX intram_inbox_pending_since ON intram_inbox_pending (scope, since NULLS FIRST);
