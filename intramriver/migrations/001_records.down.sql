DROP TABLE intram_sweeps;
DROP TABLE intram_pauses;
DROP TABLE intram_records;
DROP FUNCTION intram_records_guard();
