package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	intram "github.com/intram/intram-go"
)

// Exit statuses. They are part of what scripts rely on, and never change.
const (
	exitOK          = 0
	exitUsage       = 1   // nothing was sent
	exitRefused     = 2   // nothing moved
	exitInDoubt     = 3   // it may have been executed
	exitFailed      = 4   // the operation ended, and failed
	exitUnfinished  = 5   // the wait ended first
	exitNoAnswer    = 6   // a question that moves nothing was not answered
	exitInterrupted = 130 // as shells have it
)

// exitHelp is the same table in the help, the man page and the README.
const exitHelp = `Exit status:
    0    done; a signature is good
    1    the command line, the configuration or the parameters: nothing was sent
    2    refused: what was asked for was not done; a signature is not good
    3    in doubt: it may have been executed; the message says how to go on
    4    the operation ended and failed: the money is where it was
    5    the wait ended first: ask again with the same id
    6    no answer to a question that moves nothing
    130  interrupted before anything was sent`

// exitError is an error that knows its exit status.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string { return e.err.Error() }
func (e *exitError) Unwrap() error { return e.err }

// usagef is a mistake found before anything was sent.
func usagef(format string, args ...any) error {
	return &exitError{exitUsage, fmt.Errorf(format, args...)}
}

// errSaid is behind an error whose command has said on its output what is the matter.
var errSaid = errors.New("said")

// said ends a command with an exit status, and nothing more to say.
func said(code int) error { return &exitError{code, errSaid} }

// exitCode is the exit status that an error ends the process with.
func exitCode(err error) int {
	var (
		known  *exitError
		failed *intram.OperationError
		wait   *intram.WaitError
		call   *intram.Error
	)
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &known):
		return known.code
	case errors.As(err, &failed):
		return exitFailed
	case errors.As(err, &wait):
		if errors.As(err, &call) && call.StatusCode == http.StatusNotFound {
			return exitRefused // the id is wrong: asking again brings nothing
		}
		return exitUnfinished
	case errors.As(err, &call) && call.Outcome == intram.OutcomeRejected:
		return exitRefused
	case errors.As(err, &call) && call.Outcome == intram.OutcomeUnknown:
		if call.Method == http.MethodGet {
			return exitNoAnswer
		}
		return exitInDoubt
	case errors.Is(err, intram.ErrUnexpectedResult):
		return exitRefused
	case errors.Is(err, context.Canceled):
		return exitInterrupted
	default:
		return exitUsage
	}
}

// resumable is an error of a call that may have been executed, with the command that finds out.
type resumable struct {
	err     error
	command string
}

func (e *resumable) Error() string { return e.err.Error() }
func (e *resumable) Unwrap() error { return e.err }

// sayFailure tells why the command failed, on the error stream: in words, or with --json as one line of JSON.
func (a *app) sayFailure(err error, code int) {
	var (
		call   *intram.Error
		failed *intram.OperationError
		resume *resumable
	)
	errors.As(err, &call)
	errors.As(err, &failed)
	errors.As(err, &resume)
	if a.asJSON {
		line := failureLine{Exit: code, Message: err.Error()}
		if call != nil {
			line.Outcome, line.Code, line.Status = call.Outcome, call.Code, call.StatusCode
			line.IdempotencyKey, line.Details = call.IdempotencyKey, call.Details
		}
		if failed != nil {
			line.Outcome, line.Code, line.OperationID = intram.OutcomeRejected, failed.Code, failed.OperationID
		}
		if resume != nil {
			line.Resume = resume.command
		}
		data, _ := json.Marshal(line) //nolint:errchkjson // words and numbers
		fmt.Fprintf(a.err, "%s\n", data)
		return
	}
	a.sayError("intram: %s", trimPrefix(err.Error()))
	if call != nil && call.Code == intram.CodeSignatureInvalid {
		a.sayError("To find out which mistake it is, give the request to: intram explain-signature")
	}
	if resume != nil {
		a.sayError("To find out without doing it twice, run exactly this within 23 hours:")
		fmt.Fprintf(a.err, "  %s\n", resume.command)
	}
}

// failureLine is what --json says of a failure.
type failureLine struct {
	Exit           int                 `json:"exit"`
	Message        string              `json:"message"`
	Outcome        intram.Outcome      `json:"outcome,omitempty"`
	Code           intram.ErrorCode    `json:"code,omitempty"`
	Status         int                 `json:"http_status,omitempty"`
	Details        []intram.FieldError `json:"details,omitempty"`
	OperationID    string              `json:"operation_id,omitempty"`
	IdempotencyKey string              `json:"idempotency_key,omitempty"`
	Resume         string              `json:"resume,omitempty"`
}
