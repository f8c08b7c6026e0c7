package fidelity

import "time"

// machineTime is how long exchanges take, which the server's own clock cannot tell.
func machineTime() time.Time { return time.Now() }
