package durable

import "time"

// pause sleeps on the clock of the machine.
func pause(d time.Duration) { time.Sleep(d) }
