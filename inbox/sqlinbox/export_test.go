package sqlinbox

// SQLiteSource returns what OpenSQLite opens for a path.
func SQLiteSource(path string) string { return dataSource(path) }

// WithoutDisk lets OpenSQLite no longer wait for the disk: what a killed process has
// committed stays, which is all that tests kill.
func WithoutDisk() {
	sqliteSettings["_pragma"][2] = "synchronous(OFF)"
}
