package intramtest

import (
	"time"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/internal/mockapi"
)

// FaultKind is what goes wrong.
type FaultKind string

// The kinds of fault.
const (
	// Latency answers after Delay on the server's clock. On a frozen clock that moves the clock and takes no time: to see a
	// time-out, use a running clock inside testing/synctest.
	Latency FaultKind = "latency"
	// Refuse refuses the connection: the call cannot have been read. A client that is not the server's own sees a reset.
	Refuse FaultKind = "refuse"
	// Reset resets the connection before the call is read: nothing is executed.
	Reset FaultKind = "reset"
	// DropResponse executes the call and cuts the connection instead of answering.
	DropResponse FaultKind = "drop_response"
	// ServerError answers 5xx with an error envelope: before executing anything, or after, with Executed.
	ServerError FaultKind = "server_error"
	// Unavailable answers 429 or 503 with Retry-After, before executing anything.
	Unavailable FaultKind = "unavailable"
)

// Fault is a scripted failure. It hits the next Times calls it matches, and then is gone.
type Fault struct {
	Kind FaultKind
	// On picks the calls: "POST /payouts", "GET /operations/:id", "/payouts" or "POST"; empty for every call.
	On string
	// Times is how many calls it hits; 0 means 1.
	Times int
	// For ends it after this long on the server's clock, hit or not; 0 for no such end.
	For time.Duration
	// Delay is how long [Latency] takes.
	Delay time.Duration
	// Status is the answer of [ServerError] (default 500) and of [Unavailable] (429 or 503, the default).
	Status int
	// Code is the error code of [ServerError]; the default is internal_error.
	Code intram.ErrorCode
	// Executed makes [ServerError] answer after executing the call and keeping its answer.
	Executed bool
	// RetryAfter is the header of [Unavailable]; the default is "1", and "-" sends none.
	RetryAfter string
}

// Fault scripts a failure. A fault that makes no sense is an error, and fails the test.
func (s *Server) Fault(f Fault) error {
	err := s.core.AddFault(mockapi.Fault{
		Kind: mockapi.FaultKind(f.Kind), On: f.On, Times: f.Times, For: f.For, Delay: f.Delay, Status: f.Status,
		Code: string(f.Code), Executed: f.Executed, RetryAfter: f.RetryAfter,
	})
	if err != nil && s.tb != nil {
		s.tb.Helper()
		s.tb.Errorf("intramtest: %v", err)
	}
	return err
}

// PendingFaults returns the faults that have calls left to hit, with Times counting those.
func (s *Server) PendingFaults() []Fault {
	var pending []Fault
	for _, f := range s.core.PendingFaults() {
		pending = append(pending, Fault{
			Kind: FaultKind(f.Kind), On: f.On, Times: f.Times, For: f.For, Delay: f.Delay, Status: f.Status,
			Code: intram.ErrorCode(f.Code), Executed: f.Executed, RetryAfter: f.RetryAfter,
		})
	}
	return pending
}

// ClearFaults ends every scripted failure.
func (s *Server) ClearFaults() { s.core.ClearFaults() }
