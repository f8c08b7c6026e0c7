package intram

import "math/rand/v2"

// randomJitter draws from [0, 1). It is the SDK's only randomness besides the UUIDs of keys and references.
var randomJitter = rand.Float64
