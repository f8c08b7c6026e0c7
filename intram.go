package intram

// Version is the SDK's own, as the User-Agent shows it.
const Version = "0.1.0"

// Where the API is. Both speak for the sandbox and for live accounts: the key decides which (Merchant API docs,
// Environments).
const (
	// BaseURL is the documented address, and the default.
	BaseURL = "https://api.intram.org/v1"
	// BaseURLDirect is behind the proxy that BaseURL goes through. Some accounts get a 404 from BaseURL, and an answer here.
	BaseURLDirect = "https://api.intram.org/api/v1/merchant"
)
