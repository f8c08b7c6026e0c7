package sqlinbox

import "time"

// pause waits for the database, which runs by no other clock.
func pause(d time.Duration) { time.Sleep(d) }
