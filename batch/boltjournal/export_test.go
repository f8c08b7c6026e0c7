package boltjournal

// WithSync returns the journal with another way to make a folder durable.
func (j Journal) WithSync(syncFolder func(path string) error) Journal {
	j.syncFolder = syncFolder
	return j
}
