DROP TABLE intram_reconciliations;
DROP TABLE intram_pending;
DROP TABLE intram_events;
